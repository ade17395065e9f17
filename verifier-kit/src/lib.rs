//! What every process that follows an authority needs, whatever it verifies tokens for.
//!
//! | module | content |
//! |---|---|
//! | [`settings`] | the section `authority` of the settings |
//! | [`encryption_key`] | the private key of an audience whose tokens are encrypted |
//! | [`following`] | the authority that is followed: readiness, staleness, metrics |
//! | [`serving`] | runtime, folders and listeners |

pub mod encryption_key;
pub mod following;
pub mod serving;
pub mod settings;
