//! What users change of their own accounts.

use diesel::prelude::*;

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::names::next_number;
use super::schema::users;
use super::session_ends::{End, SessionsEnded, end_others};
use super::users::{UserRow, insert_new, scheme_of};
use crate::audit::{Action, Actor, Event};
use crate::clock::Timestamp;
use crate::sessions::EndReason;
use crate::users::Address;
use crate::users::User;

/// A password that takes the place of another one.
#[derive(Debug)]
pub struct NewPassword {
    pub user_id: String,
    /// As it was when the change was allowed.
    pub password_epoch: i64,
    pub password_hash: String,
    /// The address that the change was proved by: it must still be the user's.
    pub proved_email: Option<String>,
    /// The session of anyone who changes it.
    pub keep_session: Option<String>,
    pub now: Timestamp,
    pub revoked_until: Timestamp,
}

impl Storage {
    /// Makes an account whose address is proved.
    ///
    /// # Errors
    /// [`StorageError::Taken`] when another user has the name, or one that looks like it, by now.
    pub fn create_registered_user(
        &self,
        user: &User,
        email: &Address,
        numbered: bool,
    ) -> Result<(), StorageError> {
        let (mut row, name) = (UserRow::from_user(user), user.username.clone());
        let (id, now) = (user.id.clone(), user.created_at.0);
        let (email, key) = (email.as_str().to_owned(), email.key());
        self.write_audited(move |connection| {
            if numbered {
                row.number(next_number(connection)?);
            }
            insert_new(connection, row, &name)?;
            diesel::update(users::table.find(&id))
                .set((users::email.eq(email), users::email_key.eq(key), users::email_verified_at.eq(now)))
                .execute(connection)?;
            let made =
                Event::of(Action::UserCreated).by(Actor::User(id.clone())).user(&id).detail("registered");
            Ok(((), Some(made)))
        })
    }

    /// Sets a password and ends the account's sessions but one, in one step: those that ended. `Ok(None)` when the
    /// password has changed meanwhile, or the account was disabled.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn change_password(&self, new: NewPassword) -> Result<Option<SessionsEnded>, StorageError> {
        self.write_revoking(move |connection| {
            let unchanged = users::table
                .filter(users::id.eq(&new.user_id))
                .filter(users::password_epoch.eq(new.password_epoch))
                .filter(users::disabled_at.is_null());
            if let Some(email) = &new.proved_email
                && !has_email(connection, &new.user_id, email)?
            {
                return Ok((None, None));
            }
            let changed = diesel::update(unchanged)
                .set((
                    users::password_scheme.eq(scheme_of(&new.password_hash)),
                    users::password_hash.eq(&new.password_hash),
                    users::password_set_at.eq(new.now.0),
                    users::password_epoch.eq(users::password_epoch + 1),
                ))
                .execute(connection)?;
            if changed == 0 {
                return Ok((None, None));
            }
            let end =
                End { now: new.now, reason: EndReason::PasswordChanged, revoked_until: new.revoked_until };
            let kept = new.keep_session.as_deref().unwrap_or_default();
            let ended = end_others(connection, &new.user_id, kept, end)?;
            let set = Event::of(Action::PasswordSet).by(Actor::User(new.user_id.clone())).user(&new.user_id);
            let set = set.detail(ended.detail());
            Ok((Some(ended), Some(set)))
        })
    }
}

/// Whether an address is a user's, and stays so until the end of the transaction: the row's lock is taken first.
fn has_email(connection: &mut AnyConnection, user_id: &str, email: &str) -> Result<bool, StorageError> {
    let of_user = users::table.find(user_id).filter(users::email.eq(email));
    Ok(diesel::update(of_user).set(users::email.eq(email)).execute(connection)? > 0)
}
