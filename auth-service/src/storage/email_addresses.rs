//! E-mail addresses of users.

use diesel::prelude::*;
use serde_json::Value;

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::users;
use super::users::UserRow;
use crate::audit::{Action, Actor, Event};
use crate::clock::Timestamp;
use crate::users::{Address, User};

/// Most accounts that one address is written to for.
const MOST_OF_AN_ADDRESS: i64 = 10;

/// A proved address, and the state of the account when its owner asked for it.
pub struct EmailChange {
    pub user_id: String,
    pub email: Address,
    pub password_epoch: i64,
    /// The address until then.
    pub before: Option<String>,
}

impl Storage {
    /// Active accounts with an address in any spelling, each with its own spelling.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn find_users_by_email(&self, email_key: &str) -> Result<Vec<(User, String)>, StorageError> {
        self.read(|connection| {
            let of_address = users::table
                .filter(users::email_key.eq(email_key))
                .filter(users::disabled_at.is_null())
                .order(users::id)
                .limit(MOST_OF_AN_ADDRESS);
            let columns = (UserRow::as_select(), users::email.assume_not_null());
            let rows: Vec<(UserRow, String)> = of_address.select(columns).load(connection)?;
            rows.into_iter().map(|(row, email)| Ok((row.into_user()?, email))).collect()
        })
    }

    /// Whether any user has an address, in any spelling.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn has_email(&self, email_key: &str) -> Result<bool, StorageError> {
        self.read(|connection| {
            let owner = users::table.filter(users::email_key.eq(email_key)).select(users::id);
            Ok(owner.first::<String>(connection).optional()?.is_some())
        })
    }

    /// # Errors
    /// [`StorageError`]; `Ok(None)` when there is no such account, or it has no address.
    pub fn email_of(&self, user_id: &str) -> Result<Option<String>, StorageError> {
        self.read(|connection| {
            let email = users::table.find(user_id).select(users::email).first::<Option<String>>(connection);
            Ok(email.optional()?.flatten())
        })
    }

    /// An address with when it was proved, in milliseconds since the epoch.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn email_and_proof(&self, user_id: &str) -> Result<(Option<String>, Option<i64>), StorageError> {
        self.read(|connection| {
            let row = users::table.find(user_id).select((users::email, users::email_verified_at));
            Ok(row.first(connection).optional()?.unwrap_or_default())
        })
    }

    /// Gives a user an address, if their password and their address are the same as when they asked for it.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn set_email(&self, change: EmailChange, now: Timestamp) -> Result<Option<User>, StorageError> {
        let EmailChange { user_id: id, email, password_epoch, before } = change;
        let (email, key) = (email.as_str().to_owned(), email.key());
        self.write_audited(move |connection| {
            let unchanged = users::table
                .filter(users::id.eq(&id))
                .filter(users::password_epoch.eq(password_epoch))
                // Deleting nothing is fine.
                .filter(users::email.eq(before).or(users::email.is_null()))
                .filter(users::disabled_at.is_null());
            let changed = diesel::update(unchanged)
                .set((users::email.eq(&email), users::email_key.eq(&key), users::email_verified_at.eq(now.0)))
                .execute(connection)?;
            if changed == 0 {
                return Ok((None, None));
            }
            let user = super::users::find_user_by_id(connection, &id)?;
            if let Some(user) = &user {
                set_email_claim(connection, user, &email)?;
            }
            Ok((user, Some(Event::of(Action::EmailSet).by(Actor::User(id.clone())).user(&id))))
        })
    }
}

/// Claims are made of the profile: the address in it is the one that the user has.
fn set_email_claim(connection: &mut AnyConnection, user: &User, email: &str) -> Result<(), StorageError> {
    let Ok(Value::Object(mut profile)) = serde_json::from_str(&user.attributes.profile) else {
        return Ok(());
    };
    if profile.contains_key("email") {
        profile.insert("email".to_owned(), Value::from(email));
        let profile = Value::Object(profile).to_string();
        diesel::update(users::table.find(&user.id)).set(users::profile.eq(profile)).execute(connection)?;
    }
    Ok(())
}
