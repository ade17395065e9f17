//! Names of groups and permissions, by the keys with which records refer to them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::values::{key, list};

/// Names of what records refer to by key, as far as the source holds them. A reference is resolved when a user
/// needs it: a dump has its models in the order in which they were requested.
///
/// A record without a primary key (`dumpdata --natural-primary`) is known by its natural key alone. It never gets a
/// default key: every reference to an unknown key would then give a user the rights of the last such record.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The application of a content type.
    applications: ByKey<String>,
    permissions: ByKey<Permission>,
    groups: ByKey<Group>,
    /// For records that refer to a group by its natural key.
    groups_by_name: ByKey<Group>,
    /// Models with records that have no primary key.
    without_key: BTreeSet<&'static str>,
}

#[derive(Debug, Clone, PartialEq)]
struct Permission {
    content_type: Value,
    codename: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub name: String,
    pub permissions: Vec<Value>,
}

/// Records by a key. A key with two different records names neither: which one a reference means is a guess.
#[derive(Debug)]
struct ByKey<T>(HashMap<String, Option<T>>);

impl<T> Default for ByKey<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: PartialEq> ByKey<T> {
    fn insert(&mut self, key: String, record: T) {
        match self.0.entry(key) {
            Entry::Vacant(free) => drop(free.insert(Some(record))),
            Entry::Occupied(mut held) if held.get().as_ref() != Some(&record) => drop(held.insert(None)),
            Entry::Occupied(_) => {}
        }
    }

    fn get(&self, key: &str) -> Option<&T> {
        self.0.get(key)?.as_ref()
    }
}

impl Names {
    /// Learns from a record that is no user. A record without the fields that name it is passed over.
    pub(crate) fn learn(&mut self, model: &str, pk: &Value, fields: &Map<String, Value>) {
        let (key, text) = (key(pk), |name: &str| text(fields, name).map(str::to_owned));
        match model {
            CONTENT_TYPE => {
                let Some(application) = text("app_label") else { return };
                match key {
                    Some(key) => self.applications.insert(key, application),
                    None => drop(self.without_key.insert(CONTENT_TYPE)),
                }
            }
            PERMISSION => {
                let Some(codename) = text("codename") else { return };
                let content_type = fields.get("content_type").cloned().unwrap_or_default();
                match key {
                    Some(key) => self.permissions.insert(key, Permission { content_type, codename }),
                    None => drop(self.without_key.insert(PERMISSION)),
                }
            }
            GROUP => {
                let Some(name) = text("name") else { return };
                let group = Group { permissions: list(fields.get("permissions")).to_vec(), name };
                self.groups_by_name.insert(group.name.clone(), group.clone());
                match key {
                    Some(key) => self.groups.insert(key, group),
                    None => drop(self.without_key.insert(GROUP)),
                }
            }
            _ => {}
        }
    }

    /// `app.codename`, of a key or of a natural key: codename, application, model.
    pub(crate) fn permission(&self, reference: &Value) -> Option<String> {
        if let Value::Array(natural) = reference {
            let part = |at: usize| natural.get(at).and_then(Value::as_str);
            return Some(format!("{}.{}", part(1)?, part(0)?));
        }
        let Permission { content_type, codename } = self.permissions.get(&key(reference)?)?;
        let application = match content_type.as_array() {
            Some(natural) => natural.first()?.as_str()?,
            None => self.applications.get(&key(content_type)?)?,
        };
        Some(format!("{application}.{codename}"))
    }

    pub(crate) fn group(&self, reference: &Value) -> Option<&Group> {
        match reference.as_array() {
            Some(natural) => self.groups_by_name.get(natural.first()?.as_str()?),
            None => self.groups.get(&key(reference)?),
        }
    }

    /// Why a reference cannot be resolved, and what to do.
    pub(crate) fn unresolved(&self, what: &str, reference: &Value, model: &'static str) -> String {
        if self.without_key.contains(model) && !reference.is_array() {
            return format!(
                "{what} {reference} is unknown: the dump has {model} without primary keys (--natural-primary) and \
                 refers to them by key: dump with --natural-foreign too, or without --natural-primary"
            );
        }
        let models = if model == GROUP { "auth.group" } else { "auth.permission and contenttypes" };
        format!("{what} {reference} is unknown: dump {models} too, each record once")
    }
}

const CONTENT_TYPE: &str = "contenttypes.contenttype";
pub(super) const PERMISSION: &str = "auth.permission";
pub(super) const GROUP: &str = "auth.group";

/// A text that is not empty.
fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn permissions_and_content_types_without_keys_give_nothing_either() {
        let mut names = Names::default();
        let mut learn =
            |model: &str, fields: Value| names.learn(model, &Value::Null, fields.as_object().unwrap());
        learn(CONTENT_TYPE, json!({"app_label": "blog", "model": "post"}));
        learn(PERMISSION, json!({"codename": "add_post", "content_type": ["blog", "post"]}));
        learn(PERMISSION, json!({"codename": "add_post", "content_type": null}));
        for reference in [json!(1), json!(""), json!(null), json!([]), json!(["add_post"])] {
            assert_eq!(names.permission(&reference), None, "{reference}");
        }
        assert_eq!(names.permission(&json!(["add_post", "blog", "post"])).unwrap(), "blog.add_post");
    }
}
