use shared_claims::Refusal;

/// Longest life that one may have left, in seconds: it is made for one request.
pub(super) const LONGEST_LIFE: u64 = 300;

/// Why an assertion was refused; the words are for the operator's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssertionFault {
    #[error("the assertion is no token: {0}")]
    Unreadable(Refusal),
    #[error("the assertion's header has `{0}`, which is not allowed or malformed")]
    Header(&'static str),
    #[error("`typ` of the assertion is of another kind of token")]
    Type,
    #[error("none of the client's keys is the one that the assertion names")]
    UnknownKey,
    #[error("the assertion cannot be verified: {0}")]
    Signature(Refusal),
    #[error("the assertion's claim `{0}` is missing or malformed")]
    Claim(&'static str),
    #[error("`iss` of the assertion is not who should have issued it")]
    Issuer,
    #[error("`sub` of the assertion is not that of the client")]
    Subject,
    #[error("`aud` of the assertion is not this authority alone (RFC 10070: its issuer, as a string)")]
    Audience,
    #[error("the assertion's claim `{0}` is not what the client is registered with")]
    WorkloadClaim(String),
    #[error("the assertion has expired")]
    Expired,
    #[error("the assertion is not valid yet: look at the client's clock")]
    NotYetValid,
    #[error(
        "the assertion is valid for longer than {LONGEST_LIFE} seconds, or one of a platform for longer than a day"
    )]
    LivesTooLong,
    #[error("the assertion was used before")]
    Replayed,
    #[error("more assertions are in use than can be remembered")]
    TooMany,
}
