use std::process::ExitStatus;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::database::Database;
use crate::processes::{Env, Service};
use crate::system::{PASSWORD, USER, auth_env, cli};

/// Two authorities on one database, without a resource service: for races and crashes.
pub struct Replicas {
    pub folder: TempDir,
    pub env: Env,
    pub services: [Service; 2],
    pub http: reqwest::Client,
}

/// What a refresh was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    Pair {
        access: String,
        refresh: String,
    },
    Refused(u16, String),
    /// The connection broke: whether anything happened is not known.
    Lost,
}

impl Replicas {
    /// With one account, [`USER`].
    pub async fn start(database: Database, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut env = auth_env(database, folder.path(), settings);
        // Tens of thousands of requests: their lines would be most of the work.
        env.insert("AUTH__LOG__LEVEL".to_owned(), "warn,auth_service::startup=info".to_owned());
        let _ = cli(folder.path(), &env, &["user", "create", USER, "--password-stdin"], PASSWORD);
        let services = [
            Service::start("auth-service", folder.path(), &env).await,
            Service::start("auth-service", folder.path(), &env).await,
        ];
        Self { folder, env, services, http: reqwest::Client::new() }
    }

    #[must_use]
    pub fn url(&self, replica: usize, path: &str) -> String {
        format!("http://{}{path}", self.services[replica % 2].http)
    }

    /// Ends a replica by a signal and starts it again on the address that it had: how it ended.
    pub async fn restart(&mut self, replica: usize, signal: Signal) -> ExitStatus {
        let service = &mut self.services[replica];
        let mut env = self.env.clone();
        env.insert("AUTH__HTTP__BIND".to_owned(), service.http.to_string());
        env.insert("AUTH__GRPC__BIND".to_owned(), service.grpc.to_string());
        service.signal(signal);
        let ended = service.ended().await;
        *service = Service::start("auth-service", self.folder.path(), &env).await;
        ended
    }

    /// A first pair.
    ///
    /// # Panics
    /// When the login is refused.
    pub async fn obtain(&self, replica: usize, username: &str, password: &str) -> (String, String) {
        let body = json!({"username": username, "password": password});
        let answer = self.http.post(self.url(replica, "/api/token/")).json(&body).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.expect("JSON");
        (text(&body, "access"), text(&body, "refresh"))
    }

    pub async fn refresh(&self, replica: usize, token: &str) -> Refreshed {
        let request = self.http.post(self.url(replica, "/api/token/refresh/"));
        let Ok(answer) = request.json(&json!({"refresh": token})).send().await else {
            return Refreshed::Lost;
        };
        let status = answer.status().as_u16();
        let Ok(body) = answer.json::<Value>().await else { return Refreshed::Lost };
        if status == 200 {
            return Refreshed::Pair { access: text(&body, "access"), refresh: text(&body, "refresh") };
        }
        Refreshed::Refused(status, body["detail"].as_str().unwrap_or_default().to_owned())
    }

    /// Blacklists a refresh token: the status.
    pub async fn blacklist(&self, replica: usize, token: &str) -> Option<u16> {
        let request = self.http.post(self.url(replica, "/api/token/blacklist/"));
        Some(request.json(&json!({"refresh": token})).send().await.ok()?.status().as_u16())
    }

    /// simplejwt's verify endpoint: whether a token of either kind still holds.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn holds(&self, replica: usize, token: &str) -> bool {
        let request = self.http.post(self.url(replica, "/api/token/verify/")).json(&json!({"token": token}));
        match request.send().await.expect("an answer").status().as_u16() {
            200 => true,
            401 => false,
            other => panic!("verify answered {other}"),
        }
    }
}

impl Refreshed {
    /// # Panics
    /// When it is no pair.
    #[must_use]
    pub fn pair(self) -> (String, String) {
        match self {
            Self::Pair { access, refresh } => (access, refresh),
            Self::Refused(..) | Self::Lost => panic!("no pair: {self:?}"),
        }
    }
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().expect("a token").to_owned()
}
