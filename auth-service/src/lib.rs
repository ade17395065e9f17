//! The authorization server: holds the private keys and issues tokens over HTTP and gRPC. Verifiers need nothing of this
//! crate; they use `shared-claims`.
//!
//! | module | content |
//! |---|---|
//! | [`http`] [`grpc`] [`cli`] | the endpoints: decode, call one use case, encode |
//! | [`authority`] | the use cases: the methods of [`authority::Authority`] |
//! | [`storage`] | diesel; atomic domain steps |
//! | [`users`] [`clients`] [`sessions`] [`tokens`] [`revocations`] [`verifiers`] | the nouns, and the rules that need no database |
//! | [`keys`] | signing keys; no other module sees a private key |
//! | [`audit`] | the audit log, a chain that reveals alterations |
//! | [`import`] | reads a Django project |
//! | [`backchannel`] | logout notices to clients |
//! | [`metrics`] | Prometheus metrics |
//! | [`startup`] [`settings`] [`blocking`] [`background`] [`feeds`] | wiring |
//!
//! The use cases are synchronous; endpoints cross into them once, in [`blocking`]. `tests/suite/architecture.rs` and `modules.rs`
//! enforce the boundaries.

pub mod audit;
pub mod authority;
pub mod backchannel;
pub mod background;
pub mod blocking;
pub mod browser_sessions;
pub mod cli;
pub mod clients;
pub mod clock;
pub mod context;
pub mod error;
pub mod feeds;
pub mod grpc;
pub mod http;
pub mod import;
pub mod keys;
pub mod mail;
pub mod metrics;
pub mod outbound;
pub mod remote_keys;
pub mod revocations;
pub mod secret;
pub mod sender_proof;
pub mod sessions;
pub mod settings;
mod shares;
pub mod startup;
pub mod storage;
pub mod tokens;
mod user_code;
pub mod users;
pub mod verifiers;
pub mod webhook;
