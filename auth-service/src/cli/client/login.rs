//! Options for clients at which users log in.

use clap::Args;
use serde_json::{Value, json};

use crate::clients::{Client, ClientLogin, ClientLoginChange, Pkce, RedirectUri};
use crate::keys::Algorithm;

/// Of a new client.
#[derive(Debug, Args)]
pub(in crate::cli) struct LoginOptions {
    /// The name that users see on the login page; the ID by default.
    #[arg(long, default_value = "")]
    name: String,
    /// Where the browser is sent after a login, such as https://app.example.com/callback: https, http to this machine, or an
    /// app's scheme such as com.example.app:/callback. May be repeated. Users then log in at this client.
    #[arg(long = "redirect-uri", value_name = "URI", value_parser = RedirectUri::parse)]
    pub redirect_uris: Vec<RedirectUri>,
    /// Where the browser may be sent after a logout. May be repeated.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI", value_parser = RedirectUri::parse)]
    post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where the client is told that a user has logged out.
    #[arg(long, value_name = "URL")]
    backchannel_logout_uri: Option<String>,
    /// What signs its ID tokens: RS256, ES256 or EdDSA.
    #[arg(long, value_name = "ALGORITHM", default_value = "RS256", value_parser = algorithm)]
    id_token_algorithm: Algorithm,
    /// Accept requests without PKCE, of a client with a secret that cannot send it.
    #[arg(long)]
    pkce_optional: bool,
    /// Do not ask users for their consent: the client is your own.
    #[arg(long)]
    first_party: bool,
    /// Create it without a secret: it is an app, or runs in a browser.
    #[arg(long, conflicts_with = "keys")]
    pub public: bool,
}

/// Changes of a client.
#[derive(Debug, Args)]
pub(in crate::cli) struct LoginChanges {
    /// The name that users see; an empty one shows the ID.
    #[arg(long, group = "change")]
    name: Option<String>,
    /// Where the browser is sent after a login. May be repeated.
    #[arg(long = "redirect-uri", value_name = "URI", group = "change", value_parser = RedirectUri::parse)]
    redirect_uris: Option<Vec<RedirectUri>>,
    /// Remove all redirect URIs.
    #[arg(long, group = "change", conflicts_with = "redirect_uris")]
    no_redirect_uris: bool,
    /// Where the browser may be sent after a logout. May be repeated.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI", group = "change", value_parser = RedirectUri::parse)]
    post_logout_redirect_uris: Option<Vec<RedirectUri>>,
    /// Remove all URIs for after a logout.
    #[arg(long, group = "change", conflicts_with = "post_logout_redirect_uris")]
    no_post_logout_redirect_uris: bool,
    /// Where the client is told that a user has logged out; an empty one tells it nothing.
    #[arg(long, value_name = "URL", group = "change")]
    backchannel_logout_uri: Option<String>,
    /// What signs its ID tokens: RS256, ES256 or EdDSA.
    #[arg(long, value_name = "ALGORITHM", group = "change", value_parser = algorithm)]
    id_token_algorithm: Option<Algorithm>,
    /// Whether requests without PKCE are accepted.
    #[arg(long, value_name = "BOOL", group = "change")]
    pkce_optional: Option<bool>,
    /// Whether users are not asked for their consent.
    #[arg(long, value_name = "BOOL", group = "change")]
    first_party: Option<bool>,
}

impl LoginOptions {
    pub(super) fn into_login(self) -> ClientLogin {
        ClientLogin {
            name: self.name,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            backchannel_logout_uri: self.backchannel_logout_uri,
            id_token_algorithm: self.id_token_algorithm,
            pkce: pkce(self.pkce_optional),
            first_party: self.first_party,
        }
    }
}

impl LoginChanges {
    pub(super) fn into_change(self) -> ClientLoginChange {
        let none = |remove: bool| remove.then(Vec::new);
        ClientLoginChange {
            name: self.name,
            redirect_uris: self.redirect_uris.or_else(|| none(self.no_redirect_uris)),
            post_logout_redirect_uris: self
                .post_logout_redirect_uris
                .or_else(|| none(self.no_post_logout_redirect_uris)),
            backchannel_logout_uri: self
                .backchannel_logout_uri
                .map(|uri| Some(uri).filter(|uri| !uri.is_empty())),
            id_token_algorithm: self.id_token_algorithm,
            pkce: self.pkce_optional.map(pkce),
            first_party: self.first_party,
        }
    }
}

/// As documents show it; `None` for a client at which nobody logs in.
pub(super) fn describe(client: &Client) -> Option<Value> {
    let login = &client.login;
    if login.redirect_uris.is_empty() {
        return None;
    }
    let texts = |uris: &[RedirectUri]| uris.iter().map(ToString::to_string).collect::<Vec<_>>();
    Some(json!({
        "name": client.display_name(),
        "redirect_uris": texts(&login.redirect_uris),
        "post_logout_redirect_uris": texts(&login.post_logout_redirect_uris),
        "backchannel_logout_uri": login.backchannel_logout_uri,
        "id_token_algorithm": login.id_token_algorithm.as_str(),
        "pkce": if login.pkce == Pkce::Optional { "optional" } else { "required" },
        "first_party": login.first_party,
    }))
}

/// As users of a terminal read it; nothing for a client at which nobody logs in.
pub(super) fn lines(client: &Client) -> Vec<(&'static str, String)> {
    let login = &client.login;
    if login.redirect_uris.is_empty() {
        return Vec::new();
    }
    let joined = |uris: &[RedirectUri]| uris.iter().map(RedirectUri::as_str).collect::<Vec<_>>().join(" ");
    let yes = |is_so: bool| if is_so { "yes" } else { "no" }.to_owned();
    vec![
        ("name", client.display_name().to_owned()),
        ("public", yes(client.is_public())),
        ("first-party", yes(login.first_party)),
        ("redirect", joined(&login.redirect_uris)),
        ("post-logout", joined(&login.post_logout_redirect_uris)),
        ("backchannel", login.backchannel_logout_uri.clone().unwrap_or_default()),
        ("ID tokens", login.id_token_algorithm.as_str().to_owned()),
        ("PKCE", if login.pkce == Pkce::Optional { "optional" } else { "required" }.to_owned()),
    ]
}

fn pkce(is_optional: bool) -> Pkce {
    if is_optional { Pkce::Optional } else { Pkce::Required }
}

fn algorithm(text: &str) -> Result<Algorithm, &'static str> {
    Algorithm::parse(text).ok_or("expected RS256, ES256 or EdDSA")
}
