use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StorageError;
use super::keys::all_keys;
use super::schema::{second_factors, secrets, signing_keys};
use super::{Storage, count_up};
use crate::audit::{Action, Event};
use crate::keys::SealedSecret;

/// What rests sealed.
pub struct Resting {
    /// Under the master key.
    pub secrets: Vec<SealedSecret>,
    /// Under the secrets, by `kid`.
    pub private_keys: Vec<(String, Vec<u8>)>,
    /// Under the secrets, by account.
    pub second_factors: Vec<(String, Vec<u8>)>,
}

/// What another master key makes of it; what is not named stays as it is.
#[derive(Default)]
pub struct Resealed {
    pub secrets: Vec<SealedSecret>,
    pub private_keys: Vec<(String, Vec<u8>)>,
    pub second_factors: Vec<(String, Vec<u8>)>,
}

impl Storage {
    /// The secrets that are sealed under the master key; none as long as it was never changed.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn sealed_secrets(&self) -> Result<Vec<SealedSecret>, StorageError> {
        self.read(sealed_secrets)
    }

    /// Seals everything again, in one step. `plan` sees what there is then; `None` from it changes nothing.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn change_master_key(
        &self,
        detail: &'static str,
        plan: impl FnOnce(&Resting) -> Option<Resealed> + Send + 'static,
    ) -> Result<bool, StorageError> {
        self.write_audited(move |connection| {
            // Nobody adds a key meanwhile that this would not see.
            count_up(connection, "keys")?;
            let Some(resealed) = plan(&resting(connection)?) else { return Ok((false, None)) };
            diesel::delete(secrets::table).execute(connection)?;
            for row in &resealed.secrets {
                diesel::insert_into(secrets::table)
                    .values((secrets::purpose.eq(&row.purpose), secrets::sealed.eq(&row.sealed)))
                    .execute(connection)?;
            }
            for (kid, sealed) in &resealed.private_keys {
                diesel::update(signing_keys::table.find(kid))
                    .set(signing_keys::sealed_private_key.eq(sealed))
                    .execute(connection)?;
            }
            for (user_id, sealed) in &resealed.second_factors {
                diesel::update(second_factors::table.find(user_id))
                    .set(second_factors::sealed_secret.eq(sealed))
                    .execute(connection)?;
            }
            Ok((true, Some(Event::of(Action::MasterKeyChanged).detail(detail))))
        })
    }
}

fn resting(connection: &mut AnyConnection) -> Result<Resting, StorageError> {
    let keys = all_keys(connection)?.into_iter();
    let factors = second_factors::table.select((second_factors::user_id, second_factors::sealed_secret));
    Ok(Resting {
        secrets: sealed_secrets(connection)?,
        private_keys: keys.map(|key| (key.kid, key.sealed_private_key)).collect(),
        second_factors: factors.load(connection)?,
    })
}

fn sealed_secrets(connection: &mut AnyConnection) -> Result<Vec<SealedSecret>, StorageError> {
    let rows: Vec<(String, Vec<u8>)> =
        secrets::table.order(secrets::purpose).select(secrets::all_columns).load(connection)?;
    Ok(rows.into_iter().map(|(purpose, sealed)| SealedSecret { purpose, sealed }).collect())
}
