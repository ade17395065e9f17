use std::path::PathBuf;
use std::time::Duration;

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use service_kit::duration;

/// OpenID Connect.
#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct OpenId {
    /// Lifetime of an authorization code. 10 s to 10 minutes.
    #[serde(deserialize_with = "duration::between::<_, 10, 600>", serialize_with = "duration::write")]
    pub code_ttl: Duration,
    /// How long a login page stays usable. 5 minutes to 1 day.
    #[serde(deserialize_with = "duration::between::<_, 300, 86_400>", serialize_with = "duration::write")]
    pub interaction_ttl: Duration,
    /// How long a consent is remembered. 0 to 10 years.
    #[serde(deserialize_with = "duration::between::<_, 0, 315_360_000>", serialize_with = "duration::write")]
    pub consent_ttl: Duration,
    /// How long a client may take to answer a logout notice. 1 to 30 s.
    #[serde(deserialize_with = "duration::between::<_, 1, 30>", serialize_with = "duration::write")]
    pub logout_timeout: Duration,
}

/// Logins of devices without a browser (RFC 8628).
#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Device {
    /// How long a user has to enter the code. 1 minute to 1 hour.
    #[serde(deserialize_with = "duration::between::<_, 60, 3600>", serialize_with = "duration::write")]
    pub ttl: Duration,
    /// How long a device waits between two requests. 1 to 60 s.
    #[serde(deserialize_with = "duration::between::<_, 1, 60>", serialize_with = "duration::write")]
    pub interval: Duration,
}

/// Browser sessions (single sign-on).
#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct BrowserSessions {
    /// A browser session ends after this time without a login at a client. 1 minute to 1 year.
    #[serde(deserialize_with = "duration::between::<_, 60, 31_536_000>", serialize_with = "duration::write")]
    pub idle: Duration,
    /// A browser session ends after this time. 1 minute to 1 year.
    #[serde(deserialize_with = "duration::between::<_, 60, 31_536_000>", serialize_with = "duration::write")]
    pub absolute: Duration,
    /// Maximum number of accounts that are logged in at one time in one browser. 1 to 10.
    #[serde(deserialize_with = "accounts")]
    pub accounts: usize,
}

/// The pages that users see.
#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Pages {
    /// Name at the top of each page.
    pub name: String,
    /// File with the logo (SVG or PNG, at most 64 KiB).
    pub logo_file: Option<PathBuf>,
    /// Colour of buttons, `#rrggbb`; dark enough for white text.
    #[serde(deserialize_with = "colour")]
    pub colour: String,
    /// Language of browsers that ask for none of ours: `en`, `de`, `fr` or `es`.
    #[serde(deserialize_with = "locale")]
    pub locale: String,
}

impl Default for OpenId {
    fn default() -> Self {
        Self {
            code_ttl: Duration::from_secs(60),
            interaction_ttl: Duration::from_secs(3600),
            consent_ttl: Duration::from_secs(90 * 24 * 3600),
            logout_timeout: Duration::from_secs(3),
        }
    }
}

impl Default for Device {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(600), interval: Duration::from_secs(5) }
    }
}

impl Default for BrowserSessions {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(8 * 3600),
            absolute: Duration::from_secs(30 * 24 * 3600),
            accounts: 5,
        }
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            name: "Signet".to_owned(),
            logo_file: None,
            colour: "#1a5fb4".to_owned(),
            locale: "en".to_owned(),
        }
    }
}

fn accounts<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    super::load::within(deserializer, 1, 10)
}

fn colour<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.strip_prefix('#').unwrap_or_default();
    if digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text);
    }
    Err(serde::de::Error::custom("expected a colour such as #1a5fb4"))
}

fn locale<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if ["en", "de", "fr", "es"].contains(&text.as_str()) {
        return Ok(text);
    }
    Err(serde::de::Error::custom("expected en, de, fr or es"))
}
