//! An OpenID provider, and a browser without a window that goes through its pages.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use serde_json::Value;
use shared_claims::clock::unix_now;
use tempfile::TempDir;

use crate::database::{Database, execute};
use crate::processes::{Env, Service, run};
use crate::system::{PASSWORD, USER, auth_env, cli};

/// Where the authority of every test says that it is.
pub const ISSUER: &str = "https://auth.test";

/// Where the browser goes after a login, and after a logout.
pub const CALLBACK: &str = "https://app.test/callback";
pub const BYE: &str = "https://app.test/bye";

/// An authority with one user, whose name, address and phone number are known.
pub struct Provider {
    pub folder: TempDir,
    pub env: Env,
    pub service: Service,
    http: reqwest::Client,
}

/// A registered client.
#[derive(Debug, Clone)]
pub struct Client {
    pub id: String,
    /// `None` for a public one.
    pub secret: Option<String>,
    pub redirect_uri: String,
}

/// An answer of the authority.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

/// What came to the client in the end.
#[derive(Debug, Clone, Default)]
pub struct Callback {
    pub parameters: BTreeMap<String, String>,
    /// By a form, not in the query.
    pub by_form: bool,
    /// The pages that were shown on the way, by the paths that their forms go to.
    pub pages: Vec<String>,
}

impl Provider {
    /// # Panics
    /// When it does not start.
    pub async fn start(database: Database) -> Self {
        Self::with(database, &[]).await
    }

    /// # Panics
    /// When it does not start.
    pub async fn with(database: Database, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let env = auth_env(database, folder.path(), settings);
        let created = cli(folder.path(), &env, &["user", "create", USER, "--password-stdin"], PASSWORD);
        assert_eq!(created["username"], USER);
        let _ = cli(folder.path(), &env, &["user", "update", USER, "--email", "alice@app.test"], "");
        let profile = r#"{"first_name": "Alice", "last_name": "Liddell", "nickname": "al", "locale": "en",
            "phone_number": "+1 555 0100", "address": {"formatted": "Oxford"}}"#;
        let known = format!("UPDATE users SET profile = '{profile}' WHERE username = '{USER}'");
        execute(&env["AUTH__DATABASE__URL"], &known).expect("a profile");
        let service = Service::start("auth-service", folder.path(), &env).await;
        let http = reqwest::Client::builder().redirect(Policy::none()).build().expect("a client");
        Self { folder, env, service, http }
    }

    /// Runs a command on its database.
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> Value {
        cli(self.folder.path(), &self.env, arguments, "")
    }

    /// The documents of a list, which are printed a line each.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    pub fn cli_list(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let output = run("auth-service", &arguments, self.folder.path(), &self.env, "");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a document")).collect()
    }

    /// Ends it and starts it on what it left, at the same address.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart(&mut self) {
        self.service.signal(rustix::process::Signal::TERM);
        self.service.ended().await;
        let mut env = self.env.clone();
        env.insert("AUTH__HTTP__BIND".to_owned(), self.service.http.to_string());
        self.service = Service::start("auth-service", self.folder.path(), &env).await;
    }

    /// A JSON request, with an access token or without.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn json(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Reply {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, self.url(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        reply(request.send().await.expect("an answer")).await
    }

    /// Registers a client for logins; `more` are options of `client create`. The server knows it when this returns.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn client(&self, id: &str, more: &[&str]) -> Client {
        let base = ["client", "create", id, "--redirect-uri", CALLBACK, "--post-logout-redirect-uri", BYE];
        let arguments: Vec<&str> = base.iter().chain(more).copied().collect();
        let created = self.cli(&arguments);
        let client = Client {
            id: id.to_owned(),
            secret: created["client_secret"].as_str().map(str::to_owned),
            redirect_uri: CALLBACK.to_owned(),
        };
        self.knows(id).await;
        client
    }

    /// Waits until the server knows a client that a command has registered.
    pub async fn knows(&self, id: &str) {
        crate::eventually("the client is known", || async {
            let query = [("client_id", id), ("redirect_uri", "https://unregistered.test/")];
            let request = self.http.get(self.url("/oauth2/authorize")).query(&query);
            let text = request.send().await.ok()?.text().await.ok()?;
            text.contains("redirect_uri is not registered").then_some(())
        })
        .await;
    }

    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.service.http)
    }

    /// # Panics
    /// Without an answer.
    pub async fn get(&self, path: &str) -> Reply {
        reply(self.http.get(self.url(path)).send().await.expect("an answer")).await
    }

    /// A request to the token endpoint, authenticated by HTTP Basic.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn token(&self, client: &Client, form: &[(&str, &str)]) -> Reply {
        self.post(client, "/oauth2/token", form).await
    }

    /// A form to an endpoint, authenticated by HTTP Basic.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn post(&self, client: &Client, path: &str, form: &[(&str, &str)]) -> Reply {
        self.post_to(&self.url(path), client, form).await
    }

    async fn post_to(&self, url: &str, client: &Client, form: &[(&str, &str)]) -> Reply {
        let mut form: Vec<(&str, &str)> = form.to_vec();
        let request = self.http.post(url);
        let request = match &client.secret {
            Some(secret) => request.basic_auth(&client.id, Some(secret)),
            None => {
                form.push(("client_id", &client.id));
                request
            }
        };
        reply(request.form(&form).send().await.expect("an answer")).await
    }

    /// Redeems a code at another replica.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn redeem_at(&self, replica: &Service, client: &Client, code: &str) -> Reply {
        let form =
            [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", &client.redirect_uri)];
        self.post_to(&format!("http://{}/oauth2/token", replica.http), client, &form).await
    }

    /// Redeems a code.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn redeem(&self, client: &Client, code: &str, more: &[(&str, &str)]) -> Reply {
        let base =
            [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", &client.redirect_uri)];
        let form: Vec<(&str, &str)> = base.iter().chain(more).copied().collect();
        self.token(client, &form).await
    }

    /// # Panics
    /// Without an answer.
    pub async fn userinfo(&self, access_token: &str) -> Reply {
        self.userinfo_at(&self.service, access_token).await
    }

    /// The same at another replica.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn userinfo_at(&self, replica: &Service, access_token: &str) -> Reply {
        let request =
            self.http.get(format!("http://{}/oauth2/userinfo", replica.http)).bearer_auth(access_token);
        reply(request.send().await.expect("an answer")).await
    }

    /// # Panics
    /// Without an answer.
    pub async fn userinfo_by_post(&self, header: Option<&str>, body: Option<&str>) -> Reply {
        let mut request = self.http.post(self.url("/oauth2/userinfo"));
        if let Some(token) = header {
            request = request.bearer_auth(token);
        }
        if let Some(token) = body {
            request = request.form(&[("access_token", token)]);
        }
        reply(request.send().await.expect("an answer")).await
    }

    /// Checks an ID token as a client does, with a library that is not ours: its claims.
    ///
    /// # Panics
    /// When anything is wrong with it.
    pub async fn check_id_token(&self, id_token: &str, client: &Client, nonce: Option<&str>) -> Value {
        let keys = self.get("/.well-known/jwks.json").await.json();
        let header = jsonwebtoken::decode_header(id_token).expect("a header");
        let keys = keys["keys"].as_array().expect("keys");
        let key =
            keys.iter().find(|key| key["kid"] == header.kid.as_deref().expect("a kid")).expect("its key");
        let key = serde_json::from_value(key.clone()).expect("a key");
        let mut rules = Validation::new(header.alg);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[&client.id]);
        rules.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        let key = DecodingKey::from_jwk(&key).expect("a public key");
        let claims = jsonwebtoken::decode::<Value>(id_token, &key, &rules).expect("an ID token").claims;
        let issued = claims["iat"].as_u64().expect("iat");
        assert!(unix_now().abs_diff(issued) < 300, "{claims}");
        assert_eq!(claims.get("nonce").and_then(Value::as_str), nonce, "{claims}");
        let sub = claims["sub"].as_str().expect("sub");
        assert!(sub.is_ascii() && (1..=255).contains(&sub.len()));
        assert!(claims["auth_time"].is_u64() && !claims["acr"].as_str().expect("acr").is_empty());
        claims
    }

    /// The algorithm of a token.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn algorithm(token: &str) -> Algorithm {
        jsonwebtoken::decode_header(token).expect("a header").alg
    }
}

async fn reply(response: reqwest::Response) -> Reply {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, text: response.text().await.expect("a text") }
}

impl Reply {
    /// # Panics
    /// When it is no JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text))
    }

    /// A member of the JSON.
    ///
    /// # Panics
    /// When it is no text.
    #[must_use]
    pub fn member(&self, name: &str) -> String {
        let json = self.json();
        json[name].as_str().unwrap_or_else(|| panic!("no {name}: {json}")).to_owned()
    }

    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The value of a field of the page.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        attribute_behind(&self.text, &format!("name=\"{name}\""), "value")
    }

    /// Where the form of the page goes.
    #[must_use]
    pub fn action(&self) -> Option<String> {
        attribute_behind(&self.text, "<form", "action")
    }

    /// Where the page leads by itself.
    #[must_use]
    pub fn refresh(&self) -> Option<String> {
        let content = attribute_behind(&self.text, "http-equiv=\"refresh\"", "content")?;
        content.strip_prefix("0;url=").map(str::to_owned)
    }

    /// All hidden fields.
    #[must_use]
    pub fn hidden(&self) -> BTreeMap<String, String> {
        let fields = self.text.split("<input type=\"hidden\"").skip(1);
        fields.filter_map(|field| Some((attribute(field, "name")?, attribute(field, "value")?))).collect()
    }
}

fn attribute_behind(text: &str, mark: &str, name: &str) -> Option<String> {
    attribute(text.split_once(mark)?.1, name)
}

fn attribute(text: &str, name: &str) -> Option<String> {
    let tag = text.split('>').next()?;
    let value = tag.split_once(&format!("{name}=\""))?.1.split('"').next()?;
    Some(unescaped(value))
}

fn unescaped(text: &str) -> String {
    let pairs = [
        ("&#38;", "&"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    pairs.iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

/// A browser with its cookies.
pub struct UserAgent<'a> {
    provider: &'a Provider,
    pub cookies: BTreeMap<String, String>,
    /// Who logs in when a page asks.
    pub username: String,
    /// Whether consent is given when a page asks.
    pub allows: bool,
}

impl<'a> UserAgent<'a> {
    #[must_use]
    pub fn new(provider: &'a Provider) -> Self {
        Self { provider, cookies: BTreeMap::new(), username: USER.to_owned(), allows: true }
    }

    /// A browser that was there before.
    #[must_use]
    pub fn with_cookies(provider: &'a Provider, cookies: BTreeMap<String, String>) -> Self {
        Self { cookies, ..Self::new(provider) }
    }

    fn keep(&mut self, reply: &Reply) {
        for cookie in reply.headers.get_all(SET_COOKIE) {
            let text = cookie.to_str().expect("a cookie");
            let (name, value) = text.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            if value.is_empty() || text.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Opens a path of the authority, with a query.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn open(&mut self, path: &str, query: &[(&str, &str)]) -> Reply {
        let request = self.provider.http.get(self.provider.url(path)).query(query);
        let request = request.header("cookie", self.cookie_header());
        let reply = reply(request.send().await.expect("an answer")).await;
        self.keep(&reply);
        reply
    }

    /// Sends a form from a page of the authority.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn submit(&mut self, path: &str, form: &[(&str, &str)]) -> Reply {
        let request = self.provider.http.post(self.provider.url(path)).form(form);
        let request = request.header("cookie", self.cookie_header()).header("sec-fetch-site", "same-origin");
        let reply = reply(request.send().await.expect("an answer")).await;
        self.keep(&reply);
        reply
    }

    /// Sends a form from another site: the browser leaves the cookies out.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn submit_from_elsewhere(&mut self, path: &str, form: &[(&str, &str)]) -> Reply {
        let request = self.provider.http.post(self.provider.url(path)).form(form);
        reply(request.header("sec-fetch-site", "cross-site").send().await.expect("an answer")).await
    }

    /// Follows a redirect within the authority.
    ///
    /// # Panics
    /// When it leads elsewhere.
    pub async fn follow(&mut self, reply: &Reply) -> Reply {
        let location = reply.headers.get(LOCATION).expect("a location").to_str().expect("ASCII").to_owned();
        assert!(location.starts_with('/'), "{location}");
        self.open(&location, &[]).await
    }

    /// Fills in whatever pages are shown, until the client has its answer.
    ///
    /// # Panics
    /// At a page that leads nowhere.
    pub async fn go_through(&mut self, first: Reply) -> Callback {
        let mut reply = first;
        let mut pages = Vec::new();
        for _ in 0..8 {
            if let Some(done) = answer_to_client(&reply) {
                return Callback { pages, ..done };
            }
            let action = reply.action().unwrap_or_else(|| panic!("the way ends: {}", reply.text));
            let interaction = reply.field("interaction").expect("an interaction");
            pages.push(action.clone());
            let username = self.username.clone();
            let decision = if self.allows { "allow" } else { "refuse" };
            let more: &[(&str, &str)] = match action.as_str() {
                "/login/password" => &[("username", &username), ("password", PASSWORD)],
                "/login/consent" => &[("decision", decision)],
                other => panic!("no answer to {other}"),
            };
            let form: Vec<(&str, &str)> =
                [("interaction", interaction.as_str())].into_iter().chain(more.iter().copied()).collect();
            reply = self.submit(&action, &form).await;
        }
        panic!("too many pages: {pages:?}");
    }

    /// An authorization request, to its end.
    ///
    /// # Panics
    /// At a page that leads nowhere.
    pub async fn authorize(&mut self, query: &[(&str, &str)]) -> Callback {
        let first = self.open("/oauth2/authorize", query).await;
        self.go_through(first).await
    }
}

/// What a browser hands to the client at an address of its own.
fn answer_to_client(reply: &Reply) -> Option<Callback> {
    let location = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok().map(str::to_owned));
    if let Some(location) = location.or_else(|| reply.refresh()) {
        let (at, query) = location.split_once('?').unwrap_or((&location, ""));
        assert_eq!(at, CALLBACK, "{location}");
        let url = reqwest::Url::parse(&format!("{at}?{query}")).expect("a URL");
        let parameters =
            url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        return Some(Callback { parameters, ..Callback::default() });
    }
    if reply.text.contains("id=\"form-post\"") {
        assert_eq!(reply.action().as_deref(), Some(CALLBACK));
        return Some(Callback { parameters: reply.hidden(), by_form: true, ..Callback::default() });
    }
    None
}

impl Callback {
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.get("code").unwrap_or_else(|| panic!("no code: {:?}", self.parameters))
    }

    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn error(&self) -> &str {
        self.get("error").unwrap_or_else(|| panic!("no error: {:?}", self.parameters))
    }
}

/// A code verifier and its challenge.
///
/// # Panics
/// Never.
#[must_use]
pub fn pkce() -> (String, String) {
    let verifier = URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().simple().to_string());
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    (verifier, URL_SAFE_NO_PAD.encode(hash))
}
