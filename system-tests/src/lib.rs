//! The harness of the black-box tests: sentences about real binaries.
//!
//! `let system = System::start(Database::Sqlite).await;` gives an authority and a resource service
//! of one's own, on free ports, with a fresh database. Nothing is mocked and nothing is slept for:
//! [`eventually`] waits for a condition and gives up after a bound.

pub mod browser;
pub mod bystander;
pub mod certificates;
pub mod channel;
pub mod cluster;
pub mod collector;
pub mod database;
pub mod dice;
pub mod drill;
pub mod fake_clock;
pub mod history;
pub mod hostile;
pub mod http2;
pub mod listener;
pub mod lone;
pub mod openid;
pub mod processes;
pub mod protocol;
pub mod proxy;
pub mod replicas;
pub mod system;
pub mod trace;

pub use database::Database;
pub use protocol::{Pair, Protocol, Refused};
pub use system::System;

use std::future::Future;
use std::time::{Duration, Instant};

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until the answer is `Some`, at most for [`PATIENCE`].
///
/// # Panics
/// When it never is.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl FnMut() -> F) -> T {
    eventually_within(PATIENCE, what, ask).await
}

/// The same, with a patience of one's own.
///
/// # Panics
/// When it never is.
pub async fn eventually_within<T, F: Future<Output = Option<T>>>(
    patience: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < patience, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One test for each protocol and each database.
#[macro_export]
macro_rules! over_both_protocols_on_both_databases {
    ($($name:ident)*) => {$(
        mod $name {
            use $crate::{Database, Protocol};

            #[tokio::test]
            async fn http_sqlite() {
                super::$name(Protocol::Http, Database::Sqlite).await;
            }

            #[tokio::test]
            async fn http_postgres() {
                super::$name(Protocol::Http, Database::Postgres).await;
            }

            #[tokio::test]
            async fn grpc_sqlite() {
                super::$name(Protocol::Grpc, Database::Sqlite).await;
            }

            #[tokio::test]
            async fn grpc_postgres() {
                super::$name(Protocol::Grpc, Database::Postgres).await;
            }
        }
    )*};
}

/// One test for each database.
#[macro_export]
macro_rules! on_both_databases {
    ($($name:ident)*) => {$(
        mod $name {
            use $crate::Database;

            #[tokio::test]
            async fn sqlite() {
                super::$name(Database::Sqlite).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$name(Database::Postgres).await;
            }
        }
    )*};
}
