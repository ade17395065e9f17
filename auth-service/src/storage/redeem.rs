//! The redemption of an authorization code: one conditional insert, and what is seldom left to do after it.

use std::sync::Arc;

use diesel::prelude::*;

use super::audit::{self, SharedChain};
use super::connection::AnyConnection;
use super::error::StorageError;
use super::redeem_insert::{BegunRow, Redeem, insert};
use super::rotate::{answered, unpacked};
use super::session_ends::{End, end_oldest, end_one};
use super::sessions::find_session;
use super::writer::{SqliteWriter, in_savepoint};
use super::{Reply, Storage, Writes};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::sessions::{EndReason, FromBrowser, Session};
use crate::users::Attributes;

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
    pub fn redeem(&self, redeem: Box<Redeem>) -> Result<Redeemed, StorageError> {
        match &self.parts.writes {
            Writes::Sqlite(writer) => answered(|reply| self.submit_redemption(writer, redeem, reply)),
            Writes::Postgres { .. } => self.redeem_in_statements(redeem),
        }
    }

    /// The same without a thread that waits, where a writer thread calls back.
    ///
    /// # Errors
    /// The redemption, for a thread that may wait.
    pub fn redeem_then(&self, redeem: Box<Redeem>, reply: Reply<Redeemed>) -> Result<(), Box<Redeem>> {
        let Writes::Sqlite(writer) = &self.parts.writes else { return Err(redeem) };
        self.submit_redemption(writer, redeem, reply);
        Ok(())
    }

    fn submit_redemption(&self, writer: &SqliteWriter, redeem: Box<Redeem>, reply: Reply<Redeemed>) {
        let (chain, storage) = (self.shared_chain(), self.clone());
        let noting = move |outcome| reply(storage.noting_outage(outcome));
        writer.submit(move |connection| one(connection, &redeem, &chain), noting);
    }

    /// Each in a transaction of its own, for each is a way over the network: most redemptions are the first one alone.
    fn redeem_in_statements(&self, redeem: Box<Redeem>) -> Result<Redeemed, StorageError> {
        let redeem: Arc<Redeem> = Arc::from(redeem);
        let inserting = Arc::clone(&redeem);
        let Some(row) = self.write_statement(move |connection| insert(connection, &inserting))? else {
            let context = redeem.context.clone();
            return self
                .on_behalf_of(&context)
                .write_revoking(move |connection| not_begun(connection, &redeem));
        };
        let tidying = Arc::clone(&redeem);
        if leaves_more_to_do(&redeem, &row) {
            untidied(self.write_revoking(move |connection| Ok((tidy(connection, &tidying)?, None))));
        }
        started(row, &redeem)
    }
}

/// One redemption within the transaction of the caller.
fn one(
    connection: &mut AnyConnection,
    redeem: &Redeem,
    chain: &SharedChain,
) -> Result<Redeemed, StorageError> {
    let Some(row) = insert(connection, redeem)? else {
        return in_savepoint(connection, |connection| {
            let (redeemed, event) = not_begun(connection, redeem)?;
            if let Some(event) = event {
                audit::append(connection, chain, &event, &redeem.context)?;
            }
            Ok(redeemed)
        });
    };
    if leaves_more_to_do(redeem, &row) {
        untidied(in_savepoint(connection, |connection| tidy(connection, redeem)));
    }
    started(row, redeem)
}

fn started((row, packed, _): BegunRow, redeem: &Redeem) -> Result<Redeemed, StorageError> {
    let attributes = unpacked(&packed.unwrap_or_default());
    Ok(Redeemed::Started { session: row.into_session()?, browser: redeem.from.clone(), attributes })
}

/// The slow path: the session is there already, or may not begin.
fn not_begun(
    connection: &mut AnyConnection,
    redeem: &Redeem,
) -> Result<(Redeemed, Option<Event>), StorageError> {
    let Some(session) = find_session(connection, &redeem.session.id)? else {
        return Ok((Redeemed::Gone, None));
    };
    let end =
        End { now: redeem.session.created_at, reason: EndReason::Reuse, revoked_until: redeem.revoked_until };
    let event = end_one(connection, &session.id, end)?;
    Ok((Redeemed::Again(session), event))
}

/// Redemptions of one user that may be under way at once, of which none counts the others.
const AT_ONCE: i64 = 16;

fn leaves_more_to_do(redeem: &Redeem, (_, _, live): &BegunRow) -> bool {
    redeem.keep_browser_until.is_some() || live + AT_ONCE >= redeem.limit.most.into()
}

/// What a new session changes beside itself.
fn tidy(connection: &mut AnyConnection, redeem: &Redeem) -> Result<(), StorageError> {
    if let Some(until) = redeem.keep_browser_until {
        keep_alive(connection, redeem, until)?;
    }
    let session = &redeem.session;
    end_oldest(connection, &session.user_id, Some(redeem.limit), session.created_at).map(drop)
}

/// The session has begun all the same, and the next login of the user does what this one could not.
fn untidied(outcome: Result<(), StorageError>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "a login left sessions beyond tokens.max_sessions, or a browser session that ends early");
    }
}

/// Moves the end of the browser session.
fn keep_alive(connection: &mut AnyConnection, redeem: &Redeem, until: Timestamp) -> Result<(), StorageError> {
    use super::schema::browser_sessions;
    let sooner = browser_sessions::table
        .find(&redeem.from.browser_session_id)
        // One that is over stays over.
        .filter(browser_sessions::idle_expires_at.gt(redeem.session.created_at.0))
        .filter(browser_sessions::idle_expires_at.lt(until.0));
    diesel::update(sooner).set(browser_sessions::idle_expires_at.eq(until.0)).execute(connection)?;
    Ok(())
}
