use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};
use service_kit::settings::masked;

use super::Done;
use super::output::Output;
use super::table::Row;
use crate::settings;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every setting with its effective value and its source. Secrets are masked.
    Print,
    /// Check that every given setting is known and has the right form. `doctor` also checks what they name.
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
    let settings = serde_json::to_value(&loaded.settings).map_err(|error| error.to_string())?;
    let mut values = Vec::new();
    flatten("", &settings, &mut values);
    let source_of = |key: &str| {
        // A file of its own overrides the URL.
        let from_file = (key == "database.url").then(|| loaded.sources.get("database.url_file")).flatten();
        match from_file {
            Some(_) => "database.url_file",
            None => loaded.sources.get(key).map_or("default", String::as_str),
        }
    };
    let row = |(key, value): (String, String)| {
        let (value, source) = (masked(&key, &value), source_of(&key));
        Row {
            document: json!({"key": key, "value": value, "source": source}),
            cells: vec![key.clone(), value.clone(), source.to_owned()],
        }
    };
    let rows: Vec<Row> = values.into_iter().map(row).collect();
    output.list(&["SETTING", "VALUE", "SOURCE"], &rows);
    Ok(())
}

/// Every value by its key; those of tables with free keys, too.
fn flatten(prefix: &str, value: &Value, values: &mut Vec<(String, String)>) {
    if let Some(members) = value.as_object() {
        for (name, member) in members {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            flatten(&key, member, values);
        }
        return;
    }
    let text = match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_null() => String::new(),
        None => value.to_string(),
    };
    values.push((prefix.to_owned(), text));
}

fn check(file: Option<&Path>, output: &Output) -> Done {
    let loaded = settings::load(file)?;
    let given = loaded.sources.len();
    loaded.without_unknown()?;
    let text = format!("{given} given, every key known; `auth-service doctor` checks what they name");
    output.result(&json!({"valid": true, "given": given}), &text);
    Ok(())
}
