use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tonic::metadata::MetadataMap;

use crate::clients::ClientCredentials;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::PlainSecret;

/// The caller's credentials out of `authorization: Basic <id:secret>`, as over HTTP. Ids and secrets
/// hold no character that a form would escape.
pub fn credentials(metadata: &MetadataMap) -> Result<ClientCredentials> {
    let mut values = metadata.get_all("authorization").iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Error::invalid_request("the metadata holds two authorizations"));
    }
    let header = first.and_then(|value| value.to_str().ok());
    header.and_then(basic).ok_or_else(|| {
        Error::new(ErrorKind::InvalidClient, "no well-formed Basic credentials in the metadata")
    })
}

fn basic(header: &str) -> Option<ClientCredentials> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some(ClientCredentials { unverified_id: id.to_owned(), secret: PlainSecret::new(secret.to_owned()) })
}
