use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use service_kit::duration;

use super::load;
use crate::clock::Timestamp;
use crate::tokens::UserIdForm;

/// The endpoints of djangorestframework-simplejwt, and what its clients and services rely on.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct SimpleJwt {
    /// `AUTH__SIMPLEJWT__ENABLED`: serve the four endpoints of djangorestframework-simplejwt.
    /// Default `true`.
    pub enabled: bool,
    /// `AUTH__SIMPLEJWT__CLIENT_ID`: the `client_id` of their tokens. Default `simplejwt`.
    #[serde(deserialize_with = "load::client_id")]
    pub client_id: String,
    /// `AUTH__SIMPLEJWT__AUDIENCE`: the `aud` of their tokens. Default `notes`.
    #[serde(deserialize_with = "service_kit::settings::word")]
    pub audience: String,
    /// `AUTH__SIMPLEJWT__SCOPE`: the scope of their tokens. Default `notes:read notes:write`.
    #[serde(deserialize_with = "load::scope")]
    pub scope: String,
    /// `AUTH__SIMPLEJWT__USERNAME_FIELD`: what a login calls the name, as a user model's `USERNAME_FIELD`. Default
    /// `username`.
    #[serde(deserialize_with = "service_kit::settings::word")]
    pub username_field: String,
    /// `AUTH__SIMPLEJWT__USER_ID`: how the `user_id` of tokens is written, `string` or `integer`, as simplejwt did
    /// before 5.5.1; accounts that are made here get a number then. Default `string`.
    pub user_id: UserIdForm,
    /// `AUTH__SIMPLEJWT__ROTATE_REFRESH_TOKENS`: whether a refresh answers with another refresh token; `false` lets a
    /// session keep its first one. Default `true`.
    pub rotate_refresh_tokens: bool,
    /// `AUTH__SIMPLEJWT__LEEWAY`: how long a token is good here after it says that it has expired, 0 to 60 seconds.
    /// Default `0s`.
    #[serde(deserialize_with = "duration::between::<_, 0, 60>", serialize_with = "duration::write")]
    pub leeway: Duration,
    /// `AUTH__SIMPLEJWT__HEADER_TYPES`: the words before a token in `Authorization`, separated by commas; the first
    /// one is told to whoever brings none. Default `Bearer`.
    #[serde(deserialize_with = "header_types")]
    pub header_types: String,
    /// `AUTH__SIMPLEJWT__SLIDING`: serve the two endpoints of sliding tokens. Default `false`.
    pub sliding: bool,
    /// `AUTH__SIMPLEJWT__SLIDING_TTL`: life of a sliding token, 1 second to 1 day. Default `5m`.
    #[serde(deserialize_with = "duration::between::<_, 1, 86_400>", serialize_with = "duration::write")]
    pub sliding_ttl: Duration,
    /// `AUTH__SIMPLEJWT__SLIDING_REFRESH_TTL`: how long there is a later one, 1 second to 1 year. Default `24h`.
    #[serde(deserialize_with = "duration::between::<_, 1, 31_536_000>", serialize_with = "duration::write")]
    pub sliding_refresh_ttl: Duration,
    /// `AUTH__SIMPLEJWT__LEGACY_KEY_FILE`: the key of the simplejwt that is moved from: its refresh tokens are
    /// exchanged for sessions. The text of its secret (mode 0600), or its public key in PEM. None by default.
    pub legacy_key_file: Option<PathBuf>,
    /// `AUTH__SIMPLEJWT__LEGACY_ALGORITHM`: as its `ALGORITHM`. Default `HS256`.
    pub legacy_algorithm: String,
    /// `AUTH__SIMPLEJWT__LEGACY_AUDIENCE`: as its `AUDIENCE`. None by default.
    pub legacy_audience: Option<String>,
    /// `AUTH__SIMPLEJWT__LEGACY_ISSUER`: as its `ISSUER`. None by default.
    pub legacy_issuer: Option<String>,
    /// `AUTH__SIMPLEJWT__LEGACY_USER_ID_CLAIM`: as its `USER_ID_CLAIM`. Default `user_id`.
    #[serde(deserialize_with = "service_kit::settings::word")]
    pub legacy_user_id_claim: String,
    /// `AUTH__SIMPLEJWT__LEGACY_UNTIL`: when its last refresh token has expired, `2026-12-24T18:00:00Z`; needed with a
    /// key, which is good for nothing afterwards. None by default.
    #[serde(deserialize_with = "instant", serialize_with = "write_instant")]
    pub legacy_until: Option<Timestamp>,
}

impl Default for SimpleJwt {
    fn default() -> Self {
        Self {
            enabled: true,
            client_id: "simplejwt".to_owned(),
            audience: "notes".to_owned(),
            username_field: "username".to_owned(),
            scope: "notes:read notes:write".to_owned(),
            user_id: UserIdForm::String,
            rotate_refresh_tokens: true,
            leeway: Duration::ZERO,
            header_types: "Bearer".to_owned(),
            sliding: false,
            sliding_ttl: Duration::from_secs(300),
            sliding_refresh_ttl: Duration::from_secs(24 * 3600),
            legacy_key_file: None,
            legacy_algorithm: "HS256".to_owned(),
            legacy_audience: None,
            legacy_issuer: None,
            legacy_user_id_claim: "user_id".to_owned(),
            legacy_until: None,
        }
    }
}

impl SimpleJwt {
    /// One by one.
    #[must_use]
    pub fn header_types(&self) -> Vec<String> {
        self.header_types.split(',').map(|word| word.trim().to_owned()).collect()
    }
}

fn header_types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if text.split(',').all(|word| is_word(word.trim())) {
        return Ok(text);
    }
    Err(D::Error::custom("expected words of A-Z a-z 0-9 -, separated by commas"))
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let at = OffsetDateTime::parse(&text, &Rfc3339);
    let at = at.map_err(|_| D::Error::custom("expected an instant like 2026-12-24T18:00:00Z"))?;
    Ok(Some(Timestamp(at.unix_timestamp().saturating_mul(1000))))
}

#[expect(clippy::ref_option, reason = "serde gives it so")]
fn write_instant<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.0).serialize(serializer)
}
