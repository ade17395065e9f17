//! The command line of every program that follows an authority. Exit codes: 0 success, 1 failure, 2 wrong usage.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use service_kit::logging::Log;
use service_kit::reference::{self, Setting};
use service_kit::traces::Traces;
use service_kit::{healthcheck, logging, traces, version};

use crate::encryption_key;
use crate::settings::Http;

/// A program that follows an authority.
pub struct Program<S> {
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// Prefix of its settings in the environment, without the underscores.
    pub prefix: &'static str,
    /// Every setting, with its default and its meaning.
    pub reference: fn() -> Result<Vec<Setting>, String>,
    pub common: fn(&S) -> Common<'_>,
    /// Serves until it is stopped.
    pub serve: fn(&S) -> Result<(), String>,
}

/// The settings that a command line needs.
pub struct Common<'a> {
    pub http: &'a Http,
    pub traces: &'a Traces,
    pub log: &'a Log,
}

#[derive(Debug, Parser)]
#[command(version = version::TEXT)]
struct Cli {
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
    /// Check that the running service is ready, for container health checks.
    Healthcheck,
    /// Print every setting with its default and its meaning, as a Markdown table.
    ConfigReference,
}

impl<S: DeserializeOwned + Serialize + Default> Program<S> {
    /// Runs the command line of this process.
    #[must_use]
    pub fn main(&self) -> ExitCode {
        let help = format!(
            "Settings file (TOML). Environment variables, `{}__SECTION__KEY`, override it",
            self.prefix
        );
        let command = Cli::command().name(self.name).about(self.about);
        let matches = command.mut_arg("config", |argument| argument.help(help)).get_matches();
        let outcome = Cli::from_arg_matches(&matches).map(|cli| self.run(&cli));
        match outcome.unwrap_or_else(|error| error.exit()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(cause) => {
                // Without standard error there is no place to report it.
                let _ = writeln!(std::io::stderr().lock(), "{}: {cause}", self.name);
                ExitCode::FAILURE
            }
        }
    }

    fn run(&self, cli: &Cli) -> Result<(), String> {
        let serves = match &cli.command {
            Some(Command::EncryptionKey { file }) => return print_encryption_key(file),
            Some(Command::ConfigReference) => return print(&reference::table(&(self.reference)()?)),
            Some(Command::Healthcheck) => false,
            Some(Command::Serve) | None => true,
        };
        let loaded = service_kit::settings::load::<S>(self.prefix, cli.config.as_deref())?;
        let settings = loaded.without_unknown()?;
        let common = (self.common)(&settings);
        // Kept until the end, so that the last spans reach the collector.
        let exporting = if serves { traces::start(self.name, common.traces)? } else { None };
        logging::start(common.log, exporting.as_ref())?;
        if serves { (self.serve)(&settings) } else { healthcheck::ask(common.http.bind, false) }
    }
}

fn print_encryption_key(file: &Path) -> Result<(), String> {
    print(&format!("{}\n", encryption_key::public_jwks(file)?))
}

fn print(text: &str) -> Result<(), String> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|error| error.to_string())
}
