//! Every use case in-process: an authority from its parts, with a clock that stands still, on SQLite in a folder in
//! memory. No listener, no thread that waits; a test moves the clock to the boundary that it asks about.

mod account;
mod admin;
mod admin_changes;
mod audit;
mod certificates;
mod client_assertions;
mod client_authentication;
mod client_credentials;
mod client_keys;
mod device;
mod dpop;
mod introspect;
mod legacy;
mod login;
mod password;
mod refresh;
mod revoke;
mod token_exchange;
mod upgrade;
mod verify;
mod workloads;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use auth_service::audit::Actor;
use auth_service::authority::Authority;
use auth_service::authority::admin::NewUser;
use auth_service::authority::grants::{ClientCredentialsGrant, Grant, PasswordGrant, RefreshGrant};
use auth_service::authority::sign_in::PasswordCredentials;
use auth_service::authority::tokens::{Introspection, IssuedTokens, PresentedToken};
use auth_service::clients::{
    Audience, Client, ClientId, ClientLogin, ClientMethod, GrantType, NewClient, TokenBinding,
};
use auth_service::clock::{Clock, Timestamp};
use auth_service::context::RequestContext;
use auth_service::error::{Error, ErrorKind, TokenFault};
use auth_service::secret::PlainSecret;
use auth_service::sender_proof::SenderProof;
use auth_service::settings::Settings;
use auth_service::startup;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use serde_json::{Map, Value};
use service_kit::request_id::RequestId;
use shared_claims::ScopeSet;
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// The addresses and programs of [`context`].
pub(crate) const CLIENT_IP: &str = "192.0.2.7";
pub(crate) const USER_AGENT: &str = "curl/8.5";

pub(crate) const REVOKED: ErrorKind = ErrorKind::Token(TokenFault::Revoked);
pub(crate) const EXPIRED: ErrorKind = ErrorKind::Token(TokenFault::Expired);
pub(crate) const INVALID: ErrorKind = ErrorKind::Token(TokenFault::Invalid);
pub(crate) const WRONG_TYPE: ErrorKind = ErrorKind::Token(TokenFault::WrongType);

/// A clock that stands still until it is moved.
pub(crate) struct FixedClock(AtomicI64);

impl FixedClock {
    pub(crate) fn advance(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// An authority without a process around it.
pub(crate) struct InProcess {
    pub authority: Arc<Authority>,
    pub clock: Arc<FixedClock>,
    folder: TempDir,
}

impl InProcess {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        // At a whole second, as times in tokens are.
        Self::build(Timestamp(1_800_000_000_000), |_| {}, change)
    }

    /// On what is in its folder, at a time.
    pub(crate) fn on(now: Timestamp, prepare: impl FnOnce(&Path)) -> Self {
        Self::build(now, prepare, |_| {})
    }

    fn build(now: Timestamp, prepare: impl FnOnce(&Path), change: impl FnOnce(&mut Settings)) -> Self {
        // A file in memory, not SQLite's memory mode: the journal and the locks are those of production.
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let mut settings = Settings::default();
        settings.database.url = format!("sqlite://{}/signet.db", folder.path().display());
        settings.keys.master_key_file = folder.path().join("master.key");
        change(&mut settings);
        prepare(folder.path());
        let clock = Arc::new(FixedClock(AtomicI64::new(now.0)));
        let of_authority: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let authority = startup::build_at(&settings, of_authority, Actor::Authority).unwrap();
        authority.register_default_audience().unwrap();
        let this = Self { authority, clock, folder };
        this.see_changes();
        this
    }

    /// Changes the database behind the authority's back.
    pub(crate) fn execute(&self, statement: &str) {
        let path = self.folder.path().join("signet.db");
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        connection.batch_execute(statement).unwrap();
    }

    /// What the poll of the database does every quarter of a second.
    pub(crate) fn see_changes(&self) {
        self.authority.refresh_state().map_err(|error| error.cause).unwrap();
    }

    pub(crate) fn user(&self, username: &str) -> String {
        let password = Some(PlainSecret::new(PASSWORD.to_owned()));
        let new = NewUser { username, roles: vec!["staff".to_owned()], password };
        self.authority.create_user(new).map_err(|error| error.cause).unwrap().user.id
    }

    pub(crate) fn audience(&self, name: &str) {
        self.authority.create_audience(&Audience::named(name)).map_err(|error| error.cause).unwrap();
    }

    /// A client for every grant, with the scope `read write` and the audience `notes`.
    pub(crate) fn client(&self, id: &str) -> Arc<Client> {
        self.client_like(id, |_| {})
    }

    pub(crate) fn client_like(&self, id: &str, change: impl FnOnce(&mut NewClient)) -> Arc<Client> {
        self.client_and_secret(id, change).0
    }

    pub(crate) fn client_and_secret(
        &self,
        id: &str,
        change: impl FnOnce(&mut NewClient),
    ) -> (Arc<Client>, PlainSecret) {
        let (client, secret) = self.try_client(id, change).map_err(|error| error.cause).unwrap();
        (client, secret.unwrap())
    }

    /// A client that proves itself so.
    pub(crate) fn client_by(&self, id: &str, method: ClientMethod) -> Arc<Client> {
        self.try_client_by(id, method).map_err(|error| error.cause).unwrap()
    }

    pub(crate) fn try_client_by(&self, id: &str, method: ClientMethod) -> Result<Arc<Client>, Error> {
        let by = |new: &mut NewClient| {
            new.method = method;
            new.grants = vec![GrantType::ClientCredentials];
        };
        self.try_client(id, by).map(|(client, _)| client)
    }

    fn try_client(
        &self,
        id: &str,
        change: impl FnOnce(&mut NewClient),
    ) -> Result<(Arc<Client>, Option<PlainSecret>), Error> {
        let mut new = NewClient {
            id: ClientId::parse(id).unwrap(),
            scope: ScopeSet::parse("read write").unwrap(),
            audiences: vec!["notes".to_owned()],
            grants: vec![GrantType::ClientCredentials, GrantType::RefreshToken, GrantType::Password],
            introspects: Vec::new(),
            cors_origins: Vec::new(),
            login: ClientLogin::default(),
            method: ClientMethod::Secret,
            token_binding: TokenBinding::Optional,
        };
        change(&mut new);
        for audience in new.audiences.iter().chain(&new.introspects) {
            // Another client may have it already.
            let _ = self.authority.create_audience(&Audience::named(audience));
        }
        let secret = self.authority.create_client(&new)?;
        self.see_changes();
        Ok((self.authority.clients.enabled(&new.id).unwrap(), secret))
    }

    pub(crate) fn first_party(&self) -> Arc<Client> {
        Arc::clone(&self.authority.simplejwt.first_party)
    }

    pub(crate) fn grant(&self, client: &Arc<Client>, grant: Grant) -> Result<IssuedTokens, ErrorKind> {
        let step = self.authority.grant(Arc::clone(client), grant);
        step.and_then(|step| step.complete(&self.authority)).map_err(|error| error.kind)
    }

    pub(crate) fn client_token(&self, client: &Arc<Client>) -> String {
        self.grant(client, Grant::ClientCredentials(ClientCredentialsGrant::default())).unwrap().access_token
    }

    pub(crate) fn log_in(&self, client: &Arc<Client>, username: &str) -> Pair {
        let issued = self.grant(client, password_grant(username, PASSWORD)).unwrap();
        Pair { access: issued.access_token, refresh: issued.refresh_token.unwrap() }
    }

    pub(crate) fn refresh(&self, client: &Arc<Client>, refresh_token: &str) -> Result<Pair, ErrorKind> {
        let issued = self.grant(client, refresh_grant(refresh_token))?;
        Ok(Pair { access: issued.access_token, refresh: issued.refresh_token.unwrap() })
    }

    pub(crate) fn verify(&self, token: &str) -> Result<(), ErrorKind> {
        let step = self.authority.verify_token(token.to_owned());
        step.and_then(|step| step.complete(&self.authority)).map_err(|error| error.kind)
    }

    /// What userinfo answers to who bears a token.
    pub(crate) fn userinfo(&self, token: &str) -> Result<Map<String, Value>, Error> {
        self.authority.userinfo(&PresentedToken::borne(token.to_owned()))
    }

    /// Whether a client is told that a token is active.
    pub(crate) fn is_active(&self, client: &Client, token: &str) -> bool {
        let step = self.authority.introspect(client, token).unwrap();
        matches!(step.complete(&self.authority).unwrap(), Introspection::Active(_))
    }
}

/// The tokens of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub access: String,
    pub refresh: String,
}

pub(crate) fn password_grant(username: &str, password: &str) -> Grant {
    Grant::Password(Box::new(PasswordGrant {
        credentials: PasswordCredentials {
            unverified_username: username.to_owned(),
            password: PlainSecret::new(password.to_owned()),
            otp: None,
        },
        context: context(),
        scope: None,
        audience: None,
    }))
}

pub(crate) fn refresh_grant(refresh_token: &str) -> Grant {
    narrowing_grant(refresh_token, None)
}

pub(crate) fn narrowing_grant(refresh_token: &str, scope: Option<&str>) -> Grant {
    Grant::RefreshToken(RefreshGrant {
        unverified_token: refresh_token.to_owned(),
        scope: scope.map(str::to_owned),
        context: context(),
    })
}

/// Where requests come from.
pub(crate) fn context() -> RequestContext {
    RequestContext {
        client_ip: Some(CLIENT_IP.parse::<IpAddr>().unwrap().into()),
        unverified_user_agent: Some(USER_AGENT.into()),
        request_id: Some(RequestId::next()),
        sender: SenderProof::default(),
    }
}

/// The claims of a token.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    serde_json::from_str(&decoded(token.split('.').nth(index).unwrap())).unwrap()
}

/// The JSON text of a part of a token.
pub(crate) fn decoded(part: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
