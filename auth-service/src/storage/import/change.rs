use diesel::prelude::*;

use super::{Batch, Fate, Known, Prepared, holder};
use crate::clock::CLOCK_DIFFERENCE;
use crate::import::ImportedUser;
use crate::revocations::RevocationTarget;
use crate::sessions::EndReason;
use crate::storage::connection::AnyConnection;
use crate::storage::error::StorageError;
use crate::storage::import_mark::Mark;
use crate::storage::revocations;
use crate::storage::schema::users;
use crate::storage::session_ends::{End, end_all_of_user};
use crate::storage::users::scheme_of;
use crate::storage::writer::in_savepoint;
use crate::users::spelling_key;

/// What a batch has ended, to be revoked at its end.
#[derive(Default)]
pub(super) struct Ended(pub(super) Vec<RevocationTarget>);

/// What is written whenever something has changed there.
#[derive(AsChangeset)]
#[diesel(table_name = users, treat_none_as_null = true)]
struct TakenOver {
    username: String,
    name_key: Option<String>,
    name_skeleton: Option<String>,
    roles: String,
    legacy_id: Option<String>,
    import_mark: Option<String>,
    profile: String,
}

pub(super) fn update(
    connection: &mut AnyConnection,
    Prepared { user, mark, skeleton }: &Prepared,
    known: &Known,
    batch: &Batch,
    ended: &mut Ended,
) -> Result<Fate, StorageError> {
    let changed = TakenOver {
        username: user.username.as_str().to_owned(),
        name_key: Some(user.username.key().to_owned()),
        name_skeleton: Some(skeleton.clone()),
        roles: user.roles.join(" "),
        legacy_id: Some(user.legacy_id.clone()),
        import_mark: Some(mark.text()),
        profile: user.profile.clone(),
    };
    let id = &known.id;
    let outcome = in_savepoint(connection, |connection| {
        diesel::update(users::table.find(id)).set(&changed).execute(connection)?;
        // Only what changed there: a password that was set here, or hashed again, stays.
        if mark.password != known.mark.password {
            take_password(connection, user, id, batch, ended)?;
        }
        if mark.email != known.mark.email {
            take_email(connection, user, id)?;
        }
        if mark.disabled != known.mark.disabled {
            disable_or_enable(connection, user, id, batch, ended)?;
        }
        Ok(())
    });
    match outcome {
        Ok(()) => Ok(Fate::Changed),
        Err(StorageError::Taken) => Ok(Fate::NameTaken),
        Err(error) => Err(error),
    }
}

pub(super) fn adopt(
    connection: &mut AnyConnection,
    prepared: &Prepared,
    batch: &Batch,
    ended: &mut Ended,
) -> Result<Fate, StorageError> {
    let user = &prepared.user;
    match holder(connection, user)? {
        Some(holder) if !holder.imported && batch.adopt => {
            let known = Known { id: holder.id, mark: Mark::default() };
            update(connection, prepared, &known, batch, ended)
        }
        Some(holder) if !holder.imported => Ok(Fate::MadeHere),
        Some(holder) if holder.legacy_id.as_ref() == Some(&user.legacy_id) => Ok(Fate::Twice),
        Some(_) => Ok(Fate::NameTaken),
        // The name is free, so it is the id that is not.
        None => {
            let id = users::table
                .filter(users::legacy_id.eq(&user.legacy_id))
                .select(users::import_mark.is_not_null());
            let imported = id.first::<bool>(connection).optional()?;
            Ok(if imported == Some(true) { Fate::Twice } else { Fate::IdTaken })
        }
    }
}

fn take_email(connection: &mut AnyConnection, user: &ImportedUser, id: &str) -> Result<(), StorageError> {
    let email = (users::email.eq(&user.email), users::email_key.eq(user.email.as_deref().map(spelling_key)));
    // The address is not verified.
    let unproved = users::email_verified_at.eq(None::<i64>);
    diesel::update(users::table.find(id)).set((email.0, email.1, unproved)).execute(connection)?;
    Ok(())
}

fn take_password(
    connection: &mut AnyConnection,
    user: &ImportedUser,
    id: &str,
    batch: &Batch,
    ended: &mut Ended,
) -> Result<(), StorageError> {
    diesel::update(users::table.find(id))
        .set((
            users::password_scheme.eq(scheme_of(&user.password_hash)),
            users::password_hash.eq(&user.password_hash),
            // What was issued there before is good no more.
            users::password_set_at.eq(batch.now.0),
            users::password_epoch.eq(users::password_epoch + 1),
        ))
        .execute(connection)?;
    let end = End { now: batch.now, reason: EndReason::PasswordChanged, revoked_until: batch.revoked_until };
    let sessions = end_all_of_user(connection, id, end)?;
    ended.0.extend(revocations::of_ended_sessions(&sessions, id, batch.now));
    Ok(())
}

fn disable_or_enable(
    connection: &mut AnyConnection,
    user: &ImportedUser,
    id: &str,
    batch: &Batch,
    ended: &mut Ended,
) -> Result<(), StorageError> {
    let disabled_at = user.disabled.then_some(batch.now.0);
    diesel::update(users::table.find(id)).set(users::disabled_at.eq(disabled_at)).execute(connection)?;
    if !user.disabled {
        return Ok(());
    }
    let end = End { now: batch.now, reason: EndReason::UserDisabled, revoked_until: batch.revoked_until };
    end_all_of_user(connection, id, end)?;
    let not_before = batch.now.plus(CLOCK_DIFFERENCE);
    ended.0.push(RevocationTarget::Subject { sub: id.to_owned(), not_before });
    Ok(())
}
