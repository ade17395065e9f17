//! An authority on a SQLite file, alone: nobody else makes it write.

use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::database::Database;
use crate::processes::{Env, Service};
use crate::system::{PASSWORD, USER, auth_env, cli};

/// With one account, [`USER`], and a log that says little.
pub struct Lone {
    pub folder: TempDir,
    pub env: Env,
    pub service: Service,
    pub http: reqwest::Client,
}

impl Lone {
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut env = auth_env(Database::Sqlite, folder.path(), &[]);
        env.insert("AUTH__LOG__LEVEL".to_owned(), "warn,auth_service::startup=info".to_owned());
        let _ = cli(folder.path(), &env, &["user", "create", USER, "--password-stdin"], PASSWORD);
        let service = Service::start("auth-service", folder.path(), &env).await;
        Self { folder, env, service, http: reqwest::Client::new() }
    }

    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("signet.db")
    }

    /// Ends it, and starts it on what it left.
    pub async fn restart(&mut self, signal: Signal) {
        self.service.signal(signal);
        self.service.ended().await;
        self.service = Service::start("auth-service", self.folder.path(), &self.env).await;
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        post(&self.http, &self.service, path, body).await
    }

    /// A first pair, of access and refresh token.
    ///
    /// # Panics
    /// When the login is refused.
    pub async fn obtain(&self) -> (String, String) {
        let (status, body) = self.post("/api/token/", json!({"username": USER, "password": PASSWORD})).await;
        assert_eq!(status, 200, "{body}");
        let text = |name: &str| body[name].as_str().expect("a token").to_owned();
        (text("access"), text("refresh"))
    }

    pub async fn refresh(&self, token: &str) -> (u16, Value) {
        self.post("/api/token/refresh/", json!({"refresh": token})).await
    }

    /// The successor of a refresh token.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn next(&self, token: &str) -> String {
        let (status, body) = self.refresh(token).await;
        assert_eq!(status, 200, "{body}");
        body["refresh"].as_str().expect("a token").to_owned()
    }
}

/// Status and body of an answer.
///
/// # Panics
/// Without an answer.
pub async fn post(http: &reqwest::Client, service: &Service, path: &str, body: Value) -> (u16, Value) {
    let request = http.post(format!("http://{}{path}", service.http)).json(&body);
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}
