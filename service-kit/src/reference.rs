//! The reference of all settings, generated from the types: keys and defaults from the default values, meanings from the
//! doc comments of the fields.

use serde::Serialize;
use serde_json::Value;

/// One setting.
#[derive(Debug, Clone, Serialize)]
pub struct Setting {
    /// In the settings file: `section.key`; `section.*` for a table with free keys, in the file only.
    pub key: String,
    /// The environment variable; empty for settings in the file only.
    pub environment: String,
    /// As it is written in the environment; empty for none.
    pub default: String,
    pub meaning: String,
}

/// All settings of `defaults`, by their keys. `docs` returns the doc comment of a field of a section; the section of the
/// outermost fields is empty. Settings of the sections `file_only` have no environment variables.
///
/// # Errors
/// The key of a setting without a doc comment.
pub fn settings(
    prefix: &str,
    file_only: &[&str],
    defaults: &impl Serialize,
    docs: impl Fn(&str, &str) -> Option<&'static str>,
) -> Result<Vec<Setting>, String> {
    let defaults = serde_json::to_value(defaults).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    let sections = defaults.as_object().into_iter().flatten();
    for (name, value) in sections {
        let prefix = if file_only.contains(&name.as_str()) { None } else { Some(prefix) };
        match value.as_object().filter(|fields| !fields.is_empty()) {
            Some(fields) => {
                for (field, value) in fields {
                    found.push(setting(prefix, name, field, value, docs(name, field))?);
                }
            }
            None => found.push(setting(prefix, "", name, value, docs("", name))?),
        }
    }
    Ok(found)
}

fn setting(
    prefix: Option<&str>,
    section: &str,
    field: &str,
    default: &Value,
    docs: Option<&'static str>,
) -> Result<Setting, String> {
    let key = if section.is_empty() { field.to_owned() } else { format!("{section}.{field}") };
    let meaning = docs.ok_or_else(|| format!("{key} has no doc comment"))?;
    let meaning = meaning.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_table = default.is_object();
    let environment = match prefix {
        Some(prefix) if !is_table => format!("{prefix}__{}", key.replace('.', "__").to_uppercase()),
        _ => String::new(),
    };
    let default = match default {
        Value::String(text) => text.clone(),
        Value::Null | Value::Object(_) => String::new(),
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => default.to_string(),
    };
    let key = if is_table { format!("{key}.*") } else { key };
    Ok(Setting { key, environment, default, meaning })
}

/// A Markdown table.
#[must_use]
pub fn table(settings: &[Setting]) -> String {
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    let line = |setting: &Setting| {
        let Setting { key, environment, default, meaning } = setting;
        let name = if environment.is_empty() { format!("`{key}` (file only)") } else { code(environment) };
        format!("| {name} | {} | {meaning} |\n", code(default))
    };
    let mut table = String::from("| setting | default | meaning |\n|---|---|---|\n");
    table.extend(settings.iter().map(line));
    table
}
