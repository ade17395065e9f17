//! Browser sessions that end with what ends all sessions of a user.

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StorageError;
use super::logout_notices;
use super::schema::browser_sessions;
use crate::clock::Timestamp;

/// Ends the browser sessions of a user, in the transaction of the change that calls for it, and before the sessions that came
/// from them: the order in which locks are taken.
pub(super) fn end_all_of_user(
    connection: &mut AnyConnection,
    user_id: &str,
    kept: Option<&str>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let live = browser_sessions::table
        .filter(browser_sessions::user_id.eq(user_id))
        .filter(browser_sessions::id.ne(kept.unwrap_or_default()))
        .filter(browser_sessions::ended_at.is_null());
    let ended: Vec<String> = diesel::update(live)
        .set(browser_sessions::ended_at.eq(now.0))
        .returning(browser_sessions::id)
        .get_results(connection)?;
    logout_notices::add(connection, &ended, now)
}
