//! What is printed of a user or a client that is enabled again.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::storage::Enabled;

pub(super) fn document(mut document: Value, enabled: Enabled, now: Timestamp) -> Value {
    document["disabled"] = json!(false);
    document["changed"] = json!(enabled.changed);
    document["tokens_accepted_from"] = json!(accepted_from(enabled, now).map(Timestamp::rfc3339));
    document
}

pub(super) fn next_step(what: &str, enabled: Enabled, now: Timestamp) -> String {
    match (enabled.changed, accepted_from(enabled, now)) {
        (false, _) => format!("{what} was enabled already"),
        (true, None) => format!("enabled {what}"),
        (true, Some(at)) => {
            format!("enabled {what}; verifiers refuse its tokens that are issued before {}", at.rfc3339())
        }
    }
}

/// `None` when it has passed.
fn accepted_from(enabled: Enabled, now: Timestamp) -> Option<Timestamp> {
    enabled.accepted_from.filter(|from| *from > now)
}
