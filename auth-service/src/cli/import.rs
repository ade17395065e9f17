use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::output::Output;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::authority::admin::import::{DjangoDatabase, ImportOptions, run};
use crate::import::{Dump, FieldMap, Report, Source, simple_jwt};
use crate::storage::DatabaseUrl;

#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// Import users and blacklisted tokens of a Django project. Can be repeated: it updates what has changed in Django.
    Django(Django),
    /// Convert a `SIMPLE_JWT` dictionary (JSON) to Signet's settings, and list what has no equivalent.
    DjangoSettings {
        /// The file; `-` for standard input.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Django {
    /// The output of `manage.py dumpdata auth token_blacklist contenttypes`.
    #[arg(required_unless_present = "database_url_file", conflicts_with = "database_url_file")]
    dump: Option<PathBuf>,
    /// Read Django's database instead: a file that holds its URL, `postgres://...` or `sqlite://...`.
    #[arg(long, value_name = "FILE")]
    database_url_file: Option<PathBuf>,
    /// Write nothing; print what an import would do.
    #[arg(long)]
    dry_run: bool,
    /// Users that were created here are overwritten by imported users of the same name.
    #[arg(long)]
    adopt: bool,
    /// Exit with 1 when a record was skipped, although it is named in the report.
    #[arg(long)]
    strict: bool,
}

impl Django {
    pub(super) fn run(self, authority: &Authority, map: FieldMap, output: &Output) -> Done {
        let options = ImportOptions { dry_run: self.dry_run, adopt: self.adopt };
        let mut source = self.source(map)?;
        let mut bar = Bar::new();
        let report = run(authority, source.as_mut(), options, &mut |part, accounts| {
            if let Some(line) = bar.line(part, accounts) {
                output.progress(&line);
            }
        });
        output.progress_ends();
        let report = report.map_err(Failure::Failed)?;
        let document = serde_json::to_value(&report).map_err(|error| Failure::Failed(error.to_string()))?;
        output.result(&document, &report.text());
        outcome(&report, self.strict)
    }

    fn source(&self, map: FieldMap) -> Result<Box<dyn Source>, Failure> {
        if let Some(path) = &self.dump {
            return Ok(Box::new(Dump::open(path, map)?));
        }
        let path = self.database_url_file.as_deref().unwrap_or(Path::new(""));
        let url = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let url = DatabaseUrl::parse(url.trim())
            .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        Ok(Box::new(DjangoDatabase::open(&url, map)?))
    }
}

/// Records that cannot be moved are named in the report. A source that is broken may lack more than that.
fn outcome(report: &Report, strict: bool) -> Done {
    if report.broken > 0 {
        let cause = "the dump is broken where the report says; what could be read was imported";
        return Err(Failure::Failed(cause.to_owned()));
    }
    if report.left_out == 0 || !strict {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "{} records were skipped; everything else was imported as reported",
        report.left_out
    )))
}

pub(super) fn django_settings(file: &Path, output: &Output) -> Done {
    let read = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = read.map_err(|error| format!("{}: {error}", file.display()))?;
    let converted =
        simple_jwt::convert(&text).map_err(|why| Failure::Usage(format!("{}: {why}", file.display())))?;
    output.result(&converted.document(), &converted.text());
    if converted.has_wrong() {
        let names: Vec<&str> = converted.wrong_names().collect();
        return Err(Failure::Failed(format!("not converted: {}", names.join(", "))));
    }
    Ok(())
}

/// Prints progress: ten times a second on a terminal, every ten seconds elsewhere.
struct Bar {
    begun: Instant,
    last: Option<Instant>,
    every: Duration,
}

impl Bar {
    fn new() -> Self {
        let every = if std::io::stderr().is_terminal() { 100 } else { 10_000 };
        Self { begun: Instant::now(), last: None, every: Duration::from_millis(every) }
    }

    fn line(&mut self, part: f64, accounts: u64) -> Option<String> {
        let now = Instant::now();
        if part < 1.0 && self.last.is_some_and(|last| now.duration_since(last) < self.every) {
            return None;
        }
        self.last = Some(now);
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = accounts as f64 / now.duration_since(self.begun).as_secs_f64().max(0.001);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 40")]
        let filled = (part.clamp(0.0, 1.0) * 40.0) as usize;
        Some(format!(
            "[{}{}] {:>3.0} %  {accounts} users, {rate:.0} per second",
            "#".repeat(filled),
            ".".repeat(40 - filled),
            part.clamp(0.0, 1.0) * 100.0
        ))
    }
}
