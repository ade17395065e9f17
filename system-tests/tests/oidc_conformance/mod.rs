//! The modules of the OpenID Foundation's conformance suite for providers, re-created by their own names, so that a certified
//! run maps one to one. Each runs on both databases; those of Basic OP run with `response_mode` `query`, as in the plan of that
//! name, and with `form_post`, as in Form Post OP.
//!
//! Named skips: `oidcc-idtoken-unsigned` (`none` is never offered).

mod backchannel;
mod basic;
mod basic_prompts;
mod basic_requests;
mod config;
mod device;
mod logout;

use std::collections::BTreeMap;

use serde_json::Value;
use system_tests::Database;
use system_tests::openid::{Callback, Client, Provider, UserAgent};

/// What a module has: a provider, its client and another one.
pub(crate) struct Plan {
    pub provider: Provider,
    pub client: Client,
    pub second: Client,
    pub mode: &'static str,
}

/// Scopes that the clients may ask for.
const SCOPE: &str = "openid profile email address phone offline_access";

impl Plan {
    pub(crate) async fn start(database: Database) -> Self {
        let provider = Provider::start(database).await;
        // Most modules send no code challenge.
        let options = ["--pkce-optional", "--scope", SCOPE];
        let client = provider.client("first", &options).await;
        let second = provider.client("second", &options).await;
        Self { provider, client, second, mode: "query" }
    }

    pub(crate) fn browser(&self) -> UserAgent<'_> {
        UserAgent::new(&self.provider)
    }

    /// The parameters of a request; `more` replaces and adds, and an empty value leaves one out.
    pub(crate) fn request<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut query: BTreeMap<&str, &str> = BTreeMap::from([
            ("client_id", self.client.id.as_str()),
            ("redirect_uri", self.client.redirect_uri.as_str()),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", "s-0123456789"),
            ("nonce", "n-0123456789"),
        ]);
        if self.mode != "query" {
            query.insert("response_mode", self.mode);
        }
        query.extend(more.iter().copied());
        query.retain(|_, value| !value.is_empty());
        query.into_iter().collect()
    }

    /// An authorization, checked as every module does.
    pub(crate) async fn authorize<'a>(
        &'a self,
        browser: &mut UserAgent<'_>,
        more: &[(&'a str, &'a str)],
    ) -> Callback {
        let request = self.request(more);
        let callback = browser.authorize(&request).await;
        assert_eq!(callback.by_form, self.mode == "form_post", "{callback:?}");
        let sent = |name: &str| request.iter().find(|(held, _)| *held == name).map(|(_, value)| *value);
        assert_eq!(callback.get("state"), sent("state"), "{callback:?}");
        assert_eq!(callback.get("iss"), Some(system_tests::openid::ISSUER));
        callback
    }

    /// An authorization and its tokens, checked as every module does: the answer of the token endpoint and the claims of the
    /// ID token.
    pub(crate) async fn tokens<'a>(
        &'a self,
        browser: &mut UserAgent<'_>,
        more: &[(&'a str, &'a str)],
    ) -> Tokens {
        let callback = self.authorize(browser, more).await;
        let code = callback.code();
        assert!(code.len() > 24, "more than 96 bits");
        let answer = self.provider.redeem(&self.client, code, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.json();
        assert_eq!(body["token_type"], "Bearer");
        assert!(body["expires_in"].is_u64());
        let request = self.request(more);
        let nonce = request.iter().find(|(name, _)| *name == "nonce").map(|(_, value)| *value);
        let id_token = body["id_token"].as_str().unwrap().to_owned();
        let claims = self.provider.check_id_token(&id_token, &self.client, nonce).await;
        self.check_no_other_claims(&claims);
        Tokens {
            access_token: body["access_token"].as_str().unwrap().to_owned(),
            refresh_token: body["refresh_token"].as_str().map(str::to_owned),
            id_token,
            claims,
            pages: callback.pages,
        }
    }

    fn check_no_other_claims(&self, claims: &Value) {
        let known = [
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "acr",
            "amr",
            "azp",
            "at_hash",
            "c_hash",
            "nbf",
            "jti",
            "sid",
            "s_hash",
            "txn",
        ];
        let names = claims.as_object().unwrap().keys();
        let others: Vec<&String> = names.filter(|name| !known.contains(&name.as_str())).collect();
        assert!(others.is_empty(), "{others:?}");
    }
}

pub(crate) struct Tokens {
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub id_token: String,
    pub claims: Value,
    pub pages: Vec<String>,
}

/// Modules of Basic OP and Form Post OP.
macro_rules! basic_modules {
    ($($name:ident)*) => {$(
        mod $name {
            use system_tests::Database;

            use crate::oidc_conformance::Plan;

            async fn in_both_modes(database: Database) {
                let mut plan = Plan::start(database).await;
                super::$name(&plan).await;
                plan.mode = "form_post";
                super::$name(&plan).await;
            }

            #[tokio::test]
            async fn sqlite() {
                in_both_modes(Database::Sqlite).await;
            }

            #[tokio::test]
            async fn postgres() {
                in_both_modes(Database::Postgres).await;
            }
        }
    )*};
}
pub(crate) use basic_modules;
