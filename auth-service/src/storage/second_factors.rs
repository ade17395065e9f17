//! One-time passwords and recovery codes: each is spent by one statement, anyone who else presents it at that moment.

use diesel::prelude::*;

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::{recovery_codes, second_factors, users};
use super::session_ends::{End, SessionsEnded, end_others, sessions_ended};
use crate::audit::{Action, Actor, Event};
use crate::clock::Timestamp;
use crate::secret::HashedSecret;
use crate::sessions::EndReason;
use crate::users::{PresentedFactor, StoredFactor};

/// What confirms a second factor.
pub struct Confirmed {
    /// Of the one-time password; it is spent.
    pub step: i64,
    pub now: Timestamp,
    pub codes: Vec<HashedSecret>,
    /// The session that goes on.
    pub keep_session: String,
    pub revoked_until: Timestamp,
}

impl Storage {
    /// # Errors
    /// [`StorageError`]; `Ok(None)` when an account has none, not even one that was only begun.
    pub fn second_factor(&self, user_id: &str) -> Result<Option<StoredFactor>, StorageError> {
        self.read(|connection| {
            let columns =
                (second_factors::sealed_secret, second_factors::last_step, second_factors::confirmed_at);
            let row: Option<(Vec<u8>, i64, Option<i64>)> =
                second_factors::table.find(user_id).select(columns).first(connection).optional()?;
            Ok(row.map(|(sealed_secret, last_step, confirmed_at)| StoredFactor {
                sealed_secret,
                last_step,
                confirmed_at: confirmed_at.map(Timestamp),
            }))
        })
    }

    /// Keeps a secret that is not in use yet, in place of another such one. `Ok(false)` when one is in use.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn begin_second_factor(&self, user_id: &str, sealed_secret: Vec<u8>) -> Result<bool, StorageError> {
        let user_id = user_id.to_owned();
        let begun = self.write(move |connection| {
            let unused = second_factors::table.filter(second_factors::user_id.eq(&user_id));
            diesel::delete(unused.filter(second_factors::confirmed_at.is_null())).execute(connection)?;
            let row = (
                second_factors::user_id.eq(&user_id),
                second_factors::sealed_secret.eq(sealed_secret),
                second_factors::last_step.eq(0),
            );
            diesel::insert_into(second_factors::table).values(row).execute(connection)?;
            Ok(())
        });
        match begun {
            Ok(()) => Ok(true),
            Err(StorageError::Taken) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts the one to use that a code was shown for, with recovery codes; that code is spent. `Ok(None)` when there is
    /// none to be put to use.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn confirm_second_factor(
        &self,
        user_id: &str,
        shown_for: &StoredFactor,
        confirmed: Confirmed,
    ) -> Result<Option<SessionsEnded>, StorageError> {
        let (user_id, sealed_secret) = (user_id.to_owned(), shown_for.sealed_secret.clone());
        self.write_audited(move |connection| {
            let begun = second_factors::table
                .filter(second_factors::user_id.eq(&user_id))
                .filter(second_factors::sealed_secret.eq(sealed_secret))
                .filter(second_factors::confirmed_at.is_null());
            let changed = diesel::update(begun)
                .set((
                    second_factors::confirmed_at.eq(confirmed.now.0),
                    second_factors::last_step.eq(confirmed.step),
                ))
                .execute(connection)?;
            if changed == 0 {
                return Ok((None, None));
            }
            // Sessions of the previous issuer have no second factor.
            diesel::update(users::table.find(&user_id))
                .set(users::password_set_at.eq(confirmed.now.0))
                .execute(connection)?;
            diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(&user_id)))
                .execute(connection)?;
            for code in &confirmed.codes {
                let row =
                    (recovery_codes::user_id.eq(&user_id), recovery_codes::code_hash.eq(code.as_bytes()));
                diesel::insert_into(recovery_codes::table).values(row).execute(connection)?;
            }
            // Sessions that began with a password alone end: one of them may be a thief's.
            let end = End {
                now: confirmed.now,
                reason: EndReason::Revoked,
                revoked_until: confirmed.revoked_until,
            };
            let ended = end_others(connection, &user_id, &confirmed.keep_session, end)?;
            let set = Event::of(Action::SecondFactorSet).by(Actor::User(user_id.clone())).user(&user_id);
            let set = set.detail(sessions_ended(ended.count));
            Ok((Some(ended), Some(set)))
        })
    }

    /// Takes everything of it away, by anyone who has shown it. `Ok(false)` when it was spent before, or there is nothing.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn remove_own_second_factor(
        &self,
        user_id: &str,
        shown: PresentedFactor,
    ) -> Result<bool, StorageError> {
        let user_id = user_id.to_owned();
        self.write_audited(move |connection| {
            if !spend(connection, &user_id, &shown)? {
                return Ok((false, None));
            }
            remove(connection, &user_id, Some(Actor::User(user_id.clone())))
        })
    }

    /// Takes everything of it away, by the operator. `Ok(false)` when there was nothing.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn remove_second_factor(&self, user_id: &str) -> Result<bool, StorageError> {
        let user_id = user_id.to_owned();
        self.write_audited(move |connection| remove(connection, &user_id, None))
    }
}

fn remove(
    connection: &mut AnyConnection,
    user_id: &str,
    actor: Option<Actor>,
) -> Result<(bool, Option<Event>), StorageError> {
    let removed = diesel::delete(second_factors::table.find(user_id)).execute(connection)?;
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user_id))).execute(connection)?;
    let event = Event { actor, ..Event::of(Action::SecondFactorRemoved).user(user_id) };
    Ok((removed > 0, (removed > 0).then_some(event)))
}

/// `false` when it was spent before, anyone who did it.
pub(super) fn spend(
    connection: &mut AnyConnection,
    user_id: &str,
    shown: &PresentedFactor,
) -> Result<bool, StorageError> {
    let spent = match shown {
        PresentedFactor::Step(step) => {
            let unspent = second_factors::table.find(user_id).filter(second_factors::last_step.lt(step));
            diesel::update(unspent).set(second_factors::last_step.eq(step)).execute(connection)?
        }
        PresentedFactor::RecoveryCode(code) => {
            diesel::delete(recovery_codes::table.find((user_id, code.as_bytes()))).execute(connection)?
        }
    };
    Ok(spent > 0)
}

/// Whether a user has a second factor that is in use.
pub(super) fn is_set_up(connection: &mut AnyConnection, user_id: &str) -> Result<bool, StorageError> {
    let confirmed = second_factors::table.find(user_id).filter(second_factors::confirmed_at.is_not_null());
    Ok(confirmed.select(second_factors::user_id).first::<String>(connection).optional()?.is_some())
}
