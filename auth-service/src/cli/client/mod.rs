mod certificate;
mod changes;
mod describe;
mod login;
mod method;
mod ready_settings;

use clap::{ArgGroup, Args, Subcommand};
use service_kit::cors::parse_origin;
use shared_claims::ScopeSet;

use super::output::Output;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::clients::{ClientId, ClientMethod, GrantType, NewClient, TokenBinding};
use describe::describe;
use login::{LoginChanges, LoginOptions};
use method::MethodOptions;

/// What a client may ask for at which users log in, unless it is said otherwise.
const LOGIN_SCOPE: &str = "openid profile email offline_access";

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Create a client. Its secret is shown once.
    Create {
        /// 1 to 64 characters of A-Z a-z 0-9 . _ -
        id: String,
        /// An allowed grant type: client_credentials (the default without a redirect URI), authorization_code and
        /// refresh_token (the defaults with one), urn:ietf:params:oauth:grant-type:device_code, password (first-party
        /// applications only). May be repeated.
        #[arg(long = "grant", value_name = "GRANT")]
        grants: Vec<String>,
        /// The scopes that it may request, separated by spaces. None by default; with a redirect URI `openid profile email
        /// offline_access`.
        #[arg(long)]
        scope: Option<String>,
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
        /// What its tokens are bound to: `dpop` (the key of a proof), `certificate` (of the connection), or `optional` (a key
        /// where the request has a proof).
        #[arg(long, value_name = "BINDING", value_parser = token_binding, default_value = "optional")]
        token_binding: TokenBinding,
        #[command(flatten)]
        method: Box<MethodOptions>,
        #[command(flatten)]
        login: Box<LoginOptions>,
    },
    /// Show a client.
    Show { id: String },
    /// Change what a client may request. A repeated option replaces all values.
    Update(Box<ClientUpdate>),
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
    /// What its tokens are bound to: `optional`, `dpop` or `certificate`.
    #[arg(long, value_name = "BINDING", group = "change", value_parser = token_binding)]
    token_binding: Option<TokenBinding>,
    #[command(flatten)]
    method: MethodOptions,
    #[command(flatten)]
    login: LoginChanges,
}

impl ClientCommand {
    /// Whether it changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::List | Self::Show { .. })
    }

    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Create {
                id,
                grants,
                scope,
                audiences,
                introspects,
                cors_origins,
                token_binding,
                method,
                login,
            } => {
                let logs_in = !login.redirect_uris.is_empty();
                let scope = scope.unwrap_or_else(|| if logs_in { LOGIN_SCOPE } else { "" }.to_owned());
                let grants = if grants.is_empty() { default_grants(logs_in) } else { parse_grants(&grants)? };
                let (id, scope) = (parse(&id)?, parse_scope(&scope)?);
                let method = match method.read()? {
                    Some(method) => method,
                    None if login.public => ClientMethod::None,
                    None => ClientMethod::Secret,
                };
                let login = login.into_login();
                let new = NewClient {
                    id,
                    scope,
                    audiences,
                    grants,
                    introspects,
                    cors_origins,
                    login,
                    method,
                    token_binding,
                };
                create(authority, output, &new)
            }
            Self::Show { id } => describe::show(authority, output, &id),
            Self::Update(change) => changes::update(authority, output, *change),
            Self::Disable { id } => changes::disable(authority, output, &id),
            Self::Enable { id } => changes::enable(authority, output, &id),
            Self::Delete { id, yes } => changes::delete(authority, output, &id, yes),
            Self::Secret { id, overlap } => changes::secret(authority, output, &id, overlap),
            Self::List => describe::list(authority, output),
        }
    }
}

fn create(authority: &Authority, output: &Output, new: &NewClient) -> Done {
    let secret = authority.create_client(new)?;
    let client = authority.registered_client(&new.id)?;
    let mut document = describe(&client);
    if let Some(secret) = &secret {
        document["client_secret"] = secret.expose().into();
    }
    let shown = match &secret {
        Some(secret) => format!("secret, shown once: {}", secret.expose()),
        None if client.is_public() => "it is public: it has no secret".to_owned(),
        None => format!(
            "it has no secret: its method is {}; see docs/client-authentication.md",
            client.credentials.method()
        ),
    };
    let mut text = format!("created the client {}\n{shown}", new.id);
    if !client.login.redirect_uris.is_empty() {
        text.push_str(&ready_settings::of(&client, &authority.issuer.url));
    }
    output.result(&document, &text);
    Ok(())
}

fn default_grants(logs_in: bool) -> Vec<GrantType> {
    match logs_in {
        true => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        false => vec![GrantType::ClientCredentials],
    }
}

pub(super) fn parse(id: &str) -> Result<ClientId, Failure> {
    ClientId::parse(id)
        .ok_or_else(|| Failure::Usage("a client id has 1 to 64 characters of A-Z a-z 0-9 . _ -".to_owned()))
}

fn parse_scope(text: &str) -> Result<ScopeSet, Failure> {
    ScopeSet::parse(text).map_err(|error| Failure::Usage(error.to_string()))
}

fn token_binding(text: &str) -> Result<TokenBinding, &'static str> {
    TokenBinding::parse(text).ok_or("expected optional, dpop or certificate")
}

fn parse_grants(texts: &[String]) -> Result<Vec<GrantType>, Failure> {
    let unknown = |text: &String| {
        let known = GrantType::ALL.map(GrantType::as_str).join(", ");
        Failure::Usage(format!("unknown grant type {text:?}: expected one of {known}"))
    };
    texts.iter().map(|text| GrantType::parse(text).ok_or_else(|| unknown(text))).collect()
}
