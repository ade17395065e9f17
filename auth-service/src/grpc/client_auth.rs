use tonic::metadata::MetadataMap;

use crate::clients::ClientAuthentication;
use crate::error::{Error, OAuthFault, Result};

/// The caller's credentials out of `authorization: Basic <id:secret>`, as over HTTP. Ids and secrets
/// hold no character that a form would escape.
pub(super) fn credentials(metadata: &MetadataMap) -> Result<ClientAuthentication> {
    let mut values = metadata.get_all("authorization").iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Error::invalid_request("the metadata holds two authorizations"));
    }
    let header = first.and_then(|value| value.to_str().ok());
    let found =
        header.and_then(|header| ClientAuthentication::from_basic(header, |half| Some(half.to_owned())));
    found.ok_or_else(|| {
        Error::new(OAuthFault::InvalidClient, "no well-formed Basic credentials in the metadata")
    })
}
