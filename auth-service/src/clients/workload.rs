//! Workloads: programs to which the platform that runs them gives a token, and which keep no secret.

use std::collections::BTreeMap;
use std::fmt;

/// The issuers of SPIFFE are trust domains, `spiffe://example.org`, and the subject says which one (JWT-SVID section 3).
const SPIFFE: &str = "spiffe://";

/// What the token of a platform must say to be that of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// A trusted issuer.
    pub issuer: String,
    pub subject: SubjectPattern,
    /// Other claims, by name, or by path: `kubernetes.io/namespace` is `namespace` in `kubernetes.io`. Strings, whole numbers and
    /// booleans, written out.
    pub claims: BTreeMap<String, String>,
}

/// A subject, or what subjects begin with: `repo:octo/app:ref:refs/heads/main`, `repo:octo/app:*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectPattern(String);

/// Why a pattern was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    #[error("a subject has 1 to 512 characters, without spaces")]
    Malformed,
    #[error("a `*` stands at the end alone, behind `:` or `/`")]
    Wildcard,
    #[error(
        "before the `*` there must be two parts, as in `repo:organisation/*`: this would match subjects of anyone"
    )]
    TooWide,
}

impl SubjectPattern {
    /// # Errors
    /// [`InvalidPattern`].
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !(1..=512).contains(&text.len()) || !printable {
            return Err(InvalidPattern::Malformed);
        }
        match text.split_once('*') {
            None => {}
            Some((before, "")) if before.ends_with([':', '/']) => check_width(before)?,
            Some(_) => return Err(InvalidPattern::Wildcard),
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Byte by byte; behind a `*` there is at least one character.
    #[must_use]
    pub fn matches(&self, subject: &str) -> bool {
        match self.0.strip_suffix('*') {
            None => subject == self.0,
            Some(before) => subject.len() > before.len() && subject.starts_with(before),
        }
    }
}

/// On a platform that anyone may use, one part is everyone's: `repo:*` is all of GitHub. Of a trust domain the name is no part.
fn check_width(before: &str) -> Result<(), InvalidPattern> {
    let (path, enough) = match before.strip_prefix(SPIFFE).and_then(|rest| rest.split_once('/')) {
        Some((_, path)) => (path, 1),
        None => (before, 2),
    };
    let parts = path.split([':', '/']).filter(|part| !part.is_empty());
    if parts.count() < enough { Err(InvalidPattern::TooWide) } else { Ok(()) }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether an issuer is a SPIFFE trust domain.
pub(super) fn is_trust_domain(issuer: &str) -> bool {
    issuer.starts_with(SPIFFE)
}

impl Workload {
    /// Whether a token with this `iss` and `sub` is of the issuer at all. A trust domain's is known by its subject: `iss` is no claim
    /// of a JWT-SVID.
    #[must_use]
    pub fn is_issued_by(&self, iss: Option<&str>, sub: &str) -> bool {
        if is_trust_domain(&self.issuer) {
            return sub.strip_prefix(&self.issuer).is_some_and(|path| path.starts_with('/'));
        }
        iss == Some(self.issuer.as_str())
    }
}

#[cfg(test)]
mod tests;
