//! Tokens of the previous issuer, under its old key: read for a while, never issued. So nobody is logged
//! out on the day of the move: a refresh token from there is exchanged once for a session here.

use aws_lc_rs::hmac;
use shared_claims::strict::{Members, StrictValue, UnverifiedToken};

use super::legacy_key::VerifyingKey;
use crate::clock::Timestamp;
use crate::error::{MissingPart, TokenFault};

/// What is known of the old system.
pub struct LegacySettings {
    /// As in its `ALGORITHM`.
    pub algorithm: String,
    /// The text of the secret, or a public key in PEM.
    pub key: Vec<u8>,
    /// Compared where it is set, as there.
    pub audience: Option<String>,
    pub issuer: Option<String>,
    /// Its `USER_ID_CLAIM`.
    pub user_id_claim: String,
    /// When nobody needs its tokens any more.
    pub until: Timestamp,
    /// Clock difference that is allowed at the end of a token's life, in seconds.
    pub leeway: u64,
}

/// Reads its tokens.
pub struct LegacyTokens {
    settings: LegacySettings,
    key: VerifyingKey,
    /// From which the sessions follow that tokens are exchanged for.
    sessions: hmac::Key,
}

/// What a token from there says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyClaims {
    /// `None` where it says nothing of it.
    pub kind: Option<LegacyKind>,
    pub jti: String,
    /// The account, by the id that it had there.
    pub user_id: Option<String>,
    /// Seconds since the epoch.
    pub iat: Option<u64>,
    pub exp: u64,
    pub refresh_exp: Option<u64>,
    /// Of `CHECK_REVOKE_TOKEN`: MD5 of the password hash that the account had.
    pub hash_password: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegacyKind {
    Access,
    Refresh,
    Sliding,
    /// Of a class that someone made.
    Other,
}

impl LegacyTokens {
    /// # Errors
    /// One line: what is wrong with the key.
    pub fn new(settings: LegacySettings, sessions: &[u8; 32]) -> Result<Self, String> {
        let key = VerifyingKey::new(&settings.algorithm, &settings.key)?;
        Ok(Self { settings, key, sessions: hmac::Key::new(hmac::HMAC_SHA256, sessions) })
    }

    /// Whether a token calls itself one of theirs; says nothing about its truth. All of ours have a `kid`.
    #[must_use]
    pub fn is_one(&self, token: &UnverifiedToken<'_>) -> bool {
        let Ok(header) = token.unverified_header() else { return false };
        let text = |name: &str| header.get(name).and_then(StrictValue::as_str);
        let typ = text("typ").is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        typ && text("alg") == Some(self.settings.algorithm.as_str()) && !header.contains("crit")
    }

    /// Reads one, in the order in which simplejwt looks at it.
    ///
    /// # Errors
    /// `Invalid`, `Expired`, or what it is missing.
    pub fn read(&self, token: &UnverifiedToken<'_>, now: Timestamp) -> Result<LegacyClaims, TokenFault> {
        if now >= self.settings.until || !self.key.holds(token) {
            return Err(TokenFault::Invalid);
        }
        let claims = token.unverified_claims().map_err(|_| TokenFault::Invalid)?;
        let number = |name: &str| match claims.get(name) {
            None => Ok(None),
            // A NumericDate may have a fraction (RFC 7519 section 2); PyJWT writes what it is given.
            Some(value) => numeric_date(value).map(Some).ok_or(TokenFault::Invalid),
        };
        let (exp, iat) = (number("exp")?, number("iat")?);
        if exp.is_some_and(|exp| exp.saturating_add(self.settings.leeway) <= now.seconds()) {
            return Err(TokenFault::Expired);
        }
        if !self.is_of_parties(&claims) {
            return Err(TokenFault::Invalid);
        }
        let exp = exp.ok_or(TokenFault::Missing(MissingPart::Expiry))?;
        let text = |name: &str| claims.get(name).and_then(StrictValue::as_str);
        let jti = text("jti").filter(|jti| jti.len() <= 255).ok_or(TokenFault::Missing(MissingPart::Id))?;
        let kind = text("token_type").map(|kind| match kind {
            "access" => LegacyKind::Access,
            "refresh" => LegacyKind::Refresh,
            "sliding" => LegacyKind::Sliding,
            _ => LegacyKind::Other,
        });
        let user_id = claims.get(&self.settings.user_id_claim).and_then(|id| match id {
            StrictValue::Text(text) => Some(text.to_string()),
            // Before 5.5.1.
            StrictValue::Number(number) => Some(number.to_string()),
            StrictValue::Null | StrictValue::Bool(_) | StrictValue::Array(_) | StrictValue::Object(_) => None,
        });
        let refresh_exp = number("refresh_exp")?;
        let hash_password = text("hash_password").map(str::to_owned);
        Ok(LegacyClaims { kind, jti: jti.to_owned(), user_id, iat, exp, refresh_exp, hash_password })
    }

    /// The session that a token is exchanged for: always the same one.
    #[must_use]
    pub fn session_id(&self, jti: &str) -> String {
        let tag = hmac::sign(&self.sessions, jti.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&tag.as_ref()[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid().as_hyphenated().to_string()
    }

    fn is_of_parties(&self, claims: &Members<'_>) -> bool {
        let issuer = self.settings.issuer.as_deref();
        let of_issuer =
            issuer.is_none_or(|issuer| claims.get("iss").and_then(StrictValue::as_str) == Some(issuer));
        let audience = self.settings.audience.as_deref();
        let of_audience = audience.is_none_or(|audience| match claims.get("aud") {
            Some(StrictValue::Text(one)) => one == audience,
            Some(StrictValue::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        });
        of_issuer && of_audience
    }
}

/// Seconds since the epoch, cut to whole seconds.
fn numeric_date(value: &StrictValue<'_>) -> Option<u64> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    let seconds = value.as_f64().filter(|seconds| (0.0..MOST).contains(seconds))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^53 by the check above; the fraction is to be cut"
    )]
    Some(seconds as u64)
}

#[cfg(test)]
mod tests;
