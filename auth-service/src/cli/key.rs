use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use zeroize::Zeroizing;

use super::output::Output;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::keys::{Algorithm, KeyReason, KeyState, SigningKey, import_pem};

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List the keys and where each stands.
    List,
    /// Publish a new key that takes over after the publish lead.
    Rotate {
        /// EdDSA, ES256 or RS256; the default one if absent.
        #[arg(long)]
        algorithm: Option<String>,
        /// Sign with it at once. Verifiers that have not fetched it yet refuse its first tokens.
        #[arg(long)]
        now: bool,
    },
    /// Publish a private key of your own (PEM, PKCS#8) that takes over after the publish lead.
    Import {
        file: PathBuf,
        /// EdDSA, ES256 or RS256.
        #[arg(long)]
        algorithm: String,
        /// Sign with it at once.
        #[arg(long)]
        now: bool,
    },
    /// Take a key out of use at once, and put a new one in its place if it signed.
    Revoke { kid: String },
}

impl KeyCommand {
    pub fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::List => list(authority, output),
            Self::Rotate { algorithm, now } => {
                let algorithm =
                    algorithm.as_deref().map_or(Ok(authority.default_algorithm), parse_algorithm)?;
                let key = SigningKey::generate(algorithm).map_err(|error| error.to_string())?;
                add(authority, output, &key, now)
            }
            Self::Import { file, algorithm, now } => {
                let key = read(&file, parse_algorithm(&algorithm)?)?;
                add(authority, output, &key, now)
            }
            Self::Revoke { kid } => revoke(authority, output, &kid),
        }
    }
}

fn list(authority: &Authority, output: &Output) -> Done {
    let now = authority.now();
    let ring = authority.keys.ring();
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
            })
        })
        .collect();
    let text: Vec<String> = ring
        .records
        .iter()
        .map(|key| {
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
            format!("{} {:<6} {:<10} {until}", key.kid, key.algorithm.as_str(), key.state(now).as_str())
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

fn add(authority: &Authority, output: &Output, key: &SigningKey, at_once: bool) -> Done {
    let now = authority.now();
    let activates_at = if at_once { now } else { now.plus(authority.key_policy.publish_lead) };
    let added =
        authority.add_key(key, (now, activates_at), KeyReason::ByHand).map_err(|error| match error.kind {
            crate::error::ErrorKind::InvalidRequest(hint) => Failure::Wrong(hint.to_owned()),
            _ => error.into(),
        })?;
    let kid = added.ok_or_else(|| Failure::Failed("the key was not added".to_owned()))?;
    let wait = activates_at.distance(now).as_secs();
    let document =
        json!({"kid": kid, "algorithm": key.algorithm().as_str(), "activates_at": activates_at.seconds()});
    output.result(&document, &format!("published the key {kid}; it signs in {wait} s"));
    Ok(())
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
