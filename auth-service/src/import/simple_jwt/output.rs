use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Settings, and what is to be said of the entries that became none.
#[derive(Debug, Default)]
pub struct Converted {
    /// By section, in TOML.
    settings: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
    notes: Vec<(String, String)>,
    missing: Vec<(String, String)>,
    wrong: Vec<(String, String)>,
}

impl Converted {
    /// A setting by its full name, with its value in TOML.
    pub(super) fn set(&mut self, setting: &'static str, value: &str) {
        if let Some((section, key)) = setting.split_once('.') {
            self.settings.entry(section).or_default().insert(key, value.to_owned());
        }
    }

    pub(super) fn note(&mut self, name: &str, text: &str) {
        self.notes.push((name.to_owned(), text.to_owned()));
    }

    /// There is no counterpart.
    pub(super) fn missing(&mut self, name: &str, why: &str) {
        self.missing.push((name.to_owned(), why.to_owned()));
    }

    /// The entry itself is wrong.
    pub(super) fn wrong(&mut self, name: &str, why: &str) {
        self.wrong.push((name.to_owned(), why.to_owned()));
    }

    #[must_use]
    pub fn has_wrong(&self) -> bool {
        !self.wrong.is_empty()
    }

    pub fn without_counterpart(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().map(|(name, _)| name.as_str())
    }

    pub fn wrong_names(&self) -> impl Iterator<Item = &str> {
        self.wrong.iter().map(|(name, _)| name.as_str())
    }

    /// A settings file whose comments say the rest.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines =
            vec!["# Made from a SIMPLE_JWT dictionary; give it to auth-service by --config.".to_owned()];
        for (section, settings) in &self.settings {
            lines.push(format!("\n[{section}]"));
            lines.extend(settings.iter().map(|(key, value)| format!("{key} = {value}")));
        }
        let parts = [
            ("To know:", &self.notes),
            ("Without a counterpart:", &self.missing),
            ("Wrong, and left out:", &self.wrong),
        ];
        for (title, entries) in parts.into_iter().filter(|(_, entries)| !entries.is_empty()) {
            lines.push(format!("\n# {title}"));
            lines.extend(entries.iter().map(|(name, text)| format!("# - {name}: {text}")));
        }
        lines.join("\n")
    }

    #[must_use]
    pub fn document(&self) -> Value {
        let named = |entries: &[(String, String)]| {
            entries.iter().map(|(name, text)| json!({"name": name, "text": text})).collect::<Vec<_>>()
        };
        json!({
            "settings": self.settings,
            "notes": named(&self.notes),
            "without_counterpart": named(&self.missing),
            "wrong": named(&self.wrong),
        })
    }
}
