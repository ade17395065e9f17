//! What an account is in Django: the fields of a record, by the operator's map.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{BlacklistedToken, FieldMap, ImportedUser, Item, MAX_PROFILE_BYTES, Problem};
use crate::users::{StoredHash, Username};

/// Longest primary key, in bytes.
const MAX_ID_BYTES: usize = 64;

/// What no password fits, in Django's words.
const NO_PASSWORD: &str = "!";

/// Names of what records refer to by number, as far as the source holds them. What refers to what is looked up when an
/// account needs it: a dump has its models in whatever order they were asked for.
#[derive(Debug, Default)]
pub struct Names {
    /// The application of a content type.
    applications: HashMap<String, String>,
    /// The content type of a permission, and its codename.
    permissions: HashMap<String, (Value, String)>,
    groups: HashMap<String, Group>,
    /// Keys of groups by their names, for records that refer to them so.
    by_name: HashMap<String, String>,
}

#[derive(Debug, Clone)]
struct Group {
    name: String,
    permissions: Vec<Value>,
}

impl Names {
    /// Learns from a record that is no account.
    pub fn learn(&mut self, model: &str, pk: &Value, fields: &Map<String, Value>) {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match model {
            "contenttypes.contenttype" => {
                self.applications.insert(key(pk), text("app_label"));
            }
            "auth.permission" => {
                let content_type = fields.get("content_type").cloned().unwrap_or_default();
                self.permissions.insert(key(pk), (content_type, text("codename")));
            }
            "auth.group" => {
                let permissions = list(fields.get("permissions")).to_vec();
                self.by_name.insert(text("name"), key(pk));
                self.groups.insert(key(pk), Group { name: text("name"), permissions });
            }
            _ => {}
        }
    }

    /// `app.codename`, of a key or of a natural key: codename, application, model.
    fn permission(&self, reference: &Value) -> Option<String> {
        if let Value::Array(natural) = reference {
            let part = |at: usize| natural.get(at).and_then(Value::as_str);
            return Some(format!("{}.{}", part(1)?, part(0)?));
        }
        let (content_type, codename) = self.permissions.get(&key(reference))?;
        let application = match content_type {
            Value::Array(natural) => natural.first()?.as_str()?.to_owned(),
            pk => self.applications.get(&key(pk))?.clone(),
        };
        Some(format!("{application}.{codename}"))
    }

    fn group(&self, reference: &Value) -> Option<&Group> {
        match reference {
            Value::Array(natural) => self.groups.get(self.by_name.get(natural.first()?.as_str()?)?),
            pk => self.groups.get(&key(pk)),
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
    let (groups, of_groups) = groups(names, fields.get("groups"), &mut lost);
    let own = list(fields.get("user_permissions"));
    let permissions = permissions(names, of_groups.into_iter().chain(own), &mut lost);
    // An account whose flag is not found is not let in on a guess.
    let Some(active) = flag(fields.get(&map.active)) else {
        return Item::Unusable(problem(format!(
            "has no flag `{}`: is another one set in [django]?",
            map.active
        )));
    };
    let email = Some(text(&map.email).trim().to_owned()).filter(|email| email.contains('@'));
    let profile = Value::Object(profile(map, fields, (&groups, &permissions))).to_string();
    if profile.len() > MAX_PROFILE_BYTES {
        let (has, most) = (profile.len(), MAX_PROFILE_BYTES);
        return Item::Unusable(problem(format!(
            "its attributes take {has} bytes, more than {most}: keep fewer of them in [django]"
        )));
    }
    let user = ImportedUser {
        record,
        roles: roles(map, fields, (&groups, &permissions)),
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

/// Names of the groups, and references to what they permit.
fn groups<'a>(
    names: &'a Names,
    value: Option<&Value>,
    lost: &mut Vec<String>,
) -> (Vec<String>, Vec<&'a Value>) {
    let (mut groups, mut permissions) = (Vec::new(), Vec::new());
    for reference in list(value) {
        match names.group(reference) {
            Some(group) => {
                groups.push(group.name.clone());
                permissions.extend(&group.permissions);
            }
            None => lost.push(format!("group {reference} has no name here: dump auth.group too")),
        }
    }
    (groups, permissions)
}

fn permissions<'a>(
    names: &Names,
    references: impl Iterator<Item = &'a Value>,
    lost: &mut Vec<String>,
) -> Vec<String> {
    let mut permissions = Vec::new();
    for reference in references {
        match names.permission(reference) {
            Some(permission) => permissions.push(permission),
            None => lost.push(format!(
                "permission {reference} has no name here: dump auth.permission and contenttypes too"
            )),
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
        // A row of a database has what a foreign key refers to under another name than a dump has.
        _ => fields.get(name).or_else(|| fields.get(&format!("{name}_id"))).cloned(),
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
        // In an order in which each refers to what comes later.
        learn(&mut names, "auth.group", json!(1), json!({"name": "Editors", "permissions": [3]}));
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
            (json!(1), json!({"username": "ok", "password": "!"})),
            (json!(1), json!({"username": "", "password": "!", "is_active": true})),
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
