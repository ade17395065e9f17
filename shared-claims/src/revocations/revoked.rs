use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use super::{IdSet, IdSetWriter, RevocationEntry, Target};
use crate::claims::AccessClaims;

/// Makes 64 bits of an id, under a key of this verifier's own: nobody can choose ids that meet in it. Among
/// a million entries a token is taken for a revoked one once in 18 million million questions.
#[derive(Debug, Clone, Copy)]
pub struct Fingerprints {
    key: [u8; 16],
}

/// What is asked on the way of a request. A copy sees the same entries, also those that come later.
#[derive(Debug, Clone)]
pub struct Revocations {
    fingerprints: Fingerprints,
    ids: IdSet,
    dated: Arc<HashMap<u64, Dated>>,
}

/// Tokens of a subject or a client that were issued up to an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dated {
    not_before: u64,
    expires_at: u64,
}

/// The one place that adds to them.
#[derive(Debug)]
pub struct RevocationsWriter {
    fingerprints: Fingerprints,
    ids: IdSetWriter,
    dated: Arc<HashMap<u64, Dated>>,
}

/// Separate, or the ID of one kind would match another.
#[derive(Clone, Copy)]
enum Kind {
    Session = 1,
    Token = 2,
    Subject = 3,
    Client = 4,
}

/// The system gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system's random generator failed")]
pub struct NoRandomness;

impl Fingerprints {
    /// Under a new key.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn random() -> Result<Self, NoRandomness> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|_| NoRandomness)?;
        Ok(Self { key })
    }

    /// With a key that was saved.
    #[must_use]
    pub fn with_key(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// The key, to be saved with what was made by it.
    #[must_use]
    pub fn key(&self) -> [u8; 16] {
        self.key
    }

    fn of(&self, kind: Kind, id: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(&[kind as u8]);
        hasher.write(id.as_bytes());
        hasher.finish()
    }
}

impl Revocations {
    /// Whether a verified token was revoked.
    #[must_use]
    pub fn matches(&self, claims: &AccessClaims) -> bool {
        let sid = |sid: &String| self.ids.contains(self.fingerprints.of(Kind::Session, sid));
        self.ids.contains(self.fingerprints.of(Kind::Token, &claims.jti))
            || claims.sid.as_ref().is_some_and(sid)
            || (!self.dated.is_empty() && self.matches_by_date(claims))
    }

    fn matches_by_date(&self, claims: &AccessClaims) -> bool {
        let issued_before = |kind, id: &str| {
            let dated = self.dated.get(&self.fingerprints.of(kind, id));
            dated.is_some_and(|dated| claims.iat <= dated.not_before)
        };
        issued_before(Kind::Subject, &claims.sub)
            || issued_before(Kind::Client, &claims.client_id)
            // A chain ends with each of its members.
            || claims.via.iter().any(|id| issued_before(Kind::Client, id))
    }
}

impl RevocationsWriter {
    /// Nothing is revoked.
    #[must_use]
    pub fn new(fingerprints: Fingerprints) -> Self {
        Self { fingerprints, ids: IdSetWriter::default(), dated: Arc::default() }
    }

    /// An empty one under the same key.
    #[must_use]
    pub fn empty_with_same_key(&self) -> Self {
        Self::new(self.fingerprints)
    }

    /// How IDs become fingerprints.
    #[must_use]
    pub fn fingerprints(&self) -> Fingerprints {
        self.fingerprints
    }

    /// What requests are to ask from now on.
    #[must_use]
    pub fn readers(&self) -> Revocations {
        Revocations {
            fingerprints: self.fingerprints,
            ids: self.ids.readers(),
            dated: Arc::clone(&self.dated),
        }
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len() + self.dated.len()
    }

    /// Whether nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that ids take, of sessions and tokens.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ids.bytes()
    }

    /// Adds entries. Ids are mostly seen by present readers at once; `true` when they must be given
    /// [`Self::readers`] again.
    pub fn apply<'a>(&mut self, entries: impl IntoIterator<Item = RevocationEntry<'a>>, now: u64) -> bool {
        let mut replaced = false;
        for RevocationEntry { target, expires_at } in entries {
            let fingerprints = self.fingerprints;
            replaced |= match target {
                Target::Session(sid) => self.insert_id(fingerprints.of(Kind::Session, sid), expires_at, now),
                Target::Token(jti) => self.insert_id(fingerprints.of(Kind::Token, jti), expires_at, now),
                Target::Subject { sub, not_before } => {
                    self.insert_dated(fingerprints.of(Kind::Subject, sub), Dated { not_before, expires_at })
                }
                Target::Client { client_id, not_before } => self
                    .insert_dated(fingerprints.of(Kind::Client, client_id), Dated { not_before, expires_at }),
            };
        }
        replaced
    }

    /// Lets go of what can match nothing more; `true` as for [`Self::apply`].
    pub fn sweep(&mut self, now: u64) -> bool {
        let dead = |dated: &Dated| dated.expires_at <= now;
        let dated_died = self.dated.values().any(dead);
        if dated_died {
            Arc::make_mut(&mut self.dated).retain(|_, dated| !dead(dated));
        }
        self.ids.sweep(short(now)) || dated_died
    }

    fn insert_id(&mut self, fingerprint: u64, expires_at: u64, now: u64) -> bool {
        self.ids.insert(fingerprint, short(expires_at), short(now))
    }

    fn insert_dated(&mut self, fingerprint: u64, new: Dated) -> bool {
        let held = Arc::make_mut(&mut self.dated).entry(fingerprint).or_insert(new);
        held.not_before = held.not_before.max(new.not_before);
        held.expires_at = held.expires_at.max(new.expires_at);
        true
    }

    /// The entries as bytes, for a file of this verifier's own.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.ids.len() * 12 + self.dated.len() * 24);
        bytes.extend((self.ids.len() as u64).to_le_bytes());
        for (fingerprint, expires_at) in self.ids.iter() {
            bytes.extend(fingerprint.to_le_bytes());
            bytes.extend(expires_at.to_le_bytes());
        }
        for (fingerprint, dated) in self.dated.iter() {
            bytes.extend(fingerprint.to_le_bytes());
            bytes.extend(dated.not_before.to_le_bytes());
            bytes.extend(dated.expires_at.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote under the same key; `None` for anything else.
    #[must_use]
    pub fn from_bytes(fingerprints: Fingerprints, bytes: &[u8], now: u64) -> Option<Self> {
        let mut writer = Self::new(fingerprints);
        let (count, rest) = bytes.split_first_chunk::<8>()?;
        let ids = usize::try_from(u64::from_le_bytes(*count)).ok()?.checked_mul(12)?;
        let (ids, dated) = rest.split_at_checked(ids)?;
        for id in ids.chunks_exact(12) {
            let (fingerprint, expires_at) = (number(&id[..8])?, number(&id[8..])?);
            writer.insert_id(fingerprint, expires_at, now);
        }
        if dated.len() % 24 != 0 {
            return None;
        }
        for entry in dated.chunks_exact(24) {
            let (not_before, expires_at) = (number(&entry[8..16])?, number(&entry[16..])?);
            writer.insert_dated(number(&entry[..8])?, Dated { not_before, expires_at });
        }
        Some(writer)
    }
}

fn number(little_endian: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..little_endian.len())?.copy_from_slice(little_endian);
    Some(u64::from_le_bytes(bytes))
}

/// Until 2106; what is needed for longer is kept as long as the process runs.
fn short(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
