//! The binary: everything is in the library, so that tests can hold its walls.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A password hash takes 19 MiB for 13 ms; this allocator gives them back afterwards.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    auth_service::cli::main()
}
