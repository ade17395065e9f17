use diesel::prelude::*;

use super::error::StorageError;
use super::schema::clients;
use super::{Storage, count_up, scope, words};
use crate::audit::{Action, Event};
use crate::clients::{Client, ClientId, Credentials, GrantType, NewClient};
use crate::clock::Timestamp;
use crate::secret::HashedSecret;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = clients)]
struct ClientRow {
    id: String,
    scope: String,
    audiences: String,
    grants: String,
    secret_hash: Vec<u8>,
    previous_secret_hash: Option<Vec<u8>>,
    previous_secret_expires_at: Option<i64>,
    created_at: i64,
    disabled_at: Option<i64>,
    introspects: String,
    cors_origins: String,
}

impl Storage {
    /// # Errors
    /// [`StorageError::Taken`] when the id is in use.
    pub fn create_client(
        &self,
        client: &NewClient,
        secret: &HashedSecret,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let row = ClientRow {
            id: client.id.to_string(),
            scope: client.scope.to_string(),
            audiences: client.audiences.join(" "),
            grants: GrantType::join(&client.grants),
            secret_hash: secret.as_bytes().to_vec(),
            previous_secret_hash: None,
            previous_secret_expires_at: None,
            created_at: now.0,
            disabled_at: None,
            introspects: client.introspects.join(" "),
            cors_origins: client.cors_origins.join(" "),
        };
        self.write_audited(move |connection| {
            let ClientRow { grants, scope, audiences, introspects, cors_origins, .. } = &row;
            let detail = format!("grants {grants}, scope {scope}, audiences {audiences}, introspects {introspects}, cors_origins {cors_origins}");
            let made = Event::of(Action::ClientCreated).client(&row.id).detail(detail);
            diesel::insert_into(clients::table).values(row).execute(connection)?;
            count_up(connection, "clients")?;
            Ok(((), Some(made)))
        })
    }

    /// # Errors
    /// [`StorageError`].
    pub fn all_clients(&self) -> Result<Vec<Client>, StorageError> {
        let rows: Vec<ClientRow> = self.look(|connection| {
            Ok(clients::table.order(clients::id).select(ClientRow::as_select()).load(connection)?)
        })?;
        rows.into_iter().map(ClientRow::into_client).collect()
    }

    /// Gives a client a new secret; the old one stays good until `previous_until`. `Ok(false)` when
    /// there is no such client.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn set_client_secret(
        &self,
        id: &ClientId,
        secret: &HashedSecret,
        previous_until: Timestamp,
    ) -> Result<bool, StorageError> {
        let (id, secret) = (id.clone(), secret.as_bytes().to_vec());
        self.write_audited(move |connection| {
            let changed = diesel::update(clients::table.find(id.as_str()))
                .set((
                    clients::previous_secret_hash.eq(clients::secret_hash.nullable()),
                    clients::previous_secret_expires_at.eq(previous_until.0),
                    clients::secret_hash.eq(secret),
                ))
                .execute(connection)?;
            count_up(connection, "clients")?;
            let event = (changed > 0).then(|| Event::of(Action::ClientSecretSet).client(id.as_str()));
            Ok((changed > 0, event))
        })
    }
}

impl ClientRow {
    fn into_client(self) -> Result<Client, StorageError> {
        let unreadable = |what: &str| StorageError::Unreadable(format!("client with a malformed {what}"));
        let grant = |word: String| GrantType::parse(&word).ok_or_else(|| unreadable("grant"));
        let previous = self.previous_secret_hash.zip(self.previous_secret_expires_at);
        Ok(Client {
            id: ClientId::parse(&self.id).ok_or_else(|| unreadable("id"))?,
            scope: scope(&self.scope)?,
            audiences: words(&self.audiences),
            grants: words(&self.grants).into_iter().map(grant).collect::<Result<_, _>>()?,
            credentials: Credentials::Secret {
                current: HashedSecret::from_stored(self.secret_hash),
                previous: previous.map(|(hash, until)| (HashedSecret::from_stored(hash), Timestamp(until))),
            },
            created_at: Timestamp(self.created_at),
            disabled_at: self.disabled_at.map(Timestamp),
            introspects: words(&self.introspects),
            cors_origins: words(&self.cors_origins),
        })
    }
}
