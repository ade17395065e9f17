use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use serde_json::value::RawValue;
use shared_claims::KeySet;
use shared_claims::revocations::Position;
use shared_claims::verifier::ACCESS_TOKEN_TYPE;
use zeroize::Zeroizing;

use super::sealed::{self, CannotOpen};
use super::self_test;
use super::{Algorithm, InvalidKey, KeyPurpose, KeyRecord, KeyState, Secrets, SigningKey, UNSCHEDULED};
use crate::clock::{CLOCK_DIFFERENCE, Timestamp};

/// The keys as they are at one moment, prepared so that a request does no work for them.
pub struct KeyRing {
    /// Every key that was ever made, oldest first.
    pub records: Vec<KeyRecord>,
    signers: HashMap<Algorithm, Arc<Signer>>,
    /// What the authority itself verifies with: the public keys of the JWKS.
    pub key_set: KeySet,
    /// The JWKS (RFC 7517 section 5), as it is served.
    pub jwks: String,
    /// How far the keys had come when this was read; what is newer has a larger one.
    pub position: Position,
    /// Strong entity tag of the JWKS, with its quotes.
    pub etag: String,
    /// When a key next changes its state by the clock.
    pub next_change: Option<Timestamp>,
    /// IDs of keys that wait to sign and cannot be opened: they are not published, and take over from no key.
    pub unusable: HashSet<String>,
}

/// A key that signs now.
pub struct Signer {
    pub kid: String,
    pub key: Arc<SigningKey>,
    /// Encoded headers by their `typ`: of access tokens, and of ID tokens.
    headers: [(&'static str, String); 2],
}

impl Signer {
    fn new(kid: String, key: Arc<SigningKey>) -> Self {
        let headers = [ACCESS_TOKEN_TYPE, "JWT"].map(|typ| (typ, encoded_header(&key, &kid, typ)));
        Self { kid, key, headers }
    }

    /// The JWS header of this key's tokens of a type, encoded (RFC 7515 section 4.1).
    #[must_use]
    pub fn header(&self, typ: &str) -> Cow<'_, str> {
        match self.headers.iter().find(|(known, _)| *known == typ) {
            Some((_, header)) => Cow::Borrowed(header),
            None => Cow::Owned(encoded_header(&self.key, &self.kid, typ)),
        }
    }
}

fn encoded_header(key: &SigningKey, kid: &str, typ: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!({"alg": key.algorithm().as_str(), "typ": typ, "kid": kid}).to_string())
}

/// A stored key that cannot be used; the start ends with it, a running ring keeps what it had.
#[derive(Debug, thiserror::Error)]
pub enum UnusableKey {
    #[error("key {0} {1}: is this the master key that it was made with?")]
    CannotOpen(String, CannotOpen),
    #[error("key {0}: {1}")]
    Invalid(String, InvalidKey),
    #[error("key {0} does not belong to the public key stored beside it")]
    Mismatched(String),
    #[error("the key set is refused by our own verifier: {0}")]
    KeySet(String),
}

/// The ring and what opens it.
pub struct Keys {
    sealing_key: Zeroizing<[u8; 32]>,
    parsed: Mutex<HashMap<String, Arc<SigningKey>>>,
    ring: ArcSwap<KeyRing>,
}

impl Keys {
    #[must_use]
    pub fn new(secrets: &Secrets) -> Self {
        Self {
            sealing_key: Zeroizing::new(*secrets.get(KeyPurpose::SealPrivateKeys)),
            parsed: Mutex::default(),
            ring: ArcSwap::from_pointee(KeyRing::empty()),
        }
    }

    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.load_full()
    }

    /// A record for a new key that is published now. The times are set back a little, or a replica
    /// whose clock is behind would not see a key that signs at once.
    ///
    /// # Errors
    /// [`InvalidKey`].
    pub fn record(
        &self,
        key: &SigningKey,
        now: Timestamp,
        activates_at: Timestamp,
    ) -> Result<KeyRecord, InvalidKey> {
        let (kid, jwk) = key.public_jwk();
        let sealed_private_key = sealed::seal(&self.sealing_key, &kid, &key.to_pkcs8()?)
            .map_err(|_| InvalidKey("the key could not be sealed"))?;
        Ok(KeyRecord {
            kid,
            algorithm: key.algorithm(),
            sealed_private_key,
            public_jwk: jwk.to_string(),
            created_at: now,
            published_at: now.minus(CLOCK_DIFFERENCE),
            activates_at: if activates_at <= now { now.minus(CLOCK_DIFFERENCE) } else { activates_at },
            retires_at: None,
            removed_at: None,
            revoked_at: None,
        })
    }

    /// Puts the ring into the state of `records` at `now`.
    ///
    /// # Errors
    /// [`UnusableKey`]; the ring stays as it was.
    pub fn rebuild(
        &self,
        records: Vec<KeyRecord>,
        position: Position,
        now: Timestamp,
    ) -> Result<(), UnusableKey> {
        let mut signers: HashMap<Algorithm, (Timestamp, Arc<Signer>)> = HashMap::new();
        let mut unusable = HashSet::new();
        for record in &records {
            let since = match record.state(now) {
                KeyState::Active { since } => since,
                KeyState::Standby | KeyState::Published { .. } => {
                    // A key that cannot be opened is found now, not on the day on which it has to sign. It must not
                    // keep other changes out, for example the revocation of the key that signs.
                    if let Err(error) = self.parse(record) {
                        self.report_unusable(&record.kid, &error);
                        unusable.insert(record.kid.clone());
                    }
                    continue;
                }
                KeyState::Prepared { .. }
                | KeyState::Retired { .. }
                | KeyState::Removed
                | KeyState::Revoked { .. } => {
                    continue;
                }
            };
            let signer = Arc::new(Signer::new(record.kid.clone(), self.parse(record)?));
            let newest = signers.entry(record.algorithm).or_insert_with(|| (since, Arc::clone(&signer)));
            if newest.0 < since {
                *newest = (since, signer);
            }
        }
        let signers = signers.into_iter().map(|(algorithm, (_, signer))| (algorithm, signer)).collect();
        self.ring.store(Arc::new(KeyRing::new(signers, records, unusable, position, now)?));
        Ok(())
    }

    /// Once for each key, not at each reload.
    fn report_unusable(&self, kid: &str, error: &UnusableKey) {
        let known = self.ring.load().unusable.contains(kid);
        if !known {
            tracing::error!(kid, %error, "a key that waits to sign is unusable: run `auth-service key revoke`");
        }
    }

    /// Opens a private key once, and makes sure that it signs for the public key that is published.
    fn parse(&self, record: &KeyRecord) -> Result<Arc<SigningKey>, UnusableKey> {
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = parsed.get(&record.kid) {
            return Ok(Arc::clone(key));
        }
        let der = sealed::open(&self.sealing_key, &record.kid, &record.sealed_private_key)
            .map_err(|error| UnusableKey::CannotOpen(record.kid.clone(), error))?;
        let key = SigningKey::from_pkcs8(record.algorithm, &der)
            .map_err(|error| UnusableKey::Invalid(record.kid.clone(), error))?;
        let (kid, jwk) = key.public_jwk();
        let published = serde_json::from_str(&record.public_jwk).unwrap_or_default();
        if kid != record.kid || jwk != published || !self_test::holds(&key, &published) {
            return Err(UnusableKey::Mismatched(record.kid.clone()));
        }
        let key = Arc::new(key);
        parsed.insert(record.kid.clone(), Arc::clone(&key));
        Ok(key)
    }
}

impl KeyRing {
    fn empty() -> Self {
        Self {
            records: Vec::new(),
            signers: HashMap::new(),
            key_set: KeySet::default(),
            jwks: r#"{"keys":[]}"#.to_owned(),
            position: Position::default(),
            etag: "\"empty\"".to_owned(),
            next_change: None,
            unusable: HashSet::new(),
        }
    }

    fn new(
        signers: HashMap<Algorithm, Arc<Signer>>,
        records: Vec<KeyRecord>,
        unusable: HashSet<String>,
        position: Position,
        now: Timestamp,
    ) -> Result<Self, UnusableKey> {
        let is_published =
            |record: &&KeyRecord| record.state(now).is_public() && !unusable.contains(&record.kid);
        let public: Vec<&KeyRecord> = records.iter().filter(is_published).collect();
        let jwks = jwks(&public).map_err(|error| UnusableKey::KeySet(error.to_string()))?;
        let key_set = match public.is_empty() {
            true => KeySet::default(),
            false => {
                KeySet::from_jwks(jwks.as_bytes()).map_err(|error| UnusableKey::KeySet(error.to_string()))?
            }
        };
        let hash = digest::digest(&digest::SHA256, jwks.as_bytes());
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12]));
        let instants = records.iter().filter(|record| record.revoked_at.is_none()).flat_map(|record| {
            [Some(record.published_at), Some(record.activates_at), record.retires_at, record.removed_at]
        });
        let next_change = instants.flatten().filter(|at| *at > now && *at != UNSCHEDULED).min();
        Ok(Self { records, signers, key_set, jwks, position, etag, next_change, unusable })
    }

    /// The key that signs for an algorithm, if one is active.
    #[must_use]
    pub fn signer(&self, algorithm: Algorithm) -> Option<Arc<Signer>> {
        self.signers.get(&algorithm).cloned()
    }

    /// A key of any algorithm, for the time in which the key of a new default waits for its lead.
    #[must_use]
    pub fn any_signer(&self) -> Option<Arc<Signer>> {
        Algorithm::ALL.into_iter().find_map(|algorithm| self.signer(algorithm))
    }
}

/// The stored public halves, as they are.
fn jwks(public: &[&KeyRecord]) -> serde_json::Result<String> {
    let keys: Vec<&RawValue> =
        public.iter().map(|record| serde_json::from_str(&record.public_jwk)).collect::<Result<_, _>>()?;
    let keys = serde_json::to_string(&keys)?;
    Ok(format!("{{\"keys\":{keys}}}"))
}

#[cfg(test)]
mod tests;
