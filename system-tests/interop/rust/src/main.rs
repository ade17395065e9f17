//! Logs in with the crate openidconnect. A user drives it over its standard input and output:
//! `openidconnect-client ISSUER CLIENT_ID CLIENT_SECRET REDIRECT_URI`

use std::error::Error;

use openidconnect::core::{CoreClient, CoreProviderMetadata, CoreResponseType, CoreUserInfoClaims};
use openidconnect::reqwest::{ClientBuilder, Url, redirect::Policy};
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, Scope, TokenResponse,
};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [issuer, id, secret, redirect_uri] = arguments.try_into().map_err(|_| "four arguments")?;
    let http = ClientBuilder::new().redirect(Policy::none()).build()?;
    let metadata = CoreProviderMetadata::discover_async(IssuerUrl::new(issuer)?, &http).await?;
    let secret = Some(ClientSecret::new(secret));
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(id), secret)
        .set_redirect_uri(RedirectUrl::new(redirect_uri)?);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
    let asked = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
    let (url, state, nonce) =
        asked.add_scope(Scope::new("profile".to_owned())).set_pkce_challenge(challenge).url();
    println!("{}", json!({"open": url.as_str()}));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let callback = Url::parse(line.trim())?;
    let told = |name: &str| {
        callback.query_pairs().find(|(held, _)| held == name).map(|(_, value)| value.into_owned())
    };
    assert_eq!(told("state").as_deref(), Some(state.secret().as_str()));
    let code = AuthorizationCode::new(told("code").ok_or("no code")?);
    let tokens = client.exchange_code(code)?.set_pkce_verifier(verifier).request_async(&http).await?;
    let claims = tokens.id_token().ok_or("no ID token")?.claims(&client.id_token_verifier(), &nonce)?;
    let access_token = tokens.access_token().clone();
    let subject = Some(claims.subject().clone());
    let userinfo: CoreUserInfoClaims = client.user_info(access_token, subject)?.request_async(&http).await?;
    println!("{}", json!({"claims": claims, "userinfo": userinfo}));
    Ok(())
}
