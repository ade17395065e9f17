use crate::clock::Timestamp;
use crate::secret::HashedSecret;

/// The code presented at a login. It can be used once.
#[derive(Debug, Clone)]
pub enum PresentedFactor {
    /// The step of a one-time password.
    Step(i64),
    RecoveryCode(HashedSecret),
}

/// A second factor as it is stored.
#[derive(Debug, Clone)]
pub struct StoredFactor {
    pub sealed_secret: Vec<u8>,
    /// One-time passwords up to this step are spent.
    pub last_step: i64,
    /// Since when it is required; `None` until its set-up is confirmed.
    pub confirmed_at: Option<Timestamp>,
}
