use clap::Subcommand;
use serde_json::json;

use super::Done;
use super::output::Output;
use crate::settings;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every setting with its default and its meaning, as a Markdown table.
    Reference,
}

impl ConfigCommand {
    pub(super) fn run(self, output: &Output) -> Done {
        let Self::Reference = self;
        let settings = settings::reference()?;
        output.result(&json!(settings), service_kit::reference::table(&settings).trim_end());
        Ok(())
    }
}
