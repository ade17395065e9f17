//! The private key that opens this audience's tokens. It can make none.

use std::path::Path;

use serde_json::Value;
use service_kit::secret_file;
use shared_claims::DecryptionKeys;

/// Reads the keys of a file that only the own user can read.
///
/// # Errors
/// One line with the path; for an RSA key that was not allowed, with the setting that allows it.
pub fn read(path: &Path, allow_rsa: bool) -> Result<DecryptionKeys, String> {
    let failed = |why: String| format!("decryption_key_file {}: {why}", path.display());
    let pem = secret_file::read(path).map_err(failed)?.ok_or_else(|| failed("does not exist".to_owned()))?;
    let keys = DecryptionKeys::from_pem_with_rsa(&pem).map_err(|error| failed(error.to_string()))?;
    if keys.has_rsa() && !allow_rsa {
        return Err(failed(
            "an RSA key: opening a token with it takes ten times as long as with X25519, and anyone can send one; \
             the setting `allow_rsa_decryption` accepts that"
                .to_owned(),
        ));
    }
    Ok(keys)
}

/// The public halves of the keys in a file, which is made with a new key if it does not exist.
///
/// # Errors
/// One line with the path.
pub fn public_jwks(path: &Path) -> Result<Value, String> {
    let failed = |why: String| format!("{}: {why}", path.display());
    if !path.exists() {
        let pem = DecryptionKeys::generate_pem().map_err(|error| error.to_string())?;
        secret_file::create(path, pem.as_bytes()).map_err(|error| failed(error.to_string()))?;
    }
    Ok(read(path, true)?.public_jwks())
}
