//! From a `SIMPLE_JWT` dictionary to our settings: what each of its entries becomes, and which have no counterpart.

mod cors;
mod durations;
mod output;

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::tokens::LEGACY_ALGORITHMS;

use durations::duration;
pub use output::Converted;

/// In seconds.
const DAY: u64 = 24 * 3600;
const YEAR: u64 = 365 * DAY;

/// Names that simplejwt itself refuses since version 4.
const REMOVED: [&str; 4] = ["AUTH_HEADER_TYPE", "AUTH_TOKEN_CLASS", "SECRET_KEY", "TOKEN_BACKEND_CLASS"];

/// What the dictionary is printed with.
pub const HOW_TO_EXPORT: &str = r#"python manage.py shell -v 0 -c 'import json; from django.conf import settings; print(json.dumps({**getattr(settings, "SIMPLE_JWT", {}), **{name: getattr(settings, name) for name in dir(settings) if name.startswith("CORS_")}}, default=str))' > simple_jwt.json"#;

/// Converts a dictionary in JSON.
///
/// # Errors
/// One line: it is no JSON object, and how to make one.
pub fn convert(text: &str) -> Result<Converted, String> {
    let given: Value = serde_json::from_str(text)
        .map_err(|error| format!("is no JSON ({error}). Print it by\n{HOW_TO_EXPORT}"))?;
    let Value::Object(given) = given else {
        return Err(format!("is no JSON object. Print it by\n{HOW_TO_EXPORT}"));
    };
    let mut converted = Converted::default();
    for (name, value) in &given {
        entry(&mut converted, name, value);
    }
    together(&mut converted, &given);
    Ok(converted)
}

/// What an entry says by itself.
fn entry(out: &mut Converted, name: &str, value: &Value) {
    match name {
        "ACCESS_TOKEN_LIFETIME" => time(out, name, value, "tokens.access_ttl", 1..=DAY),
        "REFRESH_TOKEN_LIFETIME" => time(out, name, value, "tokens.refresh_idle_ttl", 1..=YEAR),
        "SLIDING_TOKEN_LIFETIME" => time(out, name, value, "simplejwt.sliding_ttl", 1..=DAY),
        "SLIDING_TOKEN_REFRESH_LIFETIME" => {
            time(out, name, value, "simplejwt.sliding_refresh_ttl", 1..=YEAR);
        }
        "LEEWAY" => time(out, name, value, "simplejwt.leeway", 0..=60),
        "ROTATE_REFRESH_TOKENS" => flag(out, name, value, "simplejwt.rotate_refresh_tokens"),
        "ALGORITHM" => algorithm(out, value),
        "ISSUER" => optional_text(out, name, value, "simplejwt.legacy_issuer"),
        "USER_ID_FIELD" => text(out, name, value, "django.user_id"),
        "USER_ID_CLAIM" => user_id_claim(out, value),
        "AUDIENCE" => audience(out, value),
        "AUTH_HEADER_TYPES" => header_types(out, value),
        "AUTH_TOKEN_CLASSES" => token_classes(out, value),
        "SIGNING_KEY" | "VERIFYING_KEY" => key(out, name, value),
        cors if cors.starts_with("CORS_") => cors::entry(out, name, value),
        _ => remark(out, name, value),
    }
}

/// What is to be said of an entry that becomes no setting.
fn remark(out: &mut Converted, name: &str, value: &Value) {
    match name {
        "UPDATE_LAST_LOGIN" => out.note(name, "is always so here"),
        "BLACKLIST_AFTER_ROTATION" => {
            out.note(name, "is always so here: a used refresh token is refused, after a grace for retries");
        }
        "CHECK_REVOKE_TOKEN" | "REVOKE_TOKEN_CLAIM" => {
            out.note(
                name,
                "is always so here: a new password ends all sessions, and no claim is needed for it",
            );
        }
        "JWK_URL" => out.note(name, "becomes the authority's: https://AUTHORITY/.well-known/jwks.json"),
        "TOKEN_USER_CLASS" => out.note(name, "stays in the settings of the service that has it"),
        "CHECK_USER_IS_ACTIVE" if *value == Value::Bool(true) => {}
        "CHECK_USER_IS_ACTIVE" => out.missing(name, "a disabled account gets no tokens here"),
        "AUTH_HEADER_NAME" => only(
            out,
            name,
            value,
            "HTTP_AUTHORIZATION",
            "the authority reads Authorization; services keep theirs",
        ),
        "TOKEN_TYPE_CLAIM" => only(out, name, value, "token_type", "the claim has this name"),
        "JTI_CLAIM" => only(out, name, value, "jti", "the claim has this name (RFC 7519)"),
        "SLIDING_TOKEN_REFRESH_EXP_CLAIM" => only(out, name, value, "refresh_exp", "the claim has this name"),
        "USER_AUTHENTICATION_RULE" => {
            let default = "rest_framework_simplejwt.authentication.default_user_authentication_rule";
            only(
                out,
                name,
                value,
                default,
                "an account that is disabled may not log in; no other rule is asked",
            );
        }
        "ON_LOGIN_SUCCESS" | "ON_LOGIN_FAILED" if value.is_null() => {}
        "ON_LOGIN_SUCCESS" | "ON_LOGIN_FAILED" => out.missing(name, "every login is in the audit log"),
        "JSON_ENCODER" if value.is_null() => {}
        "JSON_ENCODER" => {
            out.missing(name, "claims are JSON; a value of another type becomes one in the webhook")
        }
        serializer if serializer.ends_with("_SERIALIZER") => {
            let own = value.as_str().is_some_and(|path| path.starts_with("rest_framework_simplejwt."));
            if !own {
                out.missing(name, "claims that it adds are made by [claims], or by the claims webhook");
            }
        }
        removed if REMOVED.contains(&removed) => {
            out.wrong(name, "was removed from simplejwt; it refuses to start")
        }
        _ => out.wrong(name, "is not a setting of simplejwt 5.5"),
    }
}

/// What several entries say together, or one that is not there.
fn together(out: &mut Converted, given: &Map<String, Value>) {
    let is = |name: &str, value: &Value| given.get(name).is_some_and(|given| given == value);
    if !given.contains_key("ROTATE_REFRESH_TOKENS") {
        out.set("simplejwt.rotate_refresh_tokens", "false");
    }
    if is("ROTATE_REFRESH_TOKENS", &Value::Bool(true)) && !is("BLACKLIST_AFTER_ROTATION", &Value::Bool(true))
    {
        out.note(
            "BLACKLIST_AFTER_ROTATION",
            "used refresh tokens were good until they expired: here they are not, and using one ends the session",
        );
    }
    let is_given = |name: &str| given.get(name).and_then(Value::as_str).is_some_and(|key| !key.is_empty());
    if !is_given("SIGNING_KEY") && !is_given("VERIFYING_KEY") {
        key(out, "SIGNING_KEY", &Value::String("SECRET_KEY".to_owned()));
    }
    if !given.contains_key("AUDIENCE") {
        audience(out, &Value::Null);
    }
    // A session may last longer than the default lets it.
    if let Some(idle) = given.get("REFRESH_TOKEN_LIFETIME").and_then(|value| duration(value).ok())
        && (30 * DAY..=YEAR).contains(&idle.as_secs())
    {
        out.set("tokens.refresh_absolute_ttl", &format!("\"{}\"", durations::written(idle)));
    }
}

/// In seconds, between what our setting takes.
fn time(out: &mut Converted, name: &str, value: &Value, setting: &'static str, bounds: RangeInclusive<u64>) {
    match duration(value) {
        Ok(time) if !bounds.contains(&time.as_secs()) => {
            let [least, most] =
                [bounds.start(), bounds.end()].map(|bound| durations::written(Duration::from_secs(*bound)));
            out.missing(name, &format!("{setting} is {least} to {most}; its default holds"));
        }
        Ok(time) => out.set(setting, &format!("\"{}\"", durations::written(time))),
        Err(why) => out.wrong(name, &why),
    }
}

fn flag(out: &mut Converted, name: &str, value: &Value, setting: &'static str) {
    match value.as_bool() {
        Some(flag) => out.set(setting, &flag.to_string()),
        None => out.wrong(name, "is neither true nor false"),
    }
}

fn text(out: &mut Converted, name: &str, value: &Value, setting: &'static str) {
    match value.as_str().filter(|text| is_plain(text)) {
        Some(text) => out.set(setting, &format!("{text:?}")),
        None => out.wrong(name, "is code, or no text"),
    }
}

/// What the start would refuse is named here already.
fn algorithm(out: &mut Converted, value: &Value) {
    match value.as_str().filter(|text| !is_code(text)) {
        Some(known) if LEGACY_ALGORITHMS.contains(&known) => {
            out.set("simplejwt.legacy_algorithm", &format!("{known:?}"));
        }
        Some(other) => {
            let known = LEGACY_ALGORITHMS.join(", ");
            out.missing(
                "ALGORITHM",
                &format!("{other} tokens cannot be exchanged, only those of {known}: users log in again"),
            );
        }
        None => out.wrong("ALGORITHM", "is code, or no text"),
    }
}

fn optional_text(out: &mut Converted, name: &str, value: &Value, setting: &'static str) {
    if !value.is_null() {
        text(out, name, value, setting);
    }
}

fn only(out: &mut Converted, name: &str, value: &Value, default: &str, why: &str) {
    if value.as_str() != Some(default) {
        out.missing(name, why);
    }
}

fn user_id_claim(out: &mut Converted, value: &Value) {
    let name = "USER_ID_CLAIM";
    match value.as_str().filter(|text| is_plain(text)) {
        Some("user_id") => {}
        Some(claim) => {
            out.set("simplejwt.legacy_user_id_claim", &format!("{claim:?}"));
            out.note(
                name,
                "was another claim: our tokens have `user_id`, which services are to read from now on",
            );
        }
        None => out.wrong(name, "is code, or no text"),
    }
}

fn audience(out: &mut Converted, value: &Value) {
    match value {
        Value::Null => out.note(
            "AUDIENCE",
            "was not set: our tokens have one all the same, which services without AUDIENCE do not look at; set it there",
        ),
        Value::Array(_) => out.missing("AUDIENCE", "a token has one audience: choose the one of these that services share"),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            text(out, "AUDIENCE", value, "simplejwt.audience");
            text(out, "AUDIENCE", value, "simplejwt.legacy_audience");
        }
    }
}

fn header_types(out: &mut Converted, value: &Value) {
    let types = match value {
        Value::String(one) => Some(vec![one.as_str()]),
        Value::Array(many) => many.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    match types.filter(|types| types.iter().all(|text| is_plain(text) && !text.contains(','))) {
        Some(types) => out.set("simplejwt.header_types", &format!("{:?}", types.join(", "))),
        None => out.wrong("AUTH_HEADER_TYPES", "is code, or no list of texts"),
    }
}

fn token_classes(out: &mut Converted, value: &Value) {
    let name = "AUTH_TOKEN_CLASSES";
    let classes =
        value.as_array().map(|classes| classes.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    let Some(Some(classes)) = classes else { return out.wrong(name, "is code, or no list of texts") };
    for class in classes {
        match class.strip_prefix("rest_framework_simplejwt.tokens.") {
            Some("AccessToken") => {}
            Some("SlidingToken") => out.set("simplejwt.sliding", "true"),
            _ => out.missing(name, "services accept access tokens, or sliding ones; no other class"),
        }
    }
}

/// Keys are secrets: what is in the dictionary is not repeated.
fn key(out: &mut Converted, name: &str, value: &Value) {
    let empty = value.as_str().is_none_or(str::is_empty);
    if empty {
        return;
    }
    out.set("simplejwt.legacy_key_file", "\"data/legacy.key\"");
    out.note(
        name,
        "goes into the file data/legacy.key (mode 0600), not into these settings: for HS256 the text itself, \
         for RS256 and ES256 the public key in PEM. Take it away when simplejwt.legacy_until has come",
    );
}

/// Text that is a text, and no expression that someone pasted.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !is_code(text)
}

/// Whether it is a Python expression: a call, a subscript, a literal of another kind, a name of the settings. A text
/// that only contains such a thing, like a URL with `settings.` in its host, is a text.
fn is_code(text: &str) -> bool {
    let name =
        text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len());
    let (name, rest) = text.split_at(name);
    let called = !name.is_empty()
        && (rest.starts_with('(') && rest.ends_with(')') || rest.starts_with('[') && rest.ends_with(']'));
    let named = rest.is_empty() && (name.starts_with("settings.") || name.starts_with("os.environ"));
    let literal = text.starts_with(['(', '[', '{']);
    let statement = ["lambda ", "lambda:", "import "].iter().any(|word| text.starts_with(word));
    called || named || literal || statement
}

#[cfg(test)]
mod tests;
