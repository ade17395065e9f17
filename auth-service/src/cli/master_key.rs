use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::output::Output;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::keys::{MasterKey, Purpose, Secrets};
use crate::storage::{Resealed, Resting};

#[derive(Debug, Subcommand)]
pub enum MasterKeyCommand {
    /// Seal everything under the master key of another file, which is made if it does not exist. Sessions go on.
    Change {
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// The present one has leaked: what was derived from it is made anew too, and every session ends.
        #[arg(long)]
        leaked: bool,
    },
}

impl MasterKeyCommand {
    pub fn run(self, authority: &Authority, present: &Path, output: &Output) -> Done {
        let Self::Change { to, leaked } = self;
        let read = |file: &Path| MasterKey::read(file).map_err(|error| Failure::Failed(error.to_string()));
        let old = read(present)?.ok_or_else(|| Failure::Failed(format!("{} is gone", present.display())))?;
        let new = match read(&to)? {
            Some(key) => key,
            None => MasterKey::create(&to).map_err(|error| Failure::Failed(error.to_string()))?,
        };
        if old.is(&new) {
            return Err(Failure::Usage(format!("{} holds the present master key", to.display())));
        }
        let detail = if leaked { "it had leaked: secrets renewed" } else { "" };
        let plan = move |resting: &Resting| reseal(&old, &new, resting, leaked);
        if !authority.storage.change_master_key(detail, plan)? {
            let cause =
                format!("{}: is this the master key that the database was made with?", present.display());
            return Err(Failure::Failed(cause));
        }
        let document = json!({"master_key_file": to, "leaked": leaked});
        output.result(&document, &next_steps(present, &to, leaked));
        Ok(())
    }
}

/// `None` when something does not open under the old one, or the system has no randomness.
fn reseal(old: &MasterKey, new: &MasterKey, resting: &Resting, leaked: bool) -> Option<Resealed> {
    let secrets = Secrets::open(old, &resting.secrets).ok()?;
    if !leaked {
        return Some(Resealed { secrets: secrets.seal(new).ok()?, ..Resealed::default() });
    }
    let renewed = secrets.renewed().ok()?;
    let reseal = |purpose: Purpose, resting: &[(String, Vec<u8>)]| {
        let one = |(name, sealed): &(String, Vec<u8>)| {
            Some((name.clone(), secrets.reseal(&renewed, purpose, (name, sealed)).ok()?))
        };
        resting.iter().map(one).collect::<Option<Vec<_>>>()
    };
    Some(Resealed {
        private_keys: reseal(Purpose::SealPrivateKeys, &resting.private_keys)?,
        second_factors: reseal(Purpose::SealSecondFactors, &resting.second_factors)?,
        secrets: renewed.seal(new).ok()?,
    })
}

fn next_steps(present: &Path, to: &Path, leaked: bool) -> String {
    let (present, to) = (present.display(), to.display());
    if leaked {
        return format!(
            "everything is sealed under {to}, and every session is over\n\
             now: let AUTH__KEYS__MASTER_KEY_FILE name it and restart every replica at once\n\
             then: `auth-service key revoke KID` for each signing key, if the database may have leaked too\n\
             a backup from before can be opened with {present} only"
        );
    }
    format!(
        "everything is sealed under {to}\n\
         now: let AUTH__KEYS__MASTER_KEY_FILE name it and restart the replicas one by one; those that run go on\n\
         keep {present} as long as backups from before are kept: they can be opened with it only"
    )
}
