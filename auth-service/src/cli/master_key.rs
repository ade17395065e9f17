use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::output::Output;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::keys::{KeyPurpose, MasterKey, Secrets};
use crate::storage::{Resealed, Resting};

#[derive(Debug, Subcommand)]
pub(super) enum MasterKeyCommand {
    /// Encrypt all keys under the master key in another file, which is created if it does not exist. Sessions continue.
    Change {
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// The current master key has leaked: create new secrets as well. All sessions end.
        #[arg(long)]
        leaked: bool,
    },
}

impl MasterKeyCommand {
    pub(super) fn run(self, authority: &Authority, present: &Path, output: &Output) -> Done {
        let Self::Change { to, leaked } = self;
        let read = |file: &Path| MasterKey::read(file).map_err(|error| Failure::Failed(error.to_string()));
        let old =
            read(present)?.ok_or_else(|| Failure::Failed(format!("{} does not exist", present.display())))?;
        let new = match read(&to)? {
            Some(key) => key,
            None => MasterKey::create(&to).map_err(|error| Failure::Failed(error.to_string()))?,
        };
        if old.is(&new) {
            return Err(Failure::Usage(format!("{} holds the current master key", to.display())));
        }
        let detail = if leaked { "leaked: secrets renewed" } else { "" };
        let plan = move |resting: &Resting| reseal(&old, &new, resting, leaked);
        if !authority.storage.change_master_key(detail, plan)? {
            let cause = format!("{}: not the master key of this database", present.display());
            return Err(Failure::Failed(cause));
        }
        let document = json!({"master_key_file": to, "leaked": leaked});
        output.result(&document, &next_steps(present, &to, leaked));
        Ok(())
    }
}

/// `None` if something cannot be decrypted with the old key, or the system has no randomness.
fn reseal(old: &MasterKey, new: &MasterKey, resting: &Resting, leaked: bool) -> Option<Resealed> {
    let secrets = Secrets::open(old, &resting.secrets).ok()?;
    if !leaked {
        return Some(Resealed { secrets: secrets.seal(new).ok()?, ..Resealed::default() });
    }
    let renewed = secrets.renewed().ok()?;
    let reseal = |purpose: KeyPurpose, resting: &[(String, Vec<u8>)]| {
        let one = |(name, sealed): &(String, Vec<u8>)| {
            Some((name.clone(), secrets.reseal(&renewed, purpose, name, sealed).ok()?))
        };
        resting.iter().map(one).collect::<Option<Vec<_>>>()
    };
    Some(Resealed {
        private_keys: reseal(KeyPurpose::SealPrivateKeys, &resting.private_keys)?,
        second_factors: reseal(KeyPurpose::SealSecondFactors, &resting.second_factors)?,
        secrets: renewed.seal(new).ok()?,
    })
}

fn next_steps(present: &Path, to: &Path, leaked: bool) -> String {
    let (present, to) = (present.display(), to.display());
    if leaked {
        return format!(
            "all keys are encrypted under {to}; all sessions have ended\n\
             now: set AUTH__KEYS__MASTER_KEY_FILE to it and restart all replicas at once\n\
             then, if the database may have leaked too: `auth-service key revoke KID` for each signing key\n\
             older backups need {present}"
        );
    }
    format!(
        "all keys are encrypted under {to}\n\
         now: set AUTH__KEYS__MASTER_KEY_FILE to it and restart the replicas one by one; running ones keep working\n\
         keep {present} as long as you keep older backups: they need it"
    )
}
