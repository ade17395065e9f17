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
    /// Check that no entry was altered or taken out, and with --head that the end was not cut off either.
    Verify {
        /// A head that was kept elsewhere, as SEQ:MAC. Whoever can write to the database can cut off the end of the log
        /// and set its counter back; only who knows a later head sees that.
        #[arg(long, value_name = "SEQ:MAC", value_parser = parse_head)]
        head: Option<Head>,
    },
    /// Print the head of the log, to be kept elsewhere.
    Head,
    /// Print entries, oldest first.
    List {
        /// Those behind this number.
        #[arg(long, default_value_t = 0, value_name = "NUMBER", conflicts_with = "last")]
        after: i64,
        /// Only so many of the newest.
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

/// An entry that is known to have been written.
#[derive(Debug, Clone)]
pub struct Head {
    seq: i64,
    /// Hexadecimal, in small letters.
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
        _ => Err("a head is SEQ:MAC, as `audit head` prints it".to_owned()),
    }
}

fn verify(authority: &Authority, output: &Output, kept: Option<&Head>) -> Done {
    // Before the walk: what is appended meanwhile is no trouble.
    let written = authority.storage.audit_length()?;
    let chain = authority.storage.audit_chain()?;
    let mut last: Option<Link> = None;
    for_each_behind(authority, 0, |link| {
        chain.check(last.as_ref(), &link).map_err(|broken| Failure::Failed(broken.to_string()))?;
        if kept.is_some_and(|kept| kept.seq == link.entry.seq && kept.mac != hex(&link.mac)) {
            let seq = link.entry.seq;
            return Err(Failure::Failed(format!(
                "entry {seq} is not the one whose head was kept: the log was begun anew"
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
                Some(_) => "none was altered, taken out or cut off up to the head that was kept",
                None => {
                    "none was altered or taken out; with --head it is also seen whether the end was cut off"
                }
            };
            format!("{last_seq} entries: {end}\nhead {head}: keep it elsewhere")
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

/// Walks through the log behind a number, a page at a time.
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
