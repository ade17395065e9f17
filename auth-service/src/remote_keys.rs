//! The keys that others publish, as long as they may be held: those of clients (`jwks_uri`, RFC 7591 section 2), and of trusted issuers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared_claims::KeySet;
use shared_claims::public_keys::MAX_JWKS_BYTES;
use shared_claims::strict::{StrictValue, parse_object};

use crate::clients::KeyLocation;
use crate::clock::{Clock, Timestamp};
use crate::outbound::{Fetched, Outbound};

/// How long keys are used before they are fetched again, unless their server says less or more.
const FRESH: Duration = Duration::from_secs(600);

/// Bounds of what the server may say. A key that was withdrawn ends after the longest.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);

/// How long keys are used that cannot be fetched again.
const STALE: Duration = Duration::from_secs(86_400);

/// Least time between two fetches: a caller who names keys that do not exist causes no more of them.
const BETWEEN: Duration = Duration::from_secs(60);

/// The same after one that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Keys by where they are published. Only places of the registry are ever looked up, so there are not more.
pub struct RemoteKeys {
    outbound: Outbound,
    held: Mutex<HashMap<KeyLocation, Arc<Source>>>,
}

/// What is to be done about a key.
pub enum Lookup {
    Keys(KeySet),
    /// [`RemoteKeys::fetch`], and look again.
    Fetch,
    /// There are none, and it is too early to try again.
    Missing,
}

#[derive(Default)]
struct Source {
    state: Mutex<State>,
    /// One fetch at a time: the others wait for it.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default, Clone)]
struct State {
    keys: Option<Keys>,
    tried_at: Option<Timestamp>,
    failed: bool,
}

#[derive(Clone)]
struct Keys {
    set: KeySet,
    fetched_at: Timestamp,
    fresh_for: Duration,
}

impl RemoteKeys {
    #[must_use]
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound, held: Mutex::default() }
    }

    /// The client that fetches.
    #[must_use]
    pub fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    /// The keys at a place, for a token that names one of them.
    pub fn look_up(&self, location: &KeyLocation, kid: Option<&str>, now: Timestamp) -> Lookup {
        let state = self.source(location).state();
        let held = state.keys.as_ref().filter(|keys| now < keys.fetched_at.plus(STALE));
        let will_do = held.is_some_and(|keys| {
            let knows = kid.is_none_or(|kid| keys.set.contains(kid));
            knows && now < keys.fetched_at.plus(keys.fresh_for)
        });
        match held {
            Some(keys) if will_do || !state.may_fetch(now) => Lookup::Keys(keys.set.clone()),
            None if !state.may_fetch(now) => Lookup::Missing,
            _ => Lookup::Fetch,
        }
    }

    /// Fetches the keys at a place. A failure leaves what is held, and is in the log. To be run to its end: others wait for it.
    pub async fn fetch(&self, location: &KeyLocation, clock: &dyn Clock) {
        let source = self.source(location);
        let asked_at = clock.now();
        let _fetching = source.fetching.lock().await;
        if source.state().tried_at.is_some_and(|tried_at| tried_at >= asked_at) {
            return;
        }
        let keys = self.read(location, clock).await;
        source.change(|state| {
            // At its end: one that took long is not tried again at once.
            state.tried_at = Some(clock.now());
            state.failed = keys.is_err();
            match keys {
                Ok(keys) => state.keys = Some(keys),
                Err(cause) => tracing::warn!(%location, cause, "published keys could not be fetched"),
            }
        });
    }

    async fn read(&self, location: &KeyLocation, clock: &dyn Clock) -> Result<Keys, String> {
        let fetched_at = clock.now();
        let fetched = match location {
            KeyLocation::Jwks(url) | KeyLocation::SpiffeBundle(url) => self.get(url).await?,
            KeyLocation::Discovery(issuer) => self.get(&self.discovered(issuer).await?).await?,
        };
        let set = match location {
            KeyLocation::SpiffeBundle(_) => KeySet::from_spiffe_bundle(&fetched.body),
            KeyLocation::Jwks(_) | KeyLocation::Discovery(_) => KeySet::from_jwks(&fetched.body),
        };
        let fresh_for = fetched.max_age.unwrap_or(FRESH).clamp(SHORTEST, LONGEST);
        Ok(Keys { set: set.map_err(|error| error.to_string())?, fetched_at, fresh_for })
    }

    /// Where the metadata of an issuer says that its keys are.
    async fn discovered(&self, issuer: &str) -> Result<String, String> {
        let base = issuer.trim_end_matches('/');
        let metadata = self.get(&format!("{base}/.well-known/openid-configuration")).await?;
        jwks_uri(&metadata.body, issuer)
    }

    async fn get(&self, url: &str) -> Result<Fetched, String> {
        self.outbound.get(url, MAX_JWKS_BYTES).await.map_err(|error| error.to_string())
    }

    fn source(&self, location: &KeyLocation) -> Arc<Source> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = held.get(location) {
            return Arc::clone(source);
        }
        Arc::clone(held.entry(location.clone()).or_default())
    }
}

/// The `jwks_uri` of the metadata of an issuer, which must name itself: another one's metadata would bring other keys
/// (OpenID Connect Discovery section 4.3).
fn jwks_uri(metadata: &[u8], issuer: &str) -> Result<String, String> {
    let metadata = parse_object(metadata).ok_or("the metadata is not strict JSON")?;
    let text = |name: &str| metadata.get(name).and_then(StrictValue::as_str);
    if text("issuer") != Some(issuer) {
        return Err("the metadata is of another issuer".to_owned());
    }
    text("jwks_uri").map(str::to_owned).ok_or_else(|| "the metadata names no jwks_uri".to_owned())
}

impl Source {
    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl State {
    fn may_fetch(&self, now: Timestamp) -> bool {
        let pause = if self.failed { AFTER_FAILURE } else { BETWEEN };
        self.tried_at.is_none_or(|tried_at| now >= tried_at.plus(pause))
    }
}
