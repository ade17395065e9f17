use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::sealed::Kind;
use crate::secret::PlainSecret;

/// What an authorization code holds, sealed: nothing is stored before it is redeemed. Every code has the ID of a session of its
/// own, so that a page that is submitted twice gives two codes that are good, and not one that is used twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::authority) struct Code {
    #[serde(rename = "s")]
    pub session_id: String,
    #[serde(rename = "c")]
    pub client_id: String,
    /// SHA-256 of the redirect URI.
    #[serde(rename = "r")]
    pub redirect_uri_hash: String,
    #[serde(rename = "h", skip_serializing_if = "Option::is_none", default)]
    pub challenge: Option<String>,
    /// The key that its tokens will be bound to (RFC 9449 section 10).
    #[serde(rename = "j", skip_serializing_if = "Option::is_none", default)]
    pub dpop_jkt: Option<String>,
    #[serde(rename = "n", skip_serializing_if = "Option::is_none", default)]
    pub nonce: Option<String>,
    #[serde(rename = "p")]
    pub scope: String,
    #[serde(rename = "a")]
    pub audience: String,
    #[serde(rename = "i", skip_serializing_if = "Vec::is_empty", default)]
    pub id_token_claims: Vec<String>,
    #[serde(rename = "v", skip_serializing_if = "Vec::is_empty", default)]
    pub userinfo_claims: Vec<String>,
    #[serde(rename = "u")]
    pub user_id: String,
    #[serde(rename = "e")]
    pub password_epoch: i64,
    #[serde(rename = "b")]
    pub browser_session_id: String,
    /// Of the browser session, in milliseconds since the epoch, when the code was issued.
    #[serde(rename = "l", default)]
    pub browser_idle_expires_at: i64,
    /// Milliseconds since the epoch.
    #[serde(rename = "t")]
    pub auth_time: i64,
    #[serde(rename = "m")]
    pub amr: Vec<String>,
}

impl Kind for Code {
    const NAME: &'static str = "authorization code 1";
}

impl Code {
    /// Whether a request names the redirect URI that the code was sent to.
    pub(in crate::authority) fn was_sent_to(&self, redirect_uri: &str) -> bool {
        hash(redirect_uri.as_bytes()).as_bytes().ct_eq(self.redirect_uri_hash.as_bytes()).into()
    }

    /// Whether a verifier belongs to the challenge (RFC 7636 section 4.6). A verifier without a challenge is refused as well: an
    /// attacker may have taken the challenge away (RFC 9700 section 4.8.2).
    pub(in crate::authority) fn is_proved_by(&self, verifier: Option<&PlainSecret>) -> bool {
        match (&self.challenge, verifier) {
            (None, None) => true,
            (Some(challenge), Some(verifier)) => {
                let text = verifier.expose();
                (43..=128).contains(&text.len())
                    && hash(text.as_bytes()).as_bytes().ct_eq(challenge.as_bytes()).into()
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// SHA-256, base64url.
pub(super) fn hash(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, octets))
}
