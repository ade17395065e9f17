//! Which user has a name: by what all spellings of it share. Rows of a version that knew no such key are found by
//! the exact name until they have one. And which names look alike.

use diesel::prelude::*;

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::{counters, users};
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

impl Storage {
    /// Gives users the keys of their names that an older version did not write, and a number where each is to have one.
    /// Where another user has the key, the row stays without: it is still found by the exact name.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn complete_users(&self, with_numbers: bool) -> Result<(), StorageError> {
        let mut after = String::new();
        loop {
            let keyless = users::table.filter(users::name_key.is_null()).filter(users::id.gt(&after));
            let page = keyless.order(users::id).limit(PAGE).select((users::id, users::username));
            let page: Vec<(String, String)> = self.read(|connection| Ok(page.load(connection)?))?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            page.into_iter().try_for_each(|(id, username)| self.give_key(id, &username))?;
        }
        if with_numbers { self.number_users() } else { Ok(()) }
    }

    /// Gives up to 500 users behind an ID the skeletons of their names, where an older version wrote none. Returns the
    /// last ID, `None` at the end. Where another user has the skeleton, the row stays without.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn complete_skeletons(&self, after: &str) -> Result<Option<String>, StorageError> {
        let incomplete = users::table.filter(users::name_skeleton.is_null()).filter(users::id.gt(after));
        let page = incomplete.order(users::id).limit(PAGE).select((users::id, users::username));
        let page: Vec<(String, String)> = self.read(|connection| Ok(page.load(connection)?))?;
        let Some((last, _)) = page.last().cloned() else { return Ok(None) };
        let rows = page.clone();
        let written = self.write(move |connection| {
            // The lock that an import takes first: two that lock these rows in different orders could wait for each
            // other.
            raise_numbers(connection, 0)?;
            rows.iter().try_for_each(|(id, username)| give_skeleton(connection, id, username))
        });
        match written {
            Err(StorageError::Taken) => {}
            outcome => return outcome.map(|()| Some(last)),
        }
        for (id, username) in page {
            match self.write(move |connection| give_skeleton(connection, &id, &username)) {
                Ok(()) | Err(StorageError::Taken) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(last))
    }

    fn give_key(&self, id: String, username: &str) -> Result<(), StorageError> {
        let Some(name) = Username::parse(username) else { return Ok(()) };
        let given = self.write(move |connection| {
            let row = users::table.find(&id).filter(users::name_key.is_null());
            let unchanged = row.filter(users::username.eq(name.as_str()));
            diesel::update(unchanged).set(users::name_key.eq(name.key())).execute(connection)?;
            Ok(())
        });
        match given {
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

/// Of a row as it was read: an import may have renamed the user since.
fn give_skeleton(connection: &mut AnyConnection, id: &str, username: &str) -> Result<(), StorageError> {
    let Some(name) = Username::parse(username) else { return Ok(()) };
    let row = users::table.find(id).filter(users::name_skeleton.is_null());
    let unchanged = row.filter(users::username.eq(username));
    diesel::update(unchanged).set(users::name_skeleton.eq(name.skeleton())).execute(connection)?;
    Ok(())
}

/// The next number for an account. Whatever accounts bring along raises it too.
pub(super) fn next_number(connection: &mut AnyConnection) -> Result<i64, StorageError> {
    Ok(diesel::update(counters::table.find("user_number"))
        .set(counters::value.eq(counters::value + 1))
        .returning(counters::value)
        .get_result(connection)?)
}

/// No account that is made here gets one of these numbers any more. Anyone who raises them waits for anyone who does.
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
