use actix_web::HttpRequest;
use actix_web::http::header;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::errors::Refused;
use super::parameters::Parameters;
use crate::clients::ClientCredentials;
use crate::error::{Error, ErrorKind};
use crate::http::form;
use crate::secret::PlainSecret;

/// The client's credentials: by HTTP Basic or in the body, never by both (RFC 6749 section 2.3).
pub fn credentials(request: &HttpRequest, parameters: &Parameters) -> Result<ClientCredentials, Refused> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let (header, second) = (headers.next(), headers.next());
    let in_body = parameters.get("client_id").zip(parameters.get("client_secret"));
    match (header, in_body) {
        _ if second.is_some() => Err(invalid("two Authorization headers")),
        (Some(_), Some(_)) => Err(invalid("the client authenticates in two ways")),
        (Some(header), None) => {
            let found = header.to_str().ok().and_then(basic);
            let found = found.ok_or_else(|| refused("the Authorization header is not well-formed Basic"))?;
            match parameters.get("client_id") {
                Some(id) if id != found.unverified_id => Err(invalid("two different client ids")),
                _ => Ok(found),
            }
        }
        (None, Some((id, secret))) => Ok(ClientCredentials {
            unverified_id: id.to_owned(),
            secret: PlainSecret::new(secret.to_owned()),
        }),
        (None, None) => Err(refused("no client credentials")),
    }
}

/// Both halves are form-encoded inside (RFC 6749 section 2.3.1).
fn basic(header: &str) -> Option<ClientCredentials> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some(ClientCredentials {
        unverified_id: form::decode(id.as_bytes()).ok()?,
        secret: PlainSecret::new(form::decode(secret.as_bytes()).ok()?),
    })
}

fn invalid(hint: &'static str) -> Refused {
    Refused::Failed(Error::invalid_request(hint))
}

fn refused(cause: &str) -> Refused {
    Refused::Failed(Error::new(ErrorKind::InvalidClient, cause))
}
