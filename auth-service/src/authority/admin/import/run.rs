//! Brings what a source holds to the storage, a batch at a time, and keeps count.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use crate::authority::Authority;
use crate::import::{BlacklistedToken, ImportedUser, Item, Problem, Report, Source};
use crate::storage::{Batch, BatchOutcome, Fate};
use crate::users::StoredHash;

/// Accounts in one transaction.
const BATCH: usize = 1000;

#[derive(Debug, Clone, Copy, Default)]
pub struct ImportOptions {
    /// Write nothing; report what an import would do.
    pub dry_run: bool,
    /// An account that was made here becomes the one of the same name from there.
    pub adopt: bool,
}

/// How far it has come: the part of the source, from 0 to 1, and the accounts.
pub type Progress<'a> = dyn FnMut(f64, u64) + 'a;

/// # Errors
/// One line: why it could not be gone on. What came before it was taken over.
pub fn run(
    authority: &Authority,
    source: &mut dyn Source,
    options: ImportOptions,
    progress: &mut Progress<'_>,
) -> Result<Report, String> {
    let begun = Instant::now();
    let mut run = Run {
        authority,
        options,
        report: Report { dry_run: options.dry_run, ..Report::default() },
        read: 0,
        users: Vec::with_capacity(BATCH),
        tokens: Vec::new(),
        seen: Seen::default(),
    };
    source.each(&mut |item, part| {
        if run.take(item)? {
            progress(part, run.read);
        }
        Ok(())
    })?;
    run.flush()?;
    progress(1.0, run.read);
    let mut report = run.report;
    report.seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let accounts = report.accounts as f64;
    report.per_second = accounts / report.seconds.max(0.001);
    Ok(report)
}

struct Run<'a> {
    authority: &'a Authority,
    options: ImportOptions,
    report: Report,
    /// Users that were read so far.
    read: u64,
    users: Vec<ImportedUser>,
    tokens: Vec<BlacklistedToken>,
    seen: Seen,
}

impl Run<'_> {
    /// Whether a batch was brought away.
    fn take(&mut self, item: Item) -> Result<bool, String> {
        match item {
            Item::User(user) => self.take_user(user),
            Item::Reduced(user, problem) => {
                self.report.reduce(problem);
                self.take_user(user);
            }
            Item::Blacklisted(token) => self.tokens.push(token),
            Item::Unusable(problem) => self.report.leave_out(problem),
            Item::Broken(problem) => self.report.is_broken(problem),
        }
        let full = self.users.len() >= BATCH || self.tokens.len() >= BATCH;
        if full {
            self.flush()?;
        }
        Ok(full)
    }

    fn take_user(&mut self, user: ImportedUser) {
        self.users.push(user);
        self.read += 1;
    }

    /// Counts a user who was taken over, or would be.
    fn count(&mut self, user: Taken) {
        self.report.accounts += 1;
        *self.report.formats.entry(user.format).or_default() += 1;
        self.report.disabled += u64::from(user.disabled);
        for group in user.unmapped_groups {
            *self.report.groups_without_role.entry(group).or_default() += 1;
        }
    }

    fn flush(&mut self) -> Result<(), String> {
        let now = self.authority.now();
        let live: Vec<BlacklistedToken> =
            self.tokens.drain(..).filter(|token| token.expires_at > now.0).collect();
        self.report.blacklisted_tokens += live.len() as u64;
        let users = std::mem::take(&mut self.users);
        let taken: Vec<Taken> = users.iter().map(Taken::of).collect();
        let keys: Vec<String> = users.iter().map(|user| user.username.key().to_owned()).collect();
        let batch = Batch {
            users,
            tokens: live,
            adopt: self.options.adopt,
            dry_run: self.options.dry_run,
            now,
            revoked_until: self.authority.revoked_until(now),
        };
        let outcome = self.authority.storage.import(batch);
        let BatchOutcome(mut fates) = outcome.map_err(|error| error.to_string())?;
        if self.options.dry_run {
            // What an earlier batch had written in earnest would be seen by the database itself.
            for (fate, key) in fates.iter_mut().zip(&keys) {
                if *fate == Fate::New && !self.seen.is_new(key) {
                    *fate = Fate::NameTaken;
                }
            }
        }
        for (fate, user) in fates.into_iter().zip(taken) {
            self.settle(fate, user);
        }
        Ok(())
    }

    fn settle(&mut self, fate: Fate, user: Taken) {
        let what = match fate {
            Fate::New => {
                self.report.new += 1;
                return self.count(user);
            }
            Fate::Changed => {
                self.report.changed += 1;
                return self.count(user);
            }
            Fate::Unchanged => {
                self.report.unchanged += 1;
                return self.count(user);
            }
            Fate::NameTaken => {
                "the name, in this or another spelling, belongs to another account that was taken over"
            }
            Fate::MadeHere => "an account of this name was made here: --adopt makes it this one",
            Fate::IdTaken => "its id is the number of an account that was made here",
            Fate::Twice => "its id stands twice in what is read",
        };
        self.report.leave_out(Problem { what: what.to_owned(), ..user.place });
    }
}

/// What the report needs of a user, once it is known what became of them.
struct Taken {
    place: Problem,
    format: &'static str,
    disabled: bool,
    unmapped_groups: Vec<String>,
}

impl Taken {
    fn of(user: &ImportedUser) -> Self {
        Self {
            place: Problem {
                record: user.record,
                pk: user.legacy_id.clone(),
                name: user.username.as_str().to_owned(),
                what: String::new(),
            },
            format: StoredHash::parse(&user.password_hash).map_or("unusable", |hash| hash.format()),
            disabled: user.disabled,
            unmapped_groups: user.unmapped_groups.clone(),
        }
    }
}

/// Names that were met, eight octets each.
#[derive(Default)]
struct Seen {
    keys: HashSet<u64>,
    hasher: RandomState,
}

impl Seen {
    fn is_new(&mut self, key: &str) -> bool {
        self.keys.insert(self.hasher.hash_one(key))
    }
}
