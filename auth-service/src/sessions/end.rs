use crate::clock::Timestamp;

/// A session that is over, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub at: Timestamp,
    pub reason: EndReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// By the holder of its refresh token.
    Revoked,
    /// A refresh token was used a second time.
    Reuse,
    UserDisabled,
    PasswordChanged,
    ClientDisabled,
    /// Its browser session ended.
    LoggedOut,
    /// The user withdrew their consent to the client.
    ConsentWithdrawn,
}

impl EndReason {
    const ALL: [Self; 7] = [
        Self::Revoked,
        Self::Reuse,
        Self::UserDisabled,
        Self::PasswordChanged,
        Self::ClientDisabled,
        Self::LoggedOut,
        Self::ConsentWithdrawn,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Reuse => "reuse",
            Self::UserDisabled => "user_disabled",
            Self::PasswordChanged => "password_changed",
            Self::ClientDisabled => "client_disabled",
            Self::LoggedOut => "logged_out",
            Self::ConsentWithdrawn => "consent_withdrawn",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}
