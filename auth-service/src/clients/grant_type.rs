/// A grant type that a client may be registered for (RFC 6749 section 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrantType {
    /// A user logs in at the authority, which sends the browser back with a code (RFC 6749 section 4.1).
    AuthorizationCode,
    ClientCredentials,
    /// A user allows a device something in a browser elsewhere (RFC 8628).
    DeviceCode,
    RefreshToken,
    /// A user's name and password, over gRPC and simplejwt's endpoint only, for first-party
    /// clients. It is never offered at /oauth2/token (RFC 9700 section 2.4).
    Password,
}

impl GrantType {
    pub const ALL: [Self; 5] = [
        Self::AuthorizationCode,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::RefreshToken,
        Self::Password,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::RefreshToken => "refresh_token",
            Self::Password => "password",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text)
    }

    /// Separated by spaces, as they are stored.
    #[must_use]
    pub fn join(grants: &[Self]) -> String {
        grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>().join(" ")
    }
}
