use std::time::Duration;

use serde_json::json;

use super::{ClientUpdate, describe, parse, parse_grants, parse_scope};
use crate::authority::Authority;
use crate::cli::Done;
use crate::cli::enabled::{document, next_step};
use crate::cli::output::Output;
use crate::clients::ClientChange;

pub(super) fn update(authority: &Authority, output: &Output, update: ClientUpdate) -> Done {
    let ClientUpdate {
        id,
        grants,
        scope,
        audiences,
        introspects,
        cors_origins,
        no_cors_origins,
        token_binding,
        method,
        login,
    } = update;
    let id = parse(&id)?;
    let change = ClientChange {
        scope: scope.as_deref().map(parse_scope).transpose()?,
        audiences,
        grants: grants.as_deref().map(parse_grants).transpose()?,
        introspects,
        cors_origins: cors_origins.or_else(|| no_cors_origins.then(Vec::new)),
        login: login.into_change(),
        method: method.read()?,
        token_binding,
    };
    authority.update_client(&id, change)?;
    let client = authority.registered_client(&id)?;
    output.result(&describe(&client), &format!("updated the client {id}; sessions that exist keep scope and audience: `session end --client {id}`"));
    Ok(())
}

pub(super) fn disable(authority: &Authority, output: &Output, id: &str) -> Done {
    let ended = authority.disable_client(&parse(id)?)?;
    let document = json!({"client_id": id, "disabled": true, "sessions_ended": ended});
    output.result(&document, &format!("disabled the client {id}; {ended} session(s) ended"));
    Ok(())
}

pub(super) fn enable(authority: &Authority, output: &Output, id: &str) -> Done {
    let enabled = authority.enable_client(&parse(id)?)?;
    let text = next_step(&format!("the client {id}"), enabled, authority.now());
    output.result(&document(json!({"client_id": id}), enabled, authority.now()), &text);
    Ok(())
}

pub(super) fn delete(authority: &Authority, output: &Output, id: &str, yes: bool) -> Done {
    let client = authority.registered_client(&parse(id)?)?;
    output.confirm(yes, &format!("Delete the client {id}?"))?;
    let ended = authority.delete_client(&client.id)?;
    let document = json!({"client_id": id, "deleted": true, "sessions_ended": ended});
    output.result(&document, &format!("deleted the client {id}; {ended} session(s) ended"));
    Ok(())
}

pub(super) fn secret(authority: &Authority, output: &Output, id: &str, overlap: u64) -> Done {
    let client = authority.registered_client(&parse(id)?)?;
    let secret = authority.renew_client_secret(&client.id, Duration::from_secs(overlap))?;
    let document = json!({"client_id": id, "client_secret": secret.expose(), "overlap_seconds": overlap, "disabled": client.disabled_at.is_some()});
    let warning = match client.disabled_at {
        Some(_) => format!("\nthe client is disabled: it cannot use the secret before `client enable {id}`"),
        None => String::new(),
    };
    output.result(&document, &format!("new secret of {id}, shown once: {}{warning}", secret.expose()));
    Ok(())
}
