use diesel::dsl::count_star;
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StorageError;
use super::names::{id_of, next_number};
use super::revocations;
use super::schema::{audit, users};
use super::session_ends::{End, SessionsEnded, end_all_of_user, sessions_ended};
use super::{Storage, words};
use crate::audit::{Action, Event};
use crate::clock::{CLOCK_DIFFERENCE, Timestamp};
use crate::revocations::RevocationTarget;
use crate::sessions::EndReason;
use crate::users::{Attributes, SchemeInUse, StoredHash, User, Username};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = users)]
pub(super) struct UserRow {
    id: String,
    username: String,
    password_hash: String,
    password_epoch: i64,
    roles: String,
    created_at: i64,
    disabled_at: Option<i64>,
    name_key: Option<String>,
    legacy_id: Option<String>,
    profile: String,
    password_scheme: String,
}

impl Storage {
    /// Makes an account; `numbered` gives it a number for an id in its tokens, unless it has an id already.
    ///
    /// # Errors
    /// [`StorageError::Taken`] when another user has the name, in any spelling, or one that looks like it.
    pub fn create_user(&self, user: &User, numbered: bool) -> Result<(), StorageError> {
        let (mut row, name) = (UserRow::from_user(user), user.username.clone());
        self.write_audited(move |connection| {
            if numbered && row.legacy_id.is_none() {
                row.legacy_id = Some(next_number(connection)?.to_string());
            }
            let made = Event::of(Action::UserCreated).user(&row.id).detail(format!("roles {}", row.roles));
            insert_new(connection, row, &name)?;
            Ok(((), Some(made)))
        })
    }

    /// # Errors
    /// [`StorageError`].
    pub fn has_had_users(&self) -> Result<bool, StorageError> {
        self.read(|connection| {
            if users::table.select(users::id).first::<String>(connection).optional()?.is_some() {
                return Ok(true);
            }
            // All of them may have been deleted.
            let created = [Action::UserCreated.as_str(), Action::UsersImported.as_str()];
            let entry = audit::table.filter(audit::action.eq_any(created)).select(audit::seq);
            Ok(entry.first::<i64>(connection).optional()?.is_some())
        })
    }

    /// # Errors
    /// [`StorageError`]; `Ok(None)` when no user has this name.
    pub fn find_user(&self, username: &Username) -> Result<Option<User>, StorageError> {
        self.read(|connection| match id_of(connection, username)? {
            Some(id) => find_user_by_id(connection, &id),
            None => Ok(None),
        })
    }

    /// # Errors
    /// [`StorageError`]; `Ok(None)` when no account had this id where it came from.
    pub fn find_user_by_legacy_id(&self, legacy_id: &str) -> Result<Option<User>, StorageError> {
        self.read(|connection| {
            let imported = users::table.filter(users::import_mark.is_not_null());
            let found = imported.filter(users::legacy_id.eq(legacy_id)).select(UserRow::as_select());
            found.first(connection).optional()?.map(UserRow::into_user).transpose()
        })
    }

    /// # Errors
    /// [`StorageError`]; `Ok(None)` when there is no such account.
    pub fn find_user_by_id(&self, id: &str) -> Result<Option<User>, StorageError> {
        self.read(|connection| find_user_by_id(connection, id))
    }

    /// The password schemes that accounts have, with a hash of each and how many there are of it, in an order that is
    /// the same for everybody.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn password_schemes(&self) -> Result<Vec<SchemeInUse>, StorageError> {
        self.read(|connection| {
            let schemes =
                users::table.group_by(users::password_scheme).select((users::password_scheme, count_star()));
            let schemes: Vec<(String, i64)> = schemes.order(users::password_scheme).load(connection)?;
            let mut in_use = Vec::new();
            for (scheme, accounts) in
                schemes.into_iter().filter(|(scheme, _)| scheme != StoredHash::Unusable.format())
            {
                let of_it =
                    users::table.filter(users::password_scheme.eq(scheme)).select(users::password_hash);
                // None when the last one has just moved on.
                if let Some(example) = of_it.first(connection).optional()? {
                    in_use
                        .push(SchemeInUse { example, accounts: u64::try_from(accounts).unwrap_or_default() });
                }
            }
            Ok(in_use)
        })
    }

    /// Disables an account and ends its sessions, in one step. `Ok(None)` when no user has this name,
    /// else the number of sessions that ended.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn disable_user(
        &self,
        username: &Username,
        now: Timestamp,
        revoked_until: Timestamp,
    ) -> Result<Option<usize>, StorageError> {
        let username = username.clone();
        self.write_revoking(move |connection| {
            let Some(id) = id_of(connection, &username)? else { return Ok((None, None)) };
            let ended = disable(connection, &id, now, revoked_until)?;
            revocations::append(connection, &ended.revoked, revoked_until)?;
            let disabled = Event::of(Action::UserDisabled).user(&id).detail(ended.detail());
            Ok((Some(ended.count), Some(disabled)))
        })
    }

    /// Sets a password and ends the sessions that the old one started, in one step. `Ok(None)` when
    /// nobody has this name, else the number of sessions that ended.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn set_password(
        &self,
        username: &Username,
        password_hash: String,
        now: Timestamp,
        revoked_until: Timestamp,
    ) -> Result<Option<usize>, StorageError> {
        let username = username.clone();
        self.write_revoking(move |connection| {
            let Some(id) = id_of(connection, &username)? else { return Ok((None, None)) };
            diesel::update(users::table.find(&id))
                .set((
                    users::password_scheme.eq(scheme_of(&password_hash)),
                    users::password_hash.eq(&password_hash),
                    users::password_set_at.eq(now.0),
                    users::password_epoch.eq(users::password_epoch + 1),
                ))
                .execute(connection)?;
            let end = End { now, reason: EndReason::PasswordChanged, revoked_until };
            let ended = end_all_of_user(connection, &id, end)?;
            // By session where it can be: a login in this very second must not be refused.
            let targets = revocations::of_ended_sessions(&ended, &id, now);
            revocations::append(connection, &targets, revoked_until)?;
            let set = Event::of(Action::PasswordSet).user(&id).detail(sessions_ended(ended.len()));
            Ok((Some(ended.len()), Some(set)))
        })
    }
}

/// Disables a user and ends their sessions. The row is written first, as a login does: it comes wholly before this, or
/// finds the user disabled. The caller appends the revocation, last: all who revoke wait for its counter.
pub(super) fn disable(
    connection: &mut AnyConnection,
    id: &str,
    now: Timestamp,
    revoked_until: Timestamp,
) -> Result<SessionsEnded, StorageError> {
    diesel::update(users::table.find(id)).set(users::disabled_at.eq(now.0)).execute(connection)?;
    let end = End { now, reason: EndReason::UserDisabled, revoked_until };
    let count = end_all_of_user(connection, id, end)?.len();
    // One entry for all of them, also for a token that a replica whose clock is ahead has just made.
    let all = RevocationTarget::Subject { sub: id.to_owned(), not_before: now.plus(CLOCK_DIFFERENCE) };
    Ok(SessionsEnded { count, revoked: vec![all] })
}

pub(super) fn find_user_by_id(
    connection: &mut AnyConnection,
    id: &str,
) -> Result<Option<User>, StorageError> {
    let row = users::table.find(id).select(UserRow::as_select()).first(connection).optional()?;
    row.map(UserRow::into_user).transpose()
}

/// Format and cost of a hash; one that nobody can read fits no password either.
pub(super) fn scheme_of(password_hash: &str) -> String {
    StoredHash::parse(password_hash).unwrap_or(StoredHash::Unusable).scheme()
}

impl UserRow {
    /// Gives it a number, unless it has an id already.
    pub(super) fn number(&mut self, number: i64) {
        self.legacy_id.get_or_insert_with(|| number.to_string());
    }

    pub(super) fn from_user(user: &User) -> Self {
        Self {
            id: user.id.clone(),
            username: user.username.as_str().to_owned(),
            password_scheme: scheme_of(&user.password_hash),
            password_hash: user.password_hash.clone(),
            password_epoch: user.password_epoch,
            roles: user.attributes.roles.join(" "),
            created_at: user.created_at.0,
            disabled_at: user.disabled_at.map(|at| at.0),
            name_key: Some(user.username.key().to_owned()),
            legacy_id: user.attributes.legacy_id.clone(),
            profile: user.attributes.profile.clone(),
        }
    }

    pub(super) fn into_user(self) -> Result<User, StorageError> {
        let unreadable = || StorageError::Unreadable("an account with a malformed name".to_owned());
        Ok(User {
            username: Username::parse(&self.username).ok_or_else(unreadable)?,
            id: self.id,
            password_hash: self.password_hash,
            password_epoch: self.password_epoch,
            attributes: Attributes {
                roles: words(&self.roles),
                legacy_id: self.legacy_id,
                profile: self.profile,
            },
            created_at: Timestamp(self.created_at),
            disabled_at: self.disabled_at.map(Timestamp),
        })
    }
}

/// Inserts a user that is created here. [`StorageError::Taken`] also when another user's name looks like this one,
/// an imported user's included.
pub(super) fn insert_new(
    connection: &mut AnyConnection,
    row: UserRow,
    username: &Username,
) -> Result<(), StorageError> {
    let skeleton = check_unlike(connection, username, None)?;
    // Two at once that look alike: the index lets one in.
    let values = (row, users::name_skeleton.eq(skeleton));
    diesel::insert_into(users::table).values(values).execute(connection)?;
    Ok(())
}

/// The skeleton of a new name. [`StorageError::Taken`] when a user other than `owner` has one that looks like it.
pub(super) fn check_unlike(
    connection: &mut AnyConnection,
    username: &Username,
    owner: Option<&str>,
) -> Result<String, StorageError> {
    let skeleton = username.skeleton();
    let alike = users::table.filter(users::name_skeleton.eq(&skeleton)).select(users::id);
    let found: Option<String> = alike.first(connection).optional()?;
    match found {
        Some(id) if owner != Some(id.as_str()) => Err(StorageError::Taken),
        _ => Ok(skeleton),
    }
}
