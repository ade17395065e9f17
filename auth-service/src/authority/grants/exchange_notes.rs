//! Who acted for whom, in the audit log.

use std::time::Duration;

use shared_claims::Actors;

use super::token_exchange::Exchange;
use crate::audit::{Action, Actor, Event};
use crate::authority::Authority;
use crate::error::Result;

/// Exchanges of one client for one session and audience have one entry in the audit log in this time, at each replica.
const NOTED_FOR: Duration = Duration::from_secs(3600);

impl Authority {
    /// Whether the audit log needs no entry. One of an impersonation is written each time.
    pub(super) fn is_noted(&self, exchange: &Exchange) -> bool {
        let noted = self.reader.noted_exchanges.get(&exchange.name());
        !exchange.rule.impersonates && noted.is_some_and(|at| at.plus(NOTED_FOR) > self.now())
    }

    /// Writes down who acts for whom.
    pub(super) fn note_exchange(&self, exchange: &Exchange) -> Result<()> {
        let Exchange { client, subject, rule, act, context, .. } = exchange;
        let chain: Vec<&str> = act.iter().flat_map(Actors::subs).collect();
        let how = if rule.impersonates { "impersonates" } else { "acts for" };
        let chain = chain.join(" for ");
        let detail = format!("{how} {}, from {} to {}, actors {chain}", subject.sub, rule.from, rule.to);
        let mut event = Event::of(Action::TokenExchanged)
            .client(client.id.as_str())
            .by(Actor::Client(client.id.clone()))
            .detail(detail);
        if let Some(session_id) = &subject.sid {
            event = event.user(&subject.sub).session(session_id);
        }
        self.storage.on_behalf_of(context).note(event)?;
        self.reader.noted_exchanges.insert(exchange.name(), self.now());
        Ok(())
    }
}

impl Exchange {
    /// What the audit log tells apart.
    fn name(&self) -> String {
        let Self { client, subject, rule, act, .. } = self;
        let of = subject.sid.as_deref().unwrap_or(&subject.sub);
        let before = act.iter().flat_map(Actors::subs).collect::<Vec<_>>().join(" ");
        format!("{} {of} {} {} {before}", client.id, rule.from, rule.to)
    }
}
