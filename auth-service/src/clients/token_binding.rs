/// What the tokens of a client are bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenBinding {
    /// To a key where the request has a proof (RFC 9449), and else to nothing.
    #[default]
    Optional,
    /// To a key: `dpop_bound_access_tokens` (RFC 9449 section 5.2).
    Dpop,
    /// To the certificate of the connection: `tls_client_certificate_bound_access_tokens` (RFC 8705 section 3.4).
    Certificate,
}

impl TokenBinding {
    pub const ALL: [Self; 3] = [Self::Optional, Self::Dpop, Self::Certificate];

    /// As the command line and the database have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Dpop => "dpop",
            Self::Certificate => "certificate",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|binding| binding.as_str() == text)
    }
}
