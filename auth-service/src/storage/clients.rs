mod exchange_rules;
mod login_changes;
mod method;
mod trusted_issuers;

use diesel::prelude::*;

use super::error::StorageError;
use super::schema::clients;
use super::{Storage, count_up, scope, words};
use crate::audit::{Action, Event};
use crate::clients::{
    Client, ClientId, ClientLogin, ClientMethod, Credentials, GrantType, NewClient, Pkce, RedirectUri,
    TokenBinding,
};
use crate::clock::Timestamp;
use crate::keys::Algorithm;
use crate::secret::HashedSecret;

pub(super) use login_changes::update_login;
pub(super) use method::MethodColumns;
pub use trusted_issuers::TrustedIssuerDeleted;

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
    name: String,
    redirect_uris: String,
    post_logout_redirect_uris: String,
    backchannel_logout_uri: Option<String>,
    id_token_algorithm: Option<String>,
    pkce_optional: bool,
    first_party: bool,
    public: bool,
    token_binding: Option<String>,
    #[diesel(embed)]
    method: MethodColumns,
}

impl Storage {
    /// `secret` is that of a client that proves itself by one.
    ///
    /// # Errors
    /// [`StorageError::Taken`] when the id is in use.
    pub fn create_client(
        &self,
        client: &NewClient,
        secret: Option<&HashedSecret>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let login = &client.login;
        let (method, binding) = (client.method.to_string(), client.token_binding.as_str());
        let row = ClientRow {
            id: client.id.to_string(),
            scope: client.scope.to_string(),
            audiences: client.audiences.join(" "),
            grants: GrantType::join(&client.grants),
            // Others have none, and nothing has this hash.
            secret_hash: secret.map(|secret| secret.as_bytes().to_vec()).unwrap_or_default(),
            previous_secret_hash: None,
            previous_secret_expires_at: None,
            created_at: now.0,
            disabled_at: None,
            introspects: client.introspects.join(" "),
            cors_origins: client.cors_origins.join(" "),
            name: login.name.clone(),
            redirect_uris: joined(&login.redirect_uris),
            post_logout_redirect_uris: joined(&login.post_logout_redirect_uris),
            backchannel_logout_uri: login.backchannel_logout_uri.clone(),
            id_token_algorithm: Some(login.id_token_algorithm.as_str().to_owned()),
            pkce_optional: login.pkce == Pkce::Optional,
            first_party: login.first_party,
            public: matches!(client.method, ClientMethod::None),
            token_binding: stored_binding(client.token_binding),
            method: MethodColumns::of(&client.method),
        };
        self.write_audited(move |connection| {
            let ClientRow { grants, scope, audiences, introspects, cors_origins, redirect_uris, .. } = &row;
            let detail = format!("grants {grants}, scope {scope}, audiences {audiences}, introspects {introspects}, cors_origins {cors_origins}, redirect_uris {redirect_uris}, token_binding {binding}, method {method}");
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
    /// there is no such client, or one without a secret.
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
            let found = clients::table.find(id.as_str());
            let with_secret = found.filter(clients::public.eq(false)).filter(clients::auth_method.is_null());
            let changed = diesel::update(with_secret)
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
        let algorithm = self.id_token_algorithm.as_deref().map(Algorithm::parse);
        let login = ClientLogin {
            name: self.name,
            redirect_uris: uris(&self.redirect_uris).ok_or_else(|| unreadable("redirect_uri"))?,
            post_logout_redirect_uris: uris(&self.post_logout_redirect_uris)
                .ok_or_else(|| unreadable("post_logout_redirect_uri"))?,
            backchannel_logout_uri: self.backchannel_logout_uri,
            id_token_algorithm: match algorithm {
                None => ClientLogin::default().id_token_algorithm,
                Some(algorithm) => algorithm.ok_or_else(|| unreadable("id_token_algorithm"))?,
            },
            pkce: if self.pkce_optional { Pkce::Optional } else { Pkce::Required },
            first_party: self.first_party,
        };
        let previous = self.previous_secret_hash.zip(self.previous_secret_expires_at);
        let credentials = match (self.method.read().map_err(unreadable)?, self.public) {
            (Some(credentials), _) => credentials,
            (None, true) => Credentials::Public,
            (None, false) => Credentials::Secret {
                current: HashedSecret::from_stored(self.secret_hash),
                previous: previous.map(|(hash, until)| (HashedSecret::from_stored(hash), Timestamp(until))),
            },
        };
        Ok(Client {
            id: ClientId::parse(&self.id).ok_or_else(|| unreadable("id"))?,
            scope: scope(&self.scope)?,
            audiences: words(&self.audiences),
            grants: words(&self.grants).into_iter().map(grant).collect::<Result<_, _>>()?,
            login,
            credentials,
            token_binding: read_binding(self.token_binding.as_deref())
                .ok_or_else(|| unreadable("token_binding"))?,
            created_at: Timestamp(self.created_at),
            disabled_at: self.disabled_at.map(Timestamp),
            introspects: words(&self.introspects),
            cors_origins: words(&self.cors_origins),
        })
    }
}

/// `NULL` for the default.
pub(super) fn stored_binding(binding: TokenBinding) -> Option<String> {
    Some(binding.as_str().to_owned()).filter(|_| binding != TokenBinding::default())
}

fn read_binding(stored: Option<&str>) -> Option<TokenBinding> {
    stored.map_or(Some(TokenBinding::default()), TokenBinding::parse)
}

fn joined(uris: &[RedirectUri]) -> String {
    uris.iter().map(RedirectUri::as_str).collect::<Vec<_>>().join(" ")
}

fn uris(text: &str) -> Option<Vec<RedirectUri>> {
    words(text).iter().map(|uri| RedirectUri::parse(uri).ok()).collect()
}
