use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::Payload;

use super::errors::OAuthError;
use super::parameters::Parameters;
use crate::clients::ClientAuthentication;
use crate::error::{Error, OAuthFault};
use crate::http::form;
use crate::secret::PlainSecret;

/// Reads what every OAuth endpoint begins with: the form, and the client's credentials. A public client has none but its ID.
pub(super) async fn read(
    request: &HttpRequest,
    payload: Payload,
) -> Result<(Parameters, ClientAuthentication), OAuthError> {
    let parameters = Parameters::read(request, payload).await?;
    let credentials = credentials(request, &parameters)?;
    Ok((parameters, credentials))
}

/// The client's credentials: by HTTP Basic or in the body, never by both (RFC 6749 section 2.3).
fn credentials(request: &HttpRequest, parameters: &Parameters) -> Result<ClientAuthentication, OAuthError> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let (header, second) = (headers.next(), headers.next());
    let secret_in_body = parameters.get("client_secret");
    let in_body = parameters.get("client_id").zip(secret_in_body);
    match (header, in_body) {
        _ if second.is_some() => Err(invalid("two Authorization headers")),
        (Some(_), _) if secret_in_body.is_some() => Err(invalid("the client authenticates in two ways")),
        (Some(header), _) => {
            let found = header.to_str().ok().and_then(basic);
            let found = found.ok_or_else(|| refused("the Authorization header is not well-formed Basic"))?;
            match parameters.get("client_id") {
                Some(id) if id != found.unverified_id() => Err(invalid("two different client ids")),
                _ => Ok(found),
            }
        }
        (None, Some((id, secret))) => Ok(ClientAuthentication::Secret {
            unverified_id: id.to_owned(),
            secret: PlainSecret::new(secret.to_owned()),
        }),
        (None, None) => match parameters.owned("client_id") {
            Some(unverified_id) => Ok(ClientAuthentication::None { unverified_id }),
            None => Err(refused("no client credentials")),
        },
    }
}

/// Both halves are form-encoded inside (RFC 6749 section 2.3.1).
fn basic(header: &str) -> Option<ClientAuthentication> {
    ClientAuthentication::from_basic(header, |half| form::decode(half.as_bytes()).ok())
}

fn invalid(hint: &'static str) -> OAuthError {
    OAuthError::Failed(Error::invalid_request(hint))
}

fn refused(cause: &str) -> OAuthError {
    OAuthError::Failed(Error::new(OAuthFault::InvalidClient, cause))
}
