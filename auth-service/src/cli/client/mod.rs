mod changes;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};
use service_kit::cors::parse_origin;
use shared_claims::ScopeSet;

use super::output::Output;
use super::table::Row;
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
        /// The origin of a browser application of it, such as https://app.example.com: it may call the authority (CORS).
        /// May be repeated.
        #[arg(long = "cors-origin", value_name = "ORIGIN", value_parser = parse_origin)]
        cors_origins: Vec<String>,
    },
    /// Show a client.
    Show { id: String },
    /// Change what a client may request. A repeated option replaces all values.
    Update(ClientUpdate),
    /// Disable a client, end its sessions and revoke its tokens. Undo with `client enable`.
    Disable { id: String },
    /// Enable a client. Sessions and tokens from before stay revoked.
    Enable { id: String },
    /// Delete a client, end its sessions and revoke its tokens.
    Delete {
        id: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
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

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct ClientUpdate {
    id: String,
    /// An allowed grant type. May be repeated.
    #[arg(long = "grant", value_name = "GRANT", group = "change")]
    grants: Option<Vec<String>>,
    /// The scopes that it may request, separated by spaces; an empty text removes all.
    #[arg(long, group = "change")]
    scope: Option<String>,
    /// An audience that it may request tokens for. May be repeated; the first one is the default.
    #[arg(long = "audience", value_name = "NAME", group = "change")]
    audiences: Option<Vec<String>>,
    /// An audience whose tokens it may introspect. May be repeated.
    #[arg(long, value_name = "AUDIENCE", group = "change")]
    introspects: Option<Vec<String>>,
    /// The origin of a browser application of it. May be repeated.
    #[arg(long = "cors-origin", value_name = "ORIGIN", group = "change", value_parser = parse_origin)]
    cors_origins: Option<Vec<String>>,
    /// Remove all origins.
    #[arg(long, group = "change", conflicts_with = "cors_origins")]
    no_cors_origins: bool,
}

impl ClientCommand {
    /// Whether it changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::List | Self::Show { .. })
    }

    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Create { id, grants, scope, audiences, introspects, cors_origins } => {
                let (id, scope, grants) = (parse(&id)?, parse_scope(&scope)?, parse_grants(&grants)?);
                let new = NewClient { id, scope, audiences, grants, introspects, cors_origins };
                create(authority, output, &new)
            }
            Self::Show { id } => show(authority, output, &id),
            Self::Update(change) => changes::update(authority, output, change),
            Self::Disable { id } => changes::disable(authority, output, &id),
            Self::Enable { id } => changes::enable(authority, output, &id),
            Self::Delete { id, yes } => changes::delete(authority, output, &id, yes),
            Self::Secret { id, overlap } => changes::secret(authority, output, &id, overlap),
            Self::List => list(authority, output),
        }
    }
}

fn create(authority: &Authority, output: &Output, new: &NewClient) -> Done {
    let secret = authority.create_client(new)?;
    let NewClient { id, scope, audiences, grants, introspects, cors_origins } = new;
    let document = json!({
        "client_id": id.as_str(),
        "grants": names(grants),
        "scope": scope.to_string(),
        "audiences": audiences,
        "introspects": introspects,
        "cors_origins": cors_origins,
        "disabled": false,
        "client_secret": secret.expose(),
    });
    let text = format!("created the client {id}\nsecret, shown once: {}", secret.expose());
    output.result(&document, &text);
    Ok(())
}

fn show(authority: &Authority, output: &Output, id: &str) -> Done {
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
    ];
    let text: Vec<String> = lines.iter().map(|(name, value)| format!("{name:<12} {value}")).collect();
    output.result(&describe(&client), &text.join("\n"));
    Ok(())
}

fn list(authority: &Authority, output: &Output) -> Done {
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

fn describe(client: &Client) -> Value {
    json!({
        "client_id": client.id.as_str(),
        "grants": names(&client.grants),
        "scope": client.scope.to_string(),
        "audiences": client.audiences,
        "introspects": client.introspects,
        "cors_origins": client.cors_origins,
        "disabled": client.disabled_at.is_some(),
        "created_at": client.created_at.rfc3339(),
    })
}

pub(super) fn parse(id: &str) -> Result<ClientId, Failure> {
    ClientId::parse(id)
        .ok_or_else(|| Failure::Usage("a client id has 1 to 64 characters of A-Z a-z 0-9 . _ -".to_owned()))
}

fn parse_scope(text: &str) -> Result<ScopeSet, Failure> {
    ScopeSet::parse(text).map_err(|error| Failure::Usage(error.to_string()))
}

fn parse_grants(texts: &[String]) -> Result<Vec<GrantType>, Failure> {
    let unknown = |text: &String| {
        let known = GrantType::ALL.map(GrantType::as_str).join(", ");
        Failure::Usage(format!("unknown grant type {text:?}: expected one of {known}"))
    };
    texts.iter().map(|text| GrantType::parse(text).ok_or_else(|| unknown(text))).collect()
}

fn names(grants: &[GrantType]) -> Vec<&'static str> {
    grants.iter().map(|grant| grant.as_str()).collect()
}
