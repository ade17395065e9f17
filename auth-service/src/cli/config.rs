use std::path::Path;

use clap::Subcommand;
use serde_json::json;
use service_kit::settings::masked;

use super::Done;
use super::output::Output;
use super::table::Row;
use crate::settings;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every setting with its effective value and its source. Secrets are masked.
    Print,
    /// Check that every given setting is known and valid. `doctor` also checks what they name.
    Check,
    /// Print every setting with its default and its meaning, as a Markdown table.
    Reference,
}

impl ConfigCommand {
    pub(super) fn run(self, file: Option<&Path>, output: &Output) -> Done {
        match self {
            Self::Print => print(file, output),
            Self::Check => check(file, output),
            Self::Reference => {
                let settings = settings::reference()?;
                output.result(&json!(settings), service_kit::reference::table(&settings).trim_end());
                Ok(())
            }
        }
    }
}

fn print(file: Option<&Path>, output: &Output) -> Done {
    let loaded = settings::load(file)?;
    let rows: Vec<Row> = settings::effective(&loaded.settings)?
        .iter()
        .map(|setting| {
            // A table with free keys is one setting here.
            let is_within =
                |key: &String| setting.key.strip_suffix('*').is_some_and(|table| key.starts_with(table));
            let given = loaded.sources.iter().find(|(key, _)| **key == setting.key || is_within(key));
            let source = given.map_or("default", |(_, source)| source.as_str());
            let value = masked(&setting.key, &setting.default);
            Row {
                document: json!({"key": setting.key, "value": value, "source": source}),
                cells: vec![setting.key.clone(), value, source.to_owned()],
            }
        })
        .collect();
    output.list(&["SETTING", "VALUE", "SOURCE"], &rows);
    Ok(())
}

fn check(file: Option<&Path>, output: &Output) -> Done {
    let loaded = settings::load(file)?;
    let given = loaded.sources.len();
    loaded.without_unknown()?;
    let text =
        format!("{given} settings are given, all of them known and valid; `auth-service doctor` checks more");
    output.result(&json!({"valid": true, "given": given}), &text);
    Ok(())
}
