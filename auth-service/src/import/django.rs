//! What an account is in Django: the fields of a record, by the operator's map.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{BlacklistedToken, FieldMap, ImportedUser, Item, Problem};
use crate::users::{StoredHash, Username};

/// Longest primary key, in bytes.
const MAX_ID_BYTES: usize = 64;

/// What no password fits, in Django's words.
const NO_PASSWORD: &str = "!";

/// Names of what records refer to by number, as far as the source holds them.
#[derive(Debug, Default)]
pub struct Names {
    pub content_types: HashMap<String, String>,
    /// `app.codename` by key.
    pub permissions: HashMap<String, String>,
    /// Name and permissions by key.
    pub groups: HashMap<String, (String, Vec<String>)>,
    /// Permissions by the name of the group, for records that refer to it by name.
    pub of_group: HashMap<String, Vec<String>>,
}

impl Names {
    /// Learns from a record that is no account. Content types come before permissions, and those before groups, as
    /// `dumpdata` writes them.
    pub fn learn(&mut self, model: &str, pk: &Value, fields: &Map<String, Value>) {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match model {
            "contenttypes.contenttype" => {
                self.content_types.insert(key(pk), text("app_label"));
            }
            "auth.permission" => {
                let app = match fields.get("content_type") {
                    Some(Value::Array(natural)) => natural.first().map(key).unwrap_or_default(),
                    Some(pk) => self.content_types.get(&key(pk)).cloned().unwrap_or_default(),
                    None => String::new(),
                };
                self.permissions.insert(key(pk), format!("{app}.{}", text("codename")));
            }
            "auth.group" => {
                let permissions = list(fields.get("permissions"));
                let permissions: Vec<String> =
                    permissions.iter().filter_map(|one| self.permission(one)).collect();
                self.of_group.insert(text("name"), permissions.clone());
                self.groups.insert(key(pk), (text("name"), permissions));
            }
            _ => {}
        }
    }

    fn permission(&self, reference: &Value) -> Option<String> {
        match reference {
            Value::Array(natural) => {
                let part = |at: usize| natural.get(at).and_then(Value::as_str);
                Some(format!("{}.{}", part(1)?, part(0)?))
            }
            pk => self.permissions.get(&key(pk)).cloned(),
        }
    }

    fn group(&self, reference: &Value) -> Option<(String, Vec<String>)> {
        match reference {
            Value::Array(natural) => {
                let name = natural.first()?.as_str()?.to_owned();
                let permissions = self.of_group.get(&name).cloned().unwrap_or_default();
                Some((name, permissions))
            }
            pk => self.groups.get(&key(pk)).cloned(),
        }
    }
}

/// Reads an account.
pub fn user(map: &FieldMap, names: &Names, (record, pk): (u64, &Value), fields: &Map<String, Value>) -> Item {
    let pk = match map.user_id.as_str() {
        "id" | "pk" => key(pk),
        field => fields.get(field).map(key).unwrap_or_default(),
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let problem =
        |what: String| Problem { record, pk: pk.clone(), name: text(&map.username).to_owned(), what };
    if pk.is_empty() || pk.len() > MAX_ID_BYTES || pk.chars().any(char::is_control) {
        return Item::Unusable(problem("has no id that could be kept".to_owned()));
    }
    let Some(username) = Username::parse(text(&map.username)) else {
        return Item::Unusable(problem(format!("`{}` is no name", map.username)));
    };
    let mut lost = Vec::new();
    let password = text(&map.password);
    let password_hash = match StoredHash::parse(password) {
        Ok(StoredHash::Unusable) => NO_PASSWORD,
        Ok(_) => password,
        Err(error) => {
            lost.push(format!("comes without its password: {error}"));
            NO_PASSWORD
        }
    };
    let (groups, group_permissions) = groups(names, fields.get("groups"), &mut lost);
    let permissions = permissions(names, fields.get("user_permissions"), group_permissions, &mut lost);
    let disabled = !flag(fields.get(&map.active)).unwrap_or(true);
    let email = Some(text(&map.email).trim().to_owned()).filter(|email| email.contains('@'));
    let user = ImportedUser {
        record,
        roles: roles(map, fields, (&groups, &permissions)),
        profile: Value::Object(profile(map, fields, (&groups, &permissions))).to_string(),
        created_at: fields.get(&map.date_joined).and_then(Value::as_str).and_then(instant),
        password_hash: password_hash.to_owned(),
        legacy_id: pk.clone(),
        username,
        email,
        disabled,
    };
    if lost.is_empty() { Item::User(user) } else { Item::Reduced(user, problem(lost.join("; "))) }
}

/// Reads a refresh token that is outstanding, and blacklisted as the caller knows.
pub fn blacklisted(record: u64, pk: &Value, fields: &Map<String, Value>) -> Item {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let token = text("jti").zip(text("expires_at").and_then(instant));
    match token {
        Some((jti, expires_at)) if (1..=255).contains(&jti.len()) => {
            Item::Blacklisted(BlacklistedToken { jti: jti.to_owned(), expires_at })
        }
        _ => {
            let what = "a blacklisted token without an id or an end: it cannot be kept refused".to_owned();
            Item::Unusable(Problem { record, pk: key(pk), name: String::new(), what })
        }
    }
}

fn groups(names: &Names, value: Option<&Value>, lost: &mut Vec<String>) -> (Vec<String>, Vec<String>) {
    let (mut groups, mut permissions) = (Vec::new(), Vec::new());
    for reference in list(value) {
        match names.group(reference) {
            Some((name, of_group)) => {
                groups.push(name);
                permissions.extend(of_group);
            }
            None => lost.push(format!("group {reference} has no name here: dump auth.group too")),
        }
    }
    (groups, permissions)
}

fn permissions(
    names: &Names,
    value: Option<&Value>,
    mut permissions: Vec<String>,
    lost: &mut Vec<String>,
) -> Vec<String> {
    for reference in list(value) {
        match names.permission(reference) {
            Some(permission) => permissions.push(permission),
            None => lost.push(format!("permission {reference} has no name here: dump auth.permission too")),
        }
    }
    permissions.sort();
    permissions.dedup();
    permissions
}

fn roles(
    map: &FieldMap,
    fields: &Map<String, Value>,
    (groups, permissions): (&[String], &[String]),
) -> Vec<String> {
    let gives = |source: &str| match source.split_once(':') {
        Some(("group", name)) => groups.iter().any(|group| group == name),
        Some(("permission", name)) => permissions.iter().any(|permission| permission == name),
        _ => flag(fields.get(source)).unwrap_or(false),
    };
    map.roles.iter().filter(|(_, source)| gives(source)).map(|(role, _)| role.clone()).collect()
}

fn profile(
    map: &FieldMap,
    fields: &Map<String, Value>,
    (groups, permissions): (&[String], &[String]),
) -> Map<String, Value> {
    let value = |name: &str| match name {
        "groups" => Some(Value::from(groups)),
        "permissions" => Some(Value::from(permissions)),
        // SQLite has no booleans.
        "is_staff" | "is_superuser" => flag(fields.get(name)).map(Value::Bool),
        _ => fields.get(name).cloned(),
    };
    map.attributes.iter().filter_map(|name| Some((name.clone(), value(name)?))).collect()
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn flag(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => Some(number.as_i64() != Some(0)),
        _ => None,
    }
}

/// A key as text, whether it is a number or a UUID.
pub fn key(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// Milliseconds since the epoch of a date and time in ISO 8601; without an offset it is UTC, as Django keeps it.
fn instant(text: &str) -> Option<i64> {
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;
    let mut text = text.trim().replacen(' ', "T", 1);
    let has_offset = text.get(10..).is_some_and(|time| time.contains(['Z', '+', '-']));
    if !has_offset {
        text.push('Z');
    }
    let at = OffsetDateTime::parse(&text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map() -> FieldMap {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        let roles =
            [("staff", "is_staff"), ("editor", "group:Editors"), ("poster", "permission:blog.add_post")];
        FieldMap {
            user_model: "auth.user".to_owned(),
            user_table: "auth_user".to_owned(),
            user_id: "id".to_owned(),
            username: "username".to_owned(),
            password: "password".to_owned(),
            active: "is_active".to_owned(),
            email: "email".to_owned(),
            date_joined: "date_joined".to_owned(),
            attributes: words("email is_staff groups permissions tenant"),
            roles: roles.map(|(role, source)| (role.to_owned(), source.to_owned())).into(),
        }
    }

    fn names() -> Names {
        let mut names = Names::default();
        let learn = |names: &mut Names, model: &str, pk: Value, fields: Value| {
            names.learn(model, &pk, fields.as_object().unwrap());
        };
        learn(
            &mut names,
            "contenttypes.contenttype",
            json!(7),
            json!({"app_label": "blog", "model": "post"}),
        );
        learn(&mut names, "auth.permission", json!(3), json!({"codename": "add_post", "content_type": 7}));
        learn(
            &mut names,
            "auth.permission",
            json!(4),
            json!({"codename": "see", "content_type": ["wiki", "page"]}),
        );
        learn(&mut names, "auth.group", json!(1), json!({"name": "Editors", "permissions": [3]}));
        names
    }

    fn read(pk: Value, fields: Value) -> Item {
        user(&map(), &names(), (9, &pk), fields.as_object().unwrap())
    }

    #[test]
    fn an_account_brings_its_roles_and_what_claims_are_made_of() {
        let fields = json!({
            "username": "alice", "password": "!x", "is_staff": 1, "is_active": true, "email": "a@example.org",
            "date_joined": "2026-01-02T03:04:05.678Z", "groups": [1], "user_permissions": [["see", "wiki", "page"]],
            "tenant": {"id": 7}, "phone": "not asked for",
        });
        let Item::User(user) = read(json!(42), fields) else { panic!("it is whole") };
        assert_eq!((user.legacy_id.as_str(), user.disabled), ("42", false));
        assert_eq!(user.roles, ["editor", "poster", "staff"]);
        assert_eq!(user.created_at, Some(1_767_323_045_678));
        let profile: Value = serde_json::from_str(&user.profile).unwrap();
        let expected = json!({
            "email": "a@example.org", "is_staff": true, "groups": ["Editors"],
            "permissions": ["blog.add_post", "wiki.see"], "tenant": {"id": 7},
        });
        assert_eq!(profile, expected);
    }

    #[test]
    fn what_is_lost_is_named_and_the_account_comes_all_the_same() {
        let fields = json!({"username": "bob", "password": "crypt$x", "groups": [99], "is_active": false});
        let Item::Reduced(user, problem) = read(json!("5f0c"), fields) else { panic!("something is lost") };
        assert_eq!((user.password_hash.as_str(), user.disabled), (NO_PASSWORD, true));
        assert_eq!(
            problem.line(),
            "record 9, pk 5f0c, \"bob\": comes without its password: the hash is of no known format; \
             group 99 has no name here: dump auth.group too"
        );
        for (pk, fields) in [
            (json!(1), json!({"username": "", "password": "!"})),
            (json!(1), json!({"password": "!"})),
            (json!(1), json!({"username": "a\u{0}b"})),
            (json!(null), json!({"username": "ok"})),
            (json!("x".repeat(65)), json!({"username": "ok"})),
        ] {
            assert!(matches!(read(pk, fields), Item::Unusable(_)));
        }
    }

    #[test]
    fn instants_are_read_as_every_database_writes_them() {
        for text in [
            "2026-01-02T03:04:05.678Z",
            "2026-01-02T03:04:05.678912Z",
            "2026-01-02 03:04:05.678912",
            "2026-01-02T05:04:05.678+02:00",
        ] {
            assert_eq!(instant(text), Some(1_767_323_045_678), "{text}");
        }
        assert_eq!(instant("yesterday"), None);
    }
}
