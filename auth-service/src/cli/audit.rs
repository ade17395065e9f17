mod export;
mod filter;
mod list;

use clap::Subcommand;
use serde_json::json;

use export::{AuditExport, export};
use filter::parse_time;
use list::{AuditList, list};

use super::Done;
use super::output::Output;
use crate::authority::Authority;
use crate::authority::admin::{AuditHead, AuditPruned, AuditSummary};
use crate::clock::Timestamp;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Verify that no entry was altered or removed; with --head also that the end was not cut off.
    Verify {
        /// A head that you stored elsewhere, as SEQ:MAC. An attacker who can write to the database can cut off the end of
        /// the log and reset its counter; only a comparison with a later head detects that.
        #[arg(long, value_name = "SEQ:MAC", value_parser = parse_head)]
        head: Option<AuditHead>,
    },
    /// Print the head of the log, to store it elsewhere.
    Head,
    /// List entries, oldest first.
    List(AuditList),
    /// Write entries to standard output for another system, oldest first.
    Export(AuditExport),
    /// Delete old entries, oldest first. Each is verified before, and a sealed checkpoint keeps the rest verifiable.
    Prune {
        /// Delete entries that were written before this time, such as 2026-11-30T14:30:00Z. The newest entry stays.
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        before: Timestamp,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

impl AuditCommand {
    /// Whether it changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::Verify { .. } | Self::Head | Self::List(_) | Self::Export(_))
    }

    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Verify { head } => verify(authority, output, head.as_ref()),
            Self::Head => head(authority, output),
            Self::List(arguments) => list(authority, output, arguments),
            Self::Export(arguments) => export(authority, arguments),
            Self::Prune { before, yes } => prune(authority, output, before, yes),
        }
    }
}

fn parse_head(text: &str) -> Result<AuditHead, String> {
    AuditHead::parse(text).map_err(|error| error.cause)
}

fn verify(authority: &Authority, output: &Output, kept: Option<&AuditHead>) -> Done {
    let AuditSummary { entries, pruned, head } = authority.verify_audit_log(kept)?;
    let head = head.map(|head| head.to_string());
    let text = match &head {
        None => "the audit log is empty".to_owned(),
        Some(head) => {
            let end = match kept {
                Some(_) => "none was altered or removed up to the stored head",
                None => "none was altered or removed; --head also detects a log whose end was cut off",
            };
            let pruned = if pruned > 0 { format!(", the first {pruned} pruned") } else { String::new() };
            format!("{entries} entries{pruned}: {end}\nhead {head}: store it elsewhere")
        }
    };
    output.result(&json!({"entries": entries, "pruned": pruned, "head": head}), &text);
    Ok(())
}

fn head(authority: &Authority, output: &Output) -> Done {
    let head = authority.audit_head()?.map(|head| head.to_string());
    output.result(&json!({"head": head}), head.as_deref().unwrap_or("the audit log is empty"));
    Ok(())
}

fn prune(authority: &Authority, output: &Output, before: Timestamp, yes: bool) -> Done {
    output.confirm(yes, &format!("Delete the entries of the audit log before {}?", before.rfc3339()))?;
    let pruned = authority.prune_audit_log(before, |entries| {
        output.progress(&format!("{entries} entries deleted"));
        true
    });
    let AuditPruned { entries, up_to } = pruned.inspect(|pruned| {
        if pruned.entries > 0 {
            output.progress_ends();
        }
    })?;
    let text = match entries {
        0 => "no entry is older".to_owned(),
        _ => format!("deleted {entries} entries, up to number {up_to}; `audit verify` verifies the rest"),
    };
    output.result(&json!({"deleted": entries, "pruned_up_to": up_to}), &text);
    Ok(())
}
