use serde_json::{Value, json};

use super::{login, method, parse};
use crate::authority::Authority;
use crate::cli::Done;
use crate::cli::output::Output;
use crate::cli::table::Row;
use crate::clients::{Client, GrantType};

pub(super) fn show(authority: &Authority, output: &Output, id: &str) -> Done {
    let client = authority.registered_client(&parse(id)?)?;
    let lines = [
        ("id", client.id.to_string()),
        ("state", state(&client).to_owned()),
        ("grants", names(&client.grants).join(" ")),
        ("scope", client.scope.to_string()),
        ("audiences", client.audiences.join(" ")),
        ("introspects", client.introspects.join(" ")),
        ("origins", client.cors_origins.join(" ")),
        ("created", client.created_at.rfc3339()),
        ("method", client.credentials.method().to_owned()),
        ("binding", client.token_binding.as_str().to_owned()),
    ];
    let mut lines: Vec<(&str, String)> = lines.into();
    lines.extend(method::lines(&client));
    lines.extend(login::lines(&client));
    let text: Vec<String> = lines.iter().map(|(name, value)| format!("{name:<12} {value}")).collect();
    output.result(&describe(&client), &text.join("\n"));
    Ok(())
}

pub(super) fn list(authority: &Authority, output: &Output) -> Done {
    let clients = authority.registered_clients()?;
    let row = |client: &Client| Row {
        document: describe(client),
        cells: vec![
            client.id.to_string(),
            state(client).to_owned(),
            names(&client.grants).join(" "),
            client.audiences.join(" "),
            client.scope.to_string(),
        ],
    };
    let rows: Vec<Row> = clients.iter().map(row).collect();
    output.list(&["ID", "STATE", "GRANTS", "AUDIENCES", "SCOPE"], &rows);
    Ok(())
}

fn state(client: &Client) -> &'static str {
    if client.disabled_at.is_some() { "disabled" } else { "enabled" }
}

pub(super) fn describe(client: &Client) -> Value {
    let mut document = json!({
        "client_id": client.id.as_str(),
        "grants": names(&client.grants),
        "scope": client.scope.to_string(),
        "audiences": client.audiences,
        "introspects": client.introspects,
        "cors_origins": client.cors_origins,
        "disabled": client.disabled_at.is_some(),
        "created_at": client.created_at.rfc3339(),
        "public": client.is_public(),
        "login": login::describe(client),
        "token_endpoint_auth_method": client.credentials.method(),
        "token_binding": client.token_binding.as_str(),
    });
    method::describe(client, &mut document);
    document
}

fn names(grants: &[GrantType]) -> Vec<&'static str> {
    grants.iter().map(|grant| grant.as_str()).collect()
}
