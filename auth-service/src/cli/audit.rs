use clap::Subcommand;
use serde_json::{Value, json};

use super::Done;
use super::output::Output;
use crate::audit::AuditEntry;
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
    List {
        /// Only entries after this number.
        #[arg(long, default_value_t = 0, value_name = "NUMBER", conflicts_with = "last")]
        after: i64,
        /// Only the newest COUNT entries.
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
        last: Option<u32>,
    },
}

impl AuditCommand {
    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Verify { head } => verify(authority, output, head.as_ref()),
            Self::Head => head(authority, output),
            Self::List { after, last } => {
                let entries = match last {
                    Some(count) => authority.newest_audit_entries(count)?,
                    None => authority.audit_entries(after)?,
                };
                list(output, &entries)
            }
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

fn list(output: &Output, entries: &[AuditEntry]) -> Done {
    let document: Vec<Value> = entries.iter().map(described).collect();
    let text: Vec<String> = entries.iter().map(line).collect();
    output.result(&json!(document), &text.join("\n"));
    Ok(())
}

fn described(entry: &AuditEntry) -> Value {
    json!({
        "seq": entry.seq,
        "at_ms": entry.at.0,
        "action": entry.action,
        "outcome": entry.outcome,
        "actor": entry.actor,
        "user_id": entry.user_id,
        "client_id": entry.client_id,
        "session_id": entry.session_id,
        "key_id": entry.key_id,
        "detail": entry.detail,
    })
}

fn line(entry: &AuditEntry) -> String {
    let names = [
        ("user", &entry.user_id),
        ("client", &entry.client_id),
        ("session", &entry.session_id),
        ("key", &entry.key_id),
    ];
    let names: Vec<String> =
        names.iter().filter_map(|(what, name)| name.as_ref().map(|name| format!("{what}={name}"))).collect();
    let AuditEntry { seq, action, outcome, actor, detail, .. } = entry;
    format!("{seq:>6} {} {action:<24} {outcome} by {actor} {} {detail}", entry.at.seconds(), names.join(" "))
}
