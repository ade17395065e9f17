//! The database, behind atomic domain steps: a transaction never leaves this folder.
//!
//! One set of queries serves SQLite and PostgreSQL. Reads come from a pool. Writes go through the one writer thread on SQLite, and
//! through the pool on PostgreSQL, where rotations have a thread too: what is done most often shares commits on both. Every step
//! writes first, so that it takes its locks before it reads: a read-then-write transaction fails on SQLite under load whatever the
//! time-out, and on PostgreSQL decides by what is no longer true.

mod account_sessions;
mod accounts;
mod attempts;
mod audience_changes;
mod audiences;
mod audit;
mod audit_list;
mod audit_prune;
mod audit_row;
mod browser_session_ends;
mod browser_session_list;
mod browser_session_row;
mod browser_sessions;
mod change_counters;
mod client_changes;
mod clients;
mod connection;
mod connection_settings;
mod consents;
mod copy;
mod device_requests;
mod django;
mod django_schema;
mod email_addresses;
mod error;
mod generation;
mod identities;
mod import;
mod import_mark;
mod keys;
mod legacy;
mod listener;
mod logout_notices;
mod manager;
mod migrate;
mod names;
mod poll;
mod pool;
mod recovery_codes;
mod redeem;
mod redeem_insert;
mod revocations;
mod rotate;
mod rotator;
mod schema;
mod second_factors;
mod secrets;
mod session_admin;
mod session_ends;
mod session_row;
mod sessions;
mod sqlite_log;
mod sweep;
mod table_name;
mod url;
mod user_changes;
mod user_list;
mod users;
mod verifiers;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::dsl::sql;
use diesel::sql_types::BigInt;
use diesel::{Connection, RunQueryDsl};
use shared_claims::ScopeSet;
use tracing::trace_span;

use audit::SharedChain;
use change_counters::{count_up, count_up_by};
use connection::AnyConnection;
use connection_settings::{Access, SQLITE_BUSY_TIMEOUT};
use generation::Generation;
use pool::Connections;
use rotator::Rotator;

use crate::clock::Timestamp;
use crate::context::RequestContext;
use writer::SqliteWriter;

pub use account_sessions::SessionSeen;
pub use accounts::NewPassword;
pub use audience_changes::AudienceDeleted;
pub use audit_list::AuditFilter;
pub use browser_session_list::{BrowserSessionPage, BrowserSessionSummary};
pub use browser_sessions::{BrowserEnd, ConsentsFor};
pub use change_counters::ChangeCounters;
pub use client_changes::ClientEnd;
pub use clients::TrustedIssuerDeleted;
pub use consents::Consent;
pub use copy::{check_unused, replace_database};
pub use device_requests::{AllowedBy, Decision, DeviceRequest};
pub use django::DjangoTables;
pub use email_addresses::EmailChange;
pub use error::StorageError;
pub use import::{Batch, BatchOutcome, Fate};
pub use legacy::{Exchanged, LegacyExchange};
pub use listener::Listener;
pub use logout_notices::LogoutNotice;
pub use redeem::Redeemed;
pub use redeem_insert::Redeem;
pub use rotate::{Reply, Rotate};
pub use second_factors::Confirmed;
pub use secrets::{Resealed, Resting};
pub use session_admin::{SessionPage, SessionSummary, SessionsOf};
pub use session_ends::{SessionLimit, SessionsEnded};
pub use sessions::{Login, Start};
pub use sweep::Swept;
pub use url::{DatabaseUrl, InvalidUrl};
pub use user_changes::{Enabled, UserChange};
pub use user_list::{UserPage, UserSummary};

/// A handle on the database, cheap to copy.
#[derive(Clone)]
pub struct Storage {
    parts: Arc<Parts>,
    /// Of the request that is being served; empty for what no request asked for.
    context: RequestContext,
}

struct Parts {
    url: DatabaseUrl,
    reads: Connections,
    /// For the state sync alone, on PostgreSQL: no request uses them. When those of the requests are all taken, or
    /// waited for by many, revocations must still be learnt of.
    looks: Connections,
    writes: Writes,
    chain: SharedChain,
    generation: Generation,
    /// The last write failed for want of the database: whether the next one will succeed is not known.
    write_failed: AtomicBool,
}

enum Writes {
    Sqlite(SqliteWriter),
    Postgres { pool: Connections, rotator: Rotator },
}

impl Storage {
    /// Connects once, so that a wrong URL or an absent server is told at the start and by its own
    /// message, and then keeps pools of at most `pool_size` connections.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] with the database's own words.
    pub fn connect(url: &DatabaseUrl, pool_size: u32) -> Result<Self, StorageError> {
        let (chain, generation) = (SharedChain::default(), Generation::default());
        let (reads, looks, writes) = match url {
            DatabaseUrl::Sqlite(_) => {
                let writer = SqliteWriter::start(url.clone())?;
                let reads = Connections::new(url, Access::Read, pool_size, &generation);
                (reads.clone(), reads, Writes::Sqlite(writer))
            }
            DatabaseUrl::Postgres(_) => {
                check_encoding(&mut AnyConnection::open(url, Access::Write)?)?;
                let pool = Connections::new(url, Access::Write, pool_size, &generation);
                let rotator = Rotator::start(pool.clone(), chain.clone())?;
                // One to poll, one to see whether writes go through.
                let looks = Connections::new(url, Access::Read, 2, &generation);
                (pool.clone(), looks, Writes::Postgres { pool, rotator })
            }
        };
        let write_failed = AtomicBool::new(false);
        let parts = Parts { url: url.clone(), reads, looks, writes, chain, generation, write_failed };
        Ok(Self { parts: Arc::new(parts), context: RequestContext::default() })
    }

    /// From now on requests wait: anyone who cannot write soon is told so.
    pub fn answer_soon(&self) {
        self.parts.reads.answer_soon();
        self.parts.looks.answer_soon();
        if let Writes::Sqlite(writer) = &self.parts.writes {
            writer.wait_for_the_lock(SQLITE_BUSY_TIMEOUT);
        }
    }

    /// Brings the schema up to date and names the migrations that ran. Safe to run by several
    /// replicas at once.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub fn migrate(url: &DatabaseUrl) -> Result<Vec<String>, StorageError> {
        migrate::run(url)
    }

    /// The migrations that the database is missing.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`], also when there is no database file.
    pub fn pending_migrations(url: &DatabaseUrl) -> Result<Vec<String>, StorageError> {
        migrate::pending(url)
    }

    /// Whether so many migrations are missing that none was ever applied.
    #[must_use]
    pub fn knows_no_migration(pending: &[String], url: &DatabaseUrl) -> bool {
        migrate::count(url).is_ok_and(|all| all == pending.len())
    }

    /// The clock of a database that has one of its own.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn clock(&self) -> Result<Option<Timestamp>, StorageError> {
        self.read(|connection| match connection {
            AnyConnection::Sqlite(_) => Ok(None),
            AnyConnection::Postgres(connection) => {
                let now = sql::<BigInt>("CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)");
                Ok(Some(Timestamp(diesel::select(now).get_result(connection)?)))
            }
        })
    }

    /// Connections that the pool of readers holds, and how many of them are idle.
    #[must_use]
    pub fn pool_state(&self) -> (u32, u32) {
        self.parts.reads.state()
    }

    fn read<T>(
        &self,
        step: impl FnOnce(&mut AnyConnection) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let _span = trace_span!(target: "traces", "read", otel.kind = "client").entered();
        self.parts.reads.take()?.run(step)
    }

    /// A read of what memory is kept in step with.
    fn look<T>(
        &self,
        step: impl FnOnce(&mut AnyConnection) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let _span = trace_span!(target: "traces", "look", otel.kind = "client").entered();
        self.parts.looks.take()?.run(step)
    }

    fn write<T, F>(&self, step: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&mut AnyConnection) -> Result<T, StorageError> + Send + 'static,
    {
        let _span = trace_span!(target: "traces", "write", otel.kind = "client").entered();
        self.noting_outage(match &self.parts.writes {
            Writes::Sqlite(writer) => writer.write(step),
            Writes::Postgres { pool, .. } => pool.take()?.run(|connection| connection.transaction(step)),
        })
    }

    /// A step of one statement, which undoes itself when it fails: on PostgreSQL one round trip, without a transaction around it.
    fn write_statement<T, F>(&self, step: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&mut AnyConnection) -> Result<T, StorageError> + Send + 'static,
    {
        match &self.parts.writes {
            Writes::Sqlite(_) => self.write(step),
            Writes::Postgres { pool, .. } => {
                let _span = trace_span!(target: "traces", "write", otel.kind = "client").entered();
                self.noting_outage(pool.take()?.run(step))
            }
        }
    }

    /// Remembers a write that failed for want of the database.
    fn noting_outage<T>(&self, outcome: Result<T, StorageError>) -> Result<T, StorageError> {
        if let Err(error) = &outcome
            && error.is_outage()
        {
            self.parts.write_failed.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// Whether writes go through, audited ones too, as far as can be told without writing anything. After a write
    /// that failed, one that changes nothing is made.
    ///
    /// # Errors
    /// [`StorageError`]: a lock that another replica holds, a server that takes no writes, a full disk.
    pub fn probe_writes(&self) -> Result<(), StorageError> {
        match &self.parts.writes {
            Writes::Postgres { .. } => self.parts.looks.take()?.run(poll::lock_counters)?,
            Writes::Sqlite(writer) => {
                let after_failure = self.parts.write_failed.load(Ordering::Relaxed);
                writer.write(move |connection| match after_failure {
                    true => poll::touch_counters(connection),
                    false => Ok(()),
                })?;
            }
        }
        self.parts.write_failed.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// Names and texts may hold any character of Unicode, and a database that cannot store it fails at that user's login.
fn check_encoding(connection: &mut AnyConnection) -> Result<(), StorageError> {
    let encoding = poll::encoding(connection)?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(StorageError::Unavailable(format!(
        "the database's encoding is {encoding}: create it again with `CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0`"
    )))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn scope(text: &str) -> Result<ScopeSet, StorageError> {
    ScopeSet::parse(text).map_err(|_| StorageError::Unreadable("a malformed scope".to_owned()))
}
