use serde_json::json;

use super::UserUpdate;
use crate::authority::Authority;
use crate::cli::enabled::{document, next_step};
use crate::cli::output::Output;
use crate::cli::{Done, Failure};
use crate::storage::UserChange;
use crate::users::{Address, ClientIp, Username};

pub(super) fn update(authority: &Authority, output: &Output, update: UserUpdate) -> Done {
    let UserUpdate { username, new_username, email, no_email } = update;
    let new = new_username.as_deref().map(Username::new).transpose();
    let new = new.map_err(|fault| Failure::Usage(fault.to_string()))?;
    let email = match email {
        Some(text) => {
            let address = Address::parse(&text);
            Some(Some(
                address.ok_or_else(|| Failure::Usage(format!("{text:?} is not a valid e-mail address")))?,
            ))
        }
        None => no_email.then_some(None),
    };
    authority.update_user(&username, UserChange { username: new, email, roles: None })?;
    let name = new_username.unwrap_or(username);
    output.result(&json!({"username": name, "updated": true}), &format!("updated {name}"));
    Ok(())
}

pub(super) fn set_roles(authority: &Authority, output: &Output, username: &str, roles: Vec<String>) -> Done {
    let change = UserChange { roles: Some(roles.clone()), ..UserChange::default() };
    authority.update_user(username, change)?;
    let text = match roles.as_slice() {
        [] => format!("{username} has no roles"),
        _ => format!("{username} has the roles {}, from the next token on", roles.join(" ")),
    };
    output.result(&json!({"username": username, "roles": roles}), &text);
    Ok(())
}

pub(super) fn remove_second_factor(authority: &Authority, output: &Output, username: &str) -> Done {
    let removed = authority.remove_user_second_factor(username)?;
    let what = if removed { "no longer has a second factor" } else { "had no second factor" };
    output.result(&json!({"username": username, "removed": removed}), &format!("{username} {what}"));
    Ok(())
}

pub(super) fn unlock(
    authority: &Authority,
    output: &Output,
    username: &str,
    client_ip: Option<ClientIp>,
) -> Done {
    let forgotten = authority.unlock_user(username, client_ip)?;
    let text = match client_ip {
        Some(_) => format!("deleted {forgotten} counts of failures of {username}"),
        None => format!(
            "deleted {forgotten} counts of failures of {username}; one network may still be limited: add --client-ip ADDRESS"
        ),
    };
    output.result(&json!({"username": username, "counts_deleted": forgotten}), &text);
    Ok(())
}

pub(super) fn disable(authority: &Authority, output: &Output, username: &str) -> Done {
    let ended = authority.disable_user(username)?;
    let document = json!({"username": username, "disabled": true, "sessions_ended": ended});
    output.result(&document, &format!("disabled {username}; {ended} session(s) ended"));
    Ok(())
}

pub(super) fn enable(authority: &Authority, output: &Output, username: &str) -> Done {
    let enabled = authority.enable_user(username)?;
    let text = next_step(&format!("the user {username}"), enabled, authority.now());
    output.result(&document(json!({"username": username}), enabled, authority.now()), &text);
    Ok(())
}

pub(super) fn delete(authority: &Authority, output: &Output, username: &str, yes: bool) -> Done {
    authority.user_summary(username)?;
    output.confirm(yes, &format!("Delete the user {username}?"))?;
    let ended = authority.delete_user(username)?;
    let document = json!({"username": username, "deleted": true, "sessions_ended": ended});
    output.result(&document, &format!("deleted {username}; {ended} session(s) ended"));
    Ok(())
}
