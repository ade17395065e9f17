//! Signet's authority: holds the private keys, issues tokens over HTTP and gRPC, and answers for
//! them. Verifiers need nothing of this crate: they have `shared-claims`.
//!
//! The core is cut by feature, the edges by technology:
//!
//! | room | what it knows |
//! |---|---|
//! | [`authority`] | the one struct whose methods are the use cases |
//! | [`grants`] | how a token is earned, one file a grant |
//! | [`tokens`] | a token's life once it is earned |
//! | [`clients`] [`users`] [`sessions`] [`revocations`] [`verifiers`] | the nouns, and the rules that need no database |
//! | [`keys`] | the ring; nothing else ever sees a private key |
//! | [`refresh_state`] | keeps what is in memory in step with the database |
//! | [`audit`] | what was done, by whom: a chain that shows what was altered |
//! | [`sweep`] | deletes what has expired, a few rows at a time |
//! | [`metrics`] | what is counted for the operator |
//! | [`http`] [`grpc`] | the two protocols: unpack, call, repack |
//! | [`storage`] | diesel; atomic domain steps, not create-read-update-delete |
//! | [`cli`] [`startup`] [`settings`] [`blocking`] [`background`] [`feeds`] | wiring |
//!
//! The core is synchronous; edges cross into it once, in [`blocking`]. `tests/architecture.rs` holds
//! these borders.

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
