//! The command line. Without a command it serves. Every command prints its result and the next step, or one JSON
//! document with `--json`. A secret is shown once and never again.
//!
//! Exit codes: 0 success, 1 failure, 2 wrong usage, 3 not found, or the name is taken.

mod audience;
mod audit;
mod backup;
mod browser_session;
mod client;
mod command;
mod config;
mod consent;
mod doctor;
mod enabled;
mod exchange;
mod failure;
mod generated;
mod import;
mod key;
mod key_file;
mod list;
mod master_key;
mod output;
mod serve;
mod session;
mod standalone;
mod table;
mod trusted_issuer;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::audit::Actor;
use crate::authority::Authority;
use crate::settings::{self, Settings};
use crate::startup;
use command::Command;
use failure::{Done, Failure};
use output::Output;

/// Signet, an authorization server: issues tokens over HTTP and gRPC.
#[derive(Debug, Parser)]
#[command(name = "auth-service", version = service_kit::version::TEXT)]
pub struct Cli {
    /// Settings file (TOML). Environment variables, `AUTH__SECTION__KEY`, override it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON instead of text: one document, or for a long list one per line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let matches = with_hyphen_values(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let output = Output::new(cli.json);
    match run(cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(cause)) => output.failure(&cause, 1),
        Err(Failure::Usage(cause)) => output.failure(&cause, 2),
        Err(Failure::Wrong(cause)) => output.failure(&cause, 3),
    }
}

/// Lets every positional argument begin with `-`, in every command: key IDs (base64url, one in 64), client IDs and
/// usernames may. Options that the command knows keep their meaning.
fn with_hyphen_values(command: clap::Command) -> clap::Command {
    command
        .mut_args(
            |argument| {
                if argument.is_positional() { argument.allow_hyphen_values(true) } else { argument }
            },
        )
        .mut_subcommands(with_hyphen_values)
}

fn run(cli: Cli, output: &Output) -> Done {
    let command = cli.command.unwrap_or(Command::Serve);
    if let Command::Standalone(command) = command {
        return command.run(cli.config.as_deref(), output);
    }
    startup::harden_process()?;
    let loaded = settings::load(cli.config.as_deref())?;
    let mut settings = loaded.without_unknown()?;
    if !matches!(command, Command::Serve) && settings.log.level == "info" {
        // On a terminal the result matters, not the steps to it.
        "warn".clone_into(&mut settings.log.level);
    }
    // Kept until the end, so that the last spans reach the collector.
    let serves = matches!(command, Command::Serve);
    let exporting = if serves { service_kit::traces::start("auth-service", &settings.traces)? } else { None };
    service_kit::logging::start(&settings.log, exporting.as_ref())?;
    let only_reads = command.only_reads();
    let open = || if only_reads { existing_authority(&settings) } else { authority(&settings) };
    match command {
        Command::Serve => serve::run(&settings),
        Command::Migrate => migrate(&settings, output),
        Command::User(command) => command.run(&*open()?, output),
        Command::Client(command) => command.run(&*open()?, output),
        Command::Session(command) => command.run(&*open()?, output),
        Command::BrowserSession(command) => command.run(&*open()?, output),
        Command::Consent(command) => command.run(&*open()?, output),
        Command::Audience(command) => command.run(&*open()?, output),
        Command::TrustedIssuer(command) => command.run(&*open()?, output),
        Command::Exchange(command) => command.run(&*open()?, output),
        Command::Import(import::ImportCommand::Django(command)) => {
            command.run(&*authority(&settings)?, settings.django.field_map(), output)
        }
        Command::Import(import::ImportCommand::DjangoSettings { file }) => {
            import::django_settings(&file, output)
        }
        Command::Key(command) => command.run(&*open()?, output),
        Command::Backup(arguments) => arguments.run(&settings, output),
        Command::MasterKey(command) => {
            command.run(&*authority(&settings)?, &settings.keys.master_key_file, output)
        }
        Command::Audit(command) => command.run(&*open()?, output),
        Command::Standalone(command) => command.run(cli.config.as_deref(), output),
        Command::Restored => restored(&*authority(&settings)?, output),
        Command::Healthcheck => healthcheck(&settings, output),
    }
}

/// The authority, with the operator as the actor of its audit entries.
fn authority(settings: &Settings) -> Result<Arc<Authority>, Failure> {
    authority_as(settings, operator())
}

/// The authority that is there, and nothing is created or changed.
fn existing_authority(settings: &Settings) -> Result<Arc<Authority>, Failure> {
    Ok(startup::build_existing(settings, operator())?)
}

fn operator() -> Actor {
    Actor::Operator(rustix::process::getuid().as_raw())
}

fn authority_as(settings: &Settings, process: Actor) -> Result<Arc<Authority>, Failure> {
    let authority = startup::build(settings, process)?;
    authority.register_default_audience()?;
    authority.refresh_state()?;
    Ok(authority)
}

fn migrate(settings: &Settings, output: &Output) -> Done {
    let url = startup::database_url(settings)?;
    let applied = startup::migrate(&url)?;
    let text = match applied.len() {
        0 => format!("{url}: the schema is up to date"),
        _ => format!("{url}: applied {}", applied.join(", ")),
    };
    output.result(&serde_json::json!({"database": url.to_string(), "applied": applied}), &text);
    Ok(())
}

fn restored(authority: &Authority, output: &Output) -> Done {
    let epoch = authority.note_restored_backup()?;
    output.result(
        &serde_json::json!({"epoch": epoch}),
        "started a new epoch; verifiers now load all revocations and keys again",
    );
    Ok(())
}

fn healthcheck(settings: &Settings, output: &Output) -> Done {
    service_kit::healthcheck::ask(settings.http.bind, settings.tls.is_on())?;
    output.result(&serde_json::json!({"ready": true}), "ready");
    Ok(())
}
