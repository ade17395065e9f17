use std::path::Path;

use serde_json::Value;
use shared_claims::clock::unix_now;
use shared_claims::{AuthoritySettings, FeedSettings};
use tempfile::TempDir;

use crate::channel::channel;
use crate::database::{Database, execute};
use crate::processes::{Env, Service, run};

/// The password of every account that a test makes.
pub const PASSWORD: &str = "correct horse battery staple";

/// The name of the account that every system has.
pub const USER: &str = "alice";

/// The client that calls over gRPC: first-party, may do everything.
pub const GATEWAY: &str = "gateway";

/// The resource service as a client: it may ask about tokens that are meant for it.
pub const NOTES: &str = "notes";

/// The scope of clients that follow the feeds.
pub const WATCH: &str = "signet:watch";

/// An authority and a resource service of one test, with one account and two clients.
pub struct System {
    pub folder: TempDir,
    pub auth: Service,
    pub resource: Service,
    pub auth_env: Env,
    pub resource_env: Env,
    pub gateway_secret: String,
    pub notes_secret: String,
    pub http: reqwest::Client,
}

impl System {
    /// With the default settings.
    pub async fn start(database: Database) -> Self {
        Self::with(database, &[]).await
    }

    /// With settings of the authority, by their environment variables.
    ///
    /// # Panics
    /// When something does not start.
    pub async fn with(database: Database, settings: &[(&str, &str)]) -> Self {
        Self::within(&Env::new(), database, settings).await
    }

    /// With logs of the ordinary length: what a load costs is not what its log costs.
    pub async fn quiet() -> Self {
        let info = |name: &str| (name.to_owned(), "info".to_owned());
        let environment = Env::from(["AUTH__LOG__LEVEL", "RESOURCE__LOG__LEVEL"].map(info));
        Self::within(&environment, Database::Sqlite, &[]).await
    }

    /// The same with an environment that is that of both services.
    ///
    /// # Panics
    /// When something does not start.
    pub async fn within(environment: &Env, database: Database, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut auth_env = auth_env(database, folder.path(), settings);
        auth_env.extend(environment.clone());
        let created = cli(folder.path(), &auth_env, &["user", "create", USER, "--password-stdin"], PASSWORD);
        assert_eq!(created["username"], USER);
        let gateway_secret = secret_of(&cli(
            folder.path(),
            &auth_env,
            &[
                "client",
                "create",
                GATEWAY,
                "--grant",
                "password",
                "--grant",
                "refresh_token",
                "--grant",
                "client_credentials",
                "--scope",
                "notes:read notes:write",
                "--audience",
                "notes",
            ],
            "",
        ));
        let follower = ["client", "create", NOTES, "--scope", WATCH];
        let notes_secret = secret_of(&cli(folder.path(), &auth_env, &follower, ""));
        let auth = Service::start("auth-service", folder.path(), &auth_env).await;
        let mut resource_env = resource_env(&auth, folder.path());
        follow_by_feed(&mut resource_env, &auth, &notes_secret);
        resource_env.extend(environment.clone());
        let resource = Service::start("resource-service", folder.path(), &resource_env).await;
        let system = Self {
            folder,
            auth,
            resource,
            auth_env,
            resource_env,
            gateway_secret,
            notes_secret,
            http: http_client(),
        };
        system.resource_is_ready().await;
        system
    }

    /// Waits until the resource service has keys.
    pub async fn resource_is_ready(&self) {
        crate::eventually("the resource service has keys", || async {
            let answer = self.http.get(self.resource_url("/readyz")).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// How a verifier in this process follows the authority's feeds, with nothing on disk.
    #[must_use]
    pub fn verifier_settings(&self) -> AuthoritySettings {
        let mut settings = AuthoritySettings::of(&self.auth_url(""));
        settings.issuer = "https://auth.test".to_owned();
        settings.feed = Some(FeedSettings {
            url: format!("http://{}", self.auth.grpc),
            client_id: NOTES.to_owned(),
            client_secret: self.notes_secret.clone(),
        });
        settings
    }

    /// What the resource service says of itself.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn health_of_resource(&self) -> Value {
        let answer = self.http.get(self.resource_url("/readyz")).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// Starts the authority again on the address that it had, so that the resource service finds it.
    /// It must have been told to stop, or killed, before.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart_auth(&mut self) {
        self.auth.ended().await;
        let mut env = self.auth_env.clone();
        env.insert("AUTH__HTTP__BIND".to_owned(), self.auth.http.to_string());
        env.insert("AUTH__GRPC__BIND".to_owned(), self.auth.grpc.to_string());
        self.auth = Service::start("auth-service", self.folder.path(), &env).await;
    }

    /// Stops the resource service and starts it again, on another port, with what it had saved.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart_resource(&mut self) {
        self.resource.signal(rustix::process::Signal::TERM);
        self.resource.ended().await;
        self.resource = Service::start("resource-service", self.folder.path(), &self.resource_env).await;
        self.resource_is_ready().await;
    }

    /// Runs `auth-service --json` on this system's database; it must succeed.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> Value {
        cli(self.folder.path(), &self.auth_env, arguments, "")
    }

    /// The documents of a list, which are printed a line each.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    pub fn cli_list(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let output = run("auth-service", &arguments, self.folder.path(), &self.auth_env, "");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a document")).collect()
    }

    /// Logs out where the authority may not be able to at this moment: `None` for a 503.
    ///
    /// # Panics
    /// When it answers anything else.
    pub async fn try_logout(&self, refresh: &str) -> Option<()> {
        let request = self.http.post(self.auth_url("/api/token/blacklist/"));
        let answer = request.json(&serde_json::json!({"refresh": refresh})).send().await.ok()?;
        let status = answer.status().as_u16();
        assert!([200, 503].contains(&status), "{status}");
        (status == 200).then_some(())
    }

    /// The complaint of a command that fails.
    ///
    /// # Panics
    /// When it succeeds.
    pub fn cli_fails(&self, arguments: &[&str]) -> String {
        let output = run("auth-service", arguments, self.folder.path(), &self.auth_env, "");
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Writes so many revocations of sessions into the database, as the authority does it (on SQLite), for an
    /// hour; the last one is of `last`.
    ///
    /// # Panics
    /// When it refuses them.
    pub fn revoke_many(&self, count: u32, last: &str) {
        let until = (unix_now() + 3600) * 1000;
        let written = execute(
            &self.auth_env["AUTH__DATABASE__URL"],
            &format!(
                "BEGIN IMMEDIATE;
                 WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < {count})
                 INSERT INTO revocations (seq, kind, id, expires_at)
                 SELECT seq, 'session', iif(seq = {count}, '{last}', lower(hex(randomblob(16)))), {until} FROM n;
                 UPDATE counters SET value = {count} WHERE name = 'revocations';
                 COMMIT"
            ),
        );
        written.expect("none was there before");
    }

    #[must_use]
    pub fn auth_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.auth.http)
    }

    #[must_use]
    pub fn resource_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.resource.http)
    }

    /// GET /notes with a token: the status.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn notes_over_http(&self, access_token: &str) -> u16 {
        let request = self.http.get(self.resource_url("/notes")).bearer_auth(access_token);
        request.send().await.expect("the resource service answers").status().as_u16()
    }

    /// The same over gRPC: the code.
    ///
    /// # Panics
    /// Without a connection.
    pub async fn notes_over_grpc(&self, access_token: &str) -> tonic::Code {
        use notes_proto::v1::ListNotesRequest;
        use notes_proto::v1::notes_service_client::NotesServiceClient;
        let mut client = NotesServiceClient::new(channel(self.resource.grpc).await);
        let mut request = tonic::Request::new(ListNotesRequest::default());
        let header = format!("Bearer {access_token}").parse().expect("a token is ASCII");
        request.metadata_mut().insert("authorization", header);
        client.list_notes(request).await.map_or_else(|status| status.code(), |_| tonic::Code::Ok)
    }

    /// Whether the notes accept a token, which both protocols must agree on.
    ///
    /// # Panics
    /// When they do not, or answer something else.
    pub async fn notes_accept(&self, access_token: &str) -> bool {
        let (http, grpc) =
            (self.notes_over_http(access_token).await, self.notes_over_grpc(access_token).await);
        match (http, grpc) {
            (200, tonic::Code::Ok) => true,
            (401, tonic::Code::Unauthenticated) => false,
            other => panic!("the protocols of the resource service disagree: {other:?}"),
        }
    }

    /// Waits until the notes refuse a token that they accepted; the bound is that of the promise,
    /// with room for a busy machine.
    ///
    /// # Panics
    /// When they go on accepting it.
    pub async fn notes_come_to_refuse(&self, access_token: &str) {
        crate::eventually("the notes refuse the token", || async {
            (self.notes_over_http(access_token).await == 401).then_some(())
        })
        .await;
        assert_eq!(self.notes_over_grpc(access_token).await, tonic::Code::Unauthenticated);
    }
}

/// The environment of an authority on a fresh database, with its data in `folder`.
#[must_use]
pub fn auth_env(database: Database, folder: &Path, settings: &[(&str, &str)]) -> Env {
    let mut env: Env = [
        ("AUTH__ISSUER", "https://auth.test".to_owned()),
        ("AUTH__HTTP__BIND", "127.0.0.1:0".to_owned()),
        ("AUTH__GRPC__BIND", "127.0.0.1:0".to_owned()),
        ("AUTH__DATABASE__URL", database.fresh(folder)),
        ("AUTH__METRICS__BIND", "127.0.0.1:0".to_owned()),
        ("AUTH__DRAIN_DELAY", "0s".to_owned()),
        // Every test comes from one address.
        ("AUTH__LIMITS__CLIENT_IP", "0".to_owned()),
        ("AUTH__LIMITS__PAIR", "0".to_owned()),
        ("AUTH__LIMITS__ACCOUNT", "0".to_owned()),
        ("AUTH__KEYS__MASTER_KEY_FILE", format!("{}/master.key", folder.display())),
        ("AUTH__LOG__LEVEL", "debug".to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    env.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    env
}

/// Lets a resource service follow the feeds instead of the published documents.
pub fn follow_by_feed(env: &mut Env, auth: &Service, notes_secret: &str) {
    for (key, value) in [
        ("RESOURCE__AUTHORITY__GRPC_URL", format!("http://{}", auth.grpc)),
        ("RESOURCE__AUTHORITY__CLIENT_ID", NOTES.to_owned()),
        ("RESOURCE__AUTHORITY__CLIENT_SECRET", notes_secret.to_owned()),
    ] {
        env.insert(key.to_owned(), value);
    }
}

/// The environment of a resource service that trusts `auth` and follows its published documents.
#[must_use]
pub fn resource_env(auth: &Service, folder: &Path) -> Env {
    [
        ("RESOURCE__HTTP__BIND", "127.0.0.1:0".to_owned()),
        ("RESOURCE__GRPC__BIND", "127.0.0.1:0".to_owned()),
        ("RESOURCE__METRICS__BIND", "127.0.0.1:0".to_owned()),
        ("RESOURCE__DRAIN_DELAY", "0s".to_owned()),
        ("RESOURCE__AUTHORITY__URL", format!("http://{}", auth.http)),
        ("RESOURCE__AUTHORITY__ISSUER", "https://auth.test".to_owned()),
        ("RESOURCE__DATA_DIR", format!("{}/resource", folder.display())),
        ("RESOURCE__LOG__LEVEL", "debug".to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// Runs `auth-service --json`; it must succeed.
///
/// # Panics
/// When it does not, or prints no JSON.
#[must_use]
pub fn cli(folder: &Path, env: &Env, arguments: &[&str], stdin: &str) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let output = run("auth-service", &arguments, folder, env, stdin);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {}: {stderr}", output.status);
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {stdout}"))
}

fn secret_of(created: &Value) -> String {
    created["client_secret"].as_str().expect("a secret is shown").to_owned()
}

/// It says what it is, as browsers do.
fn http_client() -> reqwest::Client {
    reqwest::Client::builder().user_agent("system-tests").build().expect("a client")
}
