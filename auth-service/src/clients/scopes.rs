//! Scopes with a meaning of their own.

use shared_claims::ScopeSet;

use crate::error::{Error, OAuthFault, Result};

/// Scopes that begin so are rights at the authority itself: no token has them unless it is asked for them by name.
const OWN_SCOPES: &str = "signet:";

/// The scope of clients that may follow the feeds of revocations and keys.
pub const WATCH_SCOPE: &str = "signet:watch";

/// The scope of clients that may list and end the browser sessions of users.
pub const BROWSER_SESSIONS_SCOPE: &str = "signet:browser-sessions";

/// Asks for an ID token (OpenID Connect Core section 3.1.2.1).
pub const OPENID_SCOPE: &str = "openid";

/// Asks for a refresh token that outlives the browser session (OpenID Connect Core section 11).
pub const OFFLINE_SCOPE: &str = "offline_access";

/// Scope only narrows.
///
/// # Errors
/// `invalid_scope` when `asked` is malformed or exceeds `held`.
pub fn narrow(held: &ScopeSet, asked: Option<&str>) -> Result<ScopeSet> {
    let refused = |cause: &str| Error::new(OAuthFault::InvalidScope, cause);
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Ok(held.without(OWN_SCOPES)) };
    let asked = ScopeSet::parse(asked).map_err(|_| refused("the scope is malformed"))?;
    if !asked.is_subset(held) {
        return Err(refused("the scope exceeds what may be had"));
    }
    Ok(asked)
}
