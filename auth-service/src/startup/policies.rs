//! The settings of each part of the authority, as that part takes them.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use service_kit::secret_file;
use shared_claims::ScopeSet;

use super::Result;
use crate::authority::account::{AccountPolicy, Links};
use crate::authority::authorize::{AuthorizePolicy, DevicePolicy};
use crate::authority::sign_in::SignInPolicy;
use crate::authority::{Issuer, SimpleJwt, SlidingPolicy, TokenPolicy};
use crate::browser_sessions::BrowserSessionPolicy;
use crate::clients::{Client, ClientId, ClientLogin, Credentials, GrantType, TokenBinding};
use crate::clock::Timestamp;
use crate::keys::{Algorithm, KeyPolicy, KeyPurpose, Keys, Secrets};
use crate::mail::{MailPolicy, Mailer};
use crate::settings::Settings;
use crate::tokens::{ClaimMap, LegacySettings, LegacyTokens, RefreshTokens};
use crate::users::{AttemptPolicy, PasswordRules};
use crate::webhook::{ClaimsWebhook, WebhookPolicy};

/// Clock difference and time on the way that a token may be accepted beyond its `exp`.
const VERIFIER_SLACK: Duration = Duration::from_secs(60);

/// How long an access token of any kind may be accepted.
fn longest_token(settings: &Settings) -> Duration {
    let simplejwt = &settings.simplejwt;
    let sliding = if simplejwt.sliding { simplejwt.sliding_ttl } else { Duration::ZERO };
    settings.tokens.access_ttl.max(sliding) + VERIFIER_SLACK
}

pub(super) fn token_policy(settings: &Settings) -> TokenPolicy {
    TokenPolicy {
        access_ttl: settings.tokens.access_ttl,
        refresh_idle_ttl: settings.tokens.refresh_idle_ttl,
        refresh_absolute_ttl: settings.tokens.refresh_absolute_ttl,
        refresh_grace: settings.tokens.refresh_grace,
        offline_issuing: settings.tokens.offline_issuing,
        max_sessions: settings.tokens.max_sessions,
    }
}

pub(super) fn issuer(settings: &Settings, secrets: &Secrets) -> Result<Issuer> {
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

pub(super) fn sign_in_policy(settings: &Settings) -> SignInPolicy {
    SignInPolicy {
        attempts: attempt_policy(settings),
        password_rules: PasswordRules::new(settings.passwords.min_characters, &settings.issuer),
        hashing_threads: hashing_threads(settings),
        connections: settings.database.pool_size,
    }
}

pub(super) fn authorize_policy(settings: &Settings) -> AuthorizePolicy {
    let (openid, sessions) = (&settings.openid, &settings.browser_sessions);
    AuthorizePolicy {
        code_ttl: openid.code_ttl,
        interaction_ttl: openid.interaction_ttl,
        consent_ttl: openid.consent_ttl,
        browser_sessions: BrowserSessionPolicy {
            idle: sessions.idle,
            absolute: sessions.absolute,
            accounts: sessions.accounts,
        },
        device: DevicePolicy { ttl: settings.device.ttl, interval: settings.device.interval },
    }
}

pub(super) fn simplejwt(settings: &Settings, secrets: &Secrets) -> Result<SimpleJwt> {
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
    LegacyTokens::new(settings, secrets.get(KeyPurpose::LegacySessions)).map(Some).map_err(failed)
}

pub(super) fn account_policy(settings: &Settings) -> AccountPolicy {
    let accounts = &settings.accounts;
    let links = Links {
        registration: accounts.registration_link.clone(),
        email: accounts.email_link.clone(),
        reset: accounts.reset_link.clone(),
    };
    AccountPolicy { registration: accounts.registration, links }
}

pub(super) fn mailer(settings: &Settings) -> Result<Option<Mailer>> {
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

fn hashing_threads(settings: &Settings) -> usize {
    let set = settings.passwords.threads;
    if set > 0 { set } else { thread::available_parallelism().map_or(1, usize::from) }
}

fn first_party(settings: &Settings) -> Result<Client> {
    let simplejwt = &settings.simplejwt;
    Ok(Client {
        id: ClientId::parse(&simplejwt.client_id).ok_or("simplejwt.client_id is malformed")?,
        scope: ScopeSet::parse(&simplejwt.scope).map_err(|error| format!("simplejwt.scope: {error}"))?,
        audiences: vec![simplejwt.audience.clone()],
        grants: vec![GrantType::Password, GrantType::RefreshToken],
        introspects: Vec::new(),
        cors_origins: Vec::new(),
        login: ClientLogin::default(),
        credentials: Credentials::FirstParty,
        token_binding: TokenBinding::Optional,
        created_at: Timestamp(0),
        disabled_at: None,
    })
}
