use tonic::metadata::MetadataMap;

use crate::clients::{ClientAuthentication, Presented};
use crate::error::{Error, OAuthFault, Result};

/// The caller's credentials out of `authorization: Basic <id:secret>`, as over HTTP, or out of `client-assertion` and
/// `client-assertion-type`, beside `client-id`: the parameters of the same names. Ids and secrets hold no character that a form
/// would escape.
pub(super) fn credentials(metadata: &MetadataMap) -> Result<ClientAuthentication> {
    let refused =
        || Error::new(OAuthFault::InvalidClient, "no well-formed Basic credentials in the metadata");
    let basic = |header| ClientAuthentication::from_basic(header, |half| Some(half.to_owned()));
    let assertion = only(metadata, "client-assertion")?;
    let basic = match only(metadata, "authorization")? {
        Some(header) => Some(basic(header).ok_or_else(refused)?),
        None if assertion.is_none() => return Err(refused()),
        None => None,
    };
    ClientAuthentication::of(Presented {
        basic,
        client_id: only(metadata, "client-id")?,
        client_secret: None,
        client_assertion_type: only(metadata, "client-assertion-type")?,
        client_assertion: assertion,
    })
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
