//! An entry as an event of the Open Cybersecurity Schema Framework (OCSF 1.3), category Identity & Access Management.

use serde_json::{Value, json};

use super::AuditEntry;

const CATEGORY: u32 = 3;
const ACCOUNT_CHANGE: u32 = 3001;
const AUTHENTICATION: u32 = 3002;
const ENTITY_MANAGEMENT: u32 = 3004;
const OTHER: u32 = 99;

/// The class of an event, and its activity within that.
struct Class {
    uid: u32,
    activity: u32,
}

/// One event, for a line of its own.
#[must_use]
pub fn ocsf(entry: &AuditEntry) -> Value {
    let Class { uid, activity } = class(&entry.action);
    let refused = entry.refusal();
    let personal = &entry.personal;
    let mut event = json!({
        "category_uid": CATEGORY,
        "class_uid": uid,
        "activity_id": activity,
        "activity_name": entry.action,
        "type_uid": uid * 100 + activity,
        // Informational, or medium for a refusal.
        "severity_id": if refused.is_some() { 3 } else { 1 },
        "status_id": if refused.is_some() { 2 } else { 1 },
        "time": entry.at.0,
        "message": entry.detail,
        "actor": {"user": {"uid": entry.actor}},
        "metadata": {
            "version": "1.3.0",
            "product": {"name": "auth-service", "vendor_name": "Signet", "version": env!("CARGO_PKG_VERSION")},
            "sequence": entry.seq,
            "uid": entry.seq.to_string(),
            "correlation_uid": entry.request_id,
            "log_name": "audit",
        },
        "user": {"uid": entry.user_id, "name": personal.username},
        "service": {"uid": entry.client_id},
        "session": {"uid": entry.session_id},
        "entity": {"type": entity(&entry.action), "uid": entry.key_id.as_ref().or(entry.client_id.as_ref())},
        "src_endpoint": {"ip": personal.client_ip},
        "http_request": {"user_agent": personal.user_agent},
        "status_detail": refused,
    });
    remove_absent(&mut event);
    event
}

fn class(action: &str) -> Class {
    let of = |uid, activity| Class { uid, activity };
    match action {
        "login" => of(AUTHENTICATION, 1),
        "session.ended" => of(AUTHENTICATION, 2),
        "attempts.limited" | "user.password_asked" => of(AUTHENTICATION, OTHER),
        "user.created" => of(ACCOUNT_CHANGE, 1),
        "user.enabled" => of(ACCOUNT_CHANGE, 2),
        "user.password_set" => of(ACCOUNT_CHANGE, 3),
        "user.disabled" => of(ACCOUNT_CHANGE, 5),
        "user.deleted" => of(ACCOUNT_CHANGE, 6),
        "user.second_factor_set" => of(ACCOUNT_CHANGE, 10),
        "user.second_factor_removed" => of(ACCOUNT_CHANGE, 11),
        _ if action.starts_with("user") => of(ACCOUNT_CHANGE, OTHER),
        _ => of(ENTITY_MANAGEMENT, managed(action)),
    }
}

/// What was done with a client, an audience, a key or another entity.
fn managed(action: &str) -> u32 {
    match action.rsplit('.').next().unwrap_or_default() {
        "created" | "added" => 1,
        "updated" | "changed" | "scheduled" | "secret_set" | "encryption_set" => 3,
        "deleted" | "revoked" | "pruned" => 4,
        "enabled" => 8,
        "disabled" => 9,
        _ => OTHER,
    }
}

fn entity(action: &str) -> &str {
    action.split('.').next().unwrap_or_default()
}

/// Fields that are null, and objects without a field.
fn remove_absent(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.values_mut().for_each(remove_absent);
        fields
            .retain(|_, field| !field.is_null() && field.as_object().is_none_or(|object| !object.is_empty()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::chain::tests::requested;

    #[test]
    fn a_refused_login_is_a_failed_logon_with_its_origin() {
        let event = ocsf(&requested());
        assert_eq!((&event["class_uid"], &event["activity_id"]), (&json!(3002), &json!(1)));
        assert_eq!((&event["type_uid"], &event["status_id"]), (&json!(300_201), &json!(2)));
        assert_eq!(event["src_endpoint"]["ip"], "192.0.2.7");
        assert_eq!(event["user"], json!({"name": "mallory"}));
        assert_eq!(event["status_detail"], "x");
        assert!(event.get("session").is_none(), "absent fields are left out: {event}");
    }

    #[test]
    fn changes_have_the_activity_of_their_class() {
        let known = [
            ("user.disabled", ACCOUNT_CHANGE, 5),
            ("user.updated", ACCOUNT_CHANGE, OTHER),
            ("users.imported", ACCOUNT_CHANGE, OTHER),
            ("client.created", ENTITY_MANAGEMENT, 1),
            ("key.revoked", ENTITY_MANAGEMENT, 4),
            ("backup.restored", ENTITY_MANAGEMENT, OTHER),
        ];
        for (action, uid, activity) in known {
            let found = class(action);
            assert_eq!((found.uid, found.activity), (uid, activity), "{action}");
        }
    }
}
