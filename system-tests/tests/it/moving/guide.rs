//! `docs/moving-from-simplejwt.md`, followed word by word: a Django project with gunicorn behind nginx, on PostgreSQL,
//! moves to Signet while its clients go on, and back.

use std::collections::BTreeMap;
use std::fs;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use system_tests::database::Database;
use system_tests::eventually;
use system_tests::processes::{binary, free_address};
use tempfile::TempDir;

use super::of_django;
use crate::django::{example, python};

const PASSWORD: &str = "correct horse battery staple";

/// The guide's own blocks, in order: what stands behind the fence, and the text.
fn blocks() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/moving-from-simplejwt.md");
    let text = fs::read_to_string(path).unwrap();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((kind.to_owned(), block.join("\n")));
        }
    }
    blocks
}

/// The project, its servers, and anyone who follows the guide.
struct Shop {
    folder: TempDir,
    /// The addresses of the guide, and those that are free here.
    addresses: Vec<(&'static str, String)>,
    environment: BTreeMap<String, String>,
    servers: Vec<(&'static str, Child)>,
    http: reqwest::Client,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free: Vec<String> = (0..4).map(|_| free_address().to_string()).collect();
        let address = |number: usize| free[number].clone();
        let addresses = vec![
            ("127.0.0.1:8000", address(0)),
            ("127.0.0.1:8080", address(1)),
            ("127.0.0.1:8088", address(2)),
        ];
        let programs = [
            python().parent().unwrap().to_path_buf(),
            binary("auth-service").parent().unwrap().to_path_buf(),
        ];
        let path = programs.map(|folder| folder.display().to_string()).join(":");
        let url = Database::Postgres.fresh(folder.path());
        let environment = [
            ("PATH", format!("{path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")),
            ("SHOP_DATABASE", of_django(&url).to_string()),
            ("AUTH__HTTP__BIND", address(1)),
            ("AUTH__GRPC__BIND", address(3)),
            ("AUTH__METRICS__BIND", "off".to_owned()),
            ("AUTH__DRAIN_DELAY", "0s".to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
        let shop = Self { folder, addresses, environment, servers: Vec::new(), http: reqwest::Client::new() };
        fs::create_dir(shop.root()).unwrap();
        shop.sh("django-admin startproject shop .");
        let settings = shop.path("shop/settings.py");
        let made = fs::read_to_string(&settings).unwrap();
        fs::write(&settings, made + include_str!("shop_settings.py")).unwrap();
        fs::write(shop.path("shop/urls.py"), include_str!("shop_urls.py")).unwrap();
        shop.sh("python manage.py migrate --verbosity 0");
        shop.sh(&format!(
            "python manage.py shell -v 0 -c '\nfrom django.contrib.auth.models import Group, User\n\
             for name in (\"anna\", \"ben\", \"cleo\", \"dora\"):\n    User.objects.create_user(name, password=\"{PASSWORD}\")\n\
             User.objects.get(username=\"anna\").groups.add(Group.objects.create(name=\"Editors\"))\n'"
        ));
        shop
    }

    /// The checkout of the project; what is kept outside of it is beside it.
    fn root(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn here(&self, text: &str) -> String {
        self.addresses.iter().fold(text.to_owned(), |text, (written, meant)| text.replace(written, meant))
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", &self.here(script)]).current_dir(self.root());
        command.env_clear().envs(&self.environment).stdin(Stdio::null());
        command
    }

    /// A block of commands, as a user types them in.
    fn sh(&self, script: &str) -> String {
        let output = self.command(script).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn start(&mut self, name: &'static str, script: &str) {
        let log = fs::File::create(self.path(&format!("{name}.log"))).unwrap();
        // In place of the shell, so that signals reach the server itself.
        let mut command = self.command(&format!("exec {script}"));
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.servers.push((name, child));
    }

    fn signal(&self, name: &str, signal: Signal) {
        let (_, child) = self.servers.iter().find(|(server, _)| *server == name).unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    fn stop(&mut self, name: &str) {
        self.signal(name, Signal::TERM);
        let place = self.servers.iter().position(|(server, _)| *server == name).unwrap();
        let status = self.servers.remove(place).1.wait().unwrap();
        assert!(status.success(), "{name}: {status}");
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default()
    }

    /// nginx with the locations that stand before the project's own.
    fn write_nginx(&self, locations: &str) {
        let path = self.root().display().to_string();
        let conf = self.here(&format!(
            "daemon off; worker_processes 1; user root; pid {path}/nginx.pid; error_log {path}/nginx-error.log;
             events {{ worker_connections 512; }}
             http {{
                 access_log off;
                 client_body_temp_path {path}/body; proxy_temp_path {path}/proxy;
                 fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;
                 server {{
                     listen 127.0.0.1:8088;
                     {locations}
                     location / {{ proxy_pass http://127.0.0.1:8000; proxy_set_header Host $host; }}
                 }}
             }}"
        ));
        fs::write(self.path("nginx.conf"), conf).unwrap();
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer =
            self.http.post(self.here(&format!("http://127.0.0.1:8088{path}"))).json(&body).send().await;
        let Ok(answer) = answer else { return (0, Value::Null) };
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn login(&self, name: &str, password: &str) -> (u16, Value) {
        self.post("/api/token/", json!({"username": name, "password": password})).await
    }

    async fn refresh(&self, token: &Value) -> (u16, Value) {
        self.post("/api/token/refresh/", json!({"refresh": token})).await
    }

    /// The API of the project itself.
    async fn orders(&self, access: &Value) -> (u16, Value) {
        let request = self.http.get(self.here("http://127.0.0.1:8088/orders/"));
        let Ok(answer) = request.bearer_auth(access.as_str().unwrap_or_default()).send().await else {
            return (0, Value::Null);
        };
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Waits until logins are answered, by simplejwt or by Signet.
    async fn logs_in(&self, name: &str, algorithm: &str) -> Value {
        eventually(&format!("logins are answered with {algorithm}"), || async {
            let (status, pair) = self.login(name, PASSWORD).await;
            let access = pair["access"].as_str()?;
            let header = system_tests::protocol::unverified_header(access);
            (status == 200 && header["alg"] == algorithm && self.orders(&pair["access"]).await.0 == 200)
                .then_some(pair)
        })
        .await
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        for (_, child) in &mut self.servers {
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
            let _ = child.wait();
        }
    }
}

#[tokio::test]
async fn a_django_project_follows_the_guide_word_by_word_and_back() {
    let mut shop = Shop::new();
    shop.write_nginx("");
    let gunicorn = "gunicorn shop.wsgi --workers 2 --bind 127.0.0.1:8000 --pid gunicorn.pid";
    shop.start("gunicorn", gunicorn);
    shop.start("nginx", "nginx -p . -c nginx.conf -e nginx-error.log");

    // Before: simplejwt, with sessions that run.
    let anna = shop.logs_in("anna", "HS256").await;
    let before = shop.orders(&anna["access"]).await;
    assert_eq!(before, (200, json!({"id": 1, "username": "anna", "staff": false, "groups": ["Editors"]})));
    let ben = shop.login("ben", PASSWORD).await.1;
    let cleo = shop.login("cleo", PASSWORD).await.1;
    assert_eq!(shop.post("/api/token/blacklist/", json!({"refresh": cleo["refresh"]})).await.0, 200);

    let guide = blocks();
    let kinds: Vec<&str> = guide.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["sh", "sh", "sh keeps running", "python", "nginx", "sh"]);
    let block = |number: usize| guide[number].1.as_str();

    // 1 and 2: rehearsed and moved in, each twice with the same result.
    fs::write(shop.path("prepare.py"), example("django/prepare.py")).unwrap();
    let refused = shop.command(&block(0).replace("../signet", "./signet")).output().unwrap();
    assert!(String::from_utf8(refused.stderr).unwrap().contains("inside the checkout"));
    let report = shop.sh(block(0));
    assert!(report.contains("4 accounts") && report.contains("nothing was written"), "{report}");
    assert!(report.contains("the group \"Editors\" gives no role to its 1 users"), "{report}");
    let settings = fs::read_to_string(shop.path("../signet/signet.toml")).unwrap();
    for line in [
        "access_ttl = \"10m\"",
        "refresh_idle_ttl = \"2d\"",
        "rotate_refresh_tokens = true",
        "legacy_until",
        "audience = \"shop\"",
        "cors_allowed_origins = \"https://shop.example\"",
    ] {
        assert!(settings.contains(line), "{settings}");
    }
    let again = shop.sh(block(0));
    assert!(again.contains("4 accounts") && again.contains("4 would be made"), "{again}");
    assert_eq!(fs::read_to_string(shop.path("../signet/signet.toml")).unwrap(), settings);
    let moved = shop.sh(block(1));
    assert!(moved.contains("4 were made") && moved.contains("1 blacklisted tokens"), "{moved}");
    let again = shop.sh(block(1));
    assert!(again.contains("0 were made, 0 changed, 4 are as they were"), "{again}");
    let kept: Vec<_> =
        fs::read_dir(shop.path("../signet")).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in &kept {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{path:?}");
        assert!(!path.ends_with("django.json"), "hashes of passwords are not left behind");
    }
    assert!(kept.iter().any(|path| path.ends_with("legacy.key")));
    let untouched = shop.sh("ls");
    assert!(
        !untouched.contains("data") && !untouched.contains("json"),
        "nothing in the checkout: {untouched}"
    );
    shop.start("signet", block(2));
    eventually("Signet is ready", || async {
        let answer = shop.http.get(shop.here("http://127.0.0.1:8080/readyz")).send().await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
    assert_eq!(shop.orders(&anna["access"]).await.0, 200, "nobody has noticed anything");

    // 3 and 4: services and proxy.
    let of_before = fs::read_to_string(shop.path("shop/settings.py")).unwrap();
    fs::write(shop.path("shop/settings.py"), format!("{of_before}\n{}\n", shop.here(block(3)))).unwrap();
    shop.write_nginx(block(4));
    shop.signal("gunicorn", Signal::HUP);
    shop.signal("nginx", Signal::HUP);
    let dora = shop.logs_in("dora", "EdDSA").await;

    // A browser application of the origin that was allowed before asks first, as it did.
    let preflight = shop
        .http
        .request(reqwest::Method::OPTIONS, shop.here("http://127.0.0.1:8088/api/token/"))
        .header("Origin", "https://shop.example")
        .header("Access-Control-Request-Method", "POST")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.headers()["access-control-allow-origin"], "https://shop.example");

    // Sessions go on, and the API is what it was.
    let (status, anna) = shop.refresh(&anna["refresh"]).await;
    assert_eq!(status, 200, "{anna}");
    eventually("the API answers as before", || async {
        (shop.orders(&anna["access"]).await == before).then_some(())
    })
    .await;
    let (status, refused) = shop.refresh(&cleo["refresh"]).await;
    assert_eq!((status, &refused["code"]), (401, &json!("token_not_valid")), "blacklisted is blacklisted");
    assert_eq!(shop.orders(&ben["access"]).await.0, 401, "an old access token asks for a refresh");
    assert_eq!(shop.login("dora", "wrong").await.0, 401);

    // What was revoked is refused, and no service has asked for it.
    assert_eq!(shop.post("/api/token/blacklist/", json!({"refresh": dora["refresh"]})).await.0, 200);
    let begun = std::time::Instant::now();
    eventually("the service refuses it", || async {
        // Each of both workers.
        let mut seen = Vec::new();
        for _ in 0..8 {
            seen.push(shop.orders(&dora["access"]).await.0);
        }
        seen.iter().all(|status| *status == 401).then_some(())
    })
    .await;
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    assert_eq!(shop.orders(&anna["access"]).await.0, 200);

    // Once more, with what has changed there meanwhile.
    shop.sh("python manage.py shell -v 0 -c 'from django.contrib.auth.models import User; u = User.objects.get(username=\"ben\"); u.set_password(\"another one since\"); u.save()'");
    let again = shop.sh(block(1));
    assert!(again.contains("1 changed, 3 are as they were"), "{again}");
    assert_eq!(shop.login("ben", "another one since").await.0, 200);

    // 5: the key is taken away.
    let eve = shop.sh("python manage.py shell -v 0 -c 'from rest_framework_simplejwt.tokens import RefreshToken; import django; from django.conf import settings; import jwt, time, uuid; print(jwt.encode({\"token_type\": \"refresh\", \"exp\": int(time.time()) + 3600, \"iat\": int(time.time()), \"jti\": uuid.uuid4().hex, \"user_id\": \"1\"}, settings.SECRET_KEY, algorithm=\"HS256\"))'");
    let eve = json!(eve.trim().lines().last().unwrap());
    shop.sh(block(5));
    shop.stop("signet");
    shop.start("signet", block(2));
    eventually("Signet is back", || async { (shop.login("dora", PASSWORD).await.0 == 200).then_some(()) })
        .await;
    assert_eq!(shop.refresh(&eve).await.0, 401, "nothing under the old key is good any more");
    let (status, anna) = shop.refresh(&anna["refresh"]).await;
    assert_eq!(status, 200, "and the sessions are Signet's own: {anna}");

    // Undone: simplejwt answers again.
    fs::write(shop.path("shop/settings.py"), of_before).unwrap();
    shop.write_nginx("");
    shop.signal("gunicorn", Signal::HUP);
    shop.signal("nginx", Signal::HUP);
    let back = shop.logs_in("anna", "HS256").await;
    assert_eq!(shop.orders(&back["access"]).await, before);
    for name in ["gunicorn", "signet"] {
        let log = shop.log(name);
        assert!(!log.contains("Traceback") && !log.contains("panicked"), "{name}: {log}");
    }
}
