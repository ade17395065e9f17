//! From settings to a running authority: what is made at the first start, what ends a start, and the
//! order in which things stop.

use std::fs::DirBuilder;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use service_kit::signals::{exit_at_next_signal, told_to_stop};
use shared_claims::{ScopeSet, Verifier};
use tokio_util::sync::CancellationToken;

use crate::authority::{Authority, TokenPolicy};
use crate::blocking::{self, Blocking};
use crate::clients::{Client, ClientDirectory, ClientId, Credentials, GrantType};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::Result as CoreResult;
use crate::grpc;
use crate::http::{self, Edge};
use crate::keys::{Algorithm, KeyPolicy, Keys, MasterKey};
use crate::refresh_state::{Keeper, SeenChanges};
use crate::revocations::RevocationDocument;
use crate::settings::Settings;
use crate::storage::{DatabaseUrl, Storage, StorageError};
use crate::tokens::RefreshTokens;
use crate::users::PasswordHasher;

/// One line for the operator; the start ends with it.
pub type Result<T> = std::result::Result<T, String>;

/// Clock difference and time on the way that a token may be accepted beyond its `exp`.
const VERIFIER_SLACK: Duration = Duration::from_secs(60);

/// Longest drain of what is under way at a shutdown.
const DRAIN: Duration = Duration::from_secs(25);

/// 2020-01-01: a clock before it was never set (F14).
const EARLIEST_CLOCK: Timestamp = Timestamp(1_577_836_800_000);

/// Builds the authority: schema, master key, first signing key. What it finds wrong ends the start.
///
/// # Errors
/// What is wrong, in one line, with what to do about it.
pub fn build(settings: &Settings) -> Result<Arc<Authority>> {
    let clock = SystemClock;
    if clock.now() < EARLIEST_CLOCK {
        return Err("the system clock is not set: it stands before 2020".to_owned());
    }
    let storage = open_storage(settings)?;
    let master = open_master_key(&settings.keys.master_key_file, &storage)?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let hashing = if settings.passwords.threads == 0 { threads } else { settings.passwords.threads };
    let authority = Authority {
        issuer: settings.issuer.clone(),
        policy: TokenPolicy {
            access_ttl: settings.tokens.access_ttl,
            refresh_idle_ttl: settings.tokens.refresh_idle_ttl,
            refresh_absolute_ttl: settings.tokens.refresh_absolute_ttl,
            refresh_grace: settings.tokens.refresh_grace,
        },
        key_policy: KeyPolicy {
            rotation_period: settings.keys.rotation_period,
            publish_lead: settings.keys.publish_lead,
            longest_token: settings.tokens.access_ttl + VERIFIER_SLACK,
        },
        default_algorithm: Algorithm::parse(&settings.keys.algorithm).ok_or("keys.algorithm is unknown")?,
        first_party: Arc::new(first_party(settings)?),
        keys: Keys::new(&master),
        clients: ClientDirectory::default(),
        hasher: PasswordHasher::start(hashing)?,
        refresh_tokens: RefreshTokens::new(settings.issuer.clone(), &master),
        // Its own clock made the token: no leeway at the end, a little for replicas at the start.
        verifier: Verifier::of_any_audience(settings.issuer.clone()).with_leeway(5).with_expiry_leeway(0),
        revocation_document: ArcSwap::from_pointee(RevocationDocument::default()),
        seen: SeenChanges::new(),
        storage_answers: AtomicBool::new(true),
        clock: Arc::new(clock),
        storage,
    };
    authority.refresh_state().map_err(|error| error.cause)?;
    Ok(Arc::new(authority))
}

/// The database with a schema that fits, or what is wrong with it.
///
/// # Errors
/// One line that names the database without its password.
pub fn open_storage(settings: &Settings) -> Result<Storage> {
    let url = database_url(settings)?;
    if settings.database.migrate {
        migrate(&url)?;
    } else {
        let pending = Storage::pending_migrations(&url).map_err(|error| format!("{url}: {error}"))?;
        if !pending.is_empty() {
            let missing = pending.join(", ");
            return Err(format!("{url}: the schema lacks {missing}: run `auth-service migrate`"));
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
    if let Some(key) = MasterKey::read(path).map_err(|error| format!("master key: {error}"))? {
        return Ok(key);
    }
    let sealed = storage.all_keys().map_err(|error: StorageError| error.to_string())?;
    if !sealed.is_empty() {
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

fn first_party(settings: &Settings) -> Result<Client> {
    let simplejwt = &settings.simplejwt;
    Ok(Client {
        id: ClientId::parse(&simplejwt.client_id).ok_or("simplejwt.client_id is malformed")?,
        scope: ScopeSet::parse(&simplejwt.scope).map_err(|error| format!("simplejwt.scope: {error}"))?,
        audiences: vec![simplejwt.audience.clone()],
        grants: vec![GrantType::Password, GrantType::RefreshToken],
        credentials: Credentials::FirstParty,
        created_at: Timestamp(0),
        disabled_at: None,
    })
}

/// Serves until SIGTERM or SIGINT; a second one ends the process at once.
///
/// # Errors
/// One line: a listener that cannot be bound, a transport that broke.
pub fn serve(settings: &Settings, authority: &Arc<Authority>) -> Result<()> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores)
        .max_blocking_threads(blocking::THREADS)
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let keeper = Keeper::start(Arc::clone(authority)).map_err(|error| error.cause)?;
    let outcome = runtime.block_on(serve_until_told(settings, authority, cores));
    keeper.stop();
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn serve_until_told(settings: &Settings, authority: &Arc<Authority>, cores: usize) -> Result<()> {
    let blocking = Blocking::new(tokio::runtime::Handle::current());
    let http_listener = TcpListener::bind(settings.http.bind)
        .map_err(|error| format!("http.bind {}: {error}", settings.http.bind))?;
    let http_address = http_listener.local_addr().map_err(|error| error.to_string())?;
    let grpc_listener = grpc::bind(settings.grpc.bind)
        .await
        .map_err(|error| format!("grpc.bind {}: {error}", settings.grpc.bind))?;
    let grpc_address = grpc_listener.local_addr().map_err(|error| error.to_string())?;

    let edge = Edge {
        authority: Arc::clone(authority),
        blocking: blocking.clone(),
        simplejwt: settings.simplejwt.enabled,
    };
    let http = http::server(http_listener, &edge, cores).map_err(|error| format!("http: {error}"))?;
    let http_handle = http.handle();
    let http_task = tokio::spawn(http);
    let stop = CancellationToken::new();
    let mouth = (Arc::clone(authority), blocking);
    let mut grpc_task =
        tokio::spawn(grpc::serve(grpc_listener, mouth, settings.grpc.reflection, stop.clone()));
    tracing::info!(http = %http_address, grpc = %grpc_address, issuer = settings.issuer, "ready");

    let mut early = None;
    tokio::select! {
        () = told_to_stop() => tracing::info!("stopping: requests under way are finished first"),
        ended = &mut grpc_task => early = Some(format!("grpc ended: {ended:?}")),
    }
    exit_at_next_signal();
    stop.cancel();
    let drained = tokio::time::timeout(DRAIN, async {
        http_handle.stop(true).await;
        if early.is_none() {
            // An idle peer can hold this open for ever (hyper#4170): hence the bound around it.
            let _ = (&mut grpc_task).await;
        }
        let _ = http_task.await;
    });
    if drained.await.is_err() {
        tracing::warn!("some connections did not end in time and were cut");
    }
    tracing::info!("stopped");
    early.map_or(Ok(()), Err)
}

/// Private keys are in memory: no core dump may carry them away, and no other process may look.
///
/// # Errors
/// What the system refused.
pub fn harden_process() -> Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|error| format!("core dumps cannot be switched off: {error}"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| format!("the memory cannot be protected: {error}"))
}

/// Registers the audience of the first-party tokens, so that it can be given an algorithm of its own.
///
/// # Errors
/// `Unavailable`.
pub fn register_default_audience(authority: &Authority) -> CoreResult<()> {
    for audience in &authority.first_party.audiences {
        match authority.storage.create_audience(audience, None, authority.now()) {
            Ok(()) | Err(StorageError::Taken) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
