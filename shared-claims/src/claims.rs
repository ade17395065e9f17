//! What an access token says (RFC 9068 section 2.2), typed.

use serde_json::{Map, Value};

use crate::error::Refusal;
use crate::scope::ScopeSet;

/// Seconds since the epoch must stay below this, so that every consumer, also one that holds
/// numbers as doubles, reads the same instant.
const MAX_NUMERIC_DATE: f64 = 9_007_199_254_740_992.0;

/// Longest `sub`, in bytes (OpenID Connect Core section 2).
const MAX_SUB_BYTES: usize = 255;

/// The claims of a verified access token.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessClaims {
    pub iss: String,
    /// A person's identifier, or `client:<id>` for a machine. Together with `iss` it identifies
    /// the caller; names and addresses do not.
    pub sub: String,
    pub aud: Vec<String>,
    /// Seconds since the epoch, cut to whole seconds.
    pub exp: u64,
    pub iat: u64,
    pub nbf: Option<u64>,
    pub jti: String,
    pub client_id: String,
    pub scope: ScopeSet,
    /// The session that this token came from; absent for machines.
    pub sid: Option<String>,
    /// When the person proved who they are, in seconds since the epoch.
    pub auth_time: Option<u64>,
    pub roles: Vec<String>,
    /// Every other claim, as sent.
    pub extra: Map<String, Value>,
}

impl AccessClaims {
    /// Reads claims whose signature holds; each is of its defined type, or the token is refused.
    pub(crate) fn from_members(mut members: Map<String, Value>) -> Result<Self, Refusal> {
        let mut take = |name: &'static str| members.remove(name);
        let claims = Self {
            iss: required_text(take("iss"), "iss")?,
            sub: required_text(take("sub"), "sub")?,
            aud: audience(take("aud"))?,
            exp: required_date(take("exp"), "exp")?,
            iat: required_date(take("iat"), "iat")?,
            nbf: optional_date(take("nbf"), "nbf")?,
            jti: required_text(take("jti"), "jti")?,
            client_id: required_text(take("client_id"), "client_id")?,
            scope: scope(take("scope"))?,
            sid: optional_text(take("sid"), "sid")?,
            auth_time: optional_date(take("auth_time"), "auth_time")?,
            roles: take("roles").map_or(Ok(Vec::new()), |roles| texts(roles, "roles"))?,
            extra: members,
        };
        if claims.sub.len() > MAX_SUB_BYTES {
            return Err(Refusal::Claim("sub"));
        }
        // simplejwt's kinds share one `typ`; a token that calls itself a refresh token is not ours.
        match claims.extra.get("token_type") {
            None => Ok(claims),
            Some(Value::String(kind)) if kind == "access" => Ok(claims),
            Some(_) => Err(Refusal::Type),
        }
    }

    /// Whether this is a service acting for itself, not a person (RFC 9068 section 5).
    #[must_use]
    pub fn is_machine(&self) -> bool {
        self.sub.starts_with("client:")
    }
}

fn required_text(value: Option<Value>, name: &'static str) -> Result<String, Refusal> {
    optional_text(value, name)?.ok_or(Refusal::Claim(name))
}

fn optional_text(value: Option<Value>, name: &'static str) -> Result<Option<String>, Refusal> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(Refusal::Claim(name)),
    }
}

fn required_date(value: Option<Value>, name: &'static str) -> Result<u64, Refusal> {
    optional_date(value, name)?.ok_or(Refusal::Claim(name))
}

/// A NumericDate (RFC 7519 section 2). A value of another type is an error, never an absent claim
/// (CVE-2026-25537).
fn optional_date(value: Option<Value>, name: &'static str) -> Result<Option<u64>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    let seconds = value.as_f64().ok_or(Refusal::Claim(name))?;
    if !(seconds > 0.0 && seconds < MAX_NUMERIC_DATE) {
        return Err(Refusal::Claim(name));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^53 by the check above; the fraction is to be cut"
    )]
    Ok(Some(seconds as u64))
}

fn audience(value: Option<Value>) -> Result<Vec<String>, Refusal> {
    match value {
        Some(Value::String(one)) if !one.is_empty() => Ok(vec![one]),
        Some(many @ Value::Array(_)) => texts(many, "aud"),
        _ => Err(Refusal::Claim("aud")),
    }
}

fn texts(value: Value, name: &'static str) -> Result<Vec<String>, Refusal> {
    let Value::Array(items) = value else { return Err(Refusal::Claim(name)) };
    items.into_iter().map(|item| required_text(Some(item), name)).collect()
}

fn scope(value: Option<Value>) -> Result<ScopeSet, Refusal> {
    match value {
        None => Ok(ScopeSet::default()),
        Some(Value::String(text)) => ScopeSet::parse(&text).map_err(|_| Refusal::Claim("scope")),
        Some(_) => Err(Refusal::Claim("scope")),
    }
}
