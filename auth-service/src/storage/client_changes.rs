//! Changes of clients that are registered.

use diesel::prelude::*;

use super::clients::{MethodColumns, stored_binding, update_login};
use super::connection::AnyConnection;
use super::error::StorageError;
use super::revocations;
use super::schema::{clients, exchange_rules};
use super::session_ends::{End, end_all_of_client, sessions_ended};
use super::user_changes::{Enabled, accepted_from};
use super::{Storage, count_up};
use crate::audit::{Action, Event};
use crate::clients::{ClientChange, ClientId, ClientMethod, GrantType};
use crate::clock::Timestamp;
use crate::revocations::RevocationTarget;
use crate::sessions::EndReason;

/// When a client ends, and until when its tokens are refused.
#[derive(Debug, Clone, Copy)]
pub struct ClientEnd {
    pub now: Timestamp,
    /// When the last token has expired everywhere, also of a replica that issues some without the database.
    pub revoked_until: Timestamp,
}

impl Storage {
    /// Disables a client, ends its sessions and revokes its tokens: how many sessions ended. `Ok(None)` when there is no
    /// such client.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn disable_client(&self, id: &ClientId, end: ClientEnd) -> Result<Option<usize>, StorageError> {
        let id = id.clone();
        self.write_revoking(move |connection| {
            let disabled = diesel::update(clients::table.find(id.as_str()))
                .set(clients::disabled_at.eq(end.now.0))
                .execute(connection)?;
            if disabled == 0 {
                return Ok((None, None));
            }
            let ended = revoke_all(connection, &id, end)?;
            let event = Event::of(Action::ClientDisabled).client(id.as_str()).detail(sessions_ended(ended));
            Ok((Some(ended), Some(event)))
        })
    }

    /// Deletes a client, ends its sessions and revokes its tokens: how many sessions ended. `Ok(None)` when there is no
    /// such client.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn delete_client(&self, id: &ClientId, end: ClientEnd) -> Result<Option<usize>, StorageError> {
        let id = id.clone();
        self.write_revoking(move |connection| {
            if diesel::delete(clients::table.find(id.as_str())).execute(connection)? == 0 {
                return Ok((None, None));
            }
            let rules = exchange_rules::table.filter(exchange_rules::client_id.eq(id.as_str()));
            diesel::delete(rules).execute(connection)?;
            let ended = revoke_all(connection, &id, end)?;
            let event = Event::of(Action::ClientDeleted).client(id.as_str()).detail(sessions_ended(ended));
            Ok((Some(ended), Some(event)))
        })
    }

    /// Enables a client. Sessions and tokens from before stay revoked. `Ok(None)` when there is no such client.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn enable_client(&self, id: &ClientId) -> Result<Option<Enabled>, StorageError> {
        let id = id.clone();
        self.write_audited(move |connection| {
            let client = clients::table.find(id.as_str());
            let disabled = client.filter(clients::disabled_at.is_not_null());
            let none: Option<i64> = None;
            let changed =
                diesel::update(disabled).set(clients::disabled_at.eq(none)).execute(connection)? > 0;
            if client.select(clients::id).first::<String>(connection).optional()?.is_none() {
                return Ok((None, None));
            }
            let accepted_from = accepted_from(connection, "client", id.as_str())?;
            count_up(connection, "clients")?;
            let event = changed.then(|| Event::of(Action::ClientEnabled).client(id.as_str()));
            Ok((Some(Enabled { changed, accepted_from }), event))
        })
    }

    /// Changes a client. `Ok(false)` when there is no such client.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn update_client(&self, id: &ClientId, change: ClientChange) -> Result<bool, StorageError> {
        let id = id.clone();
        self.write_audited(move |connection| {
            let ClientChange {
                scope,
                audiences,
                grants,
                introspects,
                cors_origins,
                login,
                method,
                token_binding,
            } = &change;
            let scope = scope.as_ref().map(ToString::to_string);
            let audiences = audiences.as_ref().map(|names| names.join(" "));
            let grants = grants.as_deref().map(GrantType::join);
            let introspects = introspects.as_ref().map(|names| names.join(" "));
            let cors_origins = cors_origins.as_ref().map(|origins| origins.join(" "));
            let named_binding = token_binding.map(|binding| binding.as_str().to_owned());
            let detail = [
                ("scope", &scope),
                ("audiences", &audiences),
                ("grants", &grants),
                ("introspects", &introspects),
                ("cors_origins", &cors_origins),
                ("token_binding", &named_binding),
            ];
            let mut detail: Vec<String> = detail
                .into_iter()
                .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value}")))
                .collect();
            detail.extend(update_login(connection, &id, login)?);
            if let Some(method) = method {
                update_method(connection, &id, method)?;
                detail.push(format!("method {method}"));
            }
            let event = Event::of(Action::ClientUpdated).client(id.as_str()).detail(detail.join(", "));
            let set = (
                scope.map(|scope| clients::scope.eq(scope)),
                audiences.map(|audiences| clients::audiences.eq(audiences)),
                grants.map(|grants| clients::grants.eq(grants)),
                introspects.map(|introspects| clients::introspects.eq(introspects)),
                cors_origins.map(|origins| clients::cors_origins.eq(origins)),
                token_binding.map(|binding| clients::token_binding.eq(stored_binding(binding))),
            );
            // A change of the login alone leaves nothing to set here.
            let found = clients::table.find(id.as_str());
            diesel::update(found).set(set).execute(connection).optional_empty_changeset()?;
            let known = found.select(clients::id).first::<String>(connection).optional()?.is_some();
            count_up(connection, "clients")?;
            Ok((known, known.then_some(event)))
        })
    }
}

/// From now on it proves itself so, and by no secret that it had.
fn update_method(
    connection: &mut AnyConnection,
    id: &ClientId,
    method: &ClientMethod,
) -> Result<(), StorageError> {
    let (none, no_time): (Option<Vec<u8>>, Option<i64>) = (None, None);
    let without_secret = (
        clients::secret_hash.eq(Vec::new()),
        clients::previous_secret_hash.eq(none),
        clients::previous_secret_expires_at.eq(no_time),
    );
    let set = (MethodColumns::of(method), without_secret);
    diesel::update(clients::table.find(id.as_str())).set(set).execute(connection)?;
    Ok(())
}

/// One entry for all tokens, also for those of a replica that is disconnected and does not know of this yet.
fn revoke_all(connection: &mut AnyConnection, id: &ClientId, end: ClientEnd) -> Result<usize, StorageError> {
    let ClientEnd { now, revoked_until } = end;
    let ended =
        end_all_of_client(connection, id, End { now, reason: EndReason::ClientDisabled, revoked_until })?;
    let client = RevocationTarget::Client { id: id.to_string(), not_before: revoked_until };
    revocations::append(connection, &[client], revoked_until)?;
    count_up(connection, "clients")?;
    Ok(ended.len())
}
