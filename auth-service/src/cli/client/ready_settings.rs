//! What to paste into the settings of the client libraries that are used most.

use crate::clients::{Client, OFFLINE_SCOPE};

/// What the settings are made of. The secret is named, not repeated: it is shown once, above.
struct Facts<'a> {
    issuer: &'a str,
    id: &'a str,
    redirect_uri: &'a str,
    scope: String,
    algorithm: &'a str,
}

/// Settings for an application of this client.
pub(super) fn of(client: &Client, issuer: &str) -> String {
    let words = client.scope.as_str().split(' ').filter(|word| *word != OFFLINE_SCOPE);
    let facts = Facts {
        issuer,
        id: client.id.as_str(),
        redirect_uri: client.login.redirect_uris.first().map_or("", |uri| uri.as_str()),
        scope: words.collect::<Vec<_>>().join(" "),
        algorithm: client.login.id_token_algorithm.as_str(),
    };
    let blocks = match client.is_public() {
        true => vec![any_library(&facts), oidc_client_ts(&facts), openid_client(&facts, "client.None()")],
        false => vec![
            any_library(&facts),
            openid_client(&facts, "process.env.CLIENT_SECRET"),
            authlib(&facts),
            mozilla_django_oidc(&facts),
            mod_auth_openidc(&facts),
        ],
    };
    format!("\n\n{}", blocks.join("\n\n"))
}

fn block(title: &str, lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
    format!("{title}\n{}", lines.join("\n"))
}

fn any_library(facts: &Facts<'_>) -> String {
    let lines = [
        format!("issuer        {}", facts.issuer),
        format!("client ID     {}", facts.id),
        format!("redirect URI  {}", facts.redirect_uri),
        format!("scope         {}", facts.scope),
        format!("ID tokens     {}; code flow with PKCE (S256)", facts.algorithm),
    ];
    block("any library (OpenID Connect discovery)", &lines)
}

fn oidc_client_ts(facts: &Facts<'_>) -> String {
    let Facts { issuer, id, redirect_uri, scope, .. } = facts;
    let line = format!(
        "new UserManager({{ authority: \"{issuer}\", client_id: \"{id}\", redirect_uri: \"{redirect_uri}\", scope: \"{scope}\" }})"
    );
    block("oidc-client-ts (browser)", &[line])
}

fn openid_client(facts: &Facts<'_>, authentication: &str) -> String {
    let Facts { issuer, id, .. } = facts;
    let line = format!(
        "const config = await client.discovery(new URL(\"{issuer}\"), \"{id}\", undefined, {authentication})"
    );
    block("openid-client 6 (Node)", &[line])
}

fn authlib(facts: &Facts<'_>) -> String {
    let Facts { issuer, id, scope, .. } = facts;
    let lines = [
        format!("oauth.register(\"signet\", client_id=\"{id}\", client_secret=CLIENT_SECRET,"),
        format!("    server_metadata_url=\"{issuer}/.well-known/openid-configuration\","),
        format!("    client_kwargs={{\"scope\": \"{scope}\", \"code_challenge_method\": \"S256\"}})"),
    ];
    block("Authlib (Python)", &lines)
}

fn mozilla_django_oidc(facts: &Facts<'_>) -> String {
    let Facts { issuer, id, algorithm, .. } = facts;
    let lines = [
        format!("OIDC_RP_CLIENT_ID = \"{id}\""),
        "OIDC_RP_CLIENT_SECRET = CLIENT_SECRET".to_owned(),
        format!("OIDC_RP_SIGN_ALGO = \"{algorithm}\""),
        "OIDC_USE_PKCE = True".to_owned(),
        format!("OIDC_OP_AUTHORIZATION_ENDPOINT = \"{issuer}/oauth2/authorize\""),
        format!("OIDC_OP_TOKEN_ENDPOINT = \"{issuer}/oauth2/token\""),
        format!("OIDC_OP_USER_ENDPOINT = \"{issuer}/oauth2/userinfo\""),
        format!("OIDC_OP_JWKS_ENDPOINT = \"{issuer}/.well-known/jwks.json\""),
    ];
    block("mozilla-django-oidc (Django)", &lines)
}

fn mod_auth_openidc(facts: &Facts<'_>) -> String {
    let Facts { issuer, id, redirect_uri, scope, .. } = facts;
    let lines = [
        format!("OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration"),
        format!("OIDCClientID {id}"),
        "OIDCClientSecret CLIENT_SECRET".to_owned(),
        format!("OIDCRedirectURI {redirect_uri}"),
        format!("OIDCScope \"{scope}\""),
        "OIDCPKCEMethod S256".to_owned(),
        "OIDCCryptoPassphrase RANDOM_TEXT_OF_YOUR_OWN".to_owned(),
    ];
    block("Apache mod_auth_openidc", &lines)
}
