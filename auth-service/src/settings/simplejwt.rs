use std::path::PathBuf;
use std::time::Duration;

use documented::DocumentedFields;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use service_kit::duration;

use super::load;
use crate::clock::Timestamp;
use crate::tokens::UserIdForm;

/// The endpoints of djangorestframework-simplejwt, and what its clients and services rely on.
#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct SimpleJwt {
    /// Serve the endpoints of djangorestframework-simplejwt.
    pub enabled: bool,
    /// `client_id` of their tokens.
    #[serde(deserialize_with = "load::client_id")]
    pub client_id: String,
    /// `aud` of their tokens.
    #[serde(deserialize_with = "service_kit::settings::word")]
    pub audience: String,
    /// `scope` of their tokens.
    #[serde(deserialize_with = "load::scope")]
    pub scope: String,
    /// Field of the username in a login, as `USERNAME_FIELD` of the user model.
    #[serde(deserialize_with = "service_kit::settings::word")]
    pub username_field: String,
    /// Type of `user_id` in tokens: `string`, or `integer` as before simplejwt 5.5.1; new users then get a number.
    pub user_id: UserIdForm,
    /// Return a new refresh token at each refresh; `false` lets a session keep its first one.
    pub rotate_refresh_tokens: bool,
    /// How long the authority accepts a token after it has expired. 0 to 60 s.
    #[serde(deserialize_with = "duration::between::<_, 0, 60>", serialize_with = "duration::write")]
    pub leeway: Duration,
    /// Words before the token in `Authorization`, separated by commas; the first one is in the `WWW-Authenticate` of
    /// a 401.
    #[serde(deserialize_with = "header_types")]
    pub header_types: String,
    /// Give browsers the refresh token in a cookie that scripts cannot read, and the access token alone in the body.
    pub refresh_cookie: bool,
    /// Serve the two endpoints of sliding tokens.
    pub sliding: bool,
    /// Lifetime of a sliding token. 1 s to 1 day.
    #[serde(deserialize_with = "duration::between::<_, 1, 86_400>", serialize_with = "duration::write")]
    pub sliding_ttl: Duration,
    /// How long after the login a sliding token can be refreshed. 1 s to 1 year.
    #[serde(deserialize_with = "duration::between::<_, 1, 31_536_000>", serialize_with = "duration::write")]
    pub sliding_refresh_ttl: Duration,
    /// Key of the previous issuer, whose refresh tokens are exchanged for sessions: its secret (mode 0600), or its
    /// public key in PEM.
    pub legacy_key_file: Option<PathBuf>,
    /// `ALGORITHM` of the previous issuer.
    pub legacy_algorithm: String,
    /// `AUDIENCE` of the previous issuer.
    pub legacy_audience: Option<String>,
    /// `ISSUER` of the previous issuer.
    pub legacy_issuer: Option<String>,
    /// `USER_ID_CLAIM` of the previous issuer.
    #[serde(deserialize_with = "service_kit::settings::word")]
    pub legacy_user_id_claim: String,
    /// When the last refresh token of the previous issuer has expired, `2026-12-24T18:00:00Z`; required with its key.
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
            refresh_cookie: false,
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
