//! The binary: everything is in the library, so that tests can hold its walls.

use std::process::ExitCode;

fn main() -> ExitCode {
    auth_service::cli::main()
}
