//! Roles, permissions and the profile of a user.

use serde_json::{Map, Value};

use crate::import::FieldMap;
use crate::import::names::{GROUP, Names, PERMISSION};
use crate::import::values::{flag, list};

/// Names of the groups, and references to what they permit.
pub(super) fn groups<'a>(
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
            None => lost.push(names.unresolved("group", reference, GROUP)),
        }
    }
    (groups, permissions)
}

pub(super) fn permissions<'a>(
    names: &Names,
    references: impl Iterator<Item = &'a Value>,
    lost: &mut Vec<String>,
) -> Vec<String> {
    let mut permissions = Vec::new();
    for reference in references {
        match names.permission(reference) {
            Some(permission) => permissions.push(permission),
            None => lost.push(names.unresolved("permission", reference, PERMISSION)),
        }
    }
    permissions.sort();
    permissions.dedup();
    permissions
}

pub(super) fn roles(
    map: &FieldMap,
    fields: &Map<String, Value>,
    groups: &[String],
    permissions: &[String],
) -> Vec<String> {
    let gives = |source: &str| match source.split_once(':') {
        Some(("group", name)) => groups.iter().any(|group| group == name),
        Some(("permission", name)) => permissions.iter().any(|permission| permission == name),
        _ => flag(fields.get(source)).unwrap_or(false),
    };
    map.roles.iter().filter(|(_, source)| gives(source)).map(|(role, _)| role.clone()).collect()
}

/// The groups that give no role.
pub(super) fn unmapped(map: &FieldMap, groups: Vec<String>) -> Vec<String> {
    let gives_role =
        |group: &String| map.roles.values().any(|source| source.strip_prefix("group:") == Some(group));
    groups.into_iter().filter(|group| !gives_role(group)).collect()
}

pub(super) fn profile(
    map: &FieldMap,
    fields: &Map<String, Value>,
    groups: &[String],
    permissions: &[String],
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
