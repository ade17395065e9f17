use std::sync::Arc;

use super::Result;
use super::database::{Opening, open_master_key, open_secrets, open_storage};
use super::policies::{
    account_policy, authorize_policy, issuer, mailer, sign_in_policy, simplejwt, token_policy,
};
use crate::audit::{Actor, Chain};
use crate::authority::account::AccountService;
use crate::authority::authorize::AuthorizeService;
use crate::authority::sign_in::SignIn;
use crate::authority::sync::SyncState;
use crate::authority::tokens::TokenReader;
use crate::authority::{Authority, Proofs};
use crate::clients::ClientDirectory;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::keys::{KeyPurpose, Secrets};
use crate::outbound::{Outbound, Reachable};
use crate::remote_keys::RemoteKeys;
use crate::settings::Settings;
use crate::tokens::DpopNonces;

/// 2020-01-01: a clock before it was never set.
const EARLIEST_CLOCK: Timestamp = Timestamp(1_577_836_800_000);

/// Builds the authority: schema, master key, first signing key. What it finds wrong ends the start.
///
/// # Errors
/// What is wrong, in one line, with what to do about it.
pub fn build(settings: &Settings, process: Actor) -> Result<Arc<Authority>> {
    build_at(settings, Arc::new(SystemClock), process)
}

/// The same with a clock: a test's stands still.
///
/// # Errors
/// As [`build`].
pub fn build_at(settings: &Settings, clock: Arc<dyn Clock>, process: Actor) -> Result<Arc<Authority>> {
    let authority = assemble(settings, clock, process, Opening::Create)?;
    let raised = authority.storage.raise_longest_token(authority.issuer.key_policy.longest_token);
    raised.map_err(|error| error.to_string())?;
    authority.refresh_state().map_err(|error| error.cause)?;
    Ok(Arc::new(authority))
}

/// The authority that is there, for commands that only read: creates no database, no key and no folder, and changes
/// nothing.
///
/// # Errors
/// What is missing or wrong, in one line, with the setting that names it.
pub fn build_existing(settings: &Settings, process: Actor) -> Result<Arc<Authority>> {
    let authority = assemble(settings, Arc::new(SystemClock), process, Opening::Existing)?;
    authority.load_state().map_err(|error| error.cause)?;
    Ok(Arc::new(authority))
}

fn assemble(
    settings: &Settings,
    clock: Arc<dyn Clock>,
    process: Actor,
    opening: Opening,
) -> Result<Authority> {
    check_clock(clock.as_ref())?;
    let storage = open_storage(settings, opening)?;
    let master = open_master_key(&settings.keys.master_key_file, &storage, opening)?;
    let secrets = open_secrets(&master, &settings.keys.master_key_file, &storage)?;
    storage.audit_with(Chain::new(&secrets, Arc::clone(&clock), process));
    Ok(Authority {
        policy: token_policy(settings),
        simplejwt: simplejwt(settings, &secrets)?,
        clients: ClientDirectory::default(),
        proofs: proofs(settings, &secrets)?,
        issuer: issuer(settings, &secrets)?,
        reader: TokenReader::new(&settings.issuer, settings.simplejwt.leeway)?,
        sign_in: SignIn::new(sign_in_policy(settings), &secrets),
        authorize: AuthorizeService::new(authorize_policy(settings), &secrets),
        account: AccountService::new(account_policy(settings), mailer(settings)?, &secrets),
        sync: SyncState::default(),
        clock,
        storage,
    })
}

fn proofs(settings: &Settings, secrets: &Secrets) -> Result<Proofs> {
    let issuer = settings.issuer.as_str();
    // The path of a request begins with that of the issuer.
    let origin = url::Url::parse(issuer).map_err(|error| format!("issuer: {error}"))?.origin();
    let origin = origin.ascii_serialization();
    let grpc = settings.grpc.url.as_deref().unwrap_or(&origin);
    let nonces = settings.dpop.require_nonce.then(|| DpopNonces::new(secrets.get(KeyPurpose::DpopNonces)));
    let proofs = Proofs::new(RemoteKeys::new(outbound(settings)?), &[&origin, grpc], nonces);
    proofs.map_err(|error| format!("grpc.url: {error}"))
}

/// The client that fetches what others publish.
fn outbound(settings: &Settings) -> Result<Outbound> {
    let path = settings.outbound.ca_file.as_deref();
    let authorities = path.map(std::fs::read).transpose();
    let authorities = authorities.map_err(|error| format!("outbound.ca_file: {error}"))?;
    let reachable = Reachable::new(settings.outbound.networks.clone());
    Outbound::new(reachable, authorities.as_deref()).map_err(|error| format!("outbound.ca_file: {error}"))
}

/// # Errors
/// A clock that was never set.
pub fn check_clock(clock: &dyn Clock) -> Result<()> {
    if clock.now() < EARLIEST_CLOCK {
        return Err("the system clock is not set: it stands before 2020".to_owned());
    }
    Ok(())
}
