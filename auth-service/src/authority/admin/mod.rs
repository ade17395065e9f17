//! What operators do.

pub mod import;
mod keys;
