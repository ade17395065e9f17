//! Changes of audiences that are registered.

use std::collections::BTreeSet;

use diesel::prelude::*;

use super::error::StorageError;
use super::schema::{audiences, clients, exchange_rules, sessions};
use super::{Storage, count_up, words};
use crate::audit::{Action, Event};
use crate::clients::AudienceChange;
use crate::clock::Timestamp;
use crate::keys::Algorithm;

/// What became of an audience that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudienceDeleted {
    Done,
    Unknown,
    /// These clients may request tokens for it, introspect them, or exchange them.
    UsedBy(Vec<String>),
    /// Its tokens are still issued by live sessions.
    HasSessions,
}

impl Storage {
    /// Changes an audience. `Ok(false)` when it is not registered.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn update_audience(&self, name: &str, change: AudienceChange) -> Result<bool, StorageError> {
        let name = name.to_owned();
        self.write_audited(move |connection| {
            let detail = [
                change.algorithm.map(|algorithm| format!("algorithm {algorithm}")),
                change.token_type.map(|token_type| format!("typ {}", token_type.as_str())),
            ];
            let detail = detail.into_iter().flatten().collect::<Vec<_>>().join(", ");
            let event = Event::of(Action::AudienceUpdated).detail(format!("{name}: {detail}"));
            let set = (
                change.algorithm.map(|algorithm| audiences::algorithm.eq(Algorithm::as_str(algorithm))),
                change.token_type.map(|token_type| audiences::token_type.eq(token_type.as_str())),
            );
            let changed = diesel::update(audiences::table.find(&name)).set(set).execute(connection)? > 0;
            count_up(connection, "clients")?;
            Ok((changed, changed.then_some(event)))
        })
    }

    /// Deletes an audience that no client uses.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn delete_audience(&self, name: &str, now: Timestamp) -> Result<AudienceDeleted, StorageError> {
        let name = name.to_owned();
        self.write_audited(move |connection| {
            // Write first: the lock makes the look and the deletion one step.
            count_up(connection, "clients")?;
            let rows: Vec<(String, String, String)> = clients::table
                .order(clients::id)
                .select((clients::id, clients::audiences, clients::introspects))
                .load(connection)?;
            let uses = |text: &str| words(text).contains(&name);
            let users: Vec<String> = rows
                .into_iter()
                .filter(|(_, audiences, introspects)| uses(audiences) || uses(introspects))
                .map(|(id, ..)| id)
                .collect();
            let of_rule = exchange_rules::from_audience.eq(&name).or(exchange_rules::to_audience.eq(&name));
            let of_rules: Vec<String> =
                exchange_rules::table.filter(of_rule).select(exchange_rules::client_id).load(connection)?;
            let users: BTreeSet<String> = users.into_iter().chain(of_rules).collect();
            if !users.is_empty() {
                return Ok((AudienceDeleted::UsedBy(users.into_iter().collect()), None));
            }
            let live = sessions::table
                .filter(sessions::audience.eq(&name))
                .filter(sessions::ended_at.is_null())
                .filter(sessions::expires_at.gt(now.0))
                .filter(sessions::idle_expires_at.gt(now.0));
            if live.select(sessions::id).first::<String>(connection).optional()?.is_some() {
                return Ok((AudienceDeleted::HasSessions, None));
            }
            if diesel::delete(audiences::table.find(&name)).execute(connection)? == 0 {
                return Ok((AudienceDeleted::Unknown, None));
            }
            Ok((AudienceDeleted::Done, Some(Event::of(Action::AudienceDeleted).detail(name.clone()))))
        })
    }
}
