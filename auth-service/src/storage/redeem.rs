//! The redemption of an authorization code: one conditional insert. The code names the session that it becomes, so the primary
//! key of the sessions is what makes it good once, whichever replica is asked.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Bool, HasSqlType, Nullable, Text};

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::rotate::{RETURNED, SessionAndAccount, unpacked};
use super::schema::sessions;
use super::session_ends::{End, SessionLimit, end_oldest, end_one};
use super::session_row::SessionRow;
use super::sessions::find_session;
use crate::clock::Timestamp;
use crate::sessions::{EndReason, FromBrowser, Session};
use crate::users::Attributes;

/// A session that a user allowed in a browser, and what must still hold for it to begin.
#[derive(Debug)]
pub struct Redeem {
    pub session: Session,
    /// What it came from.
    pub from: FromBrowser,
    /// The password must not have changed since.
    pub password_epoch: i64,
    /// As long as the browser session lives on by this.
    pub browser_idle_expires_at: Timestamp,
    pub limit: Option<SessionLimit>,
    /// How long the access tokens of the session may live on, should this turn out to be a second redemption.
    pub revoked_until: Timestamp,
}

/// What became of it.
#[derive(Debug)]
pub enum Redeemed {
    Started {
        session: Session,
        browser: FromBrowser,
        attributes: Attributes,
    },
    /// Not the first time: the session has been ended by this call, or had ended before.
    Again(Session),
    /// The user or the browser session is gone, or the password has changed.
    Gone,
}

impl Storage {
    /// Begins the session of a code, once.
    ///
    /// # Errors
    /// [`StorageError`]; nothing was spent.
    pub fn redeem(&self, redeem: Redeem) -> Result<Redeemed, StorageError> {
        self.write_revoking(move |connection| {
            let now = redeem.session.created_at;
            let row = SessionRow::from_session(&redeem.session);
            let statement = |for_share| InsertIfAllowed { row: &row, redeem: &redeem, for_share };
            let inserted: Option<SessionAndAccount> = match connection {
                AnyConnection::Sqlite(connection) => statement(false).get_result(connection).optional()?,
                AnyConnection::Postgres(connection) => statement(true).get_result(connection).optional()?,
            };
            if let Some((row, packed)) = inserted {
                keep_alive(connection, &redeem)?;
                end_oldest(connection, &redeem.session.user_id, redeem.limit, now)?;
                let attributes = unpacked(&packed.unwrap_or_default());
                let (session, browser) = (row.into_session()?, redeem.from.clone());
                return Ok((Redeemed::Started { session, browser, attributes }, None));
            }
            let Some(session) = find_session(connection, &redeem.session.id)? else {
                return Ok((Redeemed::Gone, None));
            };
            let end = End { now, reason: EndReason::Reuse, revoked_until: redeem.revoked_until };
            let event = end_one(connection, &session.id, end)?;
            Ok((Redeemed::Again(session), event))
        })
    }
}

/// Moves the end of the browser session, where it has come a good deal nearer: most logins write nothing for it.
fn keep_alive(connection: &mut AnyConnection, redeem: &Redeem) -> Result<(), StorageError> {
    use super::schema::browser_sessions;
    let until = redeem.browser_idle_expires_at;
    let idle = until.distance(redeem.session.created_at);
    let stale = browser_sessions::table
        .find(&redeem.from.browser_session_id)
        // One that is over stays over.
        .filter(browser_sessions::idle_expires_at.gt(redeem.session.created_at.0))
        .filter(browser_sessions::idle_expires_at.lt(until.minus(idle / 10).0));
    diesel::update(stale).set(browser_sessions::idle_expires_at.eq(until.0)).execute(connection)?;
    Ok(())
}

/// `for_share` locks the rows that allow it, on a database where others write at the same time: disabling the user or ending
/// the browser session comes wholly before this session or wholly after it, and then ends it. The browser session's lock is the
/// one that `keep_alive` needs: two who share a weaker one would each wait for the other. SQLite has one writer.
struct InsertIfAllowed<'a> {
    row: &'a SessionRow,
    redeem: &'a Redeem,
    for_share: bool,
}

impl QueryId for InsertIfAllowed<'_> {
    type QueryId = InsertIfAllowed<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for InsertIfAllowed<'_> {
    type SqlType = (sessions::SqlType, Nullable<Text>);
}

impl<C> RunQueryDsl<C> for InsertIfAllowed<'_> {}

impl<DB> QueryFragment<DB> for InsertIfAllowed<'_>
where
    DB: Backend + HasSqlType<Text> + HasSqlType<BigInt> + HasSqlType<Bool>,
    str: ToSql<Text, DB>,
    String: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
    bool: ToSql<Bool, DB>,
    Option<String>: ToSql<Nullable<Text>, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let InsertIfAllowed { row, redeem, for_share } = self;
        out.push_sql(
            "INSERT INTO sessions (id, user_id, client_id, scope, audience, amr, userinfo_claims, device, \
             browser_session_id, offline, auth_time, created_at, idle_expires_at, expires_at, generation, rotated_at) SELECT ",
        );
        row.bind_columns(&mut out)?;
        out.push_sql(" FROM users u, browser_sessions b WHERE u.id = ");
        out.push_bind_param::<Text, String>(&redeem.session.user_id)?;
        out.push_sql(" AND u.disabled_at IS NULL AND u.password_epoch = ");
        out.push_bind_param::<BigInt, i64>(&redeem.password_epoch)?;
        out.push_sql(" AND b.user_id = u.id AND b.ended_at IS NULL AND b.id = ");
        out.push_bind_param::<Text, String>(&redeem.from.browser_session_id)?;
        out.push_sql(" AND b.expires_at > ");
        out.push_bind_param::<BigInt, i64>(&redeem.session.created_at.0)?;
        if *for_share {
            out.push_sql(" FOR SHARE OF u FOR NO KEY UPDATE OF b");
        }
        out.push_sql(" ON CONFLICT (id) DO NOTHING RETURNING ");
        out.push_sql(RETURNED);
        Ok(())
    }
}
