use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::master_key::{KeyPurpose, MasterKey};
use super::sealed::{self, CannotOpen};
use crate::secret::{NoRandomness, random_bytes};

/// What the authority seals and authenticates with: a secret for each purpose.
///
/// Derived from the master key at first. When that is changed they stay what they are and rest sealed under the new
/// one, so that sessions go on and the audit log still holds.
pub struct Secrets([Zeroizing<[u8; 32]>; KeyPurpose::ALL.len()]);

/// A secret at rest, with the name of its purpose.
#[derive(Debug, Clone)]
pub struct SealedSecret {
    pub purpose: String,
    pub sealed: Vec<u8>,
}

impl Secrets {
    /// Those of an authority whose master key was never changed.
    #[must_use]
    pub fn derived(master: &MasterKey) -> Self {
        Self(KeyPurpose::ALL.map(|purpose| master.derive(purpose)))
    }

    /// Opens what is stored; what is not is derived.
    ///
    /// # Errors
    /// [`CannotOpen`] when it was sealed under another master key.
    pub fn open(master: &MasterKey, stored: &[SealedSecret]) -> Result<Self, CannotOpen> {
        let mut secrets = Self::derived(master);
        let wrapping = master.wrapping_key();
        for row in stored {
            let known = KeyPurpose::ALL.into_iter().find(|purpose| purpose.name() == row.purpose);
            // A later version has purposes of its own.
            let Some(purpose) = known else { continue };
            let opened = sealed::open(&wrapping, purpose.name(), &row.sealed)?;
            let secret = opened.as_slice().try_into().map_err(|_| CannotOpen)?;
            secrets.0[purpose as usize] = Zeroizing::new(secret);
        }
        Ok(secrets)
    }

    /// New ones, for when the master key has leaked. That of the audit log stays, or nothing of it could be checked.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn renewed(&self) -> Result<Self, NoRandomness> {
        let mut secrets = Self(self.0.clone());
        for purpose in KeyPurpose::ALL {
            if !matches!(purpose, KeyPurpose::AuditChain) {
                secrets.0[purpose as usize] = Zeroizing::new(random_bytes()?);
            }
        }
        Ok(secrets)
    }

    #[must_use]
    pub fn get(&self, purpose: KeyPurpose) -> &[u8; 32] {
        &self.0[purpose as usize]
    }

    /// All of them, sealed under a master key.
    ///
    /// # Errors
    /// [`CannotOpen`] never, for keys of this size.
    pub fn seal(&self, master: &MasterKey) -> Result<Vec<SealedSecret>, CannotOpen> {
        let wrapping = master.wrapping_key();
        let seal = |purpose: KeyPurpose| {
            let sealed = sealed::seal(&wrapping, purpose.name(), self.get(purpose))?;
            Ok(SealedSecret { purpose: purpose.name().to_owned(), sealed })
        };
        KeyPurpose::ALL.into_iter().map(seal).collect()
    }

    /// What rests under these secrets, under the name that it is bound to: a private key, a second factor. Sealed
    /// under `others`.
    ///
    /// # Errors
    /// [`CannotOpen`] when it does not rest under these.
    pub fn reseal(
        &self,
        others: &Self,
        purpose: KeyPurpose,
        name: &str,
        sealed: &[u8],
    ) -> Result<Vec<u8>, CannotOpen> {
        let opened = sealed::open(self.get(purpose), name, sealed)?;
        sealed::seal(others.get(purpose), name, &opened)
    }

    /// Names them without telling anything: the `kid` of refresh tokens.
    #[must_use]
    pub fn name(&self) -> String {
        let hash = digest::digest(&digest::SHA256, self.get(KeyPurpose::RefreshTokenMac));
        format!("rt-{}", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..6]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master() -> MasterKey {
        let folder = tempfile::tempdir().unwrap();
        MasterKey::create(&folder.path().join("master.key")).unwrap()
    }

    #[test]
    fn they_stay_what_they_are_under_another_master_key() {
        let (old, new) = (master(), master());
        let secrets = Secrets::derived(&old);
        let stored = secrets.seal(&new).unwrap();
        let opened = Secrets::open(&new, &stored).unwrap();
        for purpose in KeyPurpose::ALL {
            assert_eq!(opened.get(purpose), secrets.get(purpose), "{purpose:?}");
        }
        assert_eq!(opened.name(), secrets.name());
        assert!(Secrets::open(&old, &stored).is_err(), "the old one opens nothing any more");
        let mut swapped = stored.clone();
        swapped[0].sealed.clone_from(&stored[1].sealed);
        assert!(Secrets::open(&new, &swapped).is_err(), "a secret serves its purpose alone");
    }

    #[test]
    fn after_a_leak_all_are_new_but_that_of_the_audit_log() {
        let secrets = Secrets::derived(&master());
        let renewed = secrets.renewed().unwrap();
        for purpose in KeyPurpose::ALL {
            let same = renewed.get(purpose) == secrets.get(purpose);
            assert_eq!(same, matches!(purpose, KeyPurpose::AuditChain), "{purpose:?}");
        }
        let sealed = sealed::seal(secrets.get(KeyPurpose::SealPrivateKeys), "kid", b"private").unwrap();
        let resealed =
            secrets.reseal(&renewed, KeyPurpose::SealPrivateKeys, "kid", sealed.as_slice()).unwrap();
        let key = renewed.get(KeyPurpose::SealPrivateKeys);
        assert_eq!(sealed::open(key, "kid", &resealed).unwrap().as_slice(), b"private");
        assert!(renewed.reseal(&secrets, KeyPurpose::SealPrivateKeys, "kid", sealed.as_slice()).is_err());
    }
}
