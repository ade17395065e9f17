//! What every process that follows an authority needs, whatever it verifies tokens for.
//!
//! | module | content |
//! |---|---|
//! | [`command_line`] | serve, health check, encryption key, reference of the settings |
//! | [`certificates`] | the certificates of clients, which a proxy hands on |
//! | [`settings`] | the sections of the settings that all have |
//! | [`encryption_key`] | the private key of an audience whose tokens are encrypted |
//! | [`following`] | the authority that is followed: readiness, staleness, metrics |
//! | [`serving`] | runtime, folders, listeners and servers |

pub mod certificates;
pub mod command_line;
pub mod encryption_key;
pub mod following;
pub mod serving;
pub mod settings;
