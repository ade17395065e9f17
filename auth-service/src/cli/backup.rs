use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::Output;
use super::{Done, Failure, authority, existing_authority};
use crate::authority::admin::AuditHead;
use crate::authority::admin::backup::{self, Created, Manifest, Restore};
use crate::clock::{Clock, SystemClock};
use crate::settings::Settings;
use crate::startup;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct BackupArguments {
    /// The folder for the backup, which gets a folder of its own in it; by default backup.folder of the settings.
    folder: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<BackupCommand>,
}

#[derive(Debug, Subcommand)]
enum BackupCommand {
    /// Restore a backup, and let verifiers load everything again. Stop every replica first. What is there is moved aside.
    Restore {
        /// The folder of one backup, signet-...
        folder: PathBuf,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

impl BackupArguments {
    pub(super) fn run(self, settings: &Settings, output: &Output) -> Done {
        match self.command {
            Some(BackupCommand::Restore { folder, yes }) => restore(settings, output, &folder, yes),
            None => create(settings, output, self.folder.as_deref()),
        }
    }
}

fn create(settings: &Settings, output: &Output, folder: Option<&Path>) -> Done {
    let missing = || Failure::Usage("no folder: name one, or set backup.folder".to_owned());
    let parent = folder.or(settings.backup.folder.as_deref()).ok_or_else(missing)?;
    let authority = existing_authority(settings)?;
    output.progress("copying the database");
    let created = backup::create(&authority, parent, &settings.keys.master_key_file);
    output.progress_ends();
    let Created { folder, manifest } = created?;
    let head = manifest.audit_head.as_deref().unwrap_or("none");
    let text = format!(
        "backup {}\nit holds every key: keep it as you keep the master key\naudit log head {head}\nrestore it with \
         `auth-service backup restore {}`",
        folder.display(),
        folder.display()
    );
    output.result(&json!({"folder": folder, "manifest": manifest}), &text);
    Ok(())
}

fn restore(settings: &Settings, output: &Output, folder: &Path, yes: bool) -> Done {
    let url = startup::database_url(settings)?;
    output.confirm(yes, &format!("Replace the database {url} by the backup {}?", folder.display()))?;
    let time = SystemClock.now().rfc3339().replace(['-', ':'], "");
    let wanted =
        Restore { folder, database: &url, master_key_file: &settings.keys.master_key_file, time: &time };
    output.progress("restoring the database");
    let replaced = backup::restore(&wanted);
    output.progress_ends();
    let aside: Vec<String> = replaced?.0.iter().map(|path| path.display().to_string()).collect();
    let kept = match aside.is_empty() {
        true => String::new(),
        false => format!("\nwhat was there before is kept in {}", aside.join(", ")),
    };
    let (epoch, entries) = announce(settings, folder).map_err(|failure| {
        failure.with(|cause| {
            format!("the backup is in place, but {cause}{kept}\nrun `auth-service restored` before a start")
        })
    })?;
    let text = format!(
        "restored {url}; {entries} entries of the audit log are whole, epoch {epoch}{kept}\nrefresh tokens that were used \
         since the backup are valid again: if someone else may hold one, change the passwords of the users concerned\nstart \
         the authority"
    );
    output.result(&json!({"epoch": epoch, "audit_entries": entries, "moved_aside": aside}), &text);
    Ok(())
}

/// Begins the new epoch, and verifies the audit log up to the head that the backup recorded.
fn announce(settings: &Settings, folder: &Path) -> Result<(u64, i64), Failure> {
    let restored = authority(settings)?;
    let epoch = restored.note_restored_backup()?;
    let head = Manifest::read(folder)?.audit_head;
    let head = head.as_deref().map(AuditHead::parse).transpose()?;
    Ok((epoch, restored.verify_audit_log(head.as_ref())?.entries))
}
