use super::parameters::Parameters;
use crate::error::{Error, OAuthFault};

/// `resource` (RFC 8707), which must be an absolute URI without a fragment, or `audience`.
pub(super) fn audience(parameters: &Parameters) -> Result<Option<String>, Error> {
    let (resource, audience) = (parameters.owned("resource"), parameters.owned("audience"));
    match (resource, audience) {
        (Some(_), Some(_)) => Err(Error::invalid_request("`resource` and `audience` exclude each other")),
        (Some(resource), None) if !is_absolute_uri(&resource) => Err(Error::new(
            OAuthFault::InvalidTarget,
            "the resource is not an absolute URI without a fragment",
        )),
        (resource, audience) => Ok(resource.or(audience)),
    }
}

fn is_absolute_uri(text: &str) -> bool {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let legal = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && legal && !text.contains('#')
}
