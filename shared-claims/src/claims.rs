//! What an access token says (RFC 9068 section 2.2), typed.

use serde_json::Value;

use crate::actor::Actors;
use crate::confirmation::Confirmation;
use crate::error::Refusal;
use crate::scope::ScopeSet;
use crate::strict::{Members, StrictValue, whole_seconds};

/// Longest `sub`, in bytes (OpenID Connect Core section 2).
const MAX_SUB_BYTES: usize = 255;

/// The claims of a verified access token.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AccessClaims {
    /// `iss`: who issued it (RFC 7519 section 4.1.1).
    pub iss: String,
    /// A user's identifier, or `client:<id>` for a machine. Together with `iss` it identifies
    /// the caller; names and addresses do not.
    pub sub: String,
    /// `aud`: whom it is for (RFC 7519 section 4.1.3).
    pub aud: Vec<String>,
    /// Seconds since the epoch, cut to whole seconds.
    pub exp: u64,
    /// `iat`: when it was issued, in seconds since the epoch.
    pub iat: u64,
    /// `nbf`: not before, in seconds since the epoch.
    pub nbf: Option<u64>,
    /// `jti`: its ID.
    pub jti: String,
    /// `client_id`: the client that it was issued to (RFC 8693 section 4.3).
    pub client_id: String,
    /// `scope`: what it permits (RFC 8693 section 4.2).
    pub scope: ScopeSet,
    /// The session that this token came from; absent for machines.
    pub sid: Option<String>,
    /// When the user proved who they are, in seconds since the epoch.
    pub auth_time: Option<u64>,
    /// `roles` of the user (RFC 9068 section 2.2.3.1).
    pub roles: Vec<String>,
    /// `cnf`: the key or certificate that the token is bound to; absent for a bearer token.
    pub cnf: Option<Confirmation>,
    /// `act`: the services that act for `sub`, where it does not present the token itself (RFC 8693 section 4.1).
    pub act: Option<Actors>,
    /// `via`: the clients whose tokens it was exchanged from, the first one first. Written by the authority; a revocation of one of them
    /// refuses the token.
    pub via: Vec<String>,
    /// `may_act`: who alone may act for `sub` (RFC 8693 section 4.4).
    pub may_act: Option<Actors>,
    /// Every other claim, as sent; not simplejwt's `token_type`, which says no more than the type.
    pub extra: ExtraClaims,
}

/// Claims that have no field of their own. A token has few: a list of them costs a tenth of a map.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExtraClaims(Vec<(String, Value)>);

impl ExtraClaims {
    /// The value of a claim.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(held, _)| held == name).map(|(_, value)| value)
    }

    /// Names and values, in the order of the token.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl AccessClaims {
    /// Reads claims whose signature holds; each is of its defined type, or the token is refused.
    pub(crate) fn from_members(mut members: Members<'_>) -> Result<Self, Refusal> {
        // simplejwt's kinds share one `typ`; a token that calls itself a refresh token is not ours. A sliding one is an
        // access token, which the authority exchanges for a later one.
        let is_access = |kind: StrictValue<'_>| matches!(kind.as_str(), Some("access" | "sliding"));
        if members.take("token_type").is_some_and(|kind| !is_access(kind)) {
            return Err(Refusal::Type);
        }
        let mut take = |name: &'static str| members.take(name);
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
            cnf: take("cnf").map(|cnf| Confirmation::read(&cnf)).transpose()?,
            act: take("act").map(|act| Actors::read("act", &act)).transpose()?,
            via: take("via").map_or(Ok(Vec::new()), |via| texts(via, "via"))?,
            may_act: take("may_act").map(|may_act| Actors::read("may_act", &may_act)).transpose()?,
            extra: ExtraClaims::from(members),
        };
        if claims.sub.len() > MAX_SUB_BYTES {
            return Err(Refusal::Claim("sub"));
        }
        Ok(claims)
    }

    /// Whether this is a service acting for itself, not a user (RFC 9068 section 5).
    #[must_use]
    pub fn is_machine(&self) -> bool {
        self.sub.starts_with("client:")
    }
}

fn required_text(value: Option<StrictValue<'_>>, name: &'static str) -> Result<String, Refusal> {
    optional_text(value, name)?.ok_or(Refusal::Claim(name))
}

fn optional_text(value: Option<StrictValue<'_>>, name: &'static str) -> Result<Option<String>, Refusal> {
    match value {
        None => Ok(None),
        Some(StrictValue::Text(text)) if !text.is_empty() => Ok(Some(text.into_owned())),
        Some(_) => Err(Refusal::Claim(name)),
    }
}

fn required_date(value: Option<StrictValue<'_>>, name: &'static str) -> Result<u64, Refusal> {
    optional_date(value, name)?.ok_or(Refusal::Claim(name))
}

/// A NumericDate (RFC 7519 section 2). A value of another type is an error, never an absent claim
/// (CVE-2026-25537).
fn optional_date(value: Option<StrictValue<'_>>, name: &'static str) -> Result<Option<u64>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| *seconds > 0.0).and_then(whole_seconds);
    seconds.map(Some).ok_or(Refusal::Claim(name))
}

fn audience(value: Option<StrictValue<'_>>) -> Result<Vec<String>, Refusal> {
    match value {
        Some(StrictValue::Text(one)) if !one.is_empty() => Ok(vec![one.into_owned()]),
        Some(many @ StrictValue::Array(_)) => texts(many, "aud"),
        _ => Err(Refusal::Claim("aud")),
    }
}

fn texts(value: StrictValue<'_>, name: &'static str) -> Result<Vec<String>, Refusal> {
    let StrictValue::Array(items) = value else { return Err(Refusal::Claim(name)) };
    items.into_iter().map(|item| required_text(Some(item), name)).collect()
}

fn scope(value: Option<StrictValue<'_>>) -> Result<ScopeSet, Refusal> {
    match value {
        None => Ok(ScopeSet::default()),
        Some(StrictValue::Text(text)) => ScopeSet::parse(&text).map_err(|_| Refusal::Claim("scope")),
        Some(_) => Err(Refusal::Claim("scope")),
    }
}

impl From<Members<'_>> for ExtraClaims {
    fn from(members: Members<'_>) -> Self {
        Self(members.into_iter().map(|(name, value)| (name.into_owned(), value.into())).collect())
    }
}
