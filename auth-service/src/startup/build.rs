use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use service_kit::secret_file;
use shared_claims::ScopeSet;

use super::Result;
use crate::audit::{Actor, Chain};
use crate::authority::account::{AccountPolicy, AccountService, Links};
use crate::authority::sign_in::{SignIn, SignInPolicy};
use crate::authority::sync::SyncState;
use crate::authority::tokens::TokenReader;
use crate::authority::{Authority, Issuer, SimpleJwt, SlidingPolicy, TokenPolicy};
use crate::clients::{Audience, Client, ClientDirectory, ClientId, Credentials, GrantType};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::Result as CoreResult;
use crate::keys::{Algorithm, KeyPolicy, Keys, MasterKey, Purpose, Secrets};
use crate::mail::{MailPolicy, Mailer};
use crate::settings::Settings;
use crate::storage::{DatabaseUrl, Storage, StorageError};
use crate::tokens::{ClaimMap, LegacySettings, LegacyTokens, RefreshTokens};
use crate::users::{AttemptPolicy, PasswordRules};
use crate::webhook::{ClaimsWebhook, WebhookPolicy};

/// Clock difference and time on the way that a token may be accepted beyond its `exp`.
const VERIFIER_SLACK: Duration = Duration::from_secs(60);

/// 2020-01-01: a clock before it was never set.
const EARLIEST_CLOCK: Timestamp = Timestamp(1_577_836_800_000);

/// Builds the authority: schema, master key, first signing key. What it finds wrong ends the start.
///
/// # Errors
/// What is wrong, in one line, with what to do about it.
pub fn build(settings: &Settings, process: Actor) -> Result<Arc<Authority>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    check_clock(clock.as_ref())?;
    let storage = open_storage(settings)?;
    let master = open_master_key(&settings.keys.master_key_file, &storage)?;
    let secrets = open_secrets(&master, &settings.keys.master_key_file, &storage)?;
    storage.audit_with(Chain::new(&secrets, Arc::clone(&clock), process));
    let authority = Authority {
        policy: token_policy(settings),
        simplejwt: simplejwt(settings, &secrets)?,
        clients: ClientDirectory::default(),
        issuer: issuer(settings, &secrets)?,
        reader: TokenReader::new(&settings.issuer, settings.simplejwt.leeway)?,
        sign_in: SignIn::new(sign_in_policy(settings), &secrets),
        account: AccountService::new(account_policy(settings), mailer(settings)?, &secrets),
        sync: SyncState::default(),
        clock,
        storage,
    };
    let raised = authority.storage.raise_longest_token(authority.issuer.key_policy.longest_token);
    raised.map_err(|error| error.to_string())?;
    authority.refresh_state().map_err(|error| error.cause)?;
    Ok(Arc::new(authority))
}

/// How long an access token of any kind may be accepted.
fn longest_token(settings: &Settings) -> Duration {
    let simplejwt = &settings.simplejwt;
    let sliding = if simplejwt.sliding { simplejwt.sliding_ttl } else { Duration::ZERO };
    settings.tokens.access_ttl.max(sliding) + VERIFIER_SLACK
}

fn token_policy(settings: &Settings) -> TokenPolicy {
    TokenPolicy {
        access_ttl: settings.tokens.access_ttl,
        refresh_idle_ttl: settings.tokens.refresh_idle_ttl,
        refresh_absolute_ttl: settings.tokens.refresh_absolute_ttl,
        refresh_grace: settings.tokens.refresh_grace,
        offline_issuing: settings.tokens.offline_issuing,
        max_sessions: settings.tokens.max_sessions,
    }
}

fn issuer(settings: &Settings, secrets: &Secrets) -> Result<Issuer> {
    let url = settings.issuer.clone();
    Ok(Issuer {
        keys: Keys::new(secrets),
        key_policy: KeyPolicy {
            rotation_period: settings.keys.rotation_period,
            publish_lead: settings.keys.publish_lead,
            longest_token: longest_token(settings),
        },
        default_algorithm: Algorithm::parse(&settings.keys.algorithm).ok_or("keys.algorithm is unknown")?,
        refresh_tokens: RefreshTokens::new(url.clone(), secrets, settings.simplejwt.leeway),
        webhook: webhook(settings),
        url,
    })
}

fn sign_in_policy(settings: &Settings) -> SignInPolicy {
    SignInPolicy {
        attempts: attempt_policy(settings),
        password_rules: PasswordRules::new(settings.passwords.min_characters, &settings.issuer),
        hashing_threads: hashing_threads(settings),
        connections: settings.database.pool_size,
    }
}

fn simplejwt(settings: &Settings, secrets: &Secrets) -> Result<SimpleJwt> {
    let legacy = legacy_tokens(settings, secrets)?;
    let first_party = Arc::new(first_party(settings)?);
    let simplejwt = &settings.simplejwt;
    let sliding = SlidingPolicy { ttl: simplejwt.sliding_ttl, refresh_ttl: simplejwt.sliding_refresh_ttl };
    Ok(SimpleJwt {
        first_party,
        legacy,
        user_id: simplejwt.user_id,
        rotate: simplejwt.rotate_refresh_tokens,
        leeway: simplejwt.leeway,
        sliding: simplejwt.sliding.then_some(sliding),
        claims: ClaimMap::new(settings.claims.clone())
            .map_err(|error| format!("settings: claims: {error}"))?,
    })
}

/// The key of the old system, if there is one.
fn legacy_tokens(settings: &Settings, secrets: &Secrets) -> Result<Option<LegacyTokens>> {
    let simplejwt = &settings.simplejwt;
    let (Some(path), Some(until)) = (&simplejwt.legacy_key_file, simplejwt.legacy_until) else {
        return Ok(None);
    };
    let failed = |cause: String| format!("simplejwt.legacy_key_file: {}: {cause}", path.display());
    // Only a secret has to be kept: a public key may be anybody's to read.
    let key = if simplejwt.legacy_algorithm.starts_with("HS") {
        secret_file::read(path)
            .and_then(|key| key.ok_or_else(|| "does not exist".to_owned()))
            .map_err(failed)?
    } else {
        std::fs::read(path).map_err(|error| failed(error.to_string()))?
    };
    let settings = LegacySettings {
        algorithm: simplejwt.legacy_algorithm.clone(),
        key,
        audience: simplejwt.legacy_audience.clone(),
        issuer: simplejwt.legacy_issuer.clone(),
        user_id_claim: simplejwt.legacy_user_id_claim.clone(),
        until,
        leeway: simplejwt.leeway.as_secs(),
    };
    LegacyTokens::new(settings, secrets.get(Purpose::LegacySessions)).map(Some).map_err(failed)
}

fn account_policy(settings: &Settings) -> AccountPolicy {
    let accounts = &settings.accounts;
    let links = Links {
        registration: accounts.registration_link.clone(),
        email: accounts.email_link.clone(),
        reset: accounts.reset_link.clone(),
    };
    AccountPolicy { registration: accounts.registration, links }
}

fn mailer(settings: &Settings) -> Result<Option<Mailer>> {
    mail_policy(settings)?.map(Mailer::new).transpose()
}

/// The mail server, if there is one.
///
/// # Errors
/// One line: a file that cannot be read.
pub fn mail_policy(settings: &Settings) -> Result<Option<MailPolicy>> {
    let mail = &settings.mail;
    let Some(url) = mail.url.clone() else { return Ok(None) };
    let password = match &mail.password_file {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| format!("mail.password_file: {}: {error}", path.display()))?
            .trim()
            .to_owned(),
    };
    let credentials = mail.username.clone().map(|name| (name, password));
    Ok(Some(MailPolicy { url, credentials, from: mail.from.clone() }))
}

fn webhook(settings: &Settings) -> Option<ClaimsWebhook> {
    let webhook = &settings.claims_webhook;
    let url = webhook.url.clone()?;
    let (timeout, cache, on_failure) = (webhook.timeout, webhook.cache, webhook.on_failure);
    Some(ClaimsWebhook::new(WebhookPolicy { url, timeout, cache, on_failure }))
}

fn attempt_policy(settings: &Settings) -> AttemptPolicy {
    AttemptPolicy {
        realm: "login",
        pair: settings.limits.pair,
        account: settings.limits.account,
        client_ip: settings.limits.client_ip,
        window: settings.limits.window,
    }
}

/// # Errors
/// A clock that was never set.
pub fn check_clock(clock: &dyn Clock) -> Result<()> {
    if clock.now() < EARLIEST_CLOCK {
        return Err("the system clock is not set: it stands before 2020".to_owned());
    }
    Ok(())
}

/// The database with a schema that fits, or what is wrong with it.
///
/// # Errors
/// One line that names the database without its password.
fn open_storage(settings: &Settings) -> Result<Storage> {
    let url = database_url(settings)?;
    if settings.database.migrate {
        migrate(&url)?;
    } else {
        let pending = Storage::pending_migrations(&url).map_err(|error| format!("{url}: {error}"))?;
        if !pending.is_empty() {
            let missing = pending.join(", ");
            return Err(format!("{url}: the schema is missing {missing}: run `auth-service migrate`"));
        }
    }
    Storage::connect(&url, settings.database.pool_size).map_err(|error| format!("{url}: {error}"))
}

/// Brings the schema up to date.
///
/// # Errors
/// One line that names the database without its password.
pub fn migrate(url: &DatabaseUrl) -> Result<Vec<String>> {
    if let Some(folder) = url.folder() {
        make_default_folder(folder)?;
    }
    Storage::migrate(url).map_err(|error| format!("{url}: {error}"))
}

/// # Errors
/// What is wrong with the setting.
pub fn database_url(settings: &Settings) -> Result<DatabaseUrl> {
    DatabaseUrl::parse(&settings.database.url).map_err(|error| format!("database.url {error}"))
}

/// `./data` is made; any other folder is the operator's, and a mistyped path must not make one.
fn make_default_folder(folder: &Path) -> Result<()> {
    if folder == Path::new("data") {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        return made.map_err(|error| format!("{}: {error}", folder.display()));
    }
    if folder.is_dir() { Ok(()) } else { Err(format!("the folder {} does not exist", folder.display())) }
}

/// Made only where nothing was ever sealed: a lost key must not be replaced silently.
fn open_master_key(path: &Path, storage: &Storage) -> Result<MasterKey> {
    let read = || MasterKey::read(path).map_err(|error| format!("master key: {error}"));
    if let Some(key) = read()? {
        return Ok(key);
    }
    let sealed = storage.all_keys().map_err(|error: StorageError| error.to_string())?;
    if !sealed.is_empty() {
        // A replica that starts at this moment may have made both since the file was looked for.
        if let Some(key) = read()? {
            return Ok(key);
        }
        return Err(format!(
            "master key: {} does not exist, and the database holds keys that only it can open: restore it",
            path.display()
        ));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_default_folder(folder)?;
    }
    MasterKey::create(path).map_err(|error| format!("master key: {error}"))
}

/// # Errors
/// One line: another master key is needed.
pub fn open_secrets(master: &MasterKey, path: &Path, storage: &Storage) -> Result<Secrets> {
    let stored = storage.sealed_secrets().map_err(|error| error.to_string())?;
    Secrets::open(master, &stored).map_err(|error| {
        format!(
            "master key: the secrets in the database {error}: was it changed, and is {} the old one?",
            path.display()
        )
    })
}

fn hashing_threads(settings: &Settings) -> usize {
    match settings.passwords.threads {
        0 => thread::available_parallelism().map_or(1, usize::from),
        set => set,
    }
}

fn first_party(settings: &Settings) -> Result<Client> {
    let simplejwt = &settings.simplejwt;
    Ok(Client {
        id: ClientId::parse(&simplejwt.client_id).ok_or("simplejwt.client_id is malformed")?,
        scope: ScopeSet::parse(&simplejwt.scope).map_err(|error| format!("simplejwt.scope: {error}"))?,
        audiences: vec![simplejwt.audience.clone()],
        grants: vec![GrantType::Password, GrantType::RefreshToken],
        introspects: Vec::new(),
        credentials: Credentials::FirstParty,
        created_at: Timestamp(0),
        disabled_at: None,
    })
}

/// Registers the audience of the first-party tokens, so that it can be given an algorithm of its own.
///
/// # Errors
/// `Unavailable`.
pub fn register_default_audience(authority: &Authority) -> CoreResult<()> {
    for audience in &authority.simplejwt.first_party.audiences {
        match authority.storage.create_audience(&Audience::named(audience), authority.now()) {
            Ok(()) | Err(StorageError::Taken) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
