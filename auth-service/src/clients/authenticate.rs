use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use service_kit::client_certificates::ShownCertificate;
use zeroize::Zeroizing;

use super::{ClientId, UnverifiedAssertion};
use crate::error::{Error, OAuthFault, Result};
use crate::secret::PlainSecret;

/// `client_assertion_type` of a JWT (RFC 7523 section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a client authenticates in a request (RFC 6749 section 2.3), as it came and unproved.
#[derive(Debug, Clone)]
pub enum ClientAuthentication {
    /// `client_secret_basic` and `client_secret_post`.
    Secret { unverified_id: String, secret: PlainSecret },
    /// `none`: a public client, which only says who it is.
    None { unverified_id: String },
    /// The certificate of the connection, whose key the client holds (RFC 8705 section 2).
    Certificate { unverified_id: String, certificate: Arc<ShownCertificate> },
    /// A JWT instead of a secret (RFC 7521 section 4.2). It may be used by anyone who has it, until it expires.
    Assertion { unverified_id: String, assertion: PlainSecret },
}

/// Everything by which a request may say who sent it, of whatever transport.
#[derive(Debug, Default)]
pub struct Presented<'a> {
    /// Out of the `Authorization` header.
    pub basic: Option<ClientAuthentication>,
    pub client_id: Option<&'a str>,
    pub client_secret: Option<&'a str>,
    pub client_assertion_type: Option<&'a str>,
    pub client_assertion: Option<&'a str>,
    pub certificate: Option<Arc<ShownCertificate>>,
}

impl ClientAuthentication {
    /// Whom the request is from, as it says.
    #[must_use]
    pub fn unverified_id(&self) -> &str {
        match self {
            Self::Secret { unverified_id, .. }
            | Self::None { unverified_id }
            | Self::Certificate { unverified_id, .. }
            | Self::Assertion { unverified_id, .. } => unverified_id,
        }
    }

    /// The one method that a request uses (RFC 6749 section 2.3: never two).
    ///
    /// # Errors
    /// `invalid_request` where it is not clear which one that is; `invalid_client` without any.
    pub fn of(presented: Presented<'_>) -> Result<Self> {
        let Presented {
            basic,
            client_id,
            client_secret,
            client_assertion_type,
            client_assertion,
            certificate,
        } = presented;
        let methods = [basic.is_some(), client_secret.is_some(), client_assertion.is_some()];
        if methods.into_iter().filter(|used| *used).count() > 1 {
            return Err(Error::invalid_request("the client authenticates in two ways"));
        }
        let assertion = check_assertion(client_assertion_type, client_assertion)?;
        let found = match (basic, client_secret, assertion) {
            (Some(basic), _, _) => basic,
            (_, _, Some(assertion)) => Self::from_assertion(assertion, client_id)?,
            (_, secret, _) => {
                let refused = || Error::new(OAuthFault::InvalidClient, "no client credentials");
                let unverified_id = client_id.ok_or_else(refused)?.to_owned();
                // With a certificate on the connection a client may still prove itself by other means.
                match (secret, certificate) {
                    (Some(secret), _) => {
                        Self::Secret { unverified_id, secret: PlainSecret::new(secret.to_owned()) }
                    }
                    (None, Some(certificate)) => Self::Certificate { unverified_id, certificate },
                    (None, None) => Self::None { unverified_id },
                }
            }
        };
        match client_id {
            Some(id) if id != found.unverified_id() => {
                Err(Error::invalid_request("two different client ids"))
            }
            _ => Ok(found),
        }
    }

    /// Without `client_id` the client is whom the assertion is about (RFC 7521 section 4.2).
    fn from_assertion(assertion: &str, client_id: Option<&str>) -> Result<Self> {
        let refused = |cause: String| Error::new(OAuthFault::InvalidClient, cause);
        let unverified_id = match client_id {
            Some(id) => id.to_owned(),
            None => {
                let parsed =
                    UnverifiedAssertion::parse(assertion).map_err(|fault| refused(fault.to_string()))?;
                let subject = parsed.unverified_subject();
                let subject = subject.filter(|subject| ClientId::parse(subject).is_some());
                let hint = "the assertion's `sub` is no client id: beside the token of a platform there is a `client_id`";
                subject.ok_or_else(|| refused(hint.to_owned()))?
            }
        };
        Ok(Self::Assertion { unverified_id, assertion: PlainSecret::new(assertion.to_owned()) })
    }

    /// Reads `Basic <base64 of id:secret>` (RFC 7617 section 2); `decode` undoes what the transport
    /// did to each half. An empty secret is none: public clients of some libraries authenticate so.
    #[must_use]
    pub fn from_basic(header: &str, decode: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
        let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        let unverified_id = decode(id)?;
        if secret.is_empty() {
            return Some(Self::None { unverified_id });
        }
        Some(Self::Secret { unverified_id, secret: PlainSecret::new(decode(secret)?) })
    }
}

/// An assertion is of the one type that is known.
fn check_assertion<'a>(kind: Option<&str>, assertion: Option<&'a str>) -> Result<Option<&'a str>> {
    match (kind, assertion) {
        (None, None) => Ok(None),
        (Some(JWT_BEARER), Some(assertion)) => Ok(Some(assertion)),
        (None, Some(_)) => Err(Error::invalid_request("`client_assertion_type` is missing")),
        (Some(_), None) => Err(Error::invalid_request("`client_assertion` is missing")),
        (Some(_), Some(_)) => Err(Error::invalid_request("`client_assertion_type` is not supported")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_secret_is_none() {
        let read = |pair: &str| {
            let header = format!("Basic {}", STANDARD.encode(pair));
            ClientAuthentication::from_basic(&header, |half| Some(half.to_owned()))
        };
        let is_none = |found| matches!(found, Some(ClientAuthentication::None { unverified_id }) if unverified_id == "app");
        assert!(is_none(read("app:")));
        assert!(!is_none(read("app: ")) && read("app").is_none());
    }
}
