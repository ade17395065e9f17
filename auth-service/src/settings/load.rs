use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use config::{Config, Environment, File, FileFormat, Value, ValueKind};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use shared_claims::ScopeSet;

use super::Settings;
use crate::clients::ClientId;
use crate::keys::Algorithm;

/// Settings that hold, and the keys that nobody knows.
#[derive(Debug)]
pub struct Loaded {
    pub settings: Settings,
    /// `section.key`, to be named in a warning: most likely a misspelt one.
    pub unknown: Vec<String>,
}

/// Reads all layers.
///
/// # Errors
/// One line with the key, what was expected, and where the value came from.
pub fn load(file: Option<&Path>) -> Result<Loaded, String> {
    let mut layers = Config::builder();
    if let Some(path) = file {
        if !path.is_file() {
            return Err(format!("the settings file {} does not exist", path.display()));
        }
        layers = layers.add_source(File::from(path).format(FileFormat::Toml));
    }
    // Without `try_parsing`: it would turn a secret of digits into a number and back.
    let environment = Environment::with_prefix("AUTH").prefix_separator("__").separator("__");
    let layered = layers.add_source(environment).build().map_err(|error| one_line(&error))?;
    let given = layered.cache.clone();
    let mut settings: Settings = layered.try_deserialize().map_err(|error| one_line(&error))?;
    if let Some(path) = &settings.database.url_file {
        let url = fs::read_to_string(path)
            .map_err(|error| format!("database.url_file: {}: {error}", path.display()))?;
        settings.database.url = url.trim().to_owned();
    }
    if settings.tokens.refresh_idle_ttl > settings.tokens.refresh_absolute_ttl {
        return Err("tokens.refresh_idle_ttl is longer than tokens.refresh_absolute_ttl".to_owned());
    }
    if settings.keys.publish_lead >= settings.keys.rotation_period {
        return Err("keys.publish_lead is not shorter than keys.rotation_period".to_owned());
    }
    Ok(Loaded { settings, unknown: unknown_keys(&given)? })
}

fn one_line(error: &config::ConfigError) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The keys that were given and that no setting has.
fn unknown_keys(given: &Value) -> Result<Vec<String>, String> {
    let known = serde_json::to_value(Settings::default()).map_err(|error| error.to_string())?;
    let mut known_keys = BTreeSet::new();
    collect_known("", &known, &mut known_keys);
    let mut given_keys = BTreeSet::new();
    collect_given("", given, &mut given_keys);
    Ok(given_keys.difference(&known_keys).cloned().collect())
}

fn collect_known(prefix: &str, value: &serde_json::Value, keys: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                collect_known(&join(prefix, name), member, keys);
            }
        }
        _ => drop(keys.insert(prefix.to_owned())),
    }
}

fn collect_given(prefix: &str, value: &Value, keys: &mut BTreeSet<String>) {
    match &value.kind {
        ValueKind::Table(members) => {
            for (name, member) in members {
                collect_given(&join(prefix, name), member, keys);
            }
        }
        _ => drop(keys.insert(prefix.to_owned())),
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// An http or https URL without user, query, fragment or trailing slash (RFC 8414 section 2).
pub fn issuer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let issuer = String::deserialize(deserializer)?;
    let rest = issuer.strip_prefix("https://").or_else(|| issuer.strip_prefix("http://"));
    let plain =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\"\\<>".contains(&byte));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && !rest.ends_with('/') && plain(rest) => {
            Ok(issuer)
        }
        _ => Err(D::Error::custom("expected an http(s) URL without query, fragment and trailing slash")),
    }
}

pub fn algorithm<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match Algorithm::parse(&text) {
        Some(algorithm) => Ok(algorithm.as_str().to_owned()),
        None => Err(D::Error::custom("expected EdDSA, ES256 or RS256")),
    }
}

pub fn client_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match ClientId::parse(&text) {
        Some(id) => Ok(id.to_string()),
        None => Err(D::Error::custom("expected 1 to 64 characters of A-Z a-z 0-9 . _ -")),
    }
}

pub fn scope<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    ScopeSet::parse(&text).map(|scope| scope.to_string()).map_err(D::Error::custom)
}

pub fn not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(D::Error::custom("expected a text without white space"));
    }
    Ok(text)
}

pub fn pool_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    within(u32::deserialize(deserializer)?, 1, 100)
}

pub fn threads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    within(usize::deserialize(deserializer)?, 0, 64)
}

fn within<T: PartialOrd + std::fmt::Display, E: Error>(number: T, least: T, most: T) -> Result<T, E> {
    if number < least || number > most {
        return Err(E::custom(format!("expected a number of {least} to {most}")));
    }
    Ok(number)
}
