use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};
use shared_claims::ScopeSet;

use super::output::Output;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::clients::{Client, ClientId, GrantType, NewClient};

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Create a client. Its secret is shown once.
    Create {
        /// 1 to 64 characters of A-Z a-z 0-9 . _ -
        id: String,
        /// An allowed grant type: client_credentials, refresh_token, password (first-party applications only). May be
        /// repeated.
        #[arg(long = "grant", value_name = "GRANT", default_value = "client_credentials")]
        grants: Vec<String>,
        /// The scopes that it may request, separated by spaces. None by default.
        #[arg(long, default_value = "")]
        scope: String,
        /// An audience that it may request tokens for. May be repeated; the first one is the default.
        #[arg(long = "audience", value_name = "NAME")]
        audiences: Vec<String>,
        /// An audience whose tokens it may introspect, besides the one named like the client. May be repeated.
        #[arg(long, value_name = "AUDIENCE")]
        introspects: Vec<String>,
    },
    /// Disable a client, end its sessions and revoke its tokens.
    Disable { id: String },
    /// Create a new secret for a client. It is shown once.
    Secret {
        id: String,
        /// How long the old secret stays valid, in seconds, while its users change to the new one.
        #[arg(long, default_value_t = 0, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=2_592_000))]
        overlap: u64,
    },
    /// List the clients.
    List,
}

impl ClientCommand {
    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Create { id, grants, scope, audiences, introspects } => {
                let new = NewClient {
                    id: parse(&id)?,
                    scope: ScopeSet::parse(&scope).map_err(|error| Failure::Usage(error.to_string()))?,
                    audiences,
                    grants: grants.iter().map(|text| parse_grant(text)).collect::<Result<_, _>>()?,
                    introspects,
                };
                create(authority, output, &new)
            }
            Self::Disable { id } => disable(authority, output, &id),
            Self::Secret { id, overlap } => secret(authority, output, &id, overlap),
            Self::List => list(authority, output),
        }
    }
}

fn create(authority: &Authority, output: &Output, new: &NewClient) -> Done {
    let secret = authority.create_client(new)?;
    let NewClient { id, scope, audiences, grants, introspects } = new;
    let document = json!({
        "client_id": id.as_str(),
        "grants": names(grants),
        "scope": scope.to_string(),
        "audiences": audiences,
        "introspects": introspects,
        "disabled": false,
        "client_secret": secret.expose(),
    });
    let text = format!("created the client {id}\nsecret, shown once: {}", secret.expose());
    output.result(&document, &text);
    Ok(())
}

fn disable(authority: &Authority, output: &Output, id: &str) -> Done {
    let ended = authority.disable_client(&parse(id)?)?;
    let document = json!({"client_id": id, "disabled": true, "sessions_ended": ended});
    output.result(&document, &format!("disabled the client {id}; {ended} session(s) ended"));
    Ok(())
}

fn secret(authority: &Authority, output: &Output, id: &str, overlap: u64) -> Done {
    let secret = authority.renew_client_secret(&parse(id)?, Duration::from_secs(overlap))?;
    let document = json!({"client_id": id, "client_secret": secret.expose(), "overlap_seconds": overlap});
    output.result(&document, &format!("new secret of {id}, shown once: {}", secret.expose()));
    Ok(())
}

fn list(authority: &Authority, output: &Output) -> Done {
    let clients = authority.registered_clients()?;
    let lines: Vec<String> = clients
        .iter()
        .map(|client| {
            let state = if client.disabled_at.is_some() { "disabled" } else { "enabled" };
            format!("{:<24} {state:<8} {}", client.id.as_str(), client.scope)
        })
        .collect();
    output.result(&json!(clients.iter().map(describe).collect::<Vec<_>>()), &lines.join("\n"));
    Ok(())
}

fn describe(client: &Client) -> Value {
    json!({
        "client_id": client.id.as_str(),
        "grants": names(&client.grants),
        "scope": client.scope.to_string(),
        "audiences": client.audiences,
        "introspects": client.introspects,
        "disabled": client.disabled_at.is_some(),
    })
}

fn parse(id: &str) -> Result<ClientId, Failure> {
    ClientId::parse(id)
        .ok_or_else(|| Failure::Usage("a client id has 1 to 64 characters of A-Z a-z 0-9 . _ -".to_owned()))
}

fn parse_grant(text: &str) -> Result<GrantType, Failure> {
    GrantType::parse(text).ok_or_else(|| {
        let known = GrantType::ALL.map(GrantType::as_str).join(", ");
        Failure::Usage(format!("unknown grant type {text:?}: expected one of {known}"))
    })
}

fn names(grants: &[GrantType]) -> Vec<&'static str> {
    grants.iter().map(|grant| grant.as_str()).collect()
}
