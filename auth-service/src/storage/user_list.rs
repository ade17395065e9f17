//! Users as operators see them.

use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::names::id_of;
use super::schema::{second_factors, users};
use super::users::UserRow;
use crate::clock::Timestamp;
use crate::users::{User, Username, spelling_key};

/// A page of users, by name.
#[derive(Debug, Clone, Default)]
pub struct UserPage {
    /// Only names that contain this text, in any spelling.
    pub contains: Option<String>,
    /// Only enabled users, or only disabled ones.
    pub enabled: Option<bool>,
    /// Only names after this one.
    pub after: String,
    pub limit: u32,
}

/// A user with what operators ask about.
#[derive(Debug, Clone)]
pub struct UserSummary {
    pub user: User,
    pub email: Option<String>,
    pub email_verified_at: Option<Timestamp>,
    pub last_login_at: Option<Timestamp>,
    pub has_second_factor: bool,
}

type SummaryRow = (UserRow, Option<String>, Option<i64>, Option<i64>);

impl Storage {
    /// # Errors
    /// [`StorageError`].
    pub fn users_page(&self, page: &UserPage) -> Result<Vec<UserSummary>, StorageError> {
        let contains = page.contains.as_deref().unwrap_or_default();
        let in_key = users::name_key.assume_not_null().like(pattern(&spelling_key(contains))).escape('\\');
        let in_name = users::username.like(pattern(contains)).escape('\\');
        let (show_enabled, show_disabled) = page.enabled.map_or((true, true), |enabled| (enabled, !enabled));
        let is_shown = (users::disabled_at.is_null().and(show_enabled.into_sql::<Bool>()))
            .or(users::disabled_at.is_not_null().and(show_disabled.into_sql::<Bool>()));
        let found = users::table
            .filter(in_key.or(in_name))
            .filter(is_shown)
            .filter(users::username.gt(&page.after))
            .order(users::username)
            .limit(page.limit.into());
        self.read(|connection| {
            let rows: Vec<SummaryRow> = found
                .select((UserRow::as_select(), users::email, users::email_verified_at, users::last_login_at))
                .load(connection)?;
            rows.into_iter().map(|row| summary(connection, row)).collect()
        })
    }

    /// # Errors
    /// [`StorageError`]; `Ok(None)` when no user has this name.
    pub fn user_summary(&self, username: &Username) -> Result<Option<UserSummary>, StorageError> {
        self.read(|connection| {
            let Some(id) = id_of(connection, username)? else { return Ok(None) };
            let columns =
                (UserRow::as_select(), users::email, users::email_verified_at, users::last_login_at);
            let row: Option<SummaryRow> =
                users::table.find(id).select(columns).first(connection).optional()?;
            row.map(|row| summary(connection, row)).transpose()
        })
    }
}

fn summary(connection: &mut AnyConnection, row: SummaryRow) -> Result<UserSummary, StorageError> {
    let (row, email, verified_at, last_login_at) = row;
    let user = row.into_user()?;
    let confirmed = second_factors::table.find(&user.id).filter(second_factors::confirmed_at.is_not_null());
    let factor: Option<String> = confirmed.select(second_factors::user_id).first(connection).optional()?;
    Ok(UserSummary {
        user,
        email,
        email_verified_at: verified_at.map(Timestamp),
        last_login_at: last_login_at.map(Timestamp),
        has_second_factor: factor.is_some(),
    })
}

/// A LIKE pattern for texts that contain this one.
fn pattern(text: &str) -> String {
    format!("%{}%", escaped(text))
}

/// A text within a LIKE pattern.
pub(super) fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn what_likes_patterns_mean_is_escaped() {
        assert_eq!(pattern("50%_a\\b"), "%50\\%\\_a\\\\b%");
        assert_eq!(pattern(""), "%%");
    }
}
