use std::collections::BTreeMap;

use serde::Serialize;

/// Most problems that are kept by name; the rest is counted.
const NAMED: usize = 10_000;

/// Something that could not be taken over, or not wholly, with the record that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The position in the dump, counted from 1; 0 in a database.
    pub record: u64,
    /// The primary key, as far as it is known.
    pub pk: String,
    pub name: String,
    pub what: String,
}

impl Problem {
    #[must_use]
    pub fn line(&self) -> String {
        let Self { record, pk, name, what } = self;
        let place = if *record > 0 { format!("record {record}") } else { "a row".to_owned() };
        let pk = if pk.is_empty() { String::new() } else { format!(", pk {pk}") };
        let name = if name.is_empty() { String::new() } else { format!(", {name:?}") };
        format!("{place}{pk}{name}: {what}")
    }
}

/// What came of an import, or would.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub dry_run: bool,
    pub accounts: u64,
    pub new: u64,
    pub changed: u64,
    pub unchanged: u64,
    /// Accounts by the format of their password hash.
    pub formats: BTreeMap<&'static str, u64>,
    /// Of them, those that are disabled.
    pub disabled: u64,
    pub blacklisted_tokens: u64,
    /// Records that were left out.
    pub left_out: u64,
    /// Of them, those at which the source itself is broken.
    pub broken: u64,
    /// Groups that give no role, with the number of their users.
    pub groups_without_role: BTreeMap<String, u64>,
    /// Accounts of which something was lost.
    pub reduced: u64,
    /// The first of both.
    pub problems: Vec<Problem>,
    pub seconds: f64,
    pub per_second: f64,
}

impl Report {
    pub fn leave_out(&mut self, problem: Problem) {
        self.left_out += 1;
        self.note(problem);
    }

    pub fn is_broken(&mut self, problem: Problem) {
        self.broken += 1;
        self.leave_out(problem);
    }

    pub fn reduce(&mut self, problem: Problem) {
        self.reduced += 1;
        self.note(problem);
    }

    fn note(&mut self, problem: Problem) {
        if self.problems.len() < NAMED {
            self.problems.push(problem);
        }
    }

    /// For users.
    #[must_use]
    pub fn text(&self) -> String {
        let verb = if self.dry_run { "would be" } else { "were" };
        let mut lines = vec![format!(
            "{} accounts in {:.1} s ({:.0} a second): {} {verb} made, {} changed, {} are as they were",
            self.accounts, self.seconds, self.per_second, self.new, self.changed, self.unchanged
        )];
        for (format, accounts) in &self.formats {
            lines.push(format!("  {format:<14} {accounts:>9}  {}", what_becomes(format)));
        }
        if self.disabled > 0 {
            lines.push(format!("  {:<14} {:>9}  stay disabled", "(inactive)", self.disabled));
        }
        lines.push(format!("{} blacklisted tokens stay refused", self.blacklisted_tokens));
        for (group, users) in &self.groups_without_role {
            lines.push(format!(
                "the group {group:?} gives no role to its {users} users: map it in [django.roles], or make a claim of \
                 `groups` in [claims]"
            ));
        }
        if self.reduced > 0 {
            lines.push(format!("{} accounts lost something, named below", self.reduced));
        }
        if self.left_out > 0 {
            lines.push(format!("{} records could not be taken over, named below", self.left_out));
        }
        lines.extend(self.problems.iter().map(|problem| format!("  {}", problem.line())));
        let unnamed = (self.left_out + self.reduced).saturating_sub(self.problems.len() as u64);
        if unnamed > 0 {
            lines.push(format!("  and {unnamed} more"));
        }
        if self.dry_run {
            lines.push("nothing was written: run it without --dry-run".to_owned());
        }
        lines.join("\n")
    }
}

fn what_becomes(format: &str) -> &'static str {
    match format {
        "unusable" => "have no password; they can set one",
        "argon2" => "are good as they are, or made ours at the next login",
        "md5" | "sha1" => "are weak until the next login makes them argon2id",
        _ => "become argon2id at the next login",
    }
}
