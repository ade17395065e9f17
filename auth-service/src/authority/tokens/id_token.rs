use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};
use shared_claims::strict::{StrictValue, UnverifiedToken};

use crate::authority::Authority;
use crate::browser_sessions::{Acr, sid};
use crate::clients::Client;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::keys::{Algorithm, sign};
use crate::sessions::{FromBrowser, Session};

/// `typ` of ID tokens.
const ID_TOKEN_TYPE: &str = "JWT";

/// Largest ID token that is read as a hint, in bytes.
const MAX_HINT_BYTES: usize = 8 * 1024;

/// What an ID token says (OpenID Connect Core section 2).
pub(in crate::authority) struct IdTokenDraft<'a> {
    pub client: &'a Client,
    pub session: &'a Session,
    pub browser: &'a FromBrowser,
    /// Of the authorization request; none after a refresh (Core section 12.2).
    pub nonce: Option<&'a str>,
    /// The access token that it is issued with.
    pub access_token: &'a str,
    /// Claims that the request asked for by name.
    pub claims: Map<String, Value>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
    iat: u64,
    auth_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    acr: &'static str,
    amr: &'a [String],
    at_hash: String,
    sid: String,
    #[serde(flatten)]
    claims: Map<String, Value>,
}

/// What an ID token says that was issued here, whether it has expired or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::authority) struct IdTokenHint {
    pub sub: String,
    pub aud: String,
    pub sid: Option<String>,
}

impl Authority {
    /// Signs an ID token, by the algorithm of its client. It lives as long as an access token.
    ///
    /// # Errors
    /// `Unavailable` when no key of the algorithm is active.
    pub(in crate::authority) fn mint_id_token(
        &self,
        draft: IdTokenDraft<'_>,
        now: Timestamp,
    ) -> Result<String> {
        let IdTokenDraft { client, session, browser, nonce, access_token, claims } = draft;
        let algorithm = client.login.id_token_algorithm;
        let signer = self.issuer.signer_of(Some(algorithm))?;
        let claims = Claims {
            iss: &self.issuer.url,
            sub: &session.user_id,
            aud: client.id.as_str(),
            exp: now.plus(self.policy.access_ttl).seconds(),
            iat: now.seconds(),
            auth_time: session.auth_time.seconds(),
            nonce,
            acr: Acr::of(&session.amr).as_str(),
            amr: &session.amr,
            at_hash: token_hash(algorithm, access_token),
            sid: sid(&browser.browser_session_id, &client.id),
            claims,
        };
        sign(&signer, ID_TOKEN_TYPE, &claims)
    }

    /// Reads an ID token that a client gives back. It may have expired: it says who was meant, and allows nothing.
    pub(in crate::authority) fn read_id_token_hint(&self, unverified: &str) -> Option<IdTokenHint> {
        let token = UnverifiedToken::parse(unverified, MAX_HINT_BYTES).ok()?;
        let header = token.header().ok()?;
        if !header.is_of_type(ID_TOKEN_TYPE) {
            return None;
        }
        self.issuer.keys.ring().key_set.check_signature(&header, &token).ok()?;
        let members = token.unverified_claims().ok()?;
        let text = |name: &str| members.get(name).and_then(StrictValue::as_str).map(str::to_owned);
        // An access token of an audience whose tokens are of type JWT has a client of its own.
        if text("iss")? != self.issuer.url || members.get("client_id").is_some() {
            return None;
        }
        Some(IdTokenHint { sub: text("sub")?, aud: text("aud")?, sid: text("sid") })
    }
}

/// The left half of a hash of a token (OpenID Connect Core section 3.1.3.6), by the hash of the signature's algorithm.
fn token_hash(algorithm: Algorithm, token: &str) -> String {
    let hash = match algorithm {
        Algorithm::EdDsa => digest::digest(&digest::SHA512, token.as_bytes()),
        Algorithm::Es256 | Algorithm::Rs256 => digest::digest(&digest::SHA256, token.as_bytes()),
    };
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_hash_is_the_left_half_of_the_hash() {
        // From OpenID Connect Core appendix A.3.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(token_hash(Algorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(token_hash(Algorithm::EdDsa, token).len(), 43);
    }
}
