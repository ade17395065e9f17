use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Subcommand;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::output::Output;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::error::ErrorKind;
use crate::keys::{Algorithm, KeyRecord, KeyState, SigningKey, UNSCHEDULED, import_pem};
use crate::verifiers::ConnectedVerifier;

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// List the keys with their states, and the connected verifiers that do not hold them yet.
    List,
    /// Let the standby key take over after the publish lead, and publish the next standby key.
    Rotate {
        /// EdDSA, ES256 or RS256; the default one if absent.
        #[arg(long)]
        algorithm: Option<String>,
        /// Let it sign as soon as every connected verifier holds it. Verifiers that cache the key set hold it too,
        /// unless it was published a moment ago: `key list` shows since when.
        #[arg(long)]
        now: bool,
        /// How long to wait for the connected verifiers: `10s`, `2m`; `0s` does not wait.
        #[arg(long, default_value = "10s", value_parser = parse_wait)]
        wait: Duration,
    },
    /// Publish a private key of your own (PEM, PKCS#8) that takes over after the publish lead.
    Import {
        file: PathBuf,
        /// EdDSA, ES256 or RS256.
        #[arg(long)]
        algorithm: String,
        /// Let it sign as soon as every connected verifier holds it. Verifiers that cache the key set refuse its
        /// first tokens until they fetch it.
        #[arg(long)]
        now: bool,
        /// How long to wait for the connected verifiers.
        #[arg(long, default_value = "10s", value_parser = parse_wait)]
        wait: Duration,
    },
    /// Revoke a key at once. If it signed, the standby key takes its place.
    Revoke { kid: String },
}

impl KeyCommand {
    /// Whether it changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::List)
    }

    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::List => list(authority, output),
            Self::Rotate { algorithm, now, wait } => {
                let algorithm =
                    algorithm.as_deref().map_or(Ok(authority.issuer.default_algorithm), parse_algorithm)?;
                let (kid, activates_at) =
                    authority.rotate_key(algorithm, now, authority.now()).map_err(refused_input)?;
                let rotation = Rotation { kid, algorithm, activates_at, at_once: now, wait };
                rotation.finish(authority, output)
            }
            Self::Import { file, algorithm, now, wait } => {
                let algorithm = parse_algorithm(&algorithm)?;
                let key = read(&file, algorithm)?;
                let (kid, activates_at) =
                    authority.import_key(&key, authority.now()).map_err(refused_input)?;
                let rotation = Rotation { kid, algorithm, activates_at, at_once: now, wait };
                rotation.finish(authority, output)
            }
            Self::Revoke { kid } => revoke(authority, output, &kid),
        }
    }
}

fn list(authority: &Authority, output: &Output) -> Done {
    let now = authority.now();
    let ring = authority.issuer.keys.ring();
    let verifiers = authority.storage.connected_verifiers(now)?;
    let missing = |key: &KeyRecord| {
        let (kid, public) = (key.kid.clone(), key.state(now).is_public());
        verifiers.iter().filter(move |verifier| public && !verifier.kids.contains(&kid))
    };
    let document: Vec<_> = ring
        .records
        .iter()
        .map(|key| {
            json!({
                "kid": key.kid,
                "algorithm": key.algorithm.as_str(),
                "state": key.state(now).as_str(),
                "published_at": key.published_at.seconds(),
                "activates_at": (key.activates_at != UNSCHEDULED).then(|| key.activates_at.seconds()),
                "retires_at": key.retires_at.map(crate::clock::Timestamp::seconds),
                "removed_at": key.removed_at.map(crate::clock::Timestamp::seconds),
                "revoked_at": key.revoked_at.map(crate::clock::Timestamp::seconds),
                "held_by": verifiers.iter().filter(|verifier| verifier.kids.contains(&key.kid)).count(),
                "missing_at": missing(key).map(described).collect::<Vec<_>>(),
            })
        })
        .collect();
    let text: Vec<String> = ring
        .records
        .iter()
        .flat_map(|key| {
            let until = match key.state(now) {
                KeyState::Published { activates_at } => {
                    format!("signs in {} s", activates_at.distance(now).as_secs())
                }
                KeyState::Retired { removed_at: Some(at) } => {
                    format!("removed in {} s", at.distance(now).as_secs())
                }
                KeyState::Standby => {
                    format!("published for {} s", key.published_at.distance(now).as_secs())
                }
                KeyState::Active { since } => format!("for {} s", since.distance(now).as_secs()),
                KeyState::Prepared { .. }
                | KeyState::Retired { removed_at: None }
                | KeyState::Removed
                | KeyState::Revoked { .. } => String::new(),
            };
            let state = key.state(now).as_str();
            let line = format!("{} {:<6} {state:<10} {until}", key.kid, key.algorithm.as_str());
            let without = |verifier: &ConnectedVerifier| {
                format!("  not held by {} at {}", verifier.client_id, verifier.address)
            };
            std::iter::once(line).chain(missing(key).map(without)).collect::<Vec<_>>()
        })
        .collect();
    output.result(&json!(document), &text.join("\n"));
    Ok(())
}

fn read(file: &Path, algorithm: Algorithm) -> Result<SigningKey, Failure> {
    let wrong = |cause: String| Failure::Usage(format!("{}: {cause}", file.display()));
    let pem = std::fs::read(file).map(Zeroizing::new).map_err(|error| wrong(error.to_string()))?;
    import_pem(algorithm, &pem).map_err(|error| wrong(error.to_string()))
}

fn refused_input(error: crate::error::Error) -> Failure {
    if let ErrorKind::InvalidRequest(hint) = error.kind {
        Failure::Wrong(hint.to_owned())
    } else {
        error.into()
    }
}

/// A key that was published and scheduled, and how the command goes on.
struct Rotation {
    kid: String,
    algorithm: Algorithm,
    activates_at: Timestamp,
    at_once: bool,
    wait: Duration,
}

impl Rotation {
    fn finish(self, authority: &Authority, output: &Output) -> Done {
        let Self { kid, algorithm, activates_at, at_once, wait } = self;
        let (connected, without) = wait_for_verifiers(authority, &kid, wait)?;
        if at_once {
            authority.activate_key(&kid, authority.now())?;
        }
        let now = authority.now();
        let activates_at = if at_once { now } else { activates_at };
        let document = json!({
            "kid": kid,
            "algorithm": algorithm.as_str(),
            "activates_at": activates_at.seconds(),
            "verifiers": {"connected": connected, "without_key": without.iter().map(described).collect::<Vec<_>>()},
        });
        let signs = match activates_at.0.saturating_sub(now.0) {
            ..=0 => "it signs now".to_owned(),
            _ => format!("it signs in {} s", activates_at.distance(now).as_secs()),
        };
        let mut text = vec![
            format!("the next key is {kid}; {signs}"),
            format!("held by {} of {connected} connected verifiers", connected - without.len()),
        ];
        text.extend(
            without.iter().map(|verifier| format!("  not by {} at {}", verifier.client_id, verifier.address)),
        );
        output.result(&document, &text.join("\n"));
        Ok(())
    }
}

/// Waits until every connected verifier holds a key, but no longer than `wait`. Returns how many are connected, and
/// those that do not hold it.
fn wait_for_verifiers(
    authority: &Authority,
    kid: &str,
    wait: Duration,
) -> Result<(usize, Vec<ConnectedVerifier>), Failure> {
    let begun = Instant::now();
    loop {
        let (connected, without) = authority.verifiers_without(kid)?;
        let all_hold_it = without.is_empty() && begun.elapsed() >= SETTLED;
        if all_hold_it || begun.elapsed() >= wait {
            return Ok((connected, without));
        }
        pause();
    }
}

/// By then each replica has stored the verifiers that were connected when the command started.
const SETTLED: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "the database does not notify when a verifier has answered")]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

fn described(verifier: &ConnectedVerifier) -> Value {
    json!({"client_id": verifier.client_id, "address": verifier.address})
}

fn parse_wait(text: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(600);
    let parsed = service_kit::duration::parse(text).filter(|wait| *wait <= most);
    parsed.ok_or_else(|| "expected a duration of `0s` to `10m`".to_owned())
}

fn revoke(authority: &Authority, output: &Output, kid: &str) -> Done {
    if !authority.revoke_key(kid, authority.now())? {
        return Err(Failure::Wrong(format!("key {kid:?} not found, or already revoked")));
    }
    let now = authority.now();
    let ring = authority.issuer.keys.ring();
    let active = ring.records.iter().filter(|key| matches!(key.state(now), KeyState::Active { .. }));
    let active: Vec<&str> = active.map(|key| key.kid.as_str()).collect();
    let document = json!({"kid": kid, "revoked": true, "active": active});
    output.result(&document, &format!("revoked the key {kid}; signing now: {}", active.join(", ")));
    Ok(())
}

pub(super) fn parse_algorithm(text: &str) -> Result<Algorithm, Failure> {
    Algorithm::parse(text).ok_or_else(|| {
        Failure::Usage(format!("unsupported algorithm {text:?}: expected EdDSA, ES256 or RS256"))
    })
}
