//! Moving in: accounts and blacklisted tokens of a Django project become ours, a batch at a time, again and again
//! until the day comes.
//!
//! `dump_file` opens a dump, `elements` takes it apart, `dump` reads records from it, `django` converts a user, `names` resolves
//! groups and permissions. `authority/admin/import` stores them.

pub(crate) mod django;
mod dump;
mod dump_file;
mod elements;
mod instant;
pub(crate) mod names;
mod report;
pub mod simple_jwt;
mod values;

use std::collections::BTreeMap;

use crate::users::Username;

pub use dump::Dump;
pub use report::{Problem, Report};

/// Which fields of a Django project say what.
#[derive(Debug, Clone)]
pub struct FieldMap {
    /// `app_label.model`, in lower case: `auth.user`.
    pub user_model: String,
    /// Where a Django database keeps it.
    pub user_table: String,
    /// The field whose value is the `user_id` of tokens; `id` and `pk` are the primary key.
    pub user_id: String,
    pub username: String,
    pub password: String,
    pub active: ActiveFlag,
    pub email: String,
    pub date_joined: String,
    /// Fields that are kept for claims; `groups` and `permissions` are lists of names.
    pub attributes: Vec<String>,
    /// Roles by what gives them: a boolean field, `group:NAME` or `permission:APP.CODENAME`.
    pub roles: BTreeMap<String, String>,
}

/// What says whether a user may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActiveFlag {
    /// A boolean field.
    Field(String),
    /// A boolean field that says the opposite, or a time that is null for users who may log in: `!blocked_at`.
    Not(String),
    /// Every user may: the model has no such field.
    Always,
}

impl ActiveFlag {
    /// Reads `FIELD`, `!FIELD` or `always`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix('!') {
            Some(field) => Self::Not(field.trim().to_owned()),
            None if text == "always" => Self::Always,
            None => Self::Field(text.to_owned()),
        }
    }
}

/// An account as it is taken over.
#[derive(Debug, Clone)]
pub struct ImportedUser {
    /// Where it stood in the dump, counted from 1; 0 in a database.
    pub record: u64,
    /// Its primary key there.
    pub legacy_id: String,
    pub username: Username,
    /// As Django wrote it, or one that no password fits.
    pub password_hash: String,
    pub roles: Vec<String>,
    /// Groups of the user that give no role.
    pub unmapped_groups: Vec<String>,
    /// A JSON object.
    pub profile: String,
    pub email: Option<String>,
    /// Milliseconds since the epoch; `None` where it is not known.
    pub created_at: Option<i64>,
    pub disabled: bool,
}

/// A refresh token that was blacklisted there.
#[derive(Debug, Clone)]
pub struct BlacklistedToken {
    pub jti: String,
    /// Milliseconds since the epoch.
    pub expires_at: i64,
}

/// What a source holds, besides groups and permissions, which it reads for itself.
pub enum Item {
    User(ImportedUser),
    /// Taken over, but something of it is lost.
    Reduced(ImportedUser, Problem),
    Blacklisted(BlacklistedToken),
    Unusable(Problem),
    /// The source itself is broken there: more may be missing than this record.
    Broken(Problem),
}

/// Something that holds accounts.
pub trait Source {
    /// Reads all items in order and passes each to the callback; `false` from it ends the reading.
    ///
    /// # Errors
    /// One line: why it cannot be gone on.
    fn each(&mut self, found: &mut dyn FnMut(Item, f64) -> Result<(), String>) -> Result<(), String>;
}
