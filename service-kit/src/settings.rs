use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config::builder::{ConfigBuilder, DefaultState};
use config::{Config, ConfigError, Environment, File, FileFormat, Map, Value, ValueKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

type Layers = ConfigBuilder<DefaultState>;

/// The effective settings.
#[derive(Debug)]
pub struct Loaded<S> {
    pub settings: S,
    /// One message for each unknown key, with the nearest known one.
    pub unknown: Vec<String>,
    /// Where each value comes from that is not a default, by its key: the path of the file, or `the environment`.
    pub sources: BTreeMap<String, String>,
}

impl<S> Loaded<S> {
    /// The settings, if every given key is known: a misspelled one would leave a default in place unnoticed.
    ///
    /// # Errors
    /// One line with the unknown keys.
    pub fn without_unknown(self) -> Result<S, String> {
        match self.unknown.is_empty() {
            true => Ok(self.settings),
            false => Err(format!("settings: {}", self.unknown.join("; "))),
        }
    }
}

/// Reads all layers: the defaults of `S`, the file, and `PREFIX__SECTION__KEY` in the environment.
///
/// # Errors
/// One line with the key, what was expected, and where the value came from.
pub fn load<S: DeserializeOwned + Serialize + Default>(
    prefix: &str,
    file: Option<&Path>,
) -> Result<Loaded<S>, String> {
    if let Some(path) = file.filter(|path| !path.is_file()) {
        return Err(format!("the settings file {} does not exist", path.display()));
    }
    let given = layered(Config::builder(), prefix, file)?.cache;
    let defaults = serde_json::to_value(S::default()).map_err(|error| error.to_string())?;
    let with_defaults = with_defaults(Config::builder(), "", &defaults)?;
    let settings = layered(with_defaults, prefix, file)?.try_deserialize();
    let settings = settings.map_err(|error| explain(&error, &given))?;
    let mut sources = BTreeMap::new();
    collect_sources("", &given, &mut sources);
    let unknown = unknown_keys(&defaults, sources.keys());
    Ok(Loaded { settings, unknown, sources })
}

fn layered(layers: Layers, prefix: &str, file: Option<&Path>) -> Result<Config, String> {
    let file = file.map(|path| File::from(path).format(FileFormat::Toml));
    let layers = file.into_iter().fold(layers, Layers::add_source);
    // Without `try_parsing`: it would turn a secret of digits into a number and back.
    let environment = Environment::with_prefix(prefix).prefix_separator("__").separator("__");
    layers.add_source(environment).build().map_err(|error| one_line(&error.to_string()))
}

/// Below the file: the members of a section that it does not set. A section's own defaults may differ from program to
/// program, so its type has none. Lists and empty values are left to the types.
fn with_defaults(mut layers: Layers, prefix: &str, value: &serde_json::Value) -> Result<Layers, String> {
    if let Some(members) = value.as_object() {
        for (name, member) in members {
            layers = with_defaults(layers, &join(prefix, name), member)?;
        }
        return Ok(layers);
    }
    let scalar = match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Bool(_) | serde_json::Value::Number(_) => value.to_string(),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            return Ok(layers);
        }
    };
    layers.set_default(prefix, scalar).map_err(|error| one_line(&error.to_string()))
}

/// The library names the key but forgets where its value came from.
fn explain(error: &ConfigError, given: &Value) -> String {
    let text = error.to_string();
    let ConfigError::At { key: Some(key), origin: None, .. } = error else { return one_line(&text) };
    let value = key.split('.').try_fold(given, |value, name| table(value)?.get(name));
    match value.and_then(Value::origin) {
        Some(origin) => one_line(&format!("{text} in {origin}")),
        None => one_line(&text),
    }
}

fn one_line(text: &str) -> String {
    format!("settings: {}", text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Messages about given keys that no setting has.
fn unknown_keys<'a>(defaults: &serde_json::Value, given: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut known = BTreeSet::new();
    collect_known("", defaults, &mut known);
    // A table that is empty by default takes whatever names it is given.
    let is_free = |key: &str| known.iter().any(|known| known.ends_with('.') && key.starts_with(known));
    let unknown = given.filter(|key| !known.contains(*key) && !is_free(key));
    unknown.map(|key| unknown_setting(key, &known)).collect()
}

/// `unknown setting "tokens.acces_ttl", did you mean "tokens.access_ttl"?`
fn unknown_setting(key: &str, known: &BTreeSet<String>) -> String {
    let nearest = known.iter().map(|known| (strsim::normalized_damerau_levenshtein(key, known), known));
    let nearest = nearest.filter(|(similarity, _)| *similarity > 0.6).max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, nearest)) => format!("unknown setting {key:?}, did you mean {nearest:?}?"),
        None => format!("unknown setting {key:?}"),
    }
}

fn collect_known(prefix: &str, value: &serde_json::Value, keys: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(members) if members.is_empty() => drop(keys.insert(format!("{prefix}."))),
        Some(members) => {
            for (name, member) in members {
                collect_known(&join(prefix, name), member, keys);
            }
        }
        None => drop(keys.insert(prefix.to_owned())),
    }
}

fn collect_sources(prefix: &str, value: &Value, sources: &mut BTreeMap<String, String>) {
    match table(value) {
        Some(members) => {
            for (name, member) in members {
                collect_sources(&join(prefix, name), member, sources);
            }
        }
        None => drop(sources.insert(prefix.to_owned(), value.origin().unwrap_or("unknown").to_owned())),
    }
}

/// A value as it may be shown: secrets as `***`, URLs without user, password and query.
#[must_use]
pub fn masked(key: &str, value: &str) -> String {
    if key.ends_with("secret") && !value.is_empty() {
        return "***".to_owned();
    }
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    // A password may hold any character, `@` and `?` too: what comes before the last `@` is not shown.
    let (user, location) = rest.rsplit_once('@').map_or(("", rest), |(_, location)| ("***@", location));
    let (location, query) = location.split_once('?').map_or((location, ""), |(before, _)| (before, "?***"));
    format!("{scheme}://{user}{location}{query}")
}

fn table(value: &Value) -> Option<&Map<String, Value>> {
    if let ValueKind::Table(members) = &value.kind { Some(members) } else { None }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// An http or https URL without user, query, fragment or trailing slash, as an issuer must be
/// (RFC 8414 section 2). For `#[serde(deserialize_with)]`.
///
/// # Errors
/// What was expected.
pub fn issuer<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    use serde::de::{Deserialize, Error};
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

/// A text of at least one character and without white space. For `#[serde(deserialize_with)]`.
///
/// # Errors
/// What was expected.
pub fn word<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    use serde::de::{Deserialize, Error};
    let text = String::deserialize(deserializer)?;
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(D::Error::custom("expected a text without white space"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_reported_with_the_nearest_known_one() {
        let known = ["tokens.access_ttl", "tokens.refresh_grace", "issuer"].map(str::to_owned).into();
        let said = |key: &str| unknown_setting(key, &known);
        assert_eq!(
            said("tokens.acces_ttl"),
            r#"unknown setting "tokens.acces_ttl", did you mean "tokens.access_ttl"?"#
        );
        assert_eq!(said("isuer"), r#"unknown setting "isuer", did you mean "issuer"?"#);
        assert_eq!(said("frobnicate"), r#"unknown setting "frobnicate""#);
    }

    #[test]
    fn secrets_are_not_shown() {
        let url = "postgres://signet:pass@word/x@db.test:5432/signet?password=again";
        assert_eq!(masked("database.url", url), "postgres://***@db.test:5432/signet?***");
        assert_eq!(
            masked("database.url", "postgres://signet:top?secret@db/signet"),
            "postgres://***@db/signet"
        );
        assert_eq!(masked("django.password", "password"), "password", "the name of a column");
        assert_eq!(masked("issuer", "https://auth.test/a"), "https://auth.test/a");
        assert_eq!(masked("authority.client_secret", "s3cret"), "***");
        assert_eq!(masked("authority.client_secret", ""), "");
        assert_eq!(masked("log.level", "info"), "info");
    }

    /// As those of listeners: the default is the program's, not the type's.
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Section {
        bind: String,
        secure: bool,
        optional: Option<String>,
    }

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(default)]
    struct Settings {
        names: Vec<String>,
        http: Section,
    }

    impl Default for Settings {
        fn default() -> Self {
            let http = Section { bind: "127.0.0.1:1".to_owned(), secure: true, optional: None };
            Self { names: vec!["one".to_owned(), "two".to_owned()], http }
        }
    }

    fn loaded(text: &str) -> Loaded<Settings> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        load("SIGNET_SETTINGS_TEST", Some(file.path())).unwrap()
    }

    #[test]
    fn a_section_keeps_the_defaults_that_are_not_set() {
        for nothing in ["", "[http]"] {
            assert_eq!(loaded(nothing).without_unknown().unwrap(), Settings::default(), "{nothing:?}");
        }
        let part = loaded("names = [\"three\"]\n[http]\nsecure = false").without_unknown().unwrap();
        let http = Section { secure: false, ..Settings::default().http };
        assert_eq!(part, Settings { names: vec!["three".to_owned()], http });
        let sources = loaded("[http]\nsecure = false").sources;
        assert_eq!(sources.keys().collect::<Vec<_>>(), ["http.secure"]);
        assert!(sources["http.secure"].contains("/"), "the file: {sources:?}");
        let misspelled = loaded("[http]\nbidn = \"x\"").without_unknown().unwrap_err();
        assert!(misspelled.contains("did you mean \"http.bind\""), "{misspelled}");
    }
}
