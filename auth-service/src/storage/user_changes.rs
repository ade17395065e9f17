//! What operators change of users.

use diesel::connection::SimpleConnection;
use diesel::dsl::max;
use diesel::prelude::*;

use super::Storage;
use super::attempts::forget;
use super::audit_prune::erase_personal_data;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::names::id_of;
use super::revocations;
use super::schema::{
    browser_sessions, consents, device_requests, recovery_codes, revocations as revocation_rows,
    second_factors, sessions, users,
};
use super::users::{check_unlike, disable};
use crate::audit::{Action, Event};
use crate::clock::Timestamp;
use crate::users::{Address, Attempt, Username};

/// A user or client that is enabled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enabled {
    /// Whether it was disabled.
    pub changed: bool,
    /// Its tokens are accepted from this second on; `None` when nothing has revoked any.
    pub accepted_from: Option<Timestamp>,
}

/// Changes of a user; `None` leaves a value as it is.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    pub username: Option<Username>,
    /// `Some(None)` removes the address.
    pub email: Option<Option<Address>>,
    pub roles: Option<Vec<String>>,
}

impl Storage {
    /// Enables a user. Sessions and tokens from before stay revoked. `Ok(None)` when no user has this name.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn enable_user(&self, username: &Username) -> Result<Option<Enabled>, StorageError> {
        let username = username.clone();
        self.write_audited(move |connection| {
            let Some(id) = id_of(connection, &username)? else { return Ok((None, None)) };
            let disabled = users::table.find(&id).filter(users::disabled_at.is_not_null());
            let none: Option<i64> = None;
            let changed = diesel::update(disabled).set(users::disabled_at.eq(none)).execute(connection)? > 0;
            let accepted_from = accepted_from(connection, "subject", &id)?;
            let event = changed.then(|| Event::of(Action::UserEnabled).user(&id));
            Ok((Some(Enabled { changed, accepted_from }), event))
        })
    }

    /// Changes a user. `Ok(false)` when no user has this name.
    ///
    /// # Errors
    /// [`StorageError::Taken`] when another user has the new name, or one that looks like it.
    pub fn update_user(
        &self,
        username: &Username,
        change: UserChange,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let username = username.clone();
        self.write_audited(move |connection| {
            let Some(id) = id_of(connection, &username)? else { return Ok((false, None)) };
            let mut changed = Vec::new();
            if let Some(name) = &change.username {
                rename(connection, &id, name)?;
                changed.push("username".to_owned());
            }
            if let Some(email) = &change.email {
                set_email(connection, &id, email.as_ref(), now)?;
                changed.push("email".to_owned());
            }
            if let Some(roles) = &change.roles {
                let roles = roles.join(" ");
                changed.push(format!("roles {roles}"));
                diesel::update(users::table.find(&id)).set(users::roles.eq(roles)).execute(connection)?;
            }
            // What, never to which name or address: the log outlives the user.
            let event = Event::of(Action::UserUpdated).user(&id).detail(changed.join(", "));
            Ok((true, Some(event)))
        })
    }

    /// Deletes a user with everything that names them, ends their sessions and revokes their tokens: how many sessions
    /// were live. `Ok(None)` when no user has this name. The audit log keeps the ID, which never comes back.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn delete_user(
        &self,
        username: &Username,
        now: Timestamp,
        revoked_until: Timestamp,
    ) -> Result<Option<usize>, StorageError> {
        let username = username.clone();
        self.write_revoking(move |connection| {
            let Some(id) = id_of(connection, &username)? else { return Ok((None, None)) };
            erase_for_good(connection)?;
            let ended = disable(connection, &id, now, revoked_until)?;
            diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(&id)))
                .execute(connection)?;
            diesel::delete(second_factors::table.find(&id)).execute(connection)?;
            diesel::delete(sessions::table.filter(sessions::user_id.eq(&id))).execute(connection)?;
            diesel::delete(browser_sessions::table.filter(browser_sessions::user_id.eq(&id)))
                .execute(connection)?;
            diesel::delete(consents::table.filter(consents::user_id.eq(&id))).execute(connection)?;
            diesel::delete(device_requests::table.filter(device_requests::user_id.eq(&id)))
                .execute(connection)?;
            diesel::delete(users::table.find(&id)).execute(connection)?;
            erase_personal_data(connection, &id)?;
            revocations::append(connection, &ended.revoked, revoked_until)?;
            let event = Event::of(Action::UserDeleted).user(&id).detail(ended.detail());
            Ok((Some(ended.count), Some(event)))
        })
    }

    /// Forgets the failures that attempts are counted by: how many counts there were.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn forget_failures(&self, user_id: &str, attempts: &[Attempt]) -> Result<usize, StorageError> {
        let ids: Vec<String> =
            attempts.iter().flat_map(|attempt| &attempt.counts).map(|count| count.id.clone()).collect();
        let user_id = user_id.to_owned();
        self.write_audited(move |connection| {
            let forgotten = forget(connection, &ids)?;
            let event = Event::of(Action::UserUnlocked).user(&user_id).detail(format!("{forgotten} counts"));
            Ok((forgotten, Some(event)))
        })
    }
}

/// SQLite overwrites what it deletes over this connection. The write-ahead log is reset at the next checkpoint.
fn erase_for_good(connection: &mut AnyConnection) -> Result<(), StorageError> {
    if let AnyConnection::Sqlite(connection) = connection {
        connection.batch_execute("PRAGMA secure_delete = ON")?;
    }
    Ok(())
}

/// The second after those whose tokens are revoked (`iat` at most `not_before`).
pub(super) fn accepted_from(
    connection: &mut AnyConnection,
    kind: &str,
    id: &str,
) -> Result<Option<Timestamp>, StorageError> {
    let entries = revocation_rows::table
        .filter(revocation_rows::kind.eq(kind))
        .filter(revocation_rows::id.eq(id))
        .select(max(revocation_rows::not_before));
    let latest: Option<i64> = entries.first(connection)?;
    Ok(latest.map(|not_before| Timestamp((not_before.div_euclid(1000) + 1) * 1000)))
}

fn rename(connection: &mut AnyConnection, id: &str, name: &Username) -> Result<(), StorageError> {
    let skeleton = check_unlike(connection, name, Some(id))?;
    diesel::update(users::table.find(id))
        .set((
            users::username.eq(name.as_str()),
            users::name_key.eq(name.key()),
            users::name_skeleton.eq(skeleton),
        ))
        .execute(connection)?;
    Ok(())
}

/// An operator vouches for an address: it counts as proved.
fn set_email(
    connection: &mut AnyConnection,
    id: &str,
    email: Option<&Address>,
    now: Timestamp,
) -> Result<(), StorageError> {
    diesel::update(users::table.find(id))
        .set((
            users::email.eq(email.map(Address::as_str)),
            users::email_key.eq(email.map(Address::key)),
            users::email_verified_at.eq(email.map(|_| now.0)),
        ))
        .execute(connection)?;
    Ok(())
}
