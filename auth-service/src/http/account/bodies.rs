use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Registration {
    #[schema(max_length = 150, example = "alice")]
    pub username: String,
    #[schema(format = "email", example = "alice@example.org")]
    pub email: String,
    #[schema(format = "password", min_length = 8)]
    pub password: String,
}

/// What an e-mail brought.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub token: String,
}

/// The token of the e-mail, and the password of the registration: the one who confirms is the one who registered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    pub token: String,
    #[schema(format = "password")]
    pub password: String,
}

/// A refresh token of a first-party application.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionProof {
    /// Absent where the browser holds it in a cookie.
    pub refresh: Option<String>,
}

/// What opens the account endpoints, and nothing else.
#[derive(Serialize, ToSchema)]
pub(super) struct AccountToken {
    pub access: String,
    /// Seconds.
    pub expires_in: u64,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResetRequest {
    #[schema(format = "email")]
    pub email: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reset {
    pub token: String,
    #[schema(format = "password", min_length = 8)]
    pub new_password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordChange {
    #[schema(format = "password")]
    pub current_password: String,
    #[schema(format = "password", min_length = 8)]
    pub new_password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EmailChange {
    #[schema(format = "email")]
    pub email: String,
    #[schema(format = "password")]
    pub current_password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    #[schema(format = "password")]
    pub current_password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Otp {
    /// Six digits.
    #[schema(example = "123456")]
    pub otp: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecondFactorRemoval {
    #[schema(format = "password")]
    pub current_password: String,
    /// A one-time password or a recovery code.
    pub otp: Option<String>,
}

/// What an authenticator app needs.
#[derive(Serialize, ToSchema)]
pub(super) struct SecondFactor {
    /// Base32, for typing in.
    pub secret: String,
    /// For a QR code.
    #[schema(example = "otpauth://totp/...")]
    pub uri: String,
}

/// PresentedFactor once: each is good once in place of a one-time password.
#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    pub recovery_codes: Vec<String>,
}

/// The caller's account.
#[derive(Serialize, ToSchema)]
pub(super) struct Account {
    /// The `sub` of its tokens.
    pub id: String,
    pub username: String,
    pub email: Option<String>,
    pub email_verified: bool,
    pub roles: Vec<String>,
    /// Whether a one-time password is asked for.
    pub second_factor: bool,
    pub recovery_codes_left: i64,
}

/// A login on a device.
#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    /// The `sid` of its tokens.
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// The application.
    pub client_id: String,
    /// What the device calls itself.
    pub device: Option<String>,
    /// Seconds since the epoch.
    pub created_at: i64,
    pub last_used_at: i64,
    pub expires_at: i64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Sessions {
    pub sessions: Vec<Session>,
}

/// A browser in which the account is logged in.
#[derive(Serialize, ToSchema)]
pub(super) struct BrowserSession {
    pub id: String,
    /// What the browser calls itself.
    pub device: Option<String>,
    /// Seconds since the epoch.
    pub logged_in_at: i64,
    pub expires_at: i64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct BrowserSessions {
    pub browser_sessions: Vec<BrowserSession>,
}

/// What an application was allowed.
#[derive(Serialize, ToSchema)]
pub(super) struct Consent {
    pub client_id: String,
    pub audience: String,
    pub scope: String,
    /// Seconds since the epoch.
    pub granted_at: i64,
    pub expires_at: i64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Consents {
    pub consents: Vec<Consent>,
}

/// How many sessions have ended.
#[derive(Serialize, ToSchema)]
pub(super) struct Ended {
    pub sessions_ended: usize,
}
