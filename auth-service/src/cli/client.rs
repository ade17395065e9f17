use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};
use shared_claims::ScopeSet;

use super::output::Output;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::clients::{Client, ClientId, Credentials, GrantType};
use crate::error::Error;
use crate::secret::{HashedSecret, PlainSecret};
use crate::storage::StorageError;

#[derive(Debug, Subcommand)]
pub enum ClientCommand {
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
    pub fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Create { id, grants, scope, audiences, introspects } => {
                let client = new_client(authority, &id, &grants, (&scope, audiences))?;
                check_registered(authority, &introspects)?;
                let client = Client { introspects, ..client };
                create(authority, output, &client)
            }
            Self::Disable { id } => disable(authority, output, &id),
            Self::Secret { id, overlap } => secret(authority, output, &id, overlap),
            Self::List => list(authority, output),
        }
    }
}

fn new_client(
    authority: &Authority,
    id: &str,
    grants: &[String],
    (scope, audiences): (&str, Vec<String>),
) -> Result<Client, Failure> {
    check_registered(authority, &audiences)?;
    let grant = |text: &String| {
        GrantType::parse(text).ok_or_else(|| {
            let known = GrantType::ALL.map(GrantType::as_str).join(", ");
            Failure::Usage(format!("unknown grant type {text:?}: expected one of {known}"))
        })
    };
    Ok(Client {
        id: parse(id)?,
        scope: ScopeSet::parse(scope).map_err(|error| Failure::Usage(error.to_string()))?,
        audiences,
        grants: grants.iter().map(grant).collect::<Result<_, _>>()?,
        introspects: Vec::new(),
        credentials: Credentials::FirstParty,
        created_at: authority.now(),
        disabled_at: None,
    })
}

fn check_registered(authority: &Authority, audiences: &[String]) -> Done {
    let registered = authority.storage.all_audiences()?;
    let is_registered = |name: &String| registered.iter().any(|audience| audience.name == *name);
    match audiences.iter().find(|audience| !is_registered(audience)) {
        None => Ok(()),
        Some(unknown) => {
            let advice = format!("auth-service audience create {unknown}");
            Err(Failure::Wrong(format!("audience {unknown:?} not found: create it with `{advice}`")))
        }
    }
}

fn create(authority: &Authority, output: &Output, client: &Client) -> Done {
    if client.id == authority.simplejwt.first_party.id {
        return Err(Failure::Wrong(format!(
            "{} is the name of the client behind the simplejwt endpoints",
            client.id
        )));
    }
    let secret = PlainSecret::generate().map_err(Error::from)?;
    authority.storage.create_client(client, &HashedSecret::of(&secret)).map_err(|error| match error {
        StorageError::Taken => Failure::Wrong(format!("client {} already exists", client.id)),
        other => other.into(),
    })?;
    let mut document = describe(client);
    document["client_secret"] = json!(secret.expose());
    let text = format!("created the client {}\nsecret, shown once: {}", client.id, secret.expose());
    output.result(&document, &text);
    Ok(())
}

fn disable(authority: &Authority, output: &Output, id: &str) -> Done {
    let now = authority.now();
    let last_issued = now.plus(authority.policy.offline_issuing);
    let ended = authority.storage.disable_client(&parse(id)?, now, authority.revoked_until(last_issued))?;
    let ended = ended.ok_or_else(|| unknown(id))?;
    let document = json!({"client_id": id, "disabled": true, "sessions_ended": ended});
    output.result(&document, &format!("disabled the client {id}; {ended} session(s) ended"));
    Ok(())
}

fn secret(authority: &Authority, output: &Output, id: &str, overlap: u64) -> Done {
    let secret = PlainSecret::generate().map_err(Error::from)?;
    let old_until = authority.now().plus(Duration::from_secs(overlap));
    if !authority.storage.set_client_secret(&parse(id)?, &HashedSecret::of(&secret), old_until)? {
        return Err(unknown(id));
    }
    let document = json!({"client_id": id, "client_secret": secret.expose(), "overlap_seconds": overlap});
    output.result(&document, &format!("new secret of {id}, shown once: {}", secret.expose()));
    Ok(())
}

fn list(authority: &Authority, output: &Output) -> Done {
    let clients = authority.storage.all_clients()?;
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
        "grants": client.grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>(),
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

fn unknown(id: &str) -> Failure {
    Failure::Wrong(format!("client {id:?} not found"))
}
