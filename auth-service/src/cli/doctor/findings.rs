//! The results of the checks.

use serde_json::{Value, json};

use crate::cli::output::Output;
use crate::cli::{Done, Failure};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ok,
    /// It starts, but an operator should look at it.
    Warn,
    /// It does not start, or does not work.
    Fail,
}

struct Finding {
    check: &'static str,
    outcome: Outcome,
    message: String,
}

/// The result of each check.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Outcome::Ok, message.into());
    }

    pub(super) fn warn(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Outcome::Warn, message.into());
    }

    pub(super) fn fail(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Outcome::Fail, message.into());
    }

    pub(super) fn note(&mut self, check: &'static str, result: Result<String, String>) {
        match result {
            Ok(message) => self.ok(check, message),
            Err(message) => self.fail(check, message),
        }
    }

    /// Prints all of them.
    ///
    /// # Errors
    /// How many failed.
    pub(super) fn report(&self, output: &Output) -> Done {
        let failed = self.0.iter().filter(|finding| finding.outcome == Outcome::Fail).count();
        let checks: Vec<Value> = self.0.iter().map(Finding::document).collect();
        let lines: Vec<String> = self.0.iter().map(Finding::line).collect();
        output.result(&json!({"healthy": failed == 0, "checks": checks}), &lines.join("\n"));
        match failed {
            0 => Ok(()),
            _ => Err(Failure::Failed(format!("{failed} of {} checks failed", self.0.len()))),
        }
    }

    fn add(&mut self, check: &'static str, outcome: Outcome, message: String) {
        self.0.push(Finding { check, outcome, message });
    }
}

impl Finding {
    fn document(&self) -> Value {
        json!({"check": self.check, "outcome": self.outcome.as_str(), "message": self.message})
    }

    fn line(&self) -> String {
        format!("{:<5} {:<11} {}", self.outcome.as_str(), self.check, self.message)
    }
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}
