//! The `Authorization` header of a protected endpoint (RFC 6750), and the ways to be rejected.

use crate::dpop::{PROOF_ALGORITHMS, ProofRefusal};
use crate::error::Refusal;
use crate::requirement::Scopes;

/// Why a request may not pass. The caller sees one of few words; `Refusal` is for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// No bearer token at all: 401 without an error code (RFC 6750 section 3.1).
    Missing,
    /// The header cannot be read as one bearer token: 400 `invalid_request`.
    Malformed,
    /// 401 `invalid_token`, whatever is wrong with it.
    Invalid(Refusal),
    /// 401 `invalid_dpop_proof`: the token may be good, the proof beside it is not (RFC 9449 section 7.1).
    InvalidProof(ProofRefusal),
    /// 403 `insufficient_scope`, with the scopes that the route needs.
    InsufficientScope(Scopes),
    /// 403 `insufficient_scope`: the user has none of the roles that the route needs. Which they are is not said.
    InsufficientRole,
    /// No key set, or no revocations, have arrived yet: 503, and worth a retry.
    NotReady,
    /// No contact with the authority for longer than this route allows: 503, a retry may succeed.
    Stale,
    /// Too many encrypted tokens wait to be opened, or too many proofs are remembered: 503, and worth a retry.
    Overloaded,
}

impl Rejection {
    /// HTTP status code.
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            Self::Missing | Self::Invalid(_) | Self::InvalidProof(_) => 401,
            Self::Malformed => 400,
            Self::InsufficientScope(_) | Self::InsufficientRole => 403,
            Self::NotReady | Self::Stale | Self::Overloaded => 503,
        }
    }

    /// The error code (RFC 6750 section 3.1); none if no token was presented.
    #[must_use]
    pub fn error_code(self) -> Option<&'static str> {
        match self {
            Self::Missing => None,
            Self::Malformed => Some("invalid_request"),
            Self::Invalid(_) => Some("invalid_token"),
            Self::InvalidProof(_) => Some("invalid_dpop_proof"),
            Self::InsufficientScope(_) | Self::InsufficientRole => Some("insufficient_scope"),
            Self::NotReady | Self::Stale | Self::Overloaded => Some("temporarily_unavailable"),
        }
    }

    /// What the caller may read. It names no claim, no key and no value.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Missing => "a bearer token is required",
            Self::Malformed => "the Authorization header does not hold one bearer token",
            Self::Invalid(_) => "the token is not valid here",
            Self::InvalidProof(_) => "the DPoP header does not hold one proof for this request",
            Self::InsufficientScope(_) => "the token does not have the scope that this needs",
            Self::InsufficientRole => "the user of the token has none of the roles that this needs",
            Self::NotReady => "the keys and revocations to verify tokens have not arrived yet",
            Self::Overloaded => "too many requests are under way",
            Self::Stale => "whether tokens were revoked is not known at this moment",
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750 section 3), where the status calls for one.
    #[must_use]
    pub fn challenge(self) -> Option<String> {
        match self {
            Self::Missing => Some("Bearer".to_owned()),
            Self::Malformed | Self::Invalid(_) => {
                Some(format!("Bearer error=\"{}\"", self.error_code().unwrap_or_default()))
            }
            Self::InvalidProof(_) => {
                Some(format!("DPoP error=\"invalid_dpop_proof\", algs=\"{PROOF_ALGORITHMS}\""))
            }
            Self::InsufficientScope(scopes) => {
                Some(format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", scopes.to_request()))
            }
            Self::InsufficientRole => Some("Bearer error=\"insufficient_scope\"".to_owned()),
            Self::NotReady | Self::Stale | Self::Overloaded => None,
        }
    }
}

/// How a token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Alone (RFC 6750 section 2.1).
    Bearer,
    /// With a proof in a `DPoP` header (RFC 9449 section 7.1).
    Dpop,
}

/// Takes the token out of the values of all `Authorization` headers of a request.
///
/// # Errors
/// [`Rejection::Missing`] without a header or with another scheme; [`Rejection::Malformed`] for two
/// headers, or for anything but one token behind the scheme.
pub fn unverified_token<'a>(
    mut headers: impl Iterator<Item = &'a str>,
) -> Result<(Scheme, &'a str), Rejection> {
    let header = headers.next().ok_or(Rejection::Missing)?;
    if headers.next().is_some() {
        return Err(Rejection::Malformed);
    }
    // One space or more between the two (RFC 9110 section 11.4).
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    let token = token.trim_start_matches(' ');
    // In any case (RFC 9110 section 11.1).
    let scheme = if scheme.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Scheme::Dpop
    } else {
        return Err(Rejection::Missing);
    };
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(Rejection::Malformed);
    }
    Ok((scheme, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_token_is_taken_and_everything_else_is_told_apart() {
        let (bearer, dpop) = (|token| Ok((Scheme::Bearer, token)), |token| Ok((Scheme::Dpop, token)));
        type Case = (&'static [&'static str], Result<(Scheme, &'static str), Rejection>);
        let table: &[Case] = &[
            (&["Bearer a.b.c"], bearer("a.b.c")),
            (&["bearer a.b.c"], bearer("a.b.c")),
            (&["BEARER a.b.c"], bearer("a.b.c")),
            (&["DPoP a.b.c"], dpop("a.b.c")),
            (&["dpop  a.b.c"], dpop("a.b.c")),
            (&["DPoP"], Err(Rejection::Malformed)),
            (&["DPoP a", "DPoP a"], Err(Rejection::Malformed)),
            (&["DPoPa b"], Err(Rejection::Missing)),
            (&[], Err(Rejection::Missing)),
            (&["Basic YTpi"], Err(Rejection::Missing)),
            (&["Bearer"], Err(Rejection::Malformed)),
            (&["Bearer "], Err(Rejection::Malformed)),
            (&["Bearer a b"], Err(Rejection::Malformed)),
            (&["Bearer  a"], bearer("a")),
            (&["Bearer    a.b.c"], bearer("a.b.c")),
            (&["Bearer \ta"], Err(Rejection::Malformed)),
            (&["Bearer a "], Err(Rejection::Malformed)),
            (&["Bearer   "], Err(Rejection::Malformed)),
            (&["Bearer a", "Bearer b"], Err(Rejection::Malformed)),
        ];
        for (headers, expected) in table {
            assert_eq!(&unverified_token(headers.iter().copied()), expected, "{headers:?}");
        }
    }
}
