//! A Django resource service on djangorestframework-simplejwt, changed by settings alone, accepts our
//! access tokens and refuses what it should.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use system_tests::processes::{binary, free_address};
use system_tests::protocol::unverified_claims;
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{Database, Protocol, System, eventually};

/// All of a Django project in one file. What is between the marks is what a team changes.
pub const PROJECT: &str = r#"
import sys
from django.conf import settings

authority, audience, issuer = sys.argv.pop(), sys.argv.pop(), sys.argv.pop()
settings.configure(
    SECRET_KEY="only for this test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
    # -- changed
    SIMPLE_JWT={
        "ALGORITHM": "EdDSA",
        "JWK_URL": authority + "/.well-known/jwks.json",
        "AUDIENCE": audience,
        "ISSUER": issuer,
    },
    # -- changed
)
import django
django.setup()
from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.response import Response

@api_view()
def whoami(request):
    return Response({"user": str(request.user.id), "scope": request.user.token["scope"]})

urlpatterns = [path("whoami/", whoami)]
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"#;

pub struct Django {
    child: Child,
    pub address: SocketAddr,
}

/// What stands under `deploy/`, as it is.
pub fn example(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Django {
    /// The resource service above, which trusts `authority`.
    pub fn start(folder: &Path, authority: &str) -> Self {
        Self::run(folder, PROJECT, &["https://auth.test", "notes", authority])
    }

    /// A project in one file, which takes its own arguments from the end of the command line.
    pub fn run(folder: &Path, project: &str, arguments: &[&str]) -> Self {
        let file = folder.join("project.py");
        std::fs::write(&file, project).unwrap();
        let address = free_address();
        let log = std::fs::File::create(folder.join("django.log")).unwrap();
        let child = Command::new(python())
            .arg(&file)
            .args(["runserver", "--noreload", "--skip-checks", &address.to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address }
    }

    pub async fn whoami(&self, token: Option<&str>) -> Option<(u16, Value)> {
        let mut request = reqwest::Client::new().get(format!("http://{}/whoami/", self.address));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }
}

impl Drop for Django {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter of the virtual environment that `scripts/django-venv` makes in the target folder.
pub fn python() -> PathBuf {
    let target = binary("auth-service");
    let target = target.parent().and_then(Path::parent).unwrap().to_path_buf();
    let python = target.join("django-venv/bin/python");
    assert!(python.is_file(), "{} is missing: run `scripts/django-venv`", python.display());
    python
}

/// What the package `signet-client` does, also when the authority lies, is tested where it runs: in Python, as it was installed.
#[test]
fn the_python_package_trusts_nobody_but_the_authority_and_accepts_nothing_on_a_guess() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/python/tests");
    for (file, one_of_them) in [
        ("test_authority.py", "test_no_redirect_is_followed_and_no_proxy_asked"),
        ("test_django.py", "test_views_ask_for_scopes_roles_and_clients"),
        ("test_verifier.py", "test_every_other_token_is_refused"),
    ] {
        let output = Command::new(python()).arg(tests.join(file)).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{file}: {said}");
        assert!(said.contains(one_of_them), "{file}: {said}");
    }
}

/// As simplejwt is by default: nothing is asked of `aud` and `iss`.
#[tokio::test]
async fn a_django_service_without_audience_and_issuer_accepts_our_access_token_too() {
    let project = PROJECT.replace("        \"AUDIENCE\": audience,\n        \"ISSUER\": issuer,\n", "");
    assert!(!project.contains("AUDIENCE"));
    let system = System::start(Database::Sqlite).await;
    let arguments = ["https://auth.test", "notes", &system.auth_url("")];
    let django = Django::run(system.folder.path(), &project, &arguments);
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let (status, body) = eventually("Django answers", || django.whoami(Some(&pair.access))).await;
    assert_eq!(status, 200, "{body}");
}

/// A service that other services call reads who they are from `sub`.
#[tokio::test]
async fn a_django_service_that_reads_the_subject_accepts_a_clients_token() {
    let project = PROJECT.replace(
        "        \"ISSUER\": issuer,\n",
        "        \"ISSUER\": issuer,\n        \"USER_ID_CLAIM\": \"sub\",\n",
    );
    assert!(project.contains("USER_ID_CLAIM"));
    let system = System::start(Database::Sqlite).await;
    let arguments = ["https://auth.test", "notes", &system.auth_url("")];
    let django = Django::run(system.folder.path(), &project, &arguments);
    let machine = (GATEWAY, system.gateway_secret.as_str());
    let token = Protocol::Http.client_token(&system, machine, ("notes:read", "notes")).await.unwrap();
    let (status, body) = eventually("Django answers", || django.whoami(Some(&token))).await;
    assert_eq!((status, &body["user"]), (200, &"client:gateway".into()));
}

#[tokio::test]
async fn an_unmodified_django_service_accepts_our_access_token_and_refuses_a_bad_one() {
    let system = System::start(Database::Sqlite).await;
    let django = Django::start(system.folder.path(), &system.auth_url(""));
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let (status, body) = eventually("Django answers", || django.whoami(Some(&pair.access))).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["user"], unverified_claims(&pair.access)["sub"]);
    assert_eq!(body["scope"], "notes:read notes:write");

    let machine = (GATEWAY, system.gateway_secret.as_str());
    let token = Protocol::Http.client_token(&system, machine, ("notes:read", "notes")).await.unwrap();
    let (status, body) = django.whoami(Some(&token)).await.unwrap();
    assert_eq!(
        (status, &body["code"]),
        (401, &"token_not_valid".into()),
        "a client is nobody's user: {body}"
    );

    let _ = system.cli(&["audience", "create", "elsewhere"]);
    let created = system.cli(&["client", "create", "far", "--audience", "elsewhere"]);
    let far = ("far", created["client_secret"].as_str().unwrap());
    let elsewhere = Protocol::Http.client_token(&system, far, ("", "")).await.unwrap();
    let altered = pair.access.replacen('.', ".A", 1);
    for (what, token) in [
        ("no token", None),
        ("a refresh token", Some(pair.refresh.as_str())),
        ("an altered token", Some(altered.as_str())),
        ("another audience", Some(elsewhere.as_str())),
        ("garbage", Some("a.b.c")),
    ] {
        let (status, body) = django.whoami(token).await.unwrap();
        assert_eq!(status, 401, "{what}: {body}");
    }
}
