//! What an account is in Django: the fields of a record, by the operator's map.

mod rights;

use serde_json::{Map, Value};

use super::instant::instant;
use super::names::Names;
use super::values::{flag, key, list};
use super::{ActiveFlag, BlacklistedToken, FieldMap, ImportedUser, Item, Problem};
use crate::users::{MAX_PROFILE_BYTES, StoredHash, Username};
use rights::{groups, permissions, profile, roles, unmapped};

/// Longest primary key, in bytes.
const MAX_ID_BYTES: usize = 64;

/// What no password fits, in Django's words.
const NO_PASSWORD: &str = "!";

/// Reads a user: the `record`th of the dump, with the primary key `pk`.
pub(crate) fn user(
    map: &FieldMap,
    names: &Names,
    record: u64,
    pk: &Value,
    fields: &Map<String, Value>,
) -> Item {
    let id = match map.user_id.as_str() {
        "id" | "pk" => key(pk),
        field => fields.get(field).and_then(key),
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let problem = |what: String| {
        let pk = id.clone().or_else(|| key(pk)).unwrap_or_default();
        Problem { record, pk, name: fields.get(&map.username).and_then(key).unwrap_or_default(), what }
    };
    let Some(pk) = &id else { return Item::Unusable(problem(without_id(map, pk))) };
    if pk.len() > MAX_ID_BYTES || pk.chars().any(char::is_control) {
        let rule =
            format!("its `{}` is longer than {MAX_ID_BYTES} bytes or has control characters", map.user_id);
        return Item::Unusable(problem(rule));
    }
    // Some projects have numbers for usernames.
    let username = fields.get(&map.username).and_then(key);
    let Some(username) = username.as_deref().and_then(Username::parse) else {
        return Item::Unusable(problem(without_username(map, fields)));
    };
    let mut lost = Vec::new();
    let password = text(&map.password);
    let password_hash = match StoredHash::parse(password) {
        Ok(StoredHash::Unusable) => NO_PASSWORD,
        Ok(_) => password,
        Err(error) => {
            lost.push(format!(
                "comes without its password: {error}: set one with `auth-service user passwd`"
            ));
            NO_PASSWORD
        }
    };
    let (groups, of_groups) = groups(names, fields.get("groups"), &mut lost);
    let own = list(fields.get("user_permissions"));
    let permissions = permissions(names, of_groups.into_iter().chain(own), &mut lost);
    let Some(active) = is_active(&map.active, fields) else {
        return Item::Unusable(problem(without_active_flag(&map.active)));
    };
    let email = Some(text(&map.email).trim().to_owned()).filter(|email| email.contains('@'));
    let profile = Value::Object(profile(map, fields, &groups, &permissions)).to_string();
    if profile.len() > MAX_PROFILE_BYTES {
        let (has, most) = (profile.len(), MAX_PROFILE_BYTES);
        return Item::Unusable(problem(format!(
            "its attributes take {has} bytes, more than {most}: keep fewer of them in [django]"
        )));
    }
    let user = ImportedUser {
        record,
        roles: roles(map, fields, &groups, &permissions),
        unmapped_groups: unmapped(map, groups),
        profile,
        created_at: fields.get(&map.date_joined).and_then(Value::as_str).and_then(instant),
        password_hash: password_hash.to_owned(),
        legacy_id: pk.clone(),
        username,
        email,
        disabled: !active,
    };
    if lost.is_empty() { Item::User(user) } else { Item::Reduced(user, problem(lost.join("; "))) }
}

/// What to do about a user without an ID.
fn without_id(map: &FieldMap, pk: &Value) -> String {
    match map.user_id.as_str() {
        "id" | "pk" if pk.is_null() => "has no primary key: make the dump without --natural-primary, or set \
                                        django.user_id to a unique field that simplejwt's USER_ID_FIELD names"
            .to_owned(),
        "id" | "pk" => format!("its primary key {pk} is neither text nor a number"),
        field => format!("its field `{field}` (django.user_id) is missing, or is neither text nor a number"),
    }
}

/// What to do about a user without a username.
fn without_username(map: &FieldMap, fields: &Map<String, Value>) -> String {
    let (field, model) = (&map.username, &map.user_model);
    if fields.contains_key(field) {
        return format!("its `{field}` is no username: 1 to 150 characters without control characters");
    }
    format!(
        "has no field `{field}`: set django.username to the field that holds the username; where {model} inherits its \
         fields from another model (multi-table inheritance), set django.user_model to that one"
    )
}

/// Whether a user may log in; `None` where the field does not say. Nobody is let in on a guess.
fn is_active(active: &ActiveFlag, fields: &Map<String, Value>) -> Option<bool> {
    match active {
        ActiveFlag::Always => Some(true),
        ActiveFlag::Field(name) => flag(fields.get(name)),
        // Also a time at which the user was blocked.
        ActiveFlag::Not(name) => match fields.get(name)? {
            Value::Null => Some(true),
            Value::String(text) => Some(text.is_empty()),
            value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                flag(Some(value)).map(|blocked| !blocked)
            }
        },
    }
}

fn without_active_flag(active: &ActiveFlag) -> String {
    let field = match active {
        ActiveFlag::Field(name) | ActiveFlag::Not(name) => name.as_str(),
        ActiveFlag::Always => "",
    };
    format!(
        "has no flag `{field}`: set django.active to the field that says whether a user may log in, to `!FIELD` \
         for a field that says the opposite, or to `always`"
    )
}

/// Reads a refresh token that is outstanding, and blacklisted as the caller knows.
pub(crate) fn blacklisted(record: u64, pk: &Value, fields: &Map<String, Value>) -> Item {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let token = text("jti").zip(text("expires_at").and_then(instant));
    match token {
        Some((jti, expires_at)) if (1..=255).contains(&jti.len()) => {
            Item::Blacklisted(BlacklistedToken { jti: jti.to_owned(), expires_at })
        }
        _ => {
            let what = "a blacklisted token without an id or an end: it cannot be kept refused".to_owned();
            Item::Unusable(Problem { record, pk: key(pk).unwrap_or_default(), name: String::new(), what })
        }
    }
}

#[cfg(test)]
mod tests;
