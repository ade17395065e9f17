//! From settings to a running authority: what is made at the first start, and what ends a start.

mod build;
mod database;
mod first_administrator;
mod last_seen;
mod policies;
mod sample;
mod serve;

pub use build::{build, build_at, build_existing, check_clock};
pub use database::{database_url, migrate, open_secrets};
pub use first_administrator::{create_first_administrator, initial_password_file};
pub use last_seen::{check_last_seen, note_last_seen};
pub use policies::mail_policy;
pub use serve::serve;

/// One line for the operator; the start ends with it.
pub type Result<T> = std::result::Result<T, String>;

/// Private keys are in memory: no core dump may carry them away, and no other process may look.
///
/// # Errors
/// What the system refused.
pub fn harden_process() -> Result<()> {
    use rustix::fs::Mode;
    use rustix::process::umask;
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    // Files created here (the database, its log, the master key) are readable by the own user only.
    umask(Mode::RWXG | Mode::RWXO);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|error| format!("core dumps cannot be switched off: {error}"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| format!("the memory cannot be protected: {error}"))
}
