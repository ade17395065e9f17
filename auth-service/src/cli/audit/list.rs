use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::filter::{FilterArguments, parse_time};
use crate::audit::AuditEntry;
use crate::authority::Authority;
use crate::cli::Done;
use crate::cli::list::print_pages;
use crate::cli::output::Output;
use crate::cli::table::Row;
use crate::clock::Timestamp;

/// Time between two polls for new entries.
const POLL: Duration = Duration::from_millis(500);

const HEADER: [&str; 8] = ["SEQ", "TIME", "ACTION", "OUTCOME", "ACTOR", "TARGET", "CLIENT IP", "DETAIL"];

/// Which entries are printed.
#[derive(Debug, Args)]
pub(in crate::cli) struct AuditList {
    #[command(flatten)]
    filter: FilterArguments,
    /// Only entries before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,
    /// Only entries after this number.
    #[arg(long, default_value_t = 0, value_name = "NUMBER", conflicts_with = "last")]
    after: i64,
    /// Only the newest COUNT entries.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    last: Option<u32>,
    /// Print at most COUNT entries.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Wait for new entries and print them, until the command is stopped.
    #[arg(long, conflicts_with_all = ["limit", "until"])]
    follow: bool,
}

pub(super) fn list(authority: &Authority, output: &Output, arguments: AuditList) -> Done {
    let AuditList { filter, until, after, last, limit, follow } = arguments;
    let filter = filter.resolve(authority, until)?;
    let mut after = match last {
        Some(count) => authority.audit_before_newest(&filter, count)?,
        None => after,
    };
    let mut header = &HEADER[..];
    loop {
        let next = |count| {
            let entries = authority.audit_page(&filter, after, count)?;
            after = entries.last().map_or(after, |entry| entry.seq);
            Ok(entries.iter().map(row).collect())
        };
        if !print_pages(output, header, limit, next)? || !follow {
            return Ok(());
        }
        header = &[];
        thread::park_timeout(POLL);
    }
}

fn row(entry: &AuditEntry) -> Row {
    let target = [
        ("user", &entry.user_id),
        ("client", &entry.client_id),
        ("session", &entry.session_id),
        ("key", &entry.key_id),
    ];
    let target: Vec<String> =
        target.iter().filter_map(|(what, name)| name.as_ref().map(|name| format!("{what}={name}"))).collect();
    let AuditEntry { seq, at, action, outcome, actor, detail, .. } = entry;
    let cells = vec![
        seq.to_string(),
        at.rfc3339(),
        action.clone(),
        outcome.clone(),
        actor.clone(),
        target.join(" "),
        entry.personal.client_ip.clone().unwrap_or_default(),
        detail.clone(),
    ];
    Row { document: described(entry), cells }
}

pub(super) fn described(entry: &AuditEntry) -> Value {
    json!({
        "seq": entry.seq,
        "at": entry.at.rfc3339(),
        "at_ms": entry.at.0,
        "action": entry.action,
        "outcome": entry.outcome,
        "actor": entry.actor,
        "user_id": entry.user_id,
        "client_id": entry.client_id,
        "session_id": entry.session_id,
        "key_id": entry.key_id,
        "detail": entry.detail,
        "request_id": entry.request_id,
        "client_ip": entry.personal.client_ip,
        "user_agent": entry.personal.user_agent,
        "username": entry.personal.username,
    })
}
