use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::Payload;

use super::errors::OAuthError;
use super::parameters::Parameters;
use crate::clients::{ClientAuthentication, Presented};
use crate::error::{Error, OAuthFault};
use crate::http::{HttpState, certificate, form};

/// Reads what every OAuth endpoint begins with: the form, and the client's credentials. A public client has none but its ID.
pub(super) async fn read(
    request: &HttpRequest,
    payload: Payload,
    state: &HttpState,
) -> Result<(Parameters, ClientAuthentication), OAuthError> {
    let parameters = Parameters::read(request, payload).await?;
    let credentials = credentials(request, &parameters, state).map_err(OAuthError::Failed)?;
    Ok((parameters, credentials))
}

/// The client's credentials: by HTTP Basic, in the body, or of its connection.
fn credentials(
    request: &HttpRequest,
    parameters: &Parameters,
    state: &HttpState,
) -> Result<ClientAuthentication, Error> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let (header, second) = (headers.next(), headers.next());
    if second.is_some() {
        return Err(Error::invalid_request("two Authorization headers"));
    }
    let malformed =
        || Error::new(OAuthFault::InvalidClient, "the Authorization header is not well-formed Basic");
    let basic = header.map(|header| header.to_str().ok().and_then(basic).ok_or_else(malformed));
    ClientAuthentication::of(Presented {
        basic: basic.transpose()?,
        client_id: parameters.get("client_id"),
        client_secret: parameters.get("client_secret"),
        client_assertion_type: parameters.get("client_assertion_type"),
        client_assertion: parameters.get("client_assertion"),
        certificate: certificate(request, &state.certificates)?,
    })
}

/// Both halves are form-encoded inside (RFC 6749 section 2.3.1).
fn basic(header: &str) -> Option<ClientAuthentication> {
    ClientAuthentication::from_basic(header, |half| form::decode(half.as_bytes()).ok())
}
