use std::fs;
use std::path::Path;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use service_kit::settings::Loaded;
use shared_claims::ScopeSet;

use super::Settings;
use crate::clients::ClientId;
use crate::keys::Algorithm;

/// Reads all layers, and what the settings say of each other.
///
/// # Errors
/// One line with the key, what was expected, and where the value came from.
pub fn load(file: Option<&Path>) -> Result<Loaded<Settings>, String> {
    let mut loaded: Loaded<Settings> = service_kit::settings::load("AUTH", file)?;
    let settings = &mut loaded.settings;
    if let Some(path) = &settings.database.url_file {
        let url = fs::read_to_string(path)
            .map_err(|error| format!("settings: database.url_file: {}: {error}", path.display()))?;
        settings.database.url = url.trim().to_owned();
    }
    if settings.tokens.refresh_idle_ttl > settings.tokens.refresh_absolute_ttl {
        return Err("settings: tokens.refresh_idle_ttl is longer than tokens.refresh_absolute_ttl".to_owned());
    }
    if settings.simplejwt.legacy_key_file.is_some() && settings.simplejwt.legacy_until.is_none() {
        return Err(
            "settings: simplejwt.legacy_key_file needs simplejwt.legacy_until: when its last token expires"
                .to_owned(),
        );
    }
    if settings.accounts.registration && settings.mail.url.is_none() {
        return Err(
            "settings: accounts.registration needs mail.url: addresses are verified by e-mail".to_owned()
        );
    }
    if settings.keys.publish_lead >= settings.keys.rotation_period {
        return Err("settings: keys.publish_lead is not shorter than keys.rotation_period".to_owned());
    }
    if settings.keys.jwks_max_age.is_some_and(|age| age > settings.keys.publish_lead / 2) {
        return Err("settings: keys.jwks_max_age is longer than half of keys.publish_lead: caches could still hold the \
                    key set without a new key when it signs"
            .to_owned());
    }
    Ok(loaded)
}

pub(super) fn algorithm<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match Algorithm::parse(&text) {
        Some(algorithm) => Ok(algorithm.as_str().to_owned()),
        None => Err(D::Error::custom("expected EdDSA, ES256 or RS256")),
    }
}

pub(super) fn client_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match ClientId::parse(&text) {
        Some(id) => Ok(id.to_string()),
        None => Err(D::Error::custom("expected 1 to 64 characters of A-Z a-z 0-9 . _ -")),
    }
}

pub(super) fn scope<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    ScopeSet::parse(&text).map(|scope| scope.to_string()).map_err(D::Error::custom)
}

pub(super) fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    service_kit::settings::issuer(deserializer).map(Some)
}

pub(super) fn pool_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    within(deserializer, 1, 100)
}

pub(super) fn max_watches<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    within(deserializer, 1, 100_000)
}

pub(super) fn max_sessions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    within(deserializer, 1, 100_000)
}

pub(super) fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    within(deserializer, 0, 1_000_000)
}

pub(super) fn min_characters<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    within(deserializer, 8, 64)
}

pub(super) fn threads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    within(deserializer, 0, 64)
}

pub(super) fn within<'de, D: Deserializer<'de>, T: TryFrom<i64>>(
    deserializer: D,
    least: i64,
    most: i64,
) -> Result<T, D::Error> {
    let expected = || D::Error::custom(format!("expected a number of {least} to {most}"));
    let number = i64::deserialize(deserializer).map_err(|_| expected())?;
    if !(least..=most).contains(&number) {
        return Err(expected());
    }
    T::try_from(number).map_err(|_| expected())
}
