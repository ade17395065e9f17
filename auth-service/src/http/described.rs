//! Forms and documents that no handler reads or writes as one type.

#![expect(dead_code, reason = "they describe what is sent")]

use utoipa::ToSchema;

/// Client credentials, where they are not in the `Authorization` header (RFC 6749 section 2.3.1).
#[derive(ToSchema)]
pub(in crate::http) struct TokenRequest {
    /// `client_credentials` or `refresh_token`.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// With `refresh_token`.
    refresh_token: Option<String>,
    /// Separated by spaces; narrower than what the client may have, or the session has.
    scope: Option<String>,
    /// The audience of the token; `resource` (RFC 8707) is the same as a URI.
    audience: Option<String>,
    resource: Option<String>,
    client_id: Option<String>,
    #[schema(format = "password")]
    client_secret: Option<String>,
}

/// A token that a request is about.
#[derive(ToSchema)]
pub(in crate::http) struct TokenQuestion {
    token: String,
    client_id: Option<String>,
    #[schema(format = "password")]
    client_secret: Option<String>,
}

/// Whether a token is active (RFC 7662 section 2.2). All but `active` are those of an active token.
#[derive(ToSchema)]
pub(in crate::http) struct IntrospectionAnswer {
    active: bool,
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
    /// Seconds since the epoch.
    exp: Option<u64>,
    iat: Option<u64>,
    jti: Option<String>,
    /// `DPoP` for a token that is bound to a key.
    token_type: Option<String>,
    /// What the holder of the token has to show with it.
    cnf: Option<ConfirmationAnswer>,
}

/// One of the two.
#[derive(ToSchema)]
pub(in crate::http) struct ConfirmationAnswer {
    /// SHA-256 thumbprint of a key (RFC 9449 section 6.2).
    jkt: Option<String>,
    /// SHA-256 of a certificate (RFC 8705 section 3.2).
    #[schema(rename = "x5t#S256")]
    x5t_s256: Option<String>,
}

/// A login: the field of the username is that of `AUTH__SIMPLEJWT__USERNAME_FIELD`.
#[derive(ToSchema)]
pub(in crate::http) struct LoginRequest {
    #[schema(example = "alice")]
    username: String,
    #[schema(format = "password")]
    password: String,
    /// Of a user with a second factor: a one-time password or a recovery code.
    otp: Option<String>,
}

#[derive(ToSchema)]
pub(in crate::http) struct RefreshRequest {
    /// Absent where the browser holds it in a cookie.
    refresh: Option<String>,
}

#[derive(ToSchema)]
pub(in crate::http) struct VerifyRequest {
    token: String,
}

#[derive(ToSchema)]
pub(in crate::http) struct SlidingAnswer {
    token: String,
}

/// An error of simplejwt: `detail`, with `code` where it is about a token; or the errors of single fields.
#[derive(ToSchema)]
pub(in crate::http) struct SimpleJwtProblem {
    detail: Option<String>,
    #[schema(example = "token_not_valid")]
    code: Option<String>,
}

/// An error of OAuth (RFC 6749 section 5.2).
#[derive(ToSchema)]
pub(in crate::http) struct OAuthProblem {
    error: String,
    error_description: String,
}

/// A JSON Web Key Set (RFC 7517 section 5).
#[derive(ToSchema)]
pub(in crate::http) struct KeySet {
    #[schema(value_type = Vec<Object>)]
    keys: Vec<()>,
}

/// Whether the process, or the replica, can do its work.
#[derive(ToSchema)]
pub(in crate::http) struct Health {
    #[schema(example = "ready")]
    status: String,
    /// What a replica that is not ready is missing.
    missing: Option<Vec<String>>,
}
