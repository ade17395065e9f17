//! What users have allowed clients.

use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::Storage;
use super::connection::AnyConnection;
use super::device_requests::{ALLOWED, DENIED};
use super::error::StorageError;
use super::revocations;
use super::schema::{consents, device_requests, sessions};
use super::session_ends::SessionsEnded;
use super::{BrowserEnd, scope};
use crate::audit::{Action, Actor, Event};
use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::sessions::EndReason;
use shared_claims::ScopeSet;

/// What a user allows a client.
#[derive(Debug, Clone)]
pub struct Consent {
    pub user_id: String,
    pub client_id: String,
    pub audience: String,
    pub scope: ScopeSet,
    pub granted_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = consents)]
struct ConsentRow {
    user_id: String,
    client_id: String,
    audience: String,
    scope: String,
    granted_at: i64,
    expires_at: i64,
}

impl Storage {
    /// Remembers what a user allows a client, in place of what they allowed it before for the same audience.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn remember_consent(&self, consent: &Consent) -> Result<(), StorageError> {
        let row = ConsentRow {
            user_id: consent.user_id.clone(),
            client_id: consent.client_id.clone(),
            audience: consent.audience.clone(),
            scope: consent.scope.to_string(),
            granted_at: consent.granted_at.0,
            expires_at: consent.expires_at.0,
        };
        self.write_audited(move |connection| {
            let event = Event::of(Action::ConsentGranted)
                .by(Actor::User(row.user_id.clone()))
                .user(&row.user_id)
                .client(&row.client_id)
                .detail(format!("scope {}, audience {}", row.scope, row.audience));
            let known = consents::table.find((&row.user_id, &row.client_id, &row.audience));
            // Two tabs at one moment: the second one finds the row that the first has made.
            if diesel::update(known).set(&row).execute(connection)? == 0 {
                let insert = diesel::insert_into(consents::table).values(row);
                match connection {
                    AnyConnection::Sqlite(connection) => {
                        insert.on_conflict_do_nothing().execute(connection)?
                    }
                    AnyConnection::Postgres(connection) => {
                        insert.on_conflict_do_nothing().execute(connection)?
                    }
                };
            }
            Ok(((), Some(event)))
        })
    }

    /// The consents of a user, or those for a client, or all, that have not expired; at most 1000.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn consents(
        &self,
        user_id: Option<&str>,
        client_id: Option<&ClientId>,
        now: Timestamp,
    ) -> Result<Vec<Consent>, StorageError> {
        self.read(|connection| {
            let of_user = consents::user_id.nullable().eq(user_id).assume_not_null();
            let of_client =
                consents::client_id.nullable().eq(client_id.map(ClientId::as_str)).assume_not_null();
            let found = consents::table
                .filter(consents::expires_at.gt(now.0))
                .filter(of_user.or(user_id.is_none().into_sql::<Bool>()))
                .filter(of_client.or(client_id.is_none().into_sql::<Bool>()))
                .order((consents::user_id, consents::client_id, consents::audience))
                .limit(1000);
            let rows: Vec<ConsentRow> = found.select(ConsentRow::as_select()).load(connection)?;
            rows.into_iter().map(ConsentRow::into_consent).collect()
        })
    }

    /// Withdraws what a user has allowed a client, ends the sessions that came from it and revokes their tokens: what
    /// ended. `Ok(None)` when there is neither a consent nor a session.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn withdraw_consent(
        &self,
        user_id: &str,
        client_id: &ClientId,
        by: Option<Actor>,
        end: BrowserEnd,
    ) -> Result<Option<SessionsEnded>, StorageError> {
        let (user_id, client_id) = (user_id.to_owned(), client_id.to_string());
        self.write_revoking(move |connection| {
            let given = consents::table
                .filter(consents::user_id.eq(&user_id))
                .filter(consents::client_id.eq(&client_id));
            let withdrawn = diesel::delete(given).execute(connection)?;
            let live = sessions::table
                .filter(sessions::user_id.eq(&user_id))
                .filter(sessions::client_id.eq(&client_id))
                .filter(sessions::browser_session_id.is_not_null())
                .filter(sessions::ended_at.is_null());
            let ended: Vec<String> = diesel::update(live)
                .set((
                    sessions::ended_at.eq(end.now.0),
                    sessions::end_reason.eq(EndReason::ConsentWithdrawn.as_str()),
                ))
                .returning(sessions::id)
                .get_results(connection)?;
            // A device that was allowed and has not asked since gets nothing any more.
            let allowed = device_requests::table
                .filter(device_requests::user_id.eq(&user_id))
                .filter(device_requests::client_id.eq(&client_id))
                .filter(device_requests::state.eq(ALLOWED));
            let denied =
                diesel::update(allowed).set(device_requests::state.eq(DENIED)).execute(connection)?;
            if withdrawn == 0 && denied == 0 && ended.is_empty() {
                return Ok((None, None));
            }
            let targets = revocations::of_ended_sessions(&ended, &user_id, end.now);
            revocations::append(connection, &targets, end.revoked_until)?;
            let event = Event::of(Action::ConsentWithdrawn).user(&user_id).client(&client_id);
            let ended = SessionsEnded { count: ended.len(), revoked: targets };
            let event = event.detail(ended.detail());
            let event = by.iter().fold(event, |event, by| event.by(by.clone()));
            Ok((Some(ended), Some(event)))
        })
    }
}

impl ConsentRow {
    fn into_consent(self) -> Result<Consent, StorageError> {
        Ok(Consent {
            scope: scope(&self.scope)?,
            user_id: self.user_id,
            client_id: self.client_id,
            audience: self.audience,
            granted_at: Timestamp(self.granted_at),
            expires_at: Timestamp(self.expires_at),
        })
    }
}
