//! An issuer for tests of a service: it signs what a test asks for, and revokes it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::authority::{Authority, Trust};
use crate::clock::unix_now;
use crate::guard::Guard;
use crate::public_keys::KeySet;
use crate::revocations::{Fingerprints, NoRandomness, RevocationEntry, RevocationsWriter, Target};
use crate::verifier::Verifier;

const KEY_ID: &str = "test";
const LIFETIME: Duration = Duration::from_secs(300);

/// Issues tokens for one audience, for tests without an authority. Its key is its own and lasts as long as it does.
///
/// ```
/// use shared_claims::{Credentials, Refusal, Rejection, TestIssuer};
///
/// let issuer = TestIssuer::new("https://auth.test", "notes")?;
/// let guard = issuer.guard();
/// let token = issuer.token().subject("alice").scope("notes:read").session("s1").sign();
/// let header = format!("Bearer {token}");
/// let credentials = || Credentials::new([header.as_str()].into_iter());
///
/// let claims = guard.authenticate(credentials()).expect("a valid token");
/// assert_eq!(claims.sub, "alice");
///
/// issuer.revoke_session("s1");
/// let revoked = guard.authenticate(credentials());
/// assert_eq!(revoked, Err(Rejection::Invalid(Refusal::Revoked)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TestIssuer {
    key: Ed25519KeyPair,
    key_set: KeySet,
    issuer: String,
    audience: String,
    authority: Arc<Authority>,
    revoked: Mutex<RevocationsWriter>,
}

/// A token to be signed: an access token of the client `test` for a user `user`, without scopes, valid for five minutes,
/// unless a test says otherwise.
#[must_use]
pub struct TestToken<'a> {
    issuer: &'a TestIssuer,
    claims: Map<String, Value>,
}

impl TestIssuer {
    /// With a new key.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn new(issuer: &str, audience: &str) -> Result<Self, NoRandomness> {
        let key = Ed25519KeyPair::generate().map_err(|_| NoRandomness)?;
        let revoked = RevocationsWriter::new(Fingerprints::random()?);
        let jwks = jwks(&key).to_string();
        let key_set = KeySet::from_jwks(jwks.as_bytes()).map_err(|_| NoRandomness)?;
        let trust = Trust { keys: key_set.clone(), revocations: revoked.readers() };
        Ok(Self {
            key,
            key_set,
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            authority: Authority::in_tests(trust),
            revoked: Mutex::new(revoked),
        })
    }

    /// A guard that lets its tokens pass. Contact with this issuer is never lost.
    #[must_use]
    pub fn guard(&self) -> Arc<Guard> {
        let verifier = Verifier::new(self.issuer.as_str(), self.audience.as_str());
        Arc::new(Guard::new(verifier, Arc::clone(&self.authority)))
    }

    /// Its public key.
    #[must_use]
    pub fn key_set(&self) -> KeySet {
        self.key_set.clone()
    }

    /// The same as it would be published (RFC 7517 section 5).
    #[must_use]
    pub fn jwks(&self) -> String {
        jwks(&self.key).to_string()
    }

    /// A token, to be changed and signed.
    pub fn token(&self) -> TestToken<'_> {
        let now = unix_now();
        let claims = json!({
            "iss": self.issuer, "aud": self.audience, "sub": "user", "client_id": "test", "jti": format!("test-{now}"),
            "iat": now, "exp": now + LIFETIME.as_secs(), "scope": "",
        });
        TestToken { issuer: self, claims: claims.as_object().cloned().unwrap_or_default() }
    }

    /// Revokes every token of a session, by `sid`.
    pub fn revoke_session(&self, sid: &str) {
        self.revoke(Target::Session(sid));
    }

    /// Revokes one token, by `jti`.
    pub fn revoke_token(&self, jti: &str) {
        self.revoke(Target::Token(jti));
    }

    /// Revokes every token of a user that was issued up to now, by `sub`.
    pub fn revoke_subject(&self, sub: &str) {
        self.revoke(Target::Subject { sub, not_before: unix_now() });
    }

    fn revoke(&self, target: Target<'_>) {
        let now = unix_now();
        let entry = RevocationEntry { target, expires_at: now + 24 * 60 * 60 };
        let mut revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        revoked.apply([entry], now);
        self.authority.replace(Trust { keys: self.key_set.clone(), revocations: revoked.readers() });
    }
}

impl TestToken<'_> {
    /// Of this user or client (`client:<id>`).
    pub fn subject(self, sub: &str) -> Self {
        self.claim("sub", sub)
    }

    /// Issued to this client.
    pub fn client(self, client_id: &str) -> Self {
        self.claim("client_id", client_id)
    }

    /// With these scopes, separated by spaces.
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// Of a user with these roles.
    pub fn roles(self, roles: &[&str]) -> Self {
        self.claim("roles", roles)
    }

    /// Of this session.
    pub fn session(self, sid: &str) -> Self {
        self.claim("sid", sid)
    }

    /// For another audience.
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// With this `jti`.
    pub fn id(self, jti: &str) -> Self {
        self.claim("jti", jti)
    }

    /// Valid for so long from now.
    pub fn expires_in(self, lifetime: Duration) -> Self {
        self.claim("exp", unix_now() + lifetime.as_secs())
    }

    /// Expired an hour ago.
    pub fn expired(self) -> Self {
        let now = unix_now();
        self.claim("iat", now.saturating_sub(7200)).claim("exp", now.saturating_sub(3600))
    }

    /// With any claim, also one that makes it invalid.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// The token, as it stands behind `Bearer`.
    #[must_use]
    pub fn sign(self) -> String {
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": KEY_ID});
        let encoded = |part: &str| URL_SAFE_NO_PAD.encode(part);
        let signed =
            format!("{}.{}", encoded(&header.to_string()), encoded(&Value::Object(self.claims).to_string()));
        let signature = self.issuer.key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn jwks(key: &Ed25519KeyPair) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key.public_key());
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": KEY_ID, "x": x}]})
}
