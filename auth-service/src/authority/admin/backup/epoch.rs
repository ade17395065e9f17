use crate::authority::Authority;
use crate::error::{Error, ErrorKind, Result};

impl Authority {
    /// Begins a new epoch after a backup was restored, and returns it. Verifiers may know revocations that are newer
    /// than the backup: if the numbers went on from the backup's, they would mistake new revocations for ones that they
    /// have.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn note_restored_backup(&self) -> Result<u64> {
        Ok(self.storage.begin_epoch(random_step()?)?)
    }
}

/// 1 to 65,536.
fn random_step() -> Result<i64> {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    Ok(i64::from(u16::from_le_bytes(bytes)) + 1)
}
