//! What a route needs of a token: scopes, roles, and how fresh the revocations must be.

use std::time::Duration;

#[cfg(feature = "guard")]
use crate::claims::AccessClaims;

/// What a route needs, as a type, so that a handler cannot be written without naming it.
///
/// ```
/// use std::time::Duration;
/// use shared_claims::{Required, Requirement};
///
/// struct NotesWrite;
///
/// impl Requirement for NotesWrite {
///     const REQUIRED: Required = Required::scope("notes:write").any_role(&["editor", "owner"]);
/// }
/// ```
pub trait Requirement {
    /// It.
    const REQUIRED: Required;
}

/// What a request must have beside a valid token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Required {
    pub(crate) scopes: Scopes,
    pub(crate) roles: Option<&'static [&'static str]>,
    pub(crate) when_stale: WhenStale,
}

/// Scopes that a route needs (RFC 6749 section 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scopes {
    /// None: any token that is valid here.
    None,
    /// This one.
    One(&'static str),
    /// Each of these.
    All(&'static [&'static str]),
    /// At least one of these; an empty list permits nothing.
    AnyOf(&'static [&'static str]),
}

/// What to do without contact with the authority: a token may have been revoked since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenStale {
    /// Use the last known state: the service continues while the authority is down.
    Continue,
    /// Refuse every token once the last contact is older than this; also one that never was.
    RefuseAbove(Duration),
}

impl Required {
    /// A valid token with this scope.
    #[must_use]
    pub const fn scope(scope: &'static str) -> Self {
        Self::of(Scopes::One(scope))
    }

    /// A valid token with each of these scopes.
    #[must_use]
    pub const fn all_scopes(scopes: &'static [&'static str]) -> Self {
        Self::of(Scopes::All(scopes))
    }

    /// A valid token with one of these scopes; name the narrowest first, which a caller without any is told to request.
    #[must_use]
    pub const fn any_scope(scopes: &'static [&'static str]) -> Self {
        Self::of(Scopes::AnyOf(scopes))
    }

    /// A token that is valid here, and nothing else.
    #[must_use]
    pub const fn valid_token() -> Self {
        Self::of(Scopes::None)
    }

    /// And a user with at least one of these roles. A client that acts for itself has none.
    #[must_use]
    pub const fn any_role(self, roles: &'static [&'static str]) -> Self {
        Self { roles: Some(roles), ..self }
    }

    /// And contact with the authority within this time: without it, whether a token was revoked is not known.
    #[must_use]
    pub const fn refused_when_stale(self, above: Duration) -> Self {
        Self { when_stale: WhenStale::RefuseAbove(above), ..self }
    }

    const fn of(scopes: Scopes) -> Self {
        Self { scopes, roles: None, when_stale: WhenStale::Continue }
    }

    /// The scopes that it asks for.
    #[must_use]
    pub const fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// Whether a user's roles are enough.
    #[cfg(feature = "guard")]
    pub(crate) fn has_role(&self, claims: &AccessClaims) -> bool {
        self.roles.is_none_or(|roles| claims.roles.iter().any(|held| roles.contains(&held.as_str())))
    }
}

impl Scopes {
    #[cfg(feature = "guard")]
    pub(crate) fn are_held(self, claims: &AccessClaims) -> bool {
        let holds = |scope: &&str| claims.scope.contains(scope);
        match self {
            Self::None => true,
            Self::One(scope) => holds(&scope),
            Self::All(scopes) => scopes.iter().all(holds),
            Self::AnyOf(scopes) => scopes.iter().any(holds),
        }
    }

    /// What a caller should request next time, as in `scope` of a challenge (RFC 6750 section 3).
    pub(crate) fn to_request(self) -> String {
        match self {
            Self::None => String::new(),
            Self::One(scope) => scope.to_owned(),
            Self::All(scopes) => scopes.join(" "),
            Self::AnyOf(scopes) => scopes.first().copied().unwrap_or_default().to_owned(),
        }
    }
}
