/// Why a request is not answered to the client: it is not known who that is, or where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientFault {
    NoClient,
    UnknownClient,
    NoRedirectUri,
    UnregisteredRedirectUri,
    /// One of the two was sent twice, or is too long.
    Malformed,
}

/// An error that a client is told by a redirect (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizeFault {
    /// With a hint that names the parameter.
    InvalidRequest(&'static str),
    UnauthorizedClient,
    /// The user said no.
    AccessDenied,
    UnsupportedResponseType,
    InvalidScope,
    /// RFC 8707 section 2.
    InvalidTarget,
    LoginRequired,
    ConsentRequired,
    RequestNotSupported,
    RequestUriNotSupported,
    RegistrationNotSupported,
    /// OpenID Connect Core Unmet Authentication Requirements.
    UnmetAuthenticationRequirements,
}

impl AuthorizeFault {
    /// Error code and description.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidRequest(hint) => ("invalid_request", hint),
            Self::UnauthorizedClient => {
                ("unauthorized_client", "the client may not use the authorization code grant")
            }
            Self::AccessDenied => ("access_denied", "the user refused"),
            Self::UnsupportedResponseType => {
                ("unsupported_response_type", "the only response type is `code`")
            }
            Self::InvalidScope => {
                ("invalid_scope", "the scope is malformed or exceeds what the client may request")
            }
            Self::InvalidTarget => ("invalid_target", "the client may not request tokens for this resource"),
            Self::LoginRequired => ("login_required", "the user has to log in"),
            Self::ConsentRequired => ("consent_required", "the user has to consent"),
            Self::RequestNotSupported => ("request_not_supported", "request objects are not supported"),
            Self::RequestUriNotSupported => ("request_uri_not_supported", "`request_uri` is not supported"),
            Self::RegistrationNotSupported => {
                ("registration_not_supported", "`registration` is not supported")
            }
            Self::UnmetAuthenticationRequirements => {
                ("unmet_authentication_requirements", "the user cannot log in with the requested `acr`")
            }
        }
    }
}
