//! Commands that work without valid settings, or check them.

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Subcommand};
use clap_complete::Shell;

use super::output::Output;
use super::{Cli, Done, config, doctor, generated};
use crate::{settings, startup};

#[derive(Debug, Subcommand)]
pub(super) enum StandaloneCommand {
    /// Print and check settings.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Check settings, clock, database, keys and listeners, and print what to do. Changes nothing.
    Doctor,
    /// Print the completions for a shell.
    Completions { shell: Shell },
    /// Write manual pages, one for each command, into FOLDER.
    Man { folder: PathBuf },
}

impl StandaloneCommand {
    pub(super) fn run(self, file: Option<&Path>, output: &Output) -> Done {
        match self {
            Self::Config(command) => command.run(file, output),
            Self::Doctor => {
                startup::harden_process()?;
                let loaded = settings::load(file)?;
                doctor::run(&loaded.settings, &loaded.unknown, output)
            }
            Self::Completions { shell } => generated::completions(Cli::command(), shell),
            Self::Man { folder } => generated::manual_pages(Cli::command(), &folder, output),
        }
    }
}
