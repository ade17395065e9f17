//! The authorization server: holds the private keys and issues tokens over HTTP and gRPC. Verifiers need nothing of this
//! crate; they use `shared-claims`.
//!
//! | module | content |
//! |---|---|
//! | [`authority`] | the struct whose methods are the use cases |
//! | [`grants`] | one file per grant type |
//! | [`tokens`] | issue, read, introspect and revoke tokens |
//! | [`accounts`] | what users do for themselves |
//! | [`clients`] [`users`] [`sessions`] [`revocations`] [`verifiers`] | the nouns, and the rules that need no database |
//! | [`keys`] | signing keys; no other module sees a private key |
//! | [`state_sync`] | keeps the state in memory in step with the database |
//! | [`audit`] | the audit log, a chain that reveals alterations |
//! | [`sweep`] | deletes expired rows in small batches |
//! | [`metrics`] | Prometheus metrics |
//! | [`http`] [`grpc`] [`cli`] | the endpoints: decode, call one use case, encode |
//! | [`storage`] | diesel; atomic domain steps |
//! | [`startup`] [`settings`] [`blocking`] [`background`] [`feeds`] | wiring |
//!
//! The use cases are synchronous; endpoints cross into them once, in [`blocking`]. `tests/suite/architecture.rs` enforces the
//! boundaries.

pub mod accounts;
pub mod audit;
pub mod authority;
pub mod background;
pub mod blocking;
pub mod cli;
pub mod clients;
pub mod clock;
pub mod error;
pub mod feeds;
pub mod grants;
pub mod grpc;
pub mod http;
pub mod import;
pub mod keys;
mod limited;
pub mod mail;
pub mod metrics;
pub mod revocations;
pub mod secret;
pub mod sessions;
pub mod settings;
mod shares;
pub mod startup;
pub mod state_sync;
pub mod storage;
pub mod sweep;
pub mod tokens;
pub mod users;
pub mod verifiers;
pub mod webhook;
