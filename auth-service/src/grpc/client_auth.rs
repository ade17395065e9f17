use std::sync::Arc;

use service_kit::client_certificates::{ClientCertificates, ShownCertificate, UnreadableHeader};
use tonic::Request;
use tonic::metadata::MetadataMap;

use crate::clients::{ClientAuthentication, Presented};
use crate::error::{Error, OAuthFault, Result};

/// The caller's credentials out of `authorization: Basic <id:secret>`, as over HTTP, or out of `client-assertion` and
/// `client-assertion-type`, beside `client-id`: the parameters of the same names; or the certificate of the connection, beside
/// `client-id`. Ids and secrets hold no character that a form
/// would escape.
pub(super) fn credentials<T>(
    call: &Request<T>,
    certificates: &ClientCertificates,
) -> Result<ClientAuthentication> {
    let (metadata, certificate) = (call.metadata(), certificate(call, certificates)?);
    let refused =
        || Error::new(OAuthFault::InvalidClient, "no well-formed Basic credentials in the metadata");
    let basic = |header| ClientAuthentication::from_basic(header, |half| Some(half.to_owned()));
    let assertion = only(metadata, "client-assertion")?;
    let basic = match only(metadata, "authorization")? {
        Some(header) => Some(basic(header).ok_or_else(refused)?),
        None if assertion.is_none() && certificate.is_none() => return Err(refused()),
        None => None,
    };
    ClientAuthentication::of(Presented {
        basic,
        client_id: only(metadata, "client-id")?,
        client_secret: None,
        client_assertion_type: only(metadata, "client-assertion-type")?,
        client_assertion: assertion,
        certificate,
    })
}

/// The certificate that the caller has shown, in the handshake or through a proxy.
///
/// # Errors
/// `invalid_request` for the metadata of a proxy that cannot be read.
pub(super) fn certificate<T>(
    call: &Request<T>,
    certificates: &ClientCertificates,
) -> Result<Option<Arc<ShownCertificate>>> {
    let remote = call.remote_addr().map(|address| address.ip());
    let header = |name| call.metadata().get_all(name).iter().map(|value| value.to_str().ok()).collect();
    let found = certificates.of_request(remote, call.extensions().get::<Arc<ShownCertificate>>(), header);
    found.map_err(|UnreadableHeader| Error::invalid_request("`client-cert` is not as RFC 9440 has it"))
}

/// The only value of a name.
fn only<'a>(metadata: &'a MetadataMap, name: &'static str) -> Result<Option<&'a str>> {
    let mut values = metadata.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Error::invalid_request("the metadata holds a name of the credentials twice"));
    }
    let readable = |_| Error::invalid_request("the credentials in the metadata are not ASCII");
    first.map(|value| value.to_str().map_err(readable)).transpose()
}
