//! The compare-and-set behind every refresh: one statement, planned once, many to a commit.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Nullable, Text};

use super::audit::{self, SharedChain};
use super::connection::{AnyConnection, on_inner};
use super::error::StorageError;
use super::schema::{sessions, users};
use super::session_ends::{End, end_one};
use super::session_row::SessionRow;
use super::writer::in_savepoint;
use super::{Storage, Writes, words};
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::sessions::{EndReason, Evaluation, Presented, Rotation, Session};
use crate::users::Attributes;

/// A presented refresh token, and what the session becomes when it is the current one.
#[derive(Debug, Clone)]
pub struct Rotate {
    pub presented: Presented,
    pub idle_expires_at: Timestamp,
    /// How long the session's access tokens may live on, should this turn out to be reuse.
    pub revoked_until: Timestamp,
    /// For the audit entry of a reuse.
    pub context: RequestContext,
}

/// Called once, from a thread of the storage, when the outcome is durable.
pub type Reply<T> = Box<dyn FnOnce(Result<T, StorageError>) + Send>;

/// A session as it was at one moment, with the packed attributes of its account; none when that is disabled.
pub(super) type SessionAndAccount = (SessionRow, Option<String>);

impl Storage {
    /// The compare-and-set behind every refresh: one winner, the same answer for a retry, and the
    /// end of the session for a reuse. What is refused otherwise spends nothing. Returns at once.
    pub fn rotate_session_then(&self, rotate: Rotate, reply: Reply<Rotation>) {
        match &self.parts.writes {
            Writes::Sqlite(writer) => {
                let chain = self.parts.chain.clone();
                writer.submit(move |connection| one(connection, &rotate, &chain), reply);
            }
            Writes::Postgres { rotator, .. } => rotator.submit(rotate, reply),
        }
    }

    /// The same, for a caller that may wait.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn rotate_session(&self, rotate: Rotate) -> Result<Rotation, StorageError> {
        answered(|reply| self.rotate_session_then(rotate, reply))
    }
}

/// Waits for what is called back for.
pub(super) fn answered<T: Send + 'static>(ask: impl FnOnce(Reply<T>)) -> Result<T, StorageError> {
    let (reply, answer) = std::sync::mpsc::sync_channel(1);
    ask(Box::new(move |outcome| drop(reply.send(outcome))));
    answer.recv().map_err(|_| StorageError::Unavailable("the storage has ended".to_owned()))?
}

impl Storage {
    /// A session as it stands, with what tokens say of its account; that is none when the account is disabled.
    ///
    /// # Errors
    /// [`StorageError`]; `Ok(None)` when there is no such session.
    pub fn find_session_and_account(
        &self,
        id: &str,
    ) -> Result<Option<(Session, Option<Attributes>)>, StorageError> {
        self.read(|connection| {
            let found = sessions::table.inner_join(users::table).filter(sessions::id.eq(id));
            let row = on_inner!(connection, |inner| {
                found.select(session_and_account_columns()).first(inner).optional()?
            });
            let Some((row, account)) = row.map(session_and_account) else { return Ok(None) };
            Ok(Some((row.into_session()?, account.as_deref().map(unpacked))))
        })
    }

    /// The session of a refresh token that it keeps, where none is rotated; `Ok(None)` when that is for
    /// [`Self::rotate_session`] to evaluate.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn hold_session(&self, presented: &Presented) -> Result<Option<Rotation>, StorageError> {
        let found = self.find_session_and_account(&presented.session_id)?;
        Ok(found.and_then(|(session, attributes)| {
            let held = session.is_kept_by(presented);
            attributes.filter(|_| held).map(|attributes| Rotation::Holds {
                session,
                attributes,
                repeated: true,
            })
        }))
    }
}

/// One rotation within the transaction of the caller.
pub(super) fn one(
    connection: &mut AnyConnection,
    rotate: &Rotate,
    chain: &SharedChain,
) -> Result<Rotation, StorageError> {
    let statement = RotateOne(rotate);
    let won: Option<SessionAndAccount> =
        on_inner!(connection, |inner| statement.get_result(inner).optional()?);
    match won {
        Some(row) => holds(row, false),
        None => in_savepoint(connection, |connection| not_rotated(connection, rotate, chain)),
    }
}

/// The slow path: the token is not the current one of a live session of this client.
fn not_rotated(
    connection: &mut AnyConnection,
    rotate: &Rotate,
    chain: &SharedChain,
) -> Result<Rotation, StorageError> {
    let presented = &rotate.presented;
    let found = sessions::table.inner_join(users::table).filter(sessions::id.eq(&presented.session_id));
    // One statement, and so of one moment: an account that is disabled between two would be seen
    // disabled and its session alive.
    let row =
        found.select(session_and_account_columns()).first(connection).optional()?.map(session_and_account);
    if let Some(settled) = settled(row.clone(), presented)? {
        return Ok(settled);
    }
    let session = row.ok_or_else(changed_meanwhile)?.0.into_session()?;
    if session.evaluate(presented) != Evaluation::Reused {
        return Err(changed_meanwhile());
    }
    let end = End { now: presented.now, reason: EndReason::Reuse, revoked_until: rotate.revoked_until };
    if let Some(event) = end_one(connection, &session.id, end)? {
        audit::append(connection, chain, &event, &rotate.context)?;
    }
    Ok(Rotation::Reused { session })
}

/// The update did not match a moment ago and matches now: only another replica's write in between can
/// do that, and the caller may try again.
fn changed_meanwhile() -> StorageError {
    StorageError::Unavailable("the session was changed by another request".to_owned())
}

/// What a token means that did not rotate its session; `None` where only a write can tell.
pub(super) fn settled(
    found: Option<SessionAndAccount>,
    presented: &Presented,
) -> Result<Option<Rotation>, StorageError> {
    let Some((row, account)) = found else { return Ok(Some(Rotation::Unknown)) };
    let session = row.clone().into_session()?;
    Ok(match session.evaluate(presented) {
        Evaluation::Repeated => Some(holds((row, account), true)?),
        Evaluation::Expired => Some(Rotation::Expired),
        Evaluation::Ended => Some(Rotation::Ended(session.ended.map(|ended| ended.reason))),
        Evaluation::NotYours => Some(Rotation::Unknown),
        Evaluation::Reused | Evaluation::Current => None,
    })
}

pub(super) fn holds((row, account): SessionAndAccount, repeated: bool) -> Result<Rotation, StorageError> {
    let session: Session = row.into_session()?;
    match account {
        Some(packed) => Ok(Rotation::Holds { session, attributes: unpacked(&packed), repeated }),
        // Disabling ends every session in one transaction, so this is a row that was edited by hand.
        None => Err(StorageError::Unreadable("a live session of an inactive account".to_owned())),
    }
}

/// What is selected where a session is read and not updated.
pub(super) fn session_and_account_columns<DB: Backend>()
-> (diesel::dsl::AsSelect<SessionRow, DB>, users::roles, users::legacy_id, users::profile, users::disabled_at)
{
    (SessionRow::as_select(), users::roles, users::legacy_id, users::profile, users::disabled_at)
}

pub(super) fn session_and_account(
    (row, roles, legacy_id, profile, disabled_at): (SessionRow, String, Option<String>, String, Option<i64>),
) -> SessionAndAccount {
    let packed = || format!("{roles}\n{}\n{profile}", legacy_id.unwrap_or_default());
    (row, disabled_at.is_none().then(packed))
}

/// The reverse of what [`RETURNED`] packs: none of the first two holds a line feed.
pub(super) fn unpacked(packed: &str) -> Attributes {
    let mut parts = packed.splitn(3, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (roles, legacy_id, profile) = (words(next()), next().to_owned(), next().to_owned());
    Attributes { roles, legacy_id: Some(legacy_id).filter(|id| !id.is_empty()), profile }
}

/// diesel prepares its own updates again each time, for their columns may differ; this text never does.
struct RotateOne<'a>(&'a Rotate);

impl QueryId for RotateOne<'_> {
    type QueryId = RotateOne<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for RotateOne<'_> {
    type SqlType = (sessions::SqlType, Nullable<Text>);
}

impl<C> RunQueryDsl<C> for RotateOne<'_> {}

impl<DB> QueryFragment<DB> for RotateOne<'_>
where
    DB: Backend + HasSqlType<Text> + HasSqlType<BigInt>,
    str: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let presented = &self.0.presented;
        out.push_sql("UPDATE sessions SET generation = generation + 1, rotated_at = ");
        out.push_bind_param::<BigInt, i64>(&presented.now.0)?;
        out.push_sql(", idle_expires_at = ");
        out.push_bind_param::<BigInt, i64>(&self.0.idle_expires_at.0)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<Text, str>(&presented.session_id)?;
        out.push_sql(" AND generation = ");
        out.push_bind_param::<BigInt, i64>(&presented.generation)?;
        out.push_sql(" AND client_id = ");
        out.push_bind_param::<Text, str>(presented.client_id.as_str())?;
        out.push_sql(" AND idle_expires_at > ");
        out.push_bind_param::<BigInt, i64>(&presented.now.0)?;
        out.push_sql(" AND expires_at > ");
        out.push_bind_param::<BigInt, i64>(&presented.now.0)?;
        out.push_sql(" AND ended_at IS NULL RETURNING ");
        out.push_sql(RETURNED);
        Ok(())
    }
}

/// The columns of [`SessionAndAccount`] after an update, in the order of the schema.
pub(super) const RETURNED: &str = "sessions.id, sessions.user_id, sessions.client_id, sessions.scope, \
     sessions.audience, sessions.auth_time, sessions.amr, sessions.created_at, sessions.idle_expires_at, \
     sessions.expires_at, sessions.generation, sessions.rotated_at, sessions.ended_at, sessions.end_reason, \
     sessions.device, sessions.browser_session_id, sessions.offline, sessions.userinfo_claims, (SELECT roles || '\n' || coalesce(legacy_id, '') || '\n' || profile FROM users WHERE users.id = sessions.user_id AND disabled_at IS NULL)";
