//! Names the service, its settings and what it serves; `verifier-kit` has the command line.

use std::process::ExitCode;

use resource_service::settings::{self, Settings};
use resource_service::startup;
use verifier_kit::command_line::{Common, Program};

fn main() -> ExitCode {
    let program = Program::<Settings> {
        name: "resource-service",
        about: "Signet's sample resource service: notes over HTTP and gRPC",
        prefix: "RESOURCE",
        reference: settings::reference,
        common: |settings| Common { http: &settings.http, traces: &settings.traces, log: &settings.log },
        serve: startup::serve,
    };
    program.main()
}
