use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

use super::{Algorithm, InvalidKey, SigningKey};

/// Why a key was not imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    #[error(
        "no `PRIVATE KEY` block (PKCS#8) in the file: convert it with `openssl pkcs8 -topk8 -nocrypt -in KEY`"
    )]
    NoPkcs8,
    #[error("{0}")]
    Key(#[from] InvalidKey),
}

/// Reads a private key from PEM (RFC 7468 section 10). Weak keys, and keys of another algorithm,
/// are refused.
///
/// # Errors
/// [`ImportError`].
pub fn import_pem(algorithm: Algorithm, pem: &[u8]) -> Result<SigningKey, ImportError> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| ImportError::NoPkcs8)?;
    Ok(SigningKey::from_pkcs8(algorithm, der.secret_pkcs8_der())?)
}
