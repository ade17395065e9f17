//! Who users are, as clients may be told.

use diesel::prelude::*;

use super::connection::{AnyConnection, on_inner};
use super::error::StorageError;
use super::schema::{sessions, users};
use super::{Storage, words};
use crate::users::{Identity, Username};

type Row = (String, Option<String>, Option<i64>, String);

impl Storage {
    /// An active user; `Ok(None)` when there is none of this ID.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn identity(&self, user_id: &str) -> Result<Option<Identity>, StorageError> {
        self.read(|connection| {
            let active = users::table.find(user_id).filter(users::disabled_at.is_null());
            let columns = (users::username, users::email, users::email_verified_at, users::profile);
            let row: Option<Row> =
                on_inner!(connection, |inner| active.select(columns).first(inner).optional()?);
            row.map(identity).transpose()
        })
    }

    /// The user of a session, and the claims that its client asked for by name; `Ok(None)` when either is gone.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn identity_and_asked_claims(
        &self,
        user_id: &str,
        session_id: &str,
    ) -> Result<Option<(Identity, Vec<String>)>, StorageError> {
        self.read(|connection| {
            let found = sessions::table
                .inner_join(users::table)
                .filter(sessions::id.eq(session_id))
                .filter(users::id.eq(user_id))
                .filter(users::disabled_at.is_null());
            let columns = (
                (users::username, users::email, users::email_verified_at, users::profile),
                sessions::userinfo_claims,
            );
            let row: Option<(Row, String)> =
                on_inner!(connection, |inner| found.select(columns).first(inner).optional()?);
            row.map(|(row, asked)| Ok((identity(row)?, words(&asked)))).transpose()
        })
    }
}

fn identity((username, email, email_verified_at, profile): Row) -> Result<Identity, StorageError> {
    let unreadable = || StorageError::Unreadable("an account with a malformed name".to_owned());
    Ok(Identity {
        username: Username::parse(&username).ok_or_else(unreadable)?,
        is_email_verified: email_verified_at.is_some(),
        email,
        profile,
    })
}
