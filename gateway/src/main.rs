//! The binary. Exit codes: 0 done, 1 failed, 2 wrong usage.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service_kit::{healthcheck, logging, traces};
use signet_gateway::{settings, startup};
use verifier_kit::encryption_key;

/// Verifies tokens for applications behind nginx, Traefik, Caddy or Envoy.
#[derive(Debug, Parser)]
#[command(name = "signet-gateway", version)]
struct Cli {
    /// Settings file (TOML). Environment variables, `GATEWAY__SECTION__KEY`, override it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve HTTP and gRPC until SIGTERM (the default).
    Serve,
    /// Print the public key of FILE as a JWKS, for `auth-service audience create NAME --encryption-jwks`. Creates the file
    /// with a new private key if it does not exist.
    EncryptionKey { file: PathBuf },
    /// Check that the running gateway is ready, for container health checks.
    Healthcheck,
    /// Print every setting with its default and its meaning, as a Markdown table.
    ConfigReference,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            // Without standard error there is no place to report it.
            let _ = writeln!(std::io::stderr().lock(), "signet-gateway: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), String> {
    if let Some(Command::EncryptionKey { file }) = &cli.command {
        return print_encryption_key(file);
    }
    if let Some(Command::ConfigReference) = &cli.command {
        let table = service_kit::reference::table(&settings::reference()?);
        return write!(std::io::stdout().lock(), "{table}").map_err(|error| error.to_string());
    }
    let settings = settings::load(cli.config.as_deref())?.without_unknown()?;
    let serves = !matches!(cli.command, Some(Command::Healthcheck));
    // Held to the end: what is under way to the collector then is sent.
    let exporting = if serves { traces::start("signet-gateway", &settings.traces)? } else { None };
    logging::start(&settings.log, exporting.as_ref())?;
    if serves { startup::serve(&settings) } else { healthcheck::ask(settings.http.bind) }
}

fn print_encryption_key(file: &Path) -> Result<(), String> {
    let jwks = encryption_key::public_jwks(file)?;
    writeln!(std::io::stdout().lock(), "{jwks}").map_err(|error| error.to_string())
}
