mod list;

use clap::Subcommand;
use serde_json::json;

use list::{AuditList, list};

use super::Done;
use super::output::Output;
use crate::authority::Authority;
use crate::authority::admin::{AuditHead, AuditSummary};

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
}

impl AuditCommand {
    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Verify { head } => verify(authority, output, head.as_ref()),
            Self::Head => head(authority, output),
            Self::List(arguments) => list(authority, output, arguments),
        }
    }
}

fn parse_head(text: &str) -> Result<AuditHead, String> {
    AuditHead::parse(text).map_err(|error| error.cause)
}

fn verify(authority: &Authority, output: &Output, kept: Option<&AuditHead>) -> Done {
    let AuditSummary { entries, head } = authority.verify_audit_log(kept)?;
    let head = head.map(|head| head.to_string());
    let text = match &head {
        None => "the audit log is empty".to_owned(),
        Some(head) => {
            let end = match kept {
                Some(_) => "none was altered or removed up to the stored head",
                None => "none was altered or removed; --head also detects a log whose end was cut off",
            };
            format!("{entries} entries: {end}\nhead {head}: store it elsewhere")
        }
    };
    output.result(&json!({"entries": entries, "head": head}), &text);
    Ok(())
}

fn head(authority: &Authority, output: &Output) -> Done {
    let head = authority.audit_head()?.map(|head| head.to_string());
    output.result(&json!({"head": head}), head.as_deref().unwrap_or("the audit log is empty"));
    Ok(())
}
