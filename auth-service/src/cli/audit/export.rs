use std::io::{self, BufWriter, Write};

use clap::{Args, ValueEnum};

use super::filter::{FilterArguments, parse_time};
use super::list::described;
use crate::audit::{AuditEntry, cef, ocsf};
use crate::authority::Authority;
use crate::cli::Done;
use crate::clock::Timestamp;

/// Entries that are read at one time.
const PAGE: u32 = 1000;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One JSON object per line, as `audit list --json` prints it.
    Jsonl,
    /// One OCSF 1.3 event per line.
    Ocsf,
    /// Common Event Format, one line per entry.
    Cef,
}

/// What is exported.
#[derive(Debug, Args)]
pub(in crate::cli) struct AuditExport {
    /// Format of the lines.
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    #[command(flatten)]
    filter: FilterArguments,
    /// Only entries before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,
    /// Only entries after this number: the last one of the export before.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    after: i64,
}

pub(super) fn export(authority: &Authority, arguments: AuditExport) -> Done {
    let AuditExport { format, filter, until, mut after } = arguments;
    let filter = filter.resolve(authority, until)?;
    let mut out = BufWriter::new(io::stdout().lock());
    loop {
        let entries = authority.audit_page(&filter, after, PAGE)?;
        let Some(last) = entries.last() else { break };
        after = last.seq;
        if entries.iter().try_for_each(|entry| writeln!(out, "{}", line(format, entry))).is_err() {
            // Nothing reads them any more: `| head`.
            return Ok(());
        }
    }
    out.flush().map_err(|error| format!("standard output: {error}"))?;
    Ok(())
}

fn line(format: Format, entry: &AuditEntry) -> String {
    match format {
        Format::Jsonl => described(entry).to_string(),
        Format::Ocsf => ocsf(entry).to_string(),
        Format::Cef => cef(entry),
    }
}
