//! A real browser and a single-page application of another origin: it logs in, calls a service, refreshes in two tabs at
//! once, and is revoked. With refresh tokens in its local storage, and in cookies.

use serde_json::{Value, json};
use system_tests::browser::{Browser, Site};
use system_tests::processes::Service;
use system_tests::system::{PASSWORD, USER, resource_env};
use system_tests::{Database, System};
use thirtyfour::Key;

const PAGE: &str = include_str!("app.html");

/// An authority, a resource service and an application that both allow.
struct Application {
    system: System,
    notes: Service,
    site: Site,
    browser: Browser,
    mode: &'static str,
}

impl Application {
    async fn start(mode: &'static str) -> Self {
        let site = Site::serve(PAGE);
        // `localhost` for all three: other ports are other origins of one site, as app.example.com and
        // auth.example.com are.
        let origin = format!("http://localhost:{}", site.address.port());
        let cookie = (mode == "cookie").to_string();
        let settings = [
            ("AUTH__HTTP__CORS_ALLOWED_ORIGINS", origin.as_str()),
            ("AUTH__SIMPLEJWT__REFRESH_COOKIE", &cookie),
        ];
        let system = System::with(Database::Sqlite, &settings).await;
        let folder = system.folder.path().join("spa");
        std::fs::create_dir(&folder).unwrap();
        let mut env = resource_env(&system.auth, &folder);
        env.insert("RESOURCE__CORS_ALLOWED_ORIGINS".to_owned(), origin);
        let notes = Service::start("resource-service", &folder, &env).await;
        let browser = Browser::start(&system.folder.path().join("profile")).await;
        Self { system, notes, site, browser, mode }
    }

    /// The page at a host name of this machine.
    fn url(&self, host: &str) -> String {
        let (site, auth, notes) =
            (self.site.address.port(), self.system.auth.http.port(), self.notes.http.port());
        let mode = self.mode;
        format!(
            "http://{host}:{site}/?mode={mode}&auth=http://localhost:{auth}&notes=http://localhost:{notes}"
        )
    }

    /// By keyboard alone.
    async fn log_in(&self, password: &str) {
        self.browser.element("body").await;
        self.browser.value("document.getElementById('username').focus()").await;
        self.browser.value("document.getElementById('password').value = ''").await;
        self.browser.press(USER.to_owned() + Key::Tab).await;
        self.browser.press(password.to_owned() + Key::Enter).await;
    }

    async fn click(&self, id: &str, then: &str) {
        self.browser.click(&format!("#{id}")).await;
        self.browser.shows("#state", then).await;
    }

    /// Both tabs refresh at the same moment, with the same refresh token.
    async fn refresh_in_both(&self, tabs: [&thirtyfour::WindowHandle; 2]) {
        let moment = self.browser.value("Date.now() + 1500").await;
        for tab in tabs {
            self.browser.show(tab).await;
            self.browser.value(&format!("window.refreshAt({moment})")).await;
        }
        for tab in tabs {
            self.browser.show(tab).await;
            self.browser.shows("#state", "refreshed").await;
        }
    }
}

async fn an_application_of_another_origin_lives_with_its_session(mode: &'static str) -> Application {
    let app = Application::start(mode).await;
    let browser = &app.browser;
    browser.open(&app.url("localhost")).await;
    app.log_in("wrong").await;
    let refused = "refused: 401 No active account found with the given credentials";
    browser.shows("#state", refused).await;
    browser.value("document.getElementById('username').value = ''").await;
    app.log_in(PASSWORD).await;
    browser.shows("#state", "logged in").await;
    app.click("note", "notes: 200").await;
    app.click("refresh", "refreshed").await;

    let (second, first) = browser.open_in_new_tab(&app.url("localhost")).await;
    for _ in 0..3 {
        app.refresh_in_both([&first, &second]).await;
    }
    app.click("note", "notes: 200").await;
    let sessions = app.system.cli_list(&["session", "list", "--user", USER]);
    assert_eq!(
        sessions.as_array().unwrap().len(),
        1,
        "one session, and nothing was taken for theft: {sessions}"
    );

    // An origin that is not allowed cannot even read an answer.
    browser.open(&app.url("127.0.0.1")).await;
    app.log_in(PASSWORD).await;
    browser.shows("#state", "blocked: TypeError").await;
    app.click("refresh", "blocked: TypeError").await;
    browser.open(&app.url("localhost")).await;
    app.click("refresh", "refreshed").await;

    // Revoked by an operator: at once for the service, and at the next refresh.
    assert_eq!(app.system.cli(&["session", "end", "--user", USER, "--yes"])["sessions_ended"], 1);
    system_tests::eventually("the service refuses", || async {
        browser.click("#note").await;
        (browser.element("#state").await.text().await.unwrap() == "notes: 401").then_some(())
    })
    .await;
    app
}

#[tokio::test]
async fn with_refresh_tokens_in_local_storage() {
    let app = an_application_of_another_origin_lives_with_its_session("bearer").await;
    app.click("refresh", "logged out: 401 token_not_valid").await;
    app.log_in(PASSWORD).await;
    app.browser.shows("#state", "logged in").await;
    app.click("logout", "ended: 200").await;
    app.click("refresh", "logged out: 400 undefined").await;
}

#[tokio::test]
async fn with_refresh_tokens_in_a_cookie_that_scripts_cannot_read() {
    let app = an_application_of_another_origin_lives_with_its_session("cookie").await;
    let held = async || {
        let browser = &app.browser;
        (browser.value("document.cookie").await, browser.value("localStorage.length").await)
    };
    app.click("refresh", "logged out: 401 token_not_valid").await;
    app.log_in(PASSWORD).await;
    app.browser.shows("#state", "logged in").await;
    assert_eq!(held().await, (json!(""), json!(0)), "nothing for a script to steal");
    // A reload keeps the session: the browser holds it.
    app.browser.open(&app.url("localhost")).await;
    app.click("refresh", "refreshed").await;
    app.click("logout", "ended: 200").await;
    app.click("refresh", "logged out: 400 undefined").await;
    let cookies: Value = json!(app.browser.driver.get_all_cookies().await.unwrap());
    assert_eq!(cookies, json!([]), "and forgets it");
}
