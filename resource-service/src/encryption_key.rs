//! The private key that opens this audience's tokens. It can make none.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use serde_json::Value;
use shared_claims::encryption::DecryptionKeys;

/// Reads the keys of a file that nobody else can read.
///
/// # Errors
/// One line with the path.
pub fn read(path: &Path) -> Result<DecryptionKeys, String> {
    let failed = |why: String| format!("decryption_key_file {}: {why}", path.display());
    let mut file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let mode = file.metadata().map_err(|error| failed(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(failed(format!("others can read it (mode {:o}): chmod 600", mode & 0o777)));
    }
    let mut pem = Vec::new();
    file.read_to_end(&mut pem).map_err(|error| failed(error.to_string()))?;
    DecryptionKeys::from_pem(&pem).map_err(|error| failed(error.to_string()))
}

/// The public halves of the keys in a file, which is made with a new key if it does not exist.
///
/// # Errors
/// One line with the path.
pub fn public_jwks(path: &Path) -> Result<Value, String> {
    let failed = |why: String| format!("{}: {why}", path.display());
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error.to_string())),
        Ok(mut file) => {
            let pem = DecryptionKeys::generate_pem().map_err(|error| error.to_string())?;
            let written = file.write_all(pem.as_bytes()).and_then(|()| file.sync_all());
            written.map_err(|error| {
                let _ = fs::remove_file(path);
                failed(error.to_string())
            })?;
        }
    }
    Ok(read(path)?.public_jwks())
}
