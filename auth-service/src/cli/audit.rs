use clap::Subcommand;
use serde_json::{Value, json};

use super::output::Output;
use super::{Done, Failure};
use crate::audit::{Broken, Entry, Link};
use crate::authority::Authority;
use crate::secret::hex;

/// Entries that are read at one time.
const PAGE: i64 = 1000;

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Verify that no entry was altered or removed; with --head also that the end was not cut off.
    Verify {
        /// A head that you stored elsewhere, as SEQ:MAC. An attacker who can write to the database can cut off the end of
        /// the log and reset its counter; only a comparison with a later head detects that.
        #[arg(long, value_name = "SEQ:MAC", value_parser = parse_head)]
        head: Option<Head>,
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
    pub fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Verify { head } => verify(authority, output, head.as_ref()),
            Self::Head => head(authority, output),
            Self::List { after, last } => {
                let after = match last {
                    Some(count) => (authority.storage.audit_length()? - i64::from(count)).max(0),
                    None => after,
                };
                list(authority, output, after)
            }
        }
    }
}

/// The number and the MAC of an entry that was written.
#[derive(Debug, Clone)]
pub struct Head {
    seq: i64,
    /// Hexadecimal, in lower case.
    mac: String,
}

fn parse_head(text: &str) -> Result<Head, String> {
    let parts = text.split_once(':').and_then(|(seq, mac)| Some((seq.parse().ok()?, mac)));
    match parts {
        Some((seq, mac))
            if seq > 0 && mac.len() == 64 && mac.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            Ok(Head { seq, mac: mac.to_ascii_lowercase() })
        }
        _ => Err("expected SEQ:MAC, as `audit head` prints it".to_owned()),
    }
}

fn verify(authority: &Authority, output: &Output, kept: Option<&Head>) -> Done {
    // Read before the entries: more may be appended meanwhile.
    let written = authority.storage.audit_length()?;
    let chain = authority.storage.audit_chain()?;
    let mut last: Option<Link> = None;
    for_each_behind(authority, 0, |link| {
        chain.check(last.as_ref(), &link).map_err(|broken| Failure::Failed(broken.to_string()))?;
        if kept.is_some_and(|kept| kept.seq == link.entry.seq && kept.mac != hex(&link.mac)) {
            let seq = link.entry.seq;
            return Err(Failure::Failed(format!(
                "entry {seq} differs from the stored head: the log was replaced"
            )));
        }
        last = Some(link);
        Ok(())
    })?;
    let last_seq = last.as_ref().map_or(0, |link| link.entry.seq);
    let written = kept.map_or(written, |kept| written.max(kept.seq));
    if last_seq < written {
        return Err(Failure::Failed(Broken::CutOff { last: last_seq, written }.to_string()));
    }
    let head = last.as_ref().map(head_of);
    let document = json!({"entries": last_seq, "head": head});
    let text = match &head {
        None => "the audit log is empty".to_owned(),
        Some(head) => {
            let end = match kept {
                Some(_) => "none was altered or removed up to the stored head",
                None => "none was altered or removed; --head also detects a log whose end was cut off",
            };
            format!("{last_seq} entries: {end}\nhead {head}: store it elsewhere")
        }
    };
    output.result(&document, &text);
    Ok(())
}

fn head(authority: &Authority, output: &Output) -> Done {
    let last = authority.storage.audit_last()?;
    let head = last.as_ref().map(head_of);
    output.result(&json!({"head": head}), head.as_deref().unwrap_or("the audit log is empty"));
    Ok(())
}

fn head_of(link: &Link) -> String {
    format!("{}:{}", link.entry.seq, hex(&link.mac))
}

fn list(authority: &Authority, output: &Output, after: i64) -> Done {
    let mut entries = Vec::new();
    for_each_behind(authority, after, |link| {
        entries.push(link.entry);
        Ok(())
    })?;
    let document: Vec<Value> = entries.iter().map(described).collect();
    let text: Vec<String> = entries.iter().map(line).collect();
    output.result(&json!(document), &text.join("\n"));
    Ok(())
}

/// Reads the entries after a number, a page at a time.
fn for_each_behind(authority: &Authority, mut after: i64, mut see: impl FnMut(Link) -> Done) -> Done {
    loop {
        let page = authority.storage.audit_entries(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.entry.seq;
        page.into_iter().try_for_each(&mut see)?;
    }
}

fn described(entry: &Entry) -> Value {
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

fn line(entry: &Entry) -> String {
    let names = [
        ("user", &entry.user_id),
        ("client", &entry.client_id),
        ("session", &entry.session_id),
        ("key", &entry.key_id),
    ];
    let names: Vec<String> =
        names.iter().filter_map(|(what, name)| name.as_ref().map(|name| format!("{what}={name}"))).collect();
    let Entry { seq, action, outcome, actor, detail, .. } = entry;
    format!("{seq:>6} {} {action:<24} {outcome} by {actor} {} {detail}", entry.at.seconds(), names.join(" "))
}
