use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StorageError;
use super::revocations::{self, Hit};
use super::schema::users;
use super::sessions::{End, end_all_of_user, sessions_ended};
use super::{Storage, words};
use crate::audit::{Action, Event};
use crate::clock::{CLOCK_DIFFERENCE, Timestamp};
use crate::sessions::EndReason;
use crate::users::{User, Username};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = users)]
struct UserRow {
    id: String,
    username: String,
    password_hash: String,
    password_epoch: i64,
    roles: String,
    created_at: i64,
    disabled_at: Option<i64>,
}

impl Storage {
    /// # Errors
    /// [`StorageError::Taken`] when the name belongs to another account.
    pub fn create_user(&self, user: &User) -> Result<(), StorageError> {
        let row = UserRow {
            id: user.id.clone(),
            username: user.username.clone(),
            password_hash: user.password_hash.clone(),
            password_epoch: user.password_epoch,
            roles: user.roles.join(" "),
            created_at: user.created_at.0,
            disabled_at: user.disabled_at.map(|at| at.0),
        };
        self.write_audited(move |connection| {
            let made = Event::of(Action::UserCreated).user(&row.id).detail(format!("roles {}", row.roles));
            diesel::insert_into(users::table).values(row).execute(connection)?;
            Ok(((), Some(made)))
        })
    }

    /// # Errors
    /// [`StorageError`].
    pub fn has_users(&self) -> Result<bool, StorageError> {
        self.read(|connection| {
            Ok(users::table.select(users::id).first::<String>(connection).optional()?.is_some())
        })
    }

    /// # Errors
    /// [`StorageError`]; `Ok(None)` when nobody has this name.
    pub fn find_user(&self, username: &Username) -> Result<Option<User>, StorageError> {
        self.read(|connection| {
            let found = users::table.filter(users::username.eq(username.as_str()));
            let row = found.select(UserRow::as_select()).first(connection).optional()?;
            Ok(row.map(UserRow::into_user))
        })
    }

    /// # Errors
    /// [`StorageError`]; `Ok(None)` when there is no such account.
    pub fn find_user_by_id(&self, id: &str) -> Result<Option<User>, StorageError> {
        self.read(|connection| find_user_by_id(connection, id))
    }

    /// Disables an account and ends its sessions, in one step. `Ok(None)` when nobody has this name,
    /// else the number of sessions that ended.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn disable_user(
        &self,
        username: &Username,
        now: Timestamp,
        revoked_until: Timestamp,
    ) -> Result<Option<usize>, StorageError> {
        let username = username.clone();
        self.write_audited(move |connection| {
            let account = users::table.filter(users::username.eq(username.as_str()));
            let id: Option<String> = diesel::update(account)
                .set(users::disabled_at.eq(now.0))
                .returning(users::id)
                .get_result(connection)
                .optional()?;
            let Some(id) = id else { return Ok((None, None)) };
            let end = End { now, reason: EndReason::UserDisabled, revoked_until };
            let ended = end_all_of_user(connection, &id, end)?;
            // One entry for all of them, also for a token that a replica whose clock is ahead has just made.
            revocations::append(connection, Hit::Subject(&id, now.plus(CLOCK_DIFFERENCE)), revoked_until)?;
            let disabled = Event::of(Action::UserDisabled).user(&id).detail(sessions_ended(&ended));
            Ok((Some(ended.len()), Some(disabled)))
        })
    }

    /// Sets a password and ends the sessions that the old one started, in one step. `Ok(None)` when
    /// nobody has this name, else the number of sessions that ended.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn set_password(
        &self,
        username: &Username,
        password_hash: String,
        (now, revoked_until): (Timestamp, Timestamp),
    ) -> Result<Option<usize>, StorageError> {
        let username = username.clone();
        self.write_audited(move |connection| {
            let account = users::table.filter(users::username.eq(username.as_str()));
            let id: Option<String> = diesel::update(account)
                .set((
                    users::password_hash.eq(password_hash),
                    users::password_epoch.eq(users::password_epoch + 1),
                ))
                .returning(users::id)
                .get_result(connection)
                .optional()?;
            let Some(id) = id else { return Ok((None, None)) };
            let end = End { now, reason: EndReason::PasswordChanged, revoked_until };
            let ended = end_all_of_user(connection, &id, end)?;
            // By session, not by subject: whoever logs in again in this very second must not be hit.
            revocations::append_sessions(connection, &ended, revoked_until)?;
            let set = Event::of(Action::PasswordSet).user(&id).detail(sessions_ended(&ended));
            Ok((Some(ended.len()), Some(set)))
        })
    }
}

pub(super) fn find_user_by_id(
    connection: &mut AnyConnection,
    id: &str,
) -> Result<Option<User>, StorageError> {
    let row = users::table.find(id).select(UserRow::as_select()).first(connection).optional()?;
    Ok(row.map(UserRow::into_user))
}

impl UserRow {
    fn into_user(self) -> User {
        User {
            id: self.id,
            username: self.username,
            password_hash: self.password_hash,
            password_epoch: self.password_epoch,
            roles: words(&self.roles),
            created_at: Timestamp(self.created_at),
            disabled_at: self.disabled_at.map(Timestamp),
        }
    }
}
