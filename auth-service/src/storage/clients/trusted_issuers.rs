use diesel::prelude::*;

use crate::audit::{Action, Event};
use crate::clients::{IssuerKeys, StoredKeys, TrustedIssuer};
use crate::clock::Timestamp;
use crate::storage::error::StorageError;
use crate::storage::schema::{clients, trusted_issuers};
use crate::storage::{Storage, count_up};

/// What became of the deletion of a trusted issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedIssuerDeleted {
    Done,
    Unknown,
    /// By the IDs of the clients that prove themselves by its tokens.
    UsedBy(Vec<String>),
}

#[derive(AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = trusted_issuers, primary_key(issuer), treat_none_as_null = true)]
struct TrustedIssuerRow {
    issuer: String,
    jwks: Option<String>,
    jwks_uri: Option<String>,
    audience: Option<String>,
}

impl Storage {
    /// # Errors
    /// [`StorageError::Taken`] when it is trusted already.
    pub fn create_trusted_issuer(&self, new: &TrustedIssuer, now: Timestamp) -> Result<(), StorageError> {
        let row = TrustedIssuerRow::of(new);
        self.write_audited(move |connection| {
            let made = Event::of(Action::TrustedIssuerCreated).detail(row.detail());
            let row = (row, trusted_issuers::created_at.eq(now.0));
            diesel::insert_into(trusted_issuers::table).values(row).execute(connection)?;
            count_up(connection, "clients")?;
            Ok(((), Some(made)))
        })
    }

    /// Replaces keys and audience. `Ok(false)` when it is not trusted.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn update_trusted_issuer(&self, changed: &TrustedIssuer) -> Result<bool, StorageError> {
        let row = TrustedIssuerRow::of(changed);
        self.write_audited(move |connection| {
            let event = Event::of(Action::TrustedIssuerUpdated).detail(row.detail());
            let found = trusted_issuers::table.find(row.issuer.clone());
            let known = diesel::update(found).set(row).execute(connection)? > 0;
            count_up(connection, "clients")?;
            Ok((known, known.then_some(event)))
        })
    }

    /// # Errors
    /// [`StorageError`].
    pub fn delete_trusted_issuer(&self, issuer: &str) -> Result<TrustedIssuerDeleted, StorageError> {
        let issuer = issuer.to_owned();
        self.write_audited(move |connection| {
            // Write first: the lock makes the look and the deletion one step.
            count_up(connection, "clients")?;
            let of_issuer = clients::table.filter(clients::workload_issuer.eq(&issuer)).order(clients::id);
            let users: Vec<String> = of_issuer.select(clients::id).load(connection)?;
            if !users.is_empty() {
                return Ok((TrustedIssuerDeleted::UsedBy(users), None));
            }
            if diesel::delete(trusted_issuers::table.find(&issuer)).execute(connection)? == 0 {
                return Ok((TrustedIssuerDeleted::Unknown, None));
            }
            let event = Event::of(Action::TrustedIssuerDeleted).detail(issuer.clone());
            Ok((TrustedIssuerDeleted::Done, Some(event)))
        })
    }

    /// By issuer.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn all_trusted_issuers(&self) -> Result<Vec<TrustedIssuer>, StorageError> {
        let rows: Vec<TrustedIssuerRow> = self.look(|connection| {
            let all = trusted_issuers::table.order(trusted_issuers::issuer);
            Ok(all.select(TrustedIssuerRow::as_select()).load(connection)?)
        })?;
        rows.into_iter().map(TrustedIssuerRow::read).collect()
    }
}

impl TrustedIssuerRow {
    fn of(trusted: &TrustedIssuer) -> Self {
        let (jwks, jwks_uri) = match &trusted.keys {
            IssuerKeys::Stored(stored) => (Some(stored.jwks().to_owned()), None),
            IssuerKeys::At(url) => (None, Some(url.clone())),
            IssuerKeys::Discovered => (None, None),
        };
        Self { issuer: trusted.issuer.clone(), jwks, jwks_uri, audience: trusted.audience.clone() }
    }

    fn read(self) -> Result<TrustedIssuer, StorageError> {
        let unreadable = |_| StorageError::Unreadable("a trusted issuer with a malformed key set".to_owned());
        let keys = match (self.jwks, self.jwks_uri) {
            (Some(jwks), _) => {
                IssuerKeys::Stored(StoredKeys::parse_of_issuer(jwks, &self.issuer).map_err(unreadable)?)
            }
            (None, Some(url)) => IssuerKeys::At(url),
            (None, None) => IssuerKeys::Discovered,
        };
        Ok(TrustedIssuer { issuer: self.issuer, keys, audience: self.audience })
    }

    fn detail(&self) -> String {
        let keys = match (&self.jwks, &self.jwks_uri) {
            (Some(_), _) => "registered with it",
            (None, Some(url)) => url.as_str(),
            (None, None) => "where its metadata says",
        };
        let audience = self.audience.as_deref().unwrap_or("that of this authority");
        format!("{}: keys {keys}, audience {audience}", self.issuer)
    }
}
