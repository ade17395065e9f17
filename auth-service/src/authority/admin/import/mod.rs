//! Stores the users and blacklisted tokens of a Django project.

mod database;
mod run;

pub use database::DjangoDatabase;
pub use run::{ImportOptions, Progress, run};
