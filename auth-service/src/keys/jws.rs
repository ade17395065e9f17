use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::Signer;
use crate::error::{Error, ErrorKind, Result};

/// Room for the usual signatures and the dots: RS256 with 2048 bits takes 342 characters.
const LONGEST_SIGNATURE: usize = 350;

/// A compact JWS (RFC 7515 section 3.1) of the given type.
///
/// # Errors
/// `Internal` when signing fails.
pub(crate) fn sign(signer: &Signer, typ: &'static str, claims: &impl Serialize) -> Result<String> {
    let internal = |cause: String| Error::new(ErrorKind::Internal, cause);
    let (header, claims) = (signer.header(typ), serde_json::to_vec(claims));
    let claims = claims.map_err(|error| internal(error.to_string()))?;
    let mut token = String::with_capacity(header.len() + claims.len() * 4 / 3 + LONGEST_SIGNATURE);
    token.push_str(&header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = signer.key.sign(token.as_bytes()).map_err(|error| internal(error.to_string()))?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
