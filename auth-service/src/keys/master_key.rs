use std::path::Path;

use aws_lc_rs::hkdf;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use service_kit::secret_file;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::secret::random_bytes;

/// 256 bits from which every other secret of the authority is derived, one for each purpose.
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// What a derived key is for. One key never serves two purposes (NIST SP 800-57 section 5.2).
#[derive(Debug, Clone, Copy)]
pub enum KeyPurpose {
    SealPrivateKeys,
    RefreshTokenMac,
    RefreshTokenId,
    AuditChain,
    /// Which password scheme an unknown name seems to have.
    DummyDraw,
    /// Secrets of second factors at rest.
    SealSecondFactors,
    /// What is sent by mail and comes back.
    SealMailTokens,
    /// The sessions that refresh tokens of the previous issuer are exchanged for.
    LegacySessions,
    /// Names of counts of failed logins and requested e-mails.
    LoginCounts,
    /// Recovery codes, so that they can be shown again for a while.
    RecoveryCodes,
    /// Authorization codes and the state of pages.
    SealAuthorization,
    /// Nonces of DPoP proofs.
    DpopNonces,
}

impl KeyPurpose {
    pub const ALL: [Self; 12] = [
        Self::SealPrivateKeys,
        Self::RefreshTokenMac,
        Self::RefreshTokenId,
        Self::AuditChain,
        Self::DummyDraw,
        Self::SealSecondFactors,
        Self::SealMailTokens,
        Self::LegacySessions,
        Self::LoginCounts,
        Self::RecoveryCodes,
        Self::SealAuthorization,
        Self::DpopNonces,
    ];

    /// Secrets are derived by it and stored by it: it never changes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SealPrivateKeys => "seal private keys",
            Self::RefreshTokenMac => "refresh token mac",
            Self::RefreshTokenId => "refresh token id",
            Self::AuditChain => "audit chain",
            Self::DummyDraw => "dummy draw",
            Self::SealSecondFactors => "seal second factors",
            Self::SealMailTokens => "seal mail tokens",
            Self::LegacySessions => "legacy sessions",
            Self::LoginCounts => "login counts",
            Self::RecoveryCodes => "recovery codes",
            Self::SealAuthorization => "seal authorization",
            Self::DpopNonces => "dpop nonces",
        }
    }
}

/// Why there is no master key. Ends the start; nothing is ever made in place of a key that exists.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error("{path}: {cause}")]
    File { path: String, cause: String },
    #[error("{0} does not hold 32 bytes in base64url (43 characters)")]
    Malformed(String),
    #[error("{0} does not exist, and the database holds keys that only it can open: restore it")]
    Missing(String),
    #[error("the operating system's random generator failed")]
    NoRandomness,
}

impl MasterKey {
    /// Reads the key from a file that nobody else may read.
    ///
    /// # Errors
    /// [`MasterKeyError`]; `Ok(None)` when there is no such file.
    pub fn read(path: &Path) -> Result<Option<Self>, MasterKeyError> {
        let name = || path.display().to_string();
        let content =
            secret_file::read(path).map_err(|cause| MasterKeyError::File { path: name(), cause })?;
        let Some(content) = content.map(Zeroizing::new) else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(content.trim_ascii()).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| MasterKeyError::Malformed(name()))?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| MasterKeyError::Malformed(name()))?;
        Ok(Some(Self(Zeroizing::new(key))))
    }

    /// Creates a new key in a new file of mode 0600, durable before anything is sealed with it. A file that appeared
    /// meanwhile is read instead: another replica was first.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn create(path: &Path) -> Result<Self, MasterKeyError> {
        let name = || path.display().to_string();
        let key = Zeroizing::new(random_bytes::<32>().map_err(|_| MasterKeyError::NoRandomness)?);
        let text = Zeroizing::new(format!("{}\n", URL_SAFE_NO_PAD.encode(*key)));
        let created = secret_file::create(path, text.as_bytes())
            .map_err(|error| MasterKeyError::File { path: name(), cause: error.to_string() })?;
        if created {
            return Ok(Self(key));
        }
        Self::read(path)?.ok_or_else(|| MasterKeyError::Missing(name()))
    }

    /// The secret of a purpose, as long as the master key was never changed.
    #[must_use]
    pub fn derive(&self, purpose: KeyPurpose) -> Zeroizing<[u8; 32]> {
        self.expand(purpose.name())
    }

    /// What secrets are sealed with once it was.
    #[must_use]
    pub fn wrapping_key(&self) -> Zeroizing<[u8; 32]> {
        self.expand("wrap secrets")
    }

    /// Whether both are the same key.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_slice()).into()
    }

    /// HKDF-SHA256 (RFC 5869) with the purpose as `info`.
    fn expand(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let info = format!("signet v1: {purpose}");
        let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, b"signet").extract(self.0.as_slice());
        let mut key = Zeroizing::new([0; 32]);
        #[expect(clippy::expect_used, reason = "32 bytes are one block of HKDF-SHA256")]
        pseudorandom
            .expand(&[info.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|output| output.fill(key.as_mut_slice()))
            .expect("HKDF-SHA256 gives 32 bytes");
        key
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_key_is_private_and_read_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let made = MasterKey::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = MasterKey::read(&path).unwrap().unwrap();
        assert_eq!(made.0, read.0);
        let again = MasterKey::create(&path).unwrap();
        assert_eq!(made.0, again.0, "an existing key is never replaced");
    }

    #[test]
    fn a_key_that_is_open_to_others_or_malformed_ends_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKey::create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(MasterKey::read(&path).err().unwrap().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
        assert!(MasterKey::read(&path).unwrap().is_some(), "as Kubernetes mounts it");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for content in ["", "short", &"A".repeat(42), &"A".repeat(44), &"*".repeat(43)] {
            fs::write(&path, content).unwrap();
            assert!(matches!(MasterKey::read(&path), Err(MasterKeyError::Malformed(_))), "{content:?}");
        }
        fs::remove_file(&path).unwrap();
        assert!(MasterKey::read(&path).unwrap().is_none());
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let key = MasterKey(Zeroizing::new([7; 32]));
        assert_ne!(key.derive(KeyPurpose::SealPrivateKeys), key.derive(KeyPurpose::RefreshTokenMac));
        assert_ne!(key.derive(KeyPurpose::RefreshTokenId), key.derive(KeyPurpose::RefreshTokenMac));
    }
}
