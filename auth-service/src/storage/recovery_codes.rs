use diesel::prelude::*;

use super::Storage;
use super::error::StorageError;
use super::schema::recovery_codes;
use crate::secret::HashedSecret;

impl Storage {
    /// Whether an account has such a code left.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn has_recovery_code(&self, user_id: &str, code: &HashedSecret) -> Result<bool, StorageError> {
        self.read(|connection| {
            let found =
                recovery_codes::table.find((user_id, code.as_bytes())).select(recovery_codes::user_id);
            Ok(found.first::<String>(connection).optional()?.is_some())
        })
    }

    /// # Errors
    /// [`StorageError`].
    pub fn recovery_codes_left(&self, user_id: &str) -> Result<i64, StorageError> {
        self.read(|connection| {
            Ok(recovery_codes::table
                .filter(recovery_codes::user_id.eq(user_id))
                .count()
                .get_result(connection)?)
        })
    }
}
