//! Accounts that come from elsewhere, many in one transaction. A repeated import changes what has changed there, and
//! leaves alone what was changed here.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::sync_channel;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Nullable, Text};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::import_mark::Mark;
use super::names::raise_numbers;
use super::revocations;
use super::schema::users;
use super::session_ends::{End, end_all_of_user};
use super::users::scheme_of;
use super::writer::in_savepoint;
use crate::audit::{Action, Event};
use crate::clock::{CLOCK_DIFFERENCE, Timestamp};
use crate::import::{BlacklistedToken, ImportedUser};
use crate::revocations::RevocationTarget;
use crate::sessions::EndReason;
use crate::users::spelling_key;

/// The largest integer that every reader of JSON holds (RFC 8259 section 6).
const LARGEST_NUMBER: i64 = 1 << 53;

/// What is taken over in one transaction.
#[derive(Debug)]
pub struct Batch {
    pub users: Vec<ImportedUser>,
    pub tokens: Vec<BlacklistedToken>,
    /// An account that was made here becomes the one of the same name from there.
    pub adopt: bool,
    /// Undo all of it once it is known what would have become of it.
    pub dry_run: bool,
    pub now: Timestamp,
    /// When the last access token of a session that ends now has expired everywhere.
    pub revoked_until: Timestamp,
}

/// What became, or would become, of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    New,
    Changed,
    Unchanged,
    /// By another account that was taken over.
    NameTaken,
    /// By an account that was not.
    MadeHere,
    /// The id belongs to an account that was made here.
    IdTaken,
    /// The id stood in this batch before.
    Twice,
}

/// In the order of the batch.
#[derive(Debug)]
pub struct BatchOutcome(pub Vec<Fate>);

/// An account that is here already.
struct Known {
    id: String,
    mark: Mark,
}

/// A user with the values that are computed from it, before the transaction: PostgreSQL ends a transaction in which
/// this process is silent, and a thousand skeletons take their time on a busy machine.
struct Prepared {
    user: ImportedUser,
    mark: Mark,
    skeleton: String,
}

impl Prepared {
    fn of(user: ImportedUser) -> Self {
        Self { mark: Mark::of(&user), skeleton: user.username.skeleton(), user }
    }
}

/// Who has a name.
struct Holder {
    id: String,
    legacy_id: Option<String>,
    imported: bool,
}

impl Storage {
    /// Takes a batch over, all of it or nothing.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn import(&self, mut batch: Batch) -> Result<BatchOutcome, StorageError> {
        let (tell, told) = sync_channel(1);
        let users: Vec<Prepared> = std::mem::take(&mut batch.users).into_iter().map(Prepared::of).collect();
        let dry_run = batch.dry_run;
        let outcome = self.write_audited(move |connection| {
            // Write first; and one import at a time.
            let numbers = users.iter().filter_map(|prepared| prepared.user.legacy_id.parse().ok());
            // Behind one that no sequence reaches there would soon be no next.
            let highest = numbers.filter(|number| *number < LARGEST_NUMBER).max();
            raise_numbers(connection, highest.unwrap_or(0))?;
            let fates = take_over(connection, &users, &batch)?;
            if batch.dry_run {
                // Nobody listens only when the caller has gone.
                let _ = tell.send(fates);
                return Err(StorageError::RolledBack);
            }
            spend(connection, &batch.tokens)?;
            let count = |fate: Fate| fates.iter().filter(|other| **other == fate).count();
            let (new, changed) = (count(Fate::New), count(Fate::Changed));
            let detail = format!("{new} new, {changed} changed");
            let event = (new + changed > 0).then(|| Event::of(Action::UsersImported).detail(detail));
            Ok((BatchOutcome(fates), event))
        });
        match outcome {
            Err(StorageError::RolledBack) if dry_run => {
                told.recv().map(BatchOutcome).map_err(|_| StorageError::RolledBack)
            }
            outcome => outcome,
        }
    }
}

fn take_over(
    connection: &mut AnyConnection,
    users: &[Prepared],
    batch: &Batch,
) -> Result<Vec<Fate>, StorageError> {
    let known = known(connection, users)?;
    let mut ended = Ended::default();
    // Those that are here come first: a name that one of them gives up may be another's in the same batch.
    let mut changes = HashMap::new();
    for prepared in users {
        let Some(before) = known.get(&prepared.user.legacy_id) else { continue };
        let fate = match before.mark == prepared.mark {
            true => Fate::Unchanged,
            false => update(connection, prepared, (before, batch), &mut ended)?,
        };
        changes.insert(prepared.user.legacy_id.as_str(), fate);
    }
    let new: Vec<&Prepared> =
        users.iter().filter(|prepared| !known.contains_key(&prepared.user.legacy_id)).collect();
    let mut inserted = insert(connection, &new, batch.now)?;
    let mut fates = Vec::with_capacity(users.len());
    for prepared in users {
        fates.push(match changes.get(prepared.user.legacy_id.as_str()) {
            Some(fate) => *fate,
            None if inserted.remove(&prepared.user.legacy_id) => Fate::New,
            None => adopt(connection, prepared, batch, &mut ended)?,
        });
    }
    // Rows of accounts and sessions first, then the counter of revocations: two that took these locks in another order
    // could each wait for the other.
    revocations::append(connection, &ended.0, batch.revoked_until)?;
    Ok(fates)
}

/// What a batch has ended, to be revoked at its end.
#[derive(Default)]
struct Ended(Vec<RevocationTarget>);

/// Users that were imported before. A user created here may have a number, which is no ID in Django.
fn known(
    connection: &mut AnyConnection,
    wanted: &[Prepared],
) -> Result<HashMap<String, Known>, StorageError> {
    let ids: Vec<&str> = wanted.iter().map(|prepared| prepared.user.legacy_id.as_str()).collect();
    let rows: Vec<(Option<String>, String, Option<String>)> = users::table
        .filter(users::legacy_id.eq_any(ids))
        .filter(users::import_mark.is_not_null())
        .select((users::legacy_id, users::id, users::import_mark))
        .load(connection)?;
    let entry = |(legacy_id, id, mark): (Option<String>, String, Option<String>)| {
        Some((legacy_id?, Known { id, mark: Mark::parse(&mark?) }))
    };
    Ok(rows.into_iter().filter_map(entry).collect())
}

fn holder(connection: &mut AnyConnection, user: &ImportedUser) -> Result<Option<Holder>, StorageError> {
    let columns = (users::id, users::legacy_id, users::import_mark.is_not_null());
    let named = users::table.filter(users::name_key.eq(user.username.key())).select(columns);
    let row: Option<(String, Option<String>, bool)> = named.first(connection).optional()?;
    Ok(row.map(|(id, legacy_id, imported)| Holder { id, legacy_id, imported }))
}

#[derive(QueryableByName)]
struct Inserted {
    #[diesel(sql_type = Nullable<Text>)]
    legacy_id: Option<String>,
}

/// One statement for all of them, whose rows travel as one JSON text: the time of many statements goes to the way.
const INSERT_SQLITE: &str = "INSERT INTO users (id, username, name_key, name_skeleton, password_hash, password_epoch, \
     password_scheme, roles, created_at, disabled_at, legacy_id, import_mark, profile, email, email_key) \
     SELECT value ->> 'id', value ->> 'username', value ->> 'name_key', value ->> 'name_skeleton', value ->> 'password_hash', 0, \
     value ->> 'password_scheme', value ->> 'roles', value ->> 'created_at', value ->> 'disabled_at', \
     value ->> 'legacy_id', value ->> 'import_mark', value ->> 'profile', value ->> 'email', \
     value ->> 'email_key' FROM json_each($1) WHERE true ON CONFLICT DO NOTHING RETURNING legacy_id";

const INSERT_POSTGRES: &str = "INSERT INTO users (id, username, name_key, name_skeleton, password_hash, password_epoch, \
     password_scheme, roles, created_at, disabled_at, legacy_id, import_mark, profile, email, email_key) \
     SELECT id, username, name_key, name_skeleton, password_hash, 0, password_scheme, roles, created_at, disabled_at, \
     legacy_id, import_mark, profile, email, email_key FROM json_to_recordset($1::json) AS \
     given(id text, username text, name_key text, name_skeleton text, password_hash text, password_scheme text, roles text, \
     created_at bigint, disabled_at bigint, legacy_id text, import_mark text, profile text, email text, \
     email_key text) ON CONFLICT DO NOTHING RETURNING legacy_id";

fn insert(
    connection: &mut AnyConnection,
    new: &[&Prepared],
    now: Timestamp,
) -> Result<HashSet<String>, StorageError> {
    if new.is_empty() {
        return Ok(HashSet::new());
    }
    let rows: Vec<Value> = new.iter().map(|prepared| row(prepared, now)).collect();
    let statement = match connection {
        AnyConnection::Postgres(_) => INSERT_POSTGRES,
        AnyConnection::Sqlite(_) => INSERT_SQLITE,
    };
    let inserted: Vec<Inserted> =
        sql_query(statement).bind::<Text, _>(Value::Array(rows).to_string()).load(connection)?;
    Ok(inserted.into_iter().filter_map(|row| row.legacy_id).collect())
}

fn row(prepared: &Prepared, now: Timestamp) -> Value {
    let user = &prepared.user;
    json!({
        "id": Uuid::new_v4().to_string(),
        "username": user.username.as_str(),
        "name_key": user.username.key(),
        "name_skeleton": prepared.skeleton,
        "password_hash": user.password_hash,
        "password_scheme": scheme_of(&user.password_hash),
        "roles": user.roles.join(" "),
        "created_at": user.created_at.unwrap_or(now.0),
        "disabled_at": user.disabled.then_some(now.0),
        "legacy_id": user.legacy_id,
        "import_mark": prepared.mark.text(),
        "profile": user.profile,
        "email": user.email,
        "email_key": user.email.as_deref().map(spelling_key),
    })
}

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

fn update(
    connection: &mut AnyConnection,
    Prepared { user, mark, skeleton }: &Prepared,
    (known, batch): (&Known, &Batch),
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
            take_password(connection, user, (id, batch), ended)?;
        }
        if mark.email != known.mark.email {
            take_email(connection, user, id)?;
        }
        if mark.disabled != known.mark.disabled {
            disable_or_enable(connection, user, (id, batch), ended)?;
        }
        Ok(())
    });
    match outcome {
        Ok(()) => Ok(Fate::Changed),
        Err(StorageError::Taken) => Ok(Fate::NameTaken),
        Err(error) => Err(error),
    }
}

fn adopt(
    connection: &mut AnyConnection,
    prepared: &Prepared,
    batch: &Batch,
    ended: &mut Ended,
) -> Result<Fate, StorageError> {
    let user = &prepared.user;
    match holder(connection, user)? {
        Some(holder) if !holder.imported && batch.adopt => {
            let known = Known { id: holder.id, mark: Mark::default() };
            update(connection, prepared, (&known, batch), ended)
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
    (id, batch): (&str, &Batch),
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
    (id, batch): (&str, &Batch),
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

/// These are good no more, anyone who holds them.
fn spend(connection: &mut AnyConnection, tokens: &[BlacklistedToken]) -> Result<(), StorageError> {
    if tokens.is_empty() {
        return Ok(());
    }
    let statement = match connection {
        AnyConnection::Postgres(_) => {
            "INSERT INTO legacy_tokens (jti, expires_at) SELECT jti, expires_at \
             FROM json_to_recordset($1::json) AS given(jti text, expires_at bigint) ON CONFLICT DO NOTHING"
        }
        AnyConnection::Sqlite(_) => {
            "INSERT INTO legacy_tokens (jti, expires_at) SELECT value ->> 'jti', value ->> 'expires_at' \
             FROM json_each($1) WHERE true ON CONFLICT DO NOTHING"
        }
    };
    let row = |token: &BlacklistedToken| json!({"jti": token.jti, "expires_at": token.expires_at});
    let rows = Value::Array(tokens.iter().map(row).collect()).to_string();
    sql_query(statement).bind::<Text, _>(rows).execute(connection)?;
    Ok(())
}
