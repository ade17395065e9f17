//! Which user has a name: by what all spellings of it share. Rows of a version that knew no such key are found by
//! the exact name until they have one. And which names look alike.

use diesel::prelude::*;

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::{counters, users};
use super::users::UserRow;
use crate::users::Username;

/// Rows in one step.
const PAGE: i64 = 500;

/// The account of a name. One without a key is found by the letter, and before another that has its key: it had its
/// name first.
pub(super) fn id_of(
    connection: &mut AnyConnection,
    username: &Username,
) -> Result<Option<String>, StorageError> {
    let keyless = users::table.filter(users::name_key.is_null());
    let by_letter = keyless.filter(users::username.eq(username.as_str())).select(users::id);
    if let Some(id) = by_letter.first(connection).optional()? {
        return Ok(Some(id));
    }
    let by_key = users::table.filter(users::name_key.eq(username.key())).select(users::id);
    Ok(by_key.first(connection).optional()?)
}

/// Inserts a user that is created here. [`StorageError::Taken`] also when another user's name looks like this one,
/// an imported user's included.
pub(super) fn insert_new(
    connection: &mut AnyConnection,
    row: UserRow,
    username: &Username,
) -> Result<(), StorageError> {
    let skeleton = username.skeleton();
    let alike = users::table.filter(users::name_skeleton.eq(&skeleton)).select(users::id);
    if alike.first::<String>(connection).optional()?.is_some() {
        return Err(StorageError::Taken);
    }
    // Two at once that look alike: the index lets one in.
    let values = (row, users::name_skeleton.eq(skeleton));
    diesel::insert_into(users::table).values(values).execute(connection)?;
    Ok(())
}

/// A user whose name is missing a key or the skeleton.
#[derive(Queryable)]
struct Incomplete {
    id: String,
    username: String,
    name_key: Option<String>,
}

impl Storage {
    /// Gives users the keys of their names that an older version did not write, and a number where each is to have one.
    /// Where another user has the key, the row stays without: it is still found by the exact name.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn complete_users(&self, with_numbers: bool) -> Result<(), StorageError> {
        let mut after = String::new();
        loop {
            let incomplete = users::name_key.is_null().or(users::name_skeleton.is_null());
            let page = users::table.filter(incomplete).filter(users::id.gt(&after)).order(users::id);
            let page = page.limit(PAGE).select((users::id, users::username, users::name_key));
            let page: Vec<Incomplete> = self.read(|connection| Ok(page.load(connection)?))?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.id);
            self.complete(page)?;
        }
        if with_numbers { self.number_users() } else { Ok(()) }
    }

    /// A page in one transaction; where two of its users share a key, each row alone.
    fn complete(&self, page: Vec<Incomplete>) -> Result<(), StorageError> {
        let names: Vec<(String, Username, bool)> = page
            .into_iter()
            .filter_map(|row| Some((row.id, Username::parse(&row.username)?, row.name_key.is_some())))
            .collect();
        let rows = names.clone();
        let written = self.write(move |connection| {
            rows.iter().try_for_each(|(id, name, _)| complete_row(connection, id, name))
        });
        match written {
            Err(StorageError::Taken) => {
                names.into_iter().try_for_each(|(id, name, had_key)| self.complete_one(id, name, had_key))
            }
            outcome => outcome,
        }
    }

    /// What fits of both columns: a name that looks like another's still has a key of its own.
    fn complete_one(&self, id: String, name: Username, has_key: bool) -> Result<(), StorageError> {
        let row = (id.clone(), name.clone());
        match self.write(move |connection| complete_row(connection, &row.0, &row.1)) {
            Err(StorageError::Taken) if has_key => return Ok(()),
            Err(StorageError::Taken) => {}
            outcome => return outcome,
        }
        let key_alone = self.write(move |connection| {
            let key = users::name_key.eq(name.key());
            diesel::update(users::table.find(&id)).set(key).execute(connection)?;
            Ok(())
        });
        match key_alone {
            Err(StorageError::Taken) => {
                tracing::warn!("two users have names that differ in their spelling alone; both keep them");
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn number_users(&self) -> Result<(), StorageError> {
        loop {
            let numberless = users::table.filter(users::legacy_id.is_null()).limit(PAGE).select(users::id);
            let page: Vec<String> = self.read(|connection| Ok(numberless.load(connection)?))?;
            if page.is_empty() {
                return Ok(());
            }
            page.into_iter().try_for_each(|id| self.give_number(id))?;
        }
    }

    fn give_number(&self, id: String) -> Result<(), StorageError> {
        self.write(move |connection| {
            let number = next_number(connection)?;
            let row = users::table.find(&id).filter(users::legacy_id.is_null());
            diesel::update(row).set(users::legacy_id.eq(number.to_string())).execute(connection)?;
            Ok(())
        })
    }
}

fn complete_row(connection: &mut AnyConnection, id: &str, name: &Username) -> Result<(), StorageError> {
    let columns = (users::name_key.eq(name.key()), users::name_skeleton.eq(name.skeleton()));
    diesel::update(users::table.find(id)).set(columns).execute(connection)?;
    Ok(())
}

/// The next number for an account. Whatever accounts bring along raises it too.
pub(super) fn next_number(connection: &mut AnyConnection) -> Result<i64, StorageError> {
    Ok(diesel::update(counters::table.find("user_number"))
        .set(counters::value.eq(counters::value + 1))
        .returning(counters::value)
        .get_result(connection)?)
}

/// No account that is made here gets one of these numbers any more. Whoever raises them waits for whoever does.
pub(super) fn raise_numbers(connection: &mut AnyConnection, highest: i64) -> Result<(), StorageError> {
    let number = counters::table.find("user_number");
    let held: i64 = diesel::update(number)
        .set(counters::value.eq(counters::value + 0))
        .returning(counters::value)
        .get_result(connection)?;
    if held < highest {
        diesel::update(number).set(counters::value.eq(highest)).execute(connection)?;
    }
    Ok(())
}
