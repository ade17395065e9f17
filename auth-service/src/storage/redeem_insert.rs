//! The conditional insert that redeems a code. The code names the session that it becomes, so the primary key of the sessions is
//! what makes it good once, whichever replica is asked.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Bool, HasSqlType, Nullable, Text};

use super::connection::AnyConnection;
use super::error::StorageError;
use super::rotate::RETURNED;
use super::schema::sessions;
use super::session_ends::SessionLimit;
use super::session_row::SessionRow;
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::sessions::{FromBrowser, Session};

/// A session that a user allowed in a browser, and what must still hold for it to begin.
#[derive(Debug, Clone)]
pub struct Redeem {
    pub session: Session,
    /// What it came from.
    pub from: FromBrowser,
    /// The password must not have changed since.
    pub password_epoch: i64,
    /// Until when the browser session goes on by this, where that has to be written.
    pub keep_browser_until: Option<Timestamp>,
    pub limit: SessionLimit,
    /// How long the access tokens of the session may live on, should this turn out to be a second redemption.
    pub revoked_until: Timestamp,
    /// For the audit entry of a second redemption.
    pub context: RequestContext,
}

/// A new session, with the packed attributes of its account and how many live ones its user has. SQLite counts this
/// one, PostgreSQL does not; leaving it out would read each row, where the index alone answers this.
pub(super) type BegunRow = (SessionRow, Option<String>, i64);

/// Begins a session where its user, their password and the browser session are still what they were when the code was issued;
/// `None` where not, and where it has begun before.
pub(super) fn insert(
    connection: &mut AnyConnection,
    redeem: &Redeem,
) -> Result<Option<BegunRow>, StorageError> {
    let row = SessionRow::from_session(&redeem.session);
    let statement = |for_share| InsertIfAllowed { row: &row, redeem, for_share };
    Ok(match connection {
        AnyConnection::Sqlite(connection) => statement(false).get_result(connection).optional()?,
        AnyConnection::Postgres(connection) => statement(true).get_result(connection).optional()?,
    })
}

/// `for_share` locks the rows that allow it, on a database where others write at the same time: disabling the user or ending
/// the browser session comes wholly before this session or wholly after it, and then ends it. SQLite has one writer.
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
    type SqlType = (sessions::SqlType, Nullable<Text>, BigInt);
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
            out.push_sql(" FOR SHARE OF u, b");
        }
        out.push_sql(" ON CONFLICT (id) DO NOTHING RETURNING ");
        out.push_sql(RETURNED);
        out.push_sql(
            ", (SELECT count(*) FROM sessions AS o WHERE o.user_id = sessions.user_id AND o.ended_at IS NULL)",
        );
        Ok(())
    }
}
