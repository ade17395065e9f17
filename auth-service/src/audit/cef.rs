//! An entry as a line of the Common Event Format (CEF:0).

use super::AuditEntry;

/// One line, without its end.
#[must_use]
pub fn cef(entry: &AuditEntry) -> String {
    let refused = entry.refusal();
    let severity = if refused.is_some() { 6 } else { 3 };
    let action = header(&entry.action);
    let mut line =
        format!("CEF:0|Signet|auth-service|{}|{action}|{action}|{severity}|", env!("CARGO_PKG_VERSION"));
    let outcome = if refused.is_some() { "failure" } else { "success" };
    let text = |value: &Option<String>| value.as_deref().map(value_of);
    let extension = [
        ("rt", Some(entry.at.0.to_string())),
        ("externalId", Some(entry.seq.to_string())),
        ("outcome", Some(outcome.to_owned())),
        ("reason", refused.map(value_of)),
        ("suser", Some(value_of(&entry.actor))),
        ("src", text(&entry.personal.client_ip)),
        ("requestClientApplication", text(&entry.personal.user_agent)),
        ("duid", text(&entry.user_id)),
        ("duser", text(&entry.personal.username)),
        ("msg", Some(value_of(&entry.detail)).filter(|detail| !detail.is_empty())),
    ];
    // Fields of our own, each with its label.
    let own = [
        ("cs1", "clientId", &entry.client_id),
        ("cs2", "sessionId", &entry.session_id),
        ("cs3", "keyId", &entry.key_id),
        ("cs4", "requestId", &entry.request_id),
    ];
    let mut fields: Vec<String> =
        extension.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?))).collect();
    for (key, label, value) in own {
        if let Some(value) = text(value) {
            fields.push(format!("{key}Label={label} {key}={value}"));
        }
    }
    line.push_str(&fields.join(" "));
    line
}

fn header(text: &str) -> String {
    one_line(&text.replace('\\', "\\\\").replace('|', "\\|"))
}

fn value_of(text: &str) -> String {
    one_line(&text.replace('\\', "\\\\").replace('=', "\\="))
}

/// A line feed would begin another event.
fn one_line(text: &str) -> String {
    text.replace('\n', "\\n").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::chain::tests::requested;

    #[test]
    fn a_refused_login_is_one_line_whatever_was_typed() {
        let mut entry = requested();
        entry.personal.username = Some("a=b|c\\d\nCEF:0|x".to_owned());
        entry.request_id = Some("0123456789abcdef".to_owned());
        let line = cef(&entry);
        assert!(line.starts_with("CEF:0|Signet|auth-service|"), "{line}");
        assert!(line.contains("|login|login|6|rt="), "{line}");
        assert!(line.contains(" outcome=failure reason=x suser=authority src=192.0.2.7 "), "{line}");
        assert!(line.contains(" duser=a\\=b|c\\\\d\\nCEF:0|x "), "{line}");
        assert!(line.ends_with(" cs4Label=requestId cs4=0123456789abcdef"), "{line}");
        assert_eq!(line.lines().count(), 1);
    }
}
