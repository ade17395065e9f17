/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Login,
    SessionEnded,
    LegacyTokenExchanged,
    LegacyTokenBlacklisted,
    TokenRevoked,
    UserCreated,
    UsersImported,
    UserDisabled,
    PasswordSet,
    EmailSet,
    SecondFactorSet,
    SecondFactorRemoved,
    PasswordAsked,
    AttemptsLimited,
    ClientCreated,
    ClientDisabled,
    ClientSecretSet,
    AudienceCreated,
    AudienceEncryptionSet,
    KeyAdded,
    KeyScheduled,
    KeyRevoked,
    MasterKeyChanged,
    BackupRestored,
}

impl Action {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::SessionEnded => "session.ended",
            Self::LegacyTokenExchanged => "legacy_token.exchanged",
            Self::LegacyTokenBlacklisted => "legacy_token.blacklisted",
            Self::TokenRevoked => "token.revoked",
            Self::UserCreated => "user.created",
            Self::UsersImported => "users.imported",
            Self::UserDisabled => "user.disabled",
            Self::PasswordSet => "user.password_set",
            Self::EmailSet => "user.email_set",
            Self::SecondFactorSet => "user.second_factor_set",
            Self::SecondFactorRemoved => "user.second_factor_removed",
            Self::PasswordAsked => "user.password_asked",
            Self::AttemptsLimited => "attempts.limited",
            Self::ClientCreated => "client.created",
            Self::ClientDisabled => "client.disabled",
            Self::ClientSecretSet => "client.secret_set",
            Self::AudienceCreated => "audience.created",
            Self::AudienceEncryptionSet => "audience.encryption_set",
            Self::KeyAdded => "key.added",
            Self::KeyScheduled => "key.scheduled",
            Self::KeyRevoked => "key.revoked",
            Self::MasterKeyChanged => "master_key.changed",
            Self::BackupRestored => "backup.restored",
        }
    }
}
