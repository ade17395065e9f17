//! Names the gateway, its settings and what it serves; `verifier-kit` has the command line.

use std::process::ExitCode;

use signet_gateway::settings::{self, Settings};
use signet_gateway::startup;
use verifier_kit::command_line::{Common, Program};

fn main() -> ExitCode {
    let program = Program::<Settings> {
        name: "signet-gateway",
        about: "Verifies tokens for applications behind nginx, Traefik, Caddy or Envoy",
        prefix: "GATEWAY",
        reference: settings::reference,
        common: |settings| Common { http: &settings.http, traces: &settings.traces, log: &settings.log },
        serve: startup::serve,
    };
    program.main()
}
