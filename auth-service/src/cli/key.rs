use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Subcommand;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::output::Output;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::error::ErrorKind;
use crate::keys::{Algorithm, KeyReason, KeyRecord, KeyState, SigningKey, import_pem};
use crate::verifiers::ConnectedVerifier;

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List the keys, where each stands, and which connected verifiers lack it.
    List,
    /// Publish a new key that takes over after the publish lead.
    Rotate {
        /// EdDSA, ES256 or RS256; the default one if absent.
        #[arg(long)]
        algorithm: Option<String>,
        /// Sign with it as soon as every connected verifier holds it. Those that are not connected and have
        /// not fetched it yet refuse its first tokens.
        #[arg(long)]
        now: bool,
        /// Longest wait for the connected verifiers: `10s`, `2m`; `0s` for none.
        #[arg(long, default_value = "10s", value_parser = parse_wait)]
        wait: Duration,
    },
    /// Publish a private key of your own (PEM, PKCS#8) that takes over after the publish lead.
    Import {
        file: PathBuf,
        /// EdDSA, ES256 or RS256.
        #[arg(long)]
        algorithm: String,
        /// Sign with it as soon as every connected verifier holds it.
        #[arg(long)]
        now: bool,
        /// Longest wait for the connected verifiers.
        #[arg(long, default_value = "10s", value_parser = parse_wait)]
        wait: Duration,
    },
    /// Take a key out of use at once, and put a new one in its place if it signed.
    Revoke { kid: String },
}

impl KeyCommand {
    pub fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::List => list(authority, output),
            Self::Rotate { algorithm, now, wait } => {
                let algorithm =
                    algorithm.as_deref().map_or(Ok(authority.default_algorithm), parse_algorithm)?;
                let key = SigningKey::generate(algorithm).map_err(|error| error.to_string())?;
                add(authority, output, &key, (now, wait))
            }
            Self::Import { file, algorithm, now, wait } => {
                let key = read(&file, parse_algorithm(&algorithm)?)?;
                add(authority, output, &key, (now, wait))
            }
            Self::Revoke { kid } => revoke(authority, output, &kid),
        }
    }
}

fn list(authority: &Authority, output: &Output) -> Done {
    let now = authority.now();
    let ring = authority.keys.ring();
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
                "activates_at": key.activates_at.seconds(),
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
                KeyState::Active { since } => format!("for {} s", since.distance(now).as_secs()),
                _ => String::new(),
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

fn add(authority: &Authority, output: &Output, key: &SigningKey, (at_once, wait): (bool, Duration)) -> Done {
    let now = authority.now();
    let planned = now.plus(authority.key_policy.publish_lead);
    let added =
        authority.add_key(key, (now, planned), KeyReason::ByHand).map_err(|error| match error.kind {
            ErrorKind::InvalidRequest(hint) => Failure::Wrong(hint.to_owned()),
            _ => error.into(),
        })?;
    let kid = added.ok_or_else(|| Failure::Failed("the key was not added".to_owned()))?;
    let (connected, without) = wait_for_verifiers(authority, &kid, wait)?;
    if at_once {
        authority.bring_key_forward(&kid, authority.now())?;
    }
    let activates_at = if at_once { authority.now() } else { planned };
    let signs_in = activates_at.distance(authority.now()).as_secs();
    let document = json!({
        "kid": kid,
        "algorithm": key.algorithm().as_str(),
        "activates_at": activates_at.seconds(),
        "verifiers": {"connected": connected, "without_key": without.iter().map(described).collect::<Vec<_>>()},
    });
    let held = connected - without.len();
    let mut text = vec![
        format!("published the key {kid}; it signs in {signs_in} s"),
        format!("held by {held} of {connected} connected verifiers"),
    ];
    text.extend(
        without.iter().map(|verifier| format!("  not by {} at {}", verifier.client_id, verifier.address)),
    );
    output.result(&document, &text.join("\n"));
    Ok(())
}

/// Waits until every connected verifier holds a key, but no longer than `wait`: how many there are, and who
/// does not hold it.
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

/// By then each replica has written down the verifiers that were connected when the command began.
const SETTLED: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "the database tells nobody when a verifier has answered")]
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
    if !authority.storage.revoke_key(kid, authority.now())? {
        return Err(Failure::Wrong(format!("there is no key {kid} that could be revoked")));
    }
    // Puts a new key in its place if nothing else of its algorithm signs or will.
    authority.refresh_state()?;
    let now = authority.now();
    let ring = authority.keys.ring();
    let active = ring.records.iter().filter(|key| matches!(key.state(now), KeyState::Active { .. }));
    let active: Vec<&str> = active.map(|key| key.kid.as_str()).collect();
    let document = json!({"kid": kid, "revoked": true, "active": active});
    output.result(&document, &format!("revoked the key {kid}; signing now: {}", active.join(", ")));
    Ok(())
}

pub(super) fn parse_algorithm(text: &str) -> Result<Algorithm, Failure> {
    Algorithm::parse(text)
        .ok_or_else(|| Failure::Usage(format!("{text} is no algorithm: EdDSA, ES256 or RS256")))
}
