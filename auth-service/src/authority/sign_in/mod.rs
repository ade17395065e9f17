//! Proves who a user is: limits of attempts, password, second factor. Knows no client, no session and no token.

mod limits;
mod password;
mod second_factor;

pub(crate) use limits::TOO_MANY_LOGINS;
pub(in crate::authority) use limits::limited_by;
pub use password::PasswordCredentials;
pub(in crate::authority) use password::Proof;
pub(crate) use second_factor::FactorRefused;
pub(in crate::authority) use second_factor::ONE_TIME_PASSWORDS;

use crate::audit::LimitedEntries;
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::{KeyPurpose, Secrets, Vault};
use crate::users::{
    Attempt, AttemptPolicy, CountKey, Dummies, LoginLimiter, PasswordHasher, PasswordRules, PresentedFactor,
    RecoveryCodes, User,
};
use quick_cache::sync::Cache;

/// Networks of users that are remembered, at most 100 bytes each.
const CACHED_NETWORKS: usize = 50_000;

/// What proves users: password hashing, limits of attempts, second factors.
pub struct SignIn {
    pub hasher: PasswordHasher,
    pub(crate) limiter: LoginLimiter,
    pub(crate) password_rules: PasswordRules,
    pub attempt_policy: AttemptPolicy,
    pub(crate) count_key: CountKey,
    /// Networks from which users have logged in here, as [`Attempt`] names them.
    pub(crate) known_networks: Cache<String, ()>,
    pub(crate) limited_entries: LimitedEntries,
    /// Takes as long as the password of a user that does not exist.
    pub(crate) dummies: Dummies,
    /// Secrets of second factors rest in it.
    pub(crate) second_factors: Vault,
    pub(crate) recovery_codes: RecoveryCodes,
}

/// How users are proved.
pub struct SignInPolicy {
    pub attempts: AttemptPolicy,
    pub password_rules: PasswordRules,
    pub hashing_threads: usize,
    /// Database connections, of which logins leave some to others.
    pub connections: u32,
}

impl SignIn {
    #[must_use]
    pub fn new(policy: SignInPolicy, secrets: &Secrets) -> Self {
        Self {
            hasher: PasswordHasher::new(policy.hashing_threads),
            limiter: LoginLimiter::among(policy.connections),
            password_rules: policy.password_rules,
            attempt_policy: policy.attempts,
            count_key: CountKey::new(secrets.get(KeyPurpose::LoginCounts)),
            known_networks: Cache::new(CACHED_NETWORKS),
            limited_entries: LimitedEntries::default(),
            dummies: Dummies::new(secrets.get(KeyPurpose::DummyDraw)),
            second_factors: Vault::new(secrets.get(KeyPurpose::SealSecondFactors)),
            recovery_codes: RecoveryCodes::new(secrets.get(KeyPurpose::RecoveryCodes)),
        }
    }
}

/// A user who has proved who they are, and what is stored together with the session that follows.
pub(in crate::authority) struct SignedIn {
    pub user: User,
    /// How (RFC 8176).
    pub amr: Vec<String>,
    pub auth_time: Timestamp,
    /// The presented second factor; it is spent when the session is stored.
    pub factor: Option<PresentedFactor>,
    /// A better hash of the same password.
    pub rehashed: Option<String>,
    /// The user and the network together, as [`Attempt`] names them.
    pub known_network: Option<String>,
    /// The attempt that was counted as failed in advance; `None` once it was given back.
    pub attempt: Option<Attempt>,
}

impl SignedIn {
    /// After a right password and, if the user still has one, the second factor.
    pub(in crate::authority) fn after_factor(
        user: User,
        factor: Option<PresentedFactor>,
        auth_time: Timestamp,
        known_network: Option<String>,
    ) -> Self {
        let amr = amr_of(factor.as_ref());
        Self { user, amr, auth_time, factor, rehashed: None, known_network, attempt: None }
    }
}

/// How a user proved who they are, after the password (RFC 8176).
fn amr_of(factor: Option<&PresentedFactor>) -> Vec<String> {
    let methods = if factor.is_some() { &["pwd", "otp", "mfa"][..] } else { &["pwd"] };
    methods.iter().map(|method| (*method).to_owned()).collect()
}

impl SignIn {
    /// The next login from there is one from a known network.
    pub(in crate::authority) fn note_known_network(&self, known: Option<&str>) {
        if let Some(known) = known {
            self.known_networks.insert(known.to_owned(), ());
        }
    }
}

/// As the metrics name it.
pub(in crate::authority) fn sign_in_outcome<T>(outcome: &Result<T>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(Error { kind: ErrorKind::TooManyAttempts(_), .. }) => "limited",
        Err(Error { kind: ErrorKind::Overloaded, .. }) => "overloaded",
        Err(Error { kind: ErrorKind::Unavailable, .. }) => "unavailable",
        Err(Error { kind: ErrorKind::Internal, .. }) => "failed",
        Err(_) => "refused",
    }
}

impl Authority {
    /// Reverts the count of a login that did not fail, before its session is stored.
    pub(in crate::authority) fn give_back_attempt(&self, signed_in: &mut SignedIn) {
        if let Some(attempt) = signed_in.attempt.take() {
            self.give_back(&attempt);
        }
    }
}
