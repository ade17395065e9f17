use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use shared_claims::AccessClaims;

use super::{Revocation, RevokedThing};
use crate::clock::Timestamp;

/// The live revocations as this process knows them: its own from the moment at which they are stored,
/// those of others within a quarter of a second. What is held is held until it can hit nothing more, so
/// that a look at the database which began before a revocation cannot undo it here.
#[derive(Default)]
pub struct HeldRevocations(RwLock<Held>);

#[derive(Default)]
struct Held {
    /// Until when each is needed.
    sessions: HashMap<String, Timestamp>,
    tokens: HashMap<String, Timestamp>,
    /// The last instant whose tokens are hit, and until when this is needed.
    clients: HashMap<String, (Timestamp, Timestamp)>,
}

impl HeldRevocations {
    pub fn add(&self, thing: RevokedThing, expires_at: Timestamp) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).add(thing, expires_at);
    }

    /// Takes over what the database holds, and lets go of what has expired.
    pub fn merge(&self, live: &[Revocation], now: Timestamp) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for revocation in live {
            held.add(revocation.thing.clone(), revocation.expires_at);
        }
        held.sessions.retain(|_, expires_at| *expires_at > now);
        held.tokens.retain(|_, expires_at| *expires_at > now);
        held.clients.retain(|_, (_, expires_at)| *expires_at > now);
    }

    /// Whether an access token was taken back.
    #[must_use]
    pub fn hit(&self, claims: &AccessClaims) -> bool {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.tokens.contains_key(&claims.jti)
            || claims.sid.as_ref().is_some_and(|sid| held.sessions.contains_key(sid))
            || held.clients.get(&claims.client_id).is_some_and(|(until, _)| claims.iat <= until.seconds())
    }
}

impl Held {
    fn add(&mut self, thing: RevokedThing, expires_at: Timestamp) {
        match thing {
            RevokedThing::Session(id) => {
                self.sessions.insert(id, expires_at);
            }
            RevokedThing::Token(jti) => {
                self.tokens.insert(jti, expires_at);
            }
            RevokedThing::Client { id, not_before } => {
                self.clients.insert(id, (not_before, expires_at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_here_outlives_an_older_look_at_the_database() {
        let held = HeldRevocations::default();
        let (now, later) = (Timestamp(1_000), Timestamp(2_000));
        let held_sessions = |held: &HeldRevocations| held.0.read().unwrap().sessions.len();
        held.add(RevokedThing::Session("s".to_owned()), later);
        held.merge(&[], now);
        assert_eq!(held_sessions(&held), 1);
        held.merge(&[], later);
        assert_eq!(held_sessions(&held), 0, "it can hit nothing more");
    }
}
