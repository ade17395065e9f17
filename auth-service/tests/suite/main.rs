//! What can be said of the authority without starting it: its walls, its tables, its storage.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod architecture;
mod documents;
mod error_tables;
mod glossary;
mod modules;
mod outbound;
mod session_model;
mod storage_contract;
mod supply_chain;
mod use_cases;
