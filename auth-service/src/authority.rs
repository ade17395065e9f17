//! The authority: what the use cases work with. Each use case is one method, in the file of its
//! feature; HTTP and gRPC only unpack a request, call it, and repack the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use quick_cache::sync::Cache;
use shared_claims::CachingVerifier;
use shared_claims::revocations::Position;

use crate::accounts::{AccountPolicy, MailTokens, RecoveryCodes};
use crate::clients::{Client, ClientDirectory};
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::feeds::Feeds;
use crate::keys::{Algorithm, KeyPolicy, Keys, Signer, Vault};
use crate::limited::LimitedEntries;
use crate::mail::Mailer;
use crate::revocations::{ClientLimiter, RevocationDocument, RevocationLog, RevocationPages};
use crate::state_sync::SyncState;
use crate::storage::Storage;
use crate::tokens::{ClaimMap, LegacyTokens, RefreshTokens, UserIdForm};
use crate::users::{AttemptPolicy, CountKey, Dummies, LoginLimiter, PasswordHasher, PasswordRules};
use crate::verifiers::VerifierRegistry;
use crate::webhook::ClaimsWebhook;

/// How long tokens and sessions live.
#[derive(Debug, Clone, Copy)]
pub struct TokenPolicy {
    pub access_ttl: Duration,
    /// A session that is not refreshed for this long ends.
    pub refresh_idle_ttl: Duration,
    /// A session ends after this long, however often it is refreshed.
    pub refresh_absolute_ttl: Duration,
    /// How long a used refresh token is answered with the successor that it already has.
    pub refresh_grace: Duration,
    /// How long client tokens are issued, and keys served, after the database was last seen.
    pub offline_issuing: Duration,
    /// Most live sessions of one user: beyond it the oldest ends.
    pub max_sessions: u32,
}

/// What simplejwt's clients and services rely on, as far as it can be chosen.
#[derive(Debug, Clone)]
pub struct SimpleJwtPolicy {
    pub user_id: UserIdForm,
    pub claims: ClaimMap,
    /// Whether a refresh hands out another refresh token.
    pub rotate: bool,
    /// How long a token is good after it says that it has expired.
    pub leeway: Duration,
    /// `None` where they are not offered.
    pub sliding: Option<SlidingPolicy>,
}

/// How long sliding tokens live.
#[derive(Debug, Clone, Copy)]
pub struct SlidingPolicy {
    /// Each of them.
    pub ttl: Duration,
    /// All that follow from one login.
    pub refresh_ttl: Duration,
}

impl SimpleJwtPolicy {
    /// Whether accounts that are made here get a number for the `user_id` of their tokens.
    #[must_use]
    pub fn numbers_users(&self) -> bool {
        self.user_id == UserIdForm::Integer
    }
}

/// One per process, shared by everything that serves.
pub struct Authority {
    pub issuer: String,
    pub policy: TokenPolicy,
    pub simplejwt: SimpleJwtPolicy,
    pub key_policy: KeyPolicy,
    pub default_algorithm: Algorithm,
    /// Stands behind simplejwt's endpoints, which know no client.
    pub first_party: Arc<Client>,
    pub storage: Storage,
    pub keys: Keys,
    pub clients: ClientDirectory,
    pub hasher: PasswordHasher,
    pub(crate) login_limiter: LoginLimiter,
    pub(crate) rules: PasswordRules,
    pub(crate) accounts: AccountPolicy,
    pub(crate) mail_tokens: MailTokens,
    pub(crate) mailer: Option<Mailer>,
    /// Secrets of second factors rest in it.
    pub(crate) second_factors: Vault,
    pub(crate) recovery_codes: RecoveryCodes,
    pub(crate) dummies: Dummies,
    pub attempt_policy: AttemptPolicy,
    pub(crate) count_key: CountKey,
    pub clock: Arc<dyn Clock>,
    pub(crate) refresh_tokens: RefreshTokens,
    /// The previous issuer, as long as its tokens are exchanged.
    pub(crate) legacy: Option<LegacyTokens>,
    pub(crate) webhook: Option<ClaimsWebhook>,
    /// Reads the authority's own access tokens, whatever their audience.
    pub(crate) verifier: CachingVerifier,
    pub(crate) revocations: RevocationLog,
    /// Names by account, as far as they were asked for.
    pub(crate) usernames: Cache<String, Arc<str>>,
    /// Networks from which users have logged in here, as [`crate::users::Attempt`] names them.
    pub(crate) known_networks: Cache<String, ()>,
    pub(crate) revocation_document: ArcSwap<RevocationDocument>,
    /// Where the revocations stood when they did not fit the document.
    pub(crate) too_large_at: ArcSwapOption<Position>,
    pub(crate) revocation_pages: RevocationPages,
    pub(crate) verifiers: VerifierRegistry,
    pub feeds: Feeds,
    pub(crate) sync: SyncState,
    /// As the database has it, in milliseconds, the time that verifiers forgive included.
    pub(crate) longest_token: AtomicU64,
    /// Whether the database answered when it was last asked.
    pub(crate) storage_answers: AtomicBool,
    /// Probes of writes that have failed in a row.
    pub(crate) failed_probes: AtomicU32,
    pub(crate) token_revocations: ClientLimiter,
    pub(crate) limited: LimitedEntries,
}

impl Authority {
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// When the last access token that has been issued by now has expired at every verifier, also one that
    /// was issued under another setting.
    #[must_use]
    pub fn revoked_until(&self, now: Timestamp) -> Timestamp {
        let known = Duration::from_millis(self.longest_token.load(Ordering::Relaxed));
        now.plus(known.max(self.key_policy.longest_token))
    }

    /// The key that signs for an audience: of the audience's own algorithm if it has one, else of
    /// the default; while the first key of a new default waits for its lead, whichever signs.
    pub(crate) fn signer_of(&self, algorithm: Option<Algorithm>) -> Result<Arc<Signer>> {
        let ring = self.keys.ring();
        let signer = match algorithm {
            Some(algorithm) => ring.signer(algorithm),
            None => ring.signer(self.default_algorithm).or_else(|| ring.any_signer()),
        };
        signer.ok_or_else(|| Error::new(ErrorKind::Unavailable, "no key is active for this audience yet"))
    }
}
