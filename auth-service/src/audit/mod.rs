//! The audit log: who did what to whom, with which outcome. An entry is written in the transaction of
//! what it records: an effect without an entry is impossible.
//!
//! Client tokens and refreshes that go well are not in it: they are counted, and their sessions are.

mod action;
mod actor;
mod cef;
mod chain;
mod checkpoint;
mod entry;
mod event;
mod limited;
mod link;
mod mac;
mod ocsf;
mod personal_data;

pub use action::Action;
pub use actor::Actor;
pub use cef::cef;
pub use chain::Chain;
pub use checkpoint::Checkpoint;
pub use entry::AuditEntry;
pub use event::Event;
pub use limited::LimitedEntries;
pub use link::{Broken, Link, Position};
pub use mac::Mac;
pub use ocsf::ocsf;
pub use personal_data::PersonalData;
