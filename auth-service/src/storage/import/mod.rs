//! Accounts that come from elsewhere, many in one transaction. A repeated import changes what has changed there, and
//! leaves alone what was changed here.

mod batch;
mod change;
mod insert;

use std::collections::HashMap;
use std::sync::mpsc::sync_channel;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use serde_json::{Value, json};

use super::Storage;
use crate::audit::{Action, Event};
use crate::import::{BlacklistedToken, ImportedUser};
use crate::storage::connection::AnyConnection;
use crate::storage::error::StorageError;
use crate::storage::import_mark::Mark;
use crate::storage::names::raise_numbers;
use crate::storage::revocations;
use crate::storage::schema::users;
use change::{Ended, adopt, update};
use insert::insert;

pub use batch::{Batch, BatchOutcome, Fate};

/// The largest integer that every reader of JSON holds (RFC 8259 section 6).
const LARGEST_NUMBER: i64 = 1 << 53;

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
            false => update(connection, prepared, before, batch, &mut ended)?,
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
