//! Which account has a name: by what all spellings of it share. Rows of a version that knew no such key are found by
//! the letter until they have got one.

use diesel::dsl::auto_type;
use diesel::prelude::*;

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::{counters, users};
use crate::users::Username;

/// Rows in one step.
const PAGE: i64 = 500;

/// At most one account meets it: the key is unique, and a row without one is there only where another row had taken
/// its key before.
#[auto_type(no_type_alias)]
pub(super) fn is_named<'a>(key: &'a str, text: &'a str) -> _ {
    users::name_key.eq(key).or(users::name_key.is_null().and(users::username.eq(text)))
}

impl Storage {
    /// Gives names their keys that have none, and accounts a number where each is to have one. Where another account
    /// has the key, the row stays without: it is still found by the letter.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn complete_users(&self, with_numbers: bool) -> Result<(), StorageError> {
        let mut after = String::new();
        loop {
            let lacks_number =
                users::legacy_id.is_null().and(with_numbers.into_sql::<diesel::sql_types::Bool>());
            let page = users::table
                .filter(users::id.gt(&after))
                .filter(users::name_key.is_null().or(lacks_number))
                .order(users::id)
                .limit(PAGE)
                .select((users::id, users::username, users::name_key, users::legacy_id));
            type Incomplete = (String, String, Option<String>, Option<String>);
            let page: Vec<Incomplete> = self.read(|connection| Ok(page.load(connection)?))?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.0);
            for (id, username, key, legacy_id) in page {
                if key.is_none() {
                    self.give_key(id.clone(), &username)?;
                }
                if with_numbers && legacy_id.is_none() {
                    self.give_number(id)?;
                }
            }
        }
    }

    fn give_key(&self, id: String, username: &str) -> Result<(), StorageError> {
        let Some(name) = Username::parse(username) else { return Ok(()) };
        let given = self.write(move |connection| {
            let row = users::table.find(&id).filter(users::name_key.is_null());
            diesel::update(row).set(users::name_key.eq(name.key())).execute(connection)?;
            Ok(())
        });
        match given {
            Err(StorageError::Taken) => {
                tracing::warn!("two accounts have names that differ in their spelling alone; both keep them");
                Ok(())
            }
            outcome => outcome,
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

/// The next number for an account. Whatever accounts bring along raises it too.
pub(super) fn next_number(connection: &mut AnyConnection) -> Result<i64, StorageError> {
    Ok(diesel::update(counters::table.find("user_number"))
        .set(counters::value.eq(counters::value + 1))
        .returning(counters::value)
        .get_result(connection)?)
}

/// No account that is made here gets one of these numbers any more.
pub(super) fn raise_numbers(connection: &mut AnyConnection, highest: i64) -> Result<(), StorageError> {
    let lower = counters::table.find("user_number").filter(counters::value.lt(highest));
    diesel::update(lower).set(counters::value.eq(highest)).execute(connection)?;
    Ok(())
}
