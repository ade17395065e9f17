//! The last good documents on disk, exactly as the authority served them: what is read back goes
//! through the same checks as what comes over the network.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{AuthoritySettings, Trust};
use crate::public_keys::KeySet;
use crate::revocations::Revocations;

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Documents {
    pub key_set: String,
    pub revocations: Option<String>,
}

impl Documents {
    /// What the documents mean; nothing at all where they do not hold.
    pub fn trust(&self, issuer: &str) -> Trust {
        let Ok(keys) = KeySet::from_jwks(self.key_set.as_bytes()) else { return Trust::default() };
        let revocations = self.revocations.as_deref().and_then(|document| {
            Revocations::from_document(document, issuer, &keys)
                .inspect_err(
                    |refusal| tracing::warn!(%refusal, "saved revocations are not valid and were left out"),
                )
                .ok()
        });
        Trust { keys, revocations: revocations.unwrap_or_default() }
    }
}

fn path(settings: &AuthoritySettings) -> Option<PathBuf> {
    settings.data_dir.as_ref().map(|dir| dir.join("authority.json"))
}

pub(super) fn load(settings: &AuthoritySettings) -> Documents {
    let Some(path) = path(settings) else { return Documents::default() };
    let Ok(bytes) = fs::read(&path) else { return Documents::default() };
    serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "the saved state cannot be read and was left out");
        Documents::default()
    })
}

/// Replaces the file as a whole, so that a crash leaves the old state or the new one.
pub(super) fn save(settings: &AuthoritySettings, documents: &Documents) {
    let Some(path) = path(settings) else { return };
    let temporary = path.with_extension("json.new");
    let saved = serde_json::to_vec(documents)
        .map_err(std::io::Error::other)
        .and_then(|bytes| fs::write(&temporary, bytes))
        .and_then(|()| fs::rename(&temporary, &path));
    if let Err(error) = saved {
        tracing::warn!(path = %path.display(), %error, "the state was not saved; a restart will need the authority");
    }
}
