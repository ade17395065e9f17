use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::Failure;
use super::table::{Row, table};
use crate::secret::PlainSecret;

/// Prints results: as text, or as one JSON document.
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// A closed pipe (`| head`) is not a failure of the command.
    pub(super) fn result(&self, document: &Value, text: &str) {
        let line = if self.json { document.to_string() } else { text.to_owned() };
        let _ = writeln!(io::stdout().lock(), "{line}");
    }

    /// Prints rows: each as a line of JSON, or all as a table with aligned columns.
    ///
    /// # Errors
    /// Standard output is closed.
    pub(super) fn rows(&self, header: &[&str], rows: &[Row]) -> io::Result<()> {
        let text = if self.json {
            rows.iter().map(|row| format!("{}\n", row.document)).collect()
        } else {
            table(header, rows)
        };
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// Prints a short list: one JSON array, or a table.
    pub(super) fn list(&self, header: &[&str], rows: &[Row]) {
        let documents: Vec<&Value> = rows.iter().map(|row| &row.document).collect();
        self.result(&json!(documents), table(header, rows).trim_end());
    }

    /// Whether to go on with what cannot be undone: asks on a terminal, unless the answer was given by `--yes`.
    ///
    /// # Errors
    /// `Usage` when there is no terminal to ask on; `Failed` when the answer is no.
    pub(super) fn confirm(&self, yes: bool, question: &str) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        if self.json || !io::stdin().is_terminal() {
            return Err(Failure::Usage(format!("{question} This cannot be undone: add --yes")));
        }
        let _ = write!(io::stderr().lock(), "{question} This cannot be undone. [y/N] ");
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map_err(|error| error.to_string())?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::Failed("nothing was changed".to_owned())),
        }
    }

    /// Prints progress: on a terminal one line that is overwritten, elsewhere one line each time.
    pub(super) fn progress(&self, line: &str) {
        let mut stderr = io::stderr().lock();
        let _ = if stderr.is_terminal() { write!(stderr, "\r{line}") } else { writeln!(stderr, "{line}") };
        let _ = stderr.flush();
    }

    pub(super) fn progress_ends(&self) {
        let mut stderr = io::stderr().lock();
        if stderr.is_terminal() {
            let _ = writeln!(stderr);
        }
    }

    pub(super) fn failure(&self, cause: &str, code: u8) -> ExitCode {
        let line =
            if self.json { json!({"error": cause}).to_string() } else { format!("auth-service: {cause}") };
        let _ = writeln!(io::stderr().lock(), "{line}");
        ExitCode::from(code)
    }
}

/// The first line of standard input: a secret in an argument would stand in the process list.
pub(super) fn secret_from_stdin() -> Result<PlainSecret, String> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(8 * 1024)
        .read_to_string(&mut text)
        .map_err(|error| format!("standard input: {error}"))?;
    let line = text.lines().next().unwrap_or_default().to_owned();
    Ok(PlainSecret::new(line))
}
