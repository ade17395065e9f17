use diesel::prelude::*;

use super::error::StorageError;
use super::schema::audiences;
use super::{Storage, count_up};
use crate::audit::{Action, Event};
use crate::clients::{Audience, TokenType};
use crate::clock::Timestamp;
use crate::keys::Algorithm;

impl Storage {
    /// Registers an audience.
    ///
    /// # Errors
    /// [`StorageError::Taken`] when it is registered already.
    pub fn create_audience(&self, audience: &Audience, now: Timestamp) -> Result<(), StorageError> {
        let row = (
            audiences::name.eq(audience.name.clone()),
            audiences::algorithm.eq(audience.algorithm.map(Algorithm::as_str)),
            audiences::created_at.eq(now.0),
            audiences::encryption_jwks.eq(audience.encryption_jwks.clone()),
            audiences::token_type.eq(Some(audience.token_type.as_str())),
        );
        let made = Event::of(Action::AudienceCreated).detail(audience.name.clone());
        self.write_audited(move |connection| {
            diesel::insert_into(audiences::table).values(row).execute(connection)?;
            count_up(connection, "clients")?;
            Ok(((), Some(made)))
        })
    }

    /// Gives an audience another encryption key, or none. `Ok(false)` when it is not registered.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn set_audience_encryption(&self, name: &str, jwks: Option<String>) -> Result<bool, StorageError> {
        let name = name.to_owned();
        self.write_audited(move |connection| {
            let event = Event::of(Action::AudienceEncryptionSet).detail(name.clone());
            let changed = diesel::update(audiences::table.find(name))
                .set(audiences::encryption_jwks.eq(jwks))
                .execute(connection)?;
            count_up(connection, "clients")?;
            Ok((changed > 0, Some(event).filter(|_| changed > 0)))
        })
    }

    /// Every registered audience, by name.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn all_audiences(&self) -> Result<Vec<Audience>, StorageError> {
        let rows: Vec<AudienceRow> = self.look(|connection| {
            Ok(audiences::table.order(audiences::name).select(AudienceRow::as_select()).load(connection)?)
        })?;
        rows.into_iter().map(AudienceRow::into_audience).collect()
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audiences)]
struct AudienceRow {
    name: String,
    algorithm: Option<String>,
    encryption_jwks: Option<String>,
    token_type: Option<String>,
}

impl AudienceRow {
    fn into_audience(self) -> Result<Audience, StorageError> {
        let Self { name, algorithm, encryption_jwks, token_type } = self;
        let unreadable = |what: &str| StorageError::Unreadable(format!("an audience with an unknown {what}"));
        let algorithm = algorithm.map(|text| Algorithm::parse(&text).ok_or_else(|| unreadable("algorithm")));
        let token_type =
            token_type.map(|text| TokenType::parse(&text).ok_or_else(|| unreadable("token type")));
        Ok(Audience {
            name,
            algorithm: algorithm.transpose()?,
            encryption_jwks,
            token_type: token_type.transpose()?.unwrap_or_default(),
        })
    }
}
