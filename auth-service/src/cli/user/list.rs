use serde_json::{Value, json};

use crate::authority::Authority;
use crate::cli::Done;
use crate::cli::list::ListArguments;
use crate::cli::output::Output;
use crate::cli::table::Row;
use crate::clock::Timestamp;
use crate::storage::{UserPage, UserSummary};

const HEADER: [&str; 5] = ["USERNAME", "STATE", "LAST LOGIN", "ROLES", "ID"];

pub(super) fn list(
    authority: &Authority,
    output: &Output,
    contains: Option<String>,
    enabled: Option<bool>,
    list: &ListArguments,
) -> Done {
    let mut page = UserPage { contains, enabled, ..UserPage::default() };
    list.print(output, &HEADER, |after, limit| {
        after.clone_into(&mut page.after);
        page.limit = limit;
        Ok(authority.users_page(&page)?.iter().map(row).collect())
    })
}

pub(super) fn show(authority: &Authority, output: &Output, username: &str) -> Done {
    let found = authority.user_summary(username)?;
    let email = match (&found.email, found.email_verified_at) {
        (None, _) => "none".to_owned(),
        (Some(email), None) => format!("{email} (not verified)"),
        (Some(email), Some(at)) => format!("{email} (verified {})", at.rfc3339()),
    };
    let user = &found.user;
    let lines = [
        ("username", user.username.as_str().to_owned()),
        ("id", user.id.clone()),
        ("state", state(&found)),
        ("roles", user.attributes.roles.join(" ")),
        ("e-mail", email),
        ("second factor", if found.has_second_factor { "yes" } else { "no" }.to_owned()),
        ("created", user.created_at.rfc3339()),
        ("last login", instant(found.last_login_at)),
        ("imported as", user.attributes.legacy_id.clone().unwrap_or_else(|| "-".to_owned())),
    ];
    let text: Vec<String> = lines.iter().map(|(name, value)| format!("{name:<14} {value}")).collect();
    output.result(&described(&found), &text.join("\n"));
    Ok(())
}

fn row(found: &UserSummary) -> Row {
    let user = &found.user;
    let cells = vec![
        user.username.as_str().to_owned(),
        state(found),
        instant(found.last_login_at),
        user.attributes.roles.join(" "),
        user.id.clone(),
    ];
    Row { document: described(found), cells }
}

fn described(found: &UserSummary) -> Value {
    let user = &found.user;
    json!({
        "username": user.username.as_str(),
        "id": user.id,
        "roles": user.attributes.roles,
        "email": found.email,
        "email_verified": found.email_verified_at.is_some(),
        "second_factor": found.has_second_factor,
        "created_at": user.created_at.rfc3339(),
        "last_login_at": found.last_login_at.map(Timestamp::rfc3339),
        "disabled_at": user.disabled_at.map(Timestamp::rfc3339),
        "legacy_id": user.attributes.legacy_id,
    })
}

fn state(found: &UserSummary) -> String {
    if found.user.is_active() { "enabled" } else { "disabled" }.to_owned()
}

fn instant(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), Timestamp::rfc3339)
}
