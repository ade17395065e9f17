//! The binary. Exit codes: 0 done, 1 failed, 2 wrong usage.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use resource_service::settings::Settings;
use resource_service::{encryption_key, settings, startup};

/// Signet's sample resource service: notes over HTTP and gRPC.
#[derive(Debug, Parser)]
#[command(name = "resource-service", version)]
struct Cli {
    /// Settings file (TOML); the environment, `RESOURCE__SECTION__KEY`, wins over it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve HTTP and gRPC until SIGTERM (the default).
    Serve,
    /// Print the public key of FILE as a JWKS, for `auth-service audience create NAME --encryption-jwks`. The
    /// file is made, with a new private key, if it does not exist.
    EncryptionKey { file: PathBuf },
    /// Ask a running service whether it is ready; for container health checks.
    Healthcheck,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            // Nobody is left to tell when standard error is gone.
            let _ = writeln!(std::io::stderr().lock(), "resource-service: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), String> {
    let config = cli.config.as_deref();
    match &cli.command {
        Some(Command::EncryptionKey { file }) => print_encryption_key(file),
        Some(Command::Healthcheck) => service_kit::healthcheck::ask(load(config)?.http.bind),
        Some(Command::Serve) | None => startup::serve(&load(config)?),
    }
}

fn print_encryption_key(file: &Path) -> Result<(), String> {
    let jwks = encryption_key::public_jwks(file)?;
    writeln!(std::io::stdout().lock(), "{jwks}").map_err(|error| error.to_string())
}

/// Reads the settings, starts the log, and names what nobody knows.
fn load(config: Option<&Path>) -> Result<Settings, String> {
    let loaded = settings::load(config)?;
    service_kit::logging::start(&loaded.settings.log)?;
    for key in loaded.unknown {
        tracing::warn!(key, "unknown setting: is it misspelt?");
    }
    Ok(loaded.settings)
}
