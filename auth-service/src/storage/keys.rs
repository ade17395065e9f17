use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::signing_keys;
use super::{Storage, count_up};
use crate::audit::{Action, Event};
use crate::clock::Timestamp;
use crate::keys::{Algorithm, KeyRecord, Retirement, Takeover, UNSCHEDULED};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = signing_keys)]
struct KeyRow {
    kid: String,
    algorithm: String,
    sealed_private_key: Vec<u8>,
    public_jwk: String,
    created_at: i64,
    published_at: i64,
    activates_at: i64,
    retires_at: Option<i64>,
    removed_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl Storage {
    /// Every key that was ever made, oldest first.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn all_keys(&self) -> Result<Vec<KeyRecord>, StorageError> {
        self.look(all_keys)
    }

    /// Adds a key and retires others, in one step that replicas take in turns. `plan` sees the keys
    /// as they are then; `None` from it means that another replica has done the work.
    ///
    /// # Errors
    /// [`StorageError::Taken`] when the key is there already.
    pub fn add_key(
        &self,
        plan: impl FnOnce(&[KeyRecord]) -> Option<(KeyRecord, Vec<Retirement>)> + Send + 'static,
    ) -> Result<bool, StorageError> {
        self.write_audited(move |connection| {
            count_up(connection, "keys")?;
            let Some((key, retirements)) = plan(&all_keys(connection)?) else {
                return Ok((false, None));
            };
            diesel::insert_into(signing_keys::table).values(KeyRow::from_record(&key)).execute(connection)?;
            retire(connection, &retirements)?;
            let detail = format!("{}, {}", key.algorithm, signs_from(key.activates_at));
            Ok((true, Some(Event::of(Action::KeyAdded).key(&key.kid).detail(detail))))
        })
    }

    /// Lets a published key sign from a time on. `plan` sees the keys as they are then and names the key, the time and
    /// those that retire; `None` from it leaves everything as it is. Returns the plan that was carried out.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn schedule_key(
        &self,
        plan: impl FnOnce(&[KeyRecord]) -> Option<Takeover> + Send + 'static,
    ) -> Result<Option<Takeover>, StorageError> {
        self.write_audited(move |connection| {
            count_up(connection, "keys")?;
            let Some(takeover) = plan(&all_keys(connection)?) else { return Ok((None, None)) };
            take_over(connection, &takeover)?;
            let detail = signs_from(takeover.activates_at);
            let event = Event::of(Action::KeyScheduled).key(&takeover.kid).detail(detail);
            Ok((Some(takeover), Some(event)))
        })
    }

    /// Revokes a key, and lets another one take over in the same step. `plan` sees the keys with the revoked one as such.
    /// `Ok(false)` when there is no such key, or it was revoked before.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn revoke_key(
        &self,
        kid: &str,
        now: Timestamp,
        plan: impl FnOnce(&[KeyRecord]) -> Option<Takeover> + Send + 'static,
    ) -> Result<bool, StorageError> {
        let kid = kid.to_owned();
        self.write_audited(move |connection| {
            count_up(connection, "keys")?;
            let valid = signing_keys::table
                .filter(signing_keys::kid.eq(&kid))
                .filter(signing_keys::revoked_at.is_null());
            let revoked =
                diesel::update(valid).set(signing_keys::revoked_at.eq(now.0)).execute(connection)?;
            if revoked == 0 {
                return Ok((false, None));
            }
            let event = Event::of(Action::KeyRevoked).key(&kid);
            let Some(takeover) = plan(&all_keys(connection)?) else { return Ok((true, Some(event))) };
            take_over(connection, &takeover)?;
            Ok((true, Some(event.detail(format!("successor {}", takeover.kid)))))
        })
    }
}

/// Lets a key sign from a time on. What it was to retire for before is superseded: it is the last one now.
fn take_over(connection: &mut AnyConnection, takeover: &Takeover) -> Result<(), StorageError> {
    diesel::update(signing_keys::table.find(&takeover.kid))
        .set((
            signing_keys::activates_at.eq(takeover.activates_at.0),
            signing_keys::retires_at.eq(None::<i64>),
            signing_keys::removed_at.eq(None::<i64>),
        ))
        .execute(connection)?;
    retire(connection, &takeover.retirements)
}

pub(super) fn all_keys(connection: &mut AnyConnection) -> Result<Vec<KeyRecord>, StorageError> {
    let rows: Vec<KeyRow> = signing_keys::table
        .order((signing_keys::created_at, signing_keys::kid))
        .select(KeyRow::as_select())
        .load(connection)?;
    rows.into_iter().map(KeyRow::into_record).collect()
}

fn signs_from(activates_at: Timestamp) -> String {
    match activates_at {
        UNSCHEDULED => "standby".to_owned(),
        at => format!("signs from {}", at.seconds()),
    }
}

fn retire(connection: &mut AnyConnection, retirements: &[Retirement]) -> Result<(), StorageError> {
    for retirement in retirements {
        diesel::update(signing_keys::table.find(&retirement.kid))
            .set((
                signing_keys::retires_at.eq(retirement.retires_at.0),
                signing_keys::removed_at.eq(retirement.removed_at.0),
            ))
            .execute(connection)?;
    }
    Ok(())
}

impl KeyRow {
    fn from_record(key: &KeyRecord) -> Self {
        Self {
            kid: key.kid.clone(),
            algorithm: key.algorithm.as_str().to_owned(),
            sealed_private_key: key.sealed_private_key.clone(),
            public_jwk: key.public_jwk.clone(),
            created_at: key.created_at.0,
            published_at: key.published_at.0,
            activates_at: key.activates_at.0,
            retires_at: key.retires_at.map(|at| at.0),
            removed_at: key.removed_at.map(|at| at.0),
            revoked_at: key.revoked_at.map(|at| at.0),
        }
    }

    fn into_record(self) -> Result<KeyRecord, StorageError> {
        let algorithm = Algorithm::parse(&self.algorithm)
            .ok_or_else(|| StorageError::Unreadable("a key of an unknown algorithm".to_owned()))?;
        Ok(KeyRecord {
            kid: self.kid,
            algorithm,
            sealed_private_key: self.sealed_private_key,
            public_jwk: self.public_jwk,
            created_at: Timestamp(self.created_at),
            published_at: Timestamp(self.published_at),
            activates_at: Timestamp(self.activates_at),
            retires_at: self.retires_at.map(Timestamp),
            removed_at: self.removed_at.map(Timestamp),
            revoked_at: self.revoked_at.map(Timestamp),
        })
    }
}
