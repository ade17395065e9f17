//! The pages of a login in a real browser: tabs, keyboard, languages, accessibility, and the way on to the client.

mod accessibility;
mod without_scripts;

use reqwest::Url;
use system_tests::browser::{Browser, Site};
use system_tests::dice::Dice;
use system_tests::drill::{figure, scale};
use system_tests::eventually;
use system_tests::openid::{Client, Provider};
use system_tests::system::{PASSWORD, USER};
use thirtyfour::{Key, WindowHandle};

use crate::interop;

/// What the client shows at its callback: it leads on to another origin.
const CALLBACK_PAGE: &str = "<!doctype html><title>client</title><p id=\"done\">at the client</p>";

/// An authority that a browser can log in at, and a client of another origin.
struct World {
    provider: Provider,
    client: Client,
    browser: Browser,
    base: String,
    site: Site,
}

impl World {
    async fn start(more: &[&str]) -> Self {
        let (provider, base) = interop::provider().await;
        let site = Site::serve(CALLBACK_PAGE);
        let redirect_uri = format!("http://localhost:{}/callback", site.address.port());
        let mut arguments =
            vec!["client", "create", "web", "--name", "Web Shop", "--redirect-uri", &redirect_uri];
        arguments.extend(["--pkce-optional"]);
        arguments.extend(more);
        let created = provider.cli(&arguments);
        let secret = created["client_secret"].as_str().map(str::to_owned);
        let client = Client { id: "web".to_owned(), secret, redirect_uri };
        provider.knows("web").await;
        let browser = Browser::start(&provider.folder.path().join("profile")).await;
        Self { provider, client, browser, base, site }
    }

    /// With a browser that runs no scripts.
    async fn without_scripts() -> Self {
        let world = Self::start(&[]).await;
        let browser = Browser::without_scripts(&world.provider.folder.path().join("no-scripts")).await;
        Self { browser, ..world }
    }

    fn request(&self, more: &[(&str, &str)]) -> String {
        self.request_of(&self.client.id, &self.client.redirect_uri, more)
    }

    fn request_of(&self, client_id: &str, redirect_uri: &str, more: &[(&str, &str)]) -> String {
        let base = [
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("response_type", "code"),
            ("scope", "openid profile"),
        ];
        let query: Vec<(&str, &str)> = base.iter().chain(more).copied().collect();
        Url::parse_with_params(&format!("{}/oauth2/authorize", self.base), query).unwrap().into()
    }

    async fn url(&self) -> Url {
        self.browser.driver.current_url().await.unwrap()
    }

    async fn has(&self, selector: &str) -> bool {
        !self.browser.driver.find_all(thirtyfour::By::Css(selector)).await.unwrap().is_empty()
    }

    /// Waits until the browser is at the client: the parameters of the answer.
    async fn at_client(&self) -> Vec<(String, String)> {
        let url = eventually("the browser is at the client", || async {
            let url = self.url().await;
            url.as_str().starts_with(&self.client.redirect_uri).then_some(url)
        })
        .await;
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }

    async fn log_in_by_keyboard(&self) {
        self.browser.press(USER.to_owned() + Key::Tab).await;
        self.browser.press(PASSWORD.to_owned() + Key::Enter).await;
    }
}

fn value<'a>(parameters: &'a [(String, String)], name: &str) -> &'a str {
    parameters.iter().find(|(held, _)| held == name).map_or("", |(_, value)| value)
}

#[tokio::test]
async fn a_user_logs_in_allows_and_logs_out_by_keyboard_alone() {
    let world = World::start(&[]).await;
    world.browser.open(&world.request(&[("state", "one")])).await;
    world.browser.shows("h1", "Sign in").await;
    world.log_in_by_keyboard().await;
    world.browser.shows("h1", "Allow access?").await;
    // The page has no field: the first Tab is at the first button.
    world.browser.press(Key::Tab).await;
    world.browser.press(Key::Enter).await;
    let answer = world.at_client().await;
    assert_eq!((value(&answer, "state"), value(&answer, "iss")), ("one", world.base.as_str()));
    let tokens = world.provider.redeem(&world.client, value(&answer, "code"), &[]).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text);
    // Single sign-on, by a redirect.
    world.browser.open(&world.request(&[("prompt", "none"), ("state", "two")])).await;
    assert_eq!(value(&world.at_client().await, "state"), "two");
    world.browser.open(&format!("{}/oauth2/logout", world.base)).await;
    world.browser.shows("h1", "Sign out").await;
    world.browser.press(Key::Enter).await;
    world.browser.shows("h1", "You are signed out").await;
    world.browser.open(&world.request(&[("prompt", "none")])).await;
    assert_eq!(value(&world.at_client().await, "error"), "login_required");
}

/// Browsers apply `form-action` to every hop behind a form: the way to the client is no redirect.
#[tokio::test]
async fn the_client_may_lead_on_to_anywhere_and_an_app_is_reached_by_a_link() {
    let world = World::start(&["--first-party"]).await;
    let elsewhere = Site::serve("<!doctype html><title>elsewhere</title><p id=\"here\">elsewhere</p>");
    let target = format!("http://127.0.0.1:{}/second", elsewhere.address.port());
    let leads_on = Site::leading_to(&target);
    let uri = format!("http://localhost:{}/callback", leads_on.address.port());
    let app = "com.example.app:/callback";
    let _ = world.provider.cli(&[
        "client",
        "create",
        "hop",
        "--redirect-uri",
        &uri,
        "--redirect-uri",
        app,
        "--pkce-optional",
        "--first-party",
    ]);
    world.provider.knows("hop").await;
    let client = Client { id: "hop".to_owned(), secret: None, redirect_uri: uri };
    let hop = World { client, ..world };
    hop.browser.open(&hop.request(&[])).await;
    hop.browser.shows("h1", "Sign in").await;
    hop.log_in_by_keyboard().await;
    hop.browser.shows("#here", "elsewhere").await;
    // By a form, which browsers may follow to anywhere, too.
    hop.browser.open(&hop.request(&[("response_mode", "form_post"), ("prompt", "login")])).await;
    hop.browser.shows("h1", "Sign in").await;
    hop.browser.press(PASSWORD.to_owned() + Key::Enter).await;
    hop.browser.shows("#here", "elsewhere").await;
    // To an app: there is none here, and the page with its link stays.
    let to_app = World { client: Client { redirect_uri: app.to_owned(), ..hop.client.clone() }, ..hop };
    to_app.browser.open(&to_app.request(&[("prompt", "login")])).await;
    to_app.browser.shows("h1", "Sign in").await;
    to_app.browser.press(PASSWORD.to_owned() + Key::Enter).await;
    let link = eventually("the link to the app", || async {
        let found = to_app.browser.driver.find(thirtyfour::By::Css("main a")).await.ok()?;
        found.attr("href").await.ok()?
    })
    .await;
    assert!(link.starts_with("com.example.app:/callback?code="), "{link}");
    assert!(to_app.site.address.port() > 0);
}

/// What a user does in one of their tabs.
#[derive(Debug, Clone, Copy)]
enum Act {
    GoOn,
    Back,
    Reload,
    SendTwice,
    Restart,
}

/// 200 walks at full scale.
#[tokio::test]
async fn f40_tabs_come_to_their_client_whatever_is_done_in_whatever_order() {
    let mut world = World::start(&[]).await;
    let seed = shared_claims::clock::unix_now();
    println!("seed {seed}");
    let mut dice = Dice::of(seed);
    let walks = scale(5, 200);
    for walk in 0..walks {
        world.browser.driver.delete_all_cookies().await.unwrap();
        let count = 2 + dice.below(4);
        let mut tabs: Vec<(WindowHandle, String, bool)> = Vec::new();
        for number in 0..count {
            let state = format!("walk-{walk}-tab-{number}");
            let tab = world.browser.driver.new_tab().await.unwrap();
            world.browser.show(&tab).await;
            world.browser.open(&world.request(&[("state", &state), ("prompt", "consent")])).await;
            tabs.push((tab, state, false));
        }
        for _ in 0..count * 3 {
            let number = dice.below(count);
            let act = match dice.below(12) {
                0 => Act::Back,
                1 => Act::Reload,
                2 => Act::SendTwice,
                3 if walk % 5 == 0 => Act::Restart,
                _ => Act::GoOn,
            };
            println!("walk {walk}: {act:?} in {number}");
            if matches!(act, Act::Restart) {
                world.provider.restart().await;
                continue;
            }
            let (tab, state, done) = tabs[number].clone();
            if !done {
                world.browser.show(&tab).await;
                tabs[number].2 = world.act(act, &state).await;
            }
        }
        for (tab, state, done) in tabs {
            world.browser.show(&tab).await;
            let mut done = done;
            for _ in 0..6 {
                if !done {
                    done = world.act(Act::GoOn, &state).await;
                }
            }
            assert!(done, "walk {walk}: a dead end at {}: {}", world.url().await, world.text().await);
            world.browser.driver.close_window().await.unwrap();
            let left = world.browser.driver.windows().await.unwrap();
            world.browser.show(&left[0]).await;
        }
    }
    figure(format!("seed {seed}: {walks} walks of two to five tabs, no dead end"));
}

impl World {
    async fn text(&self) -> String {
        self.browser.element("body").await.text().await.unwrap_or_default()
    }

    /// Does something in the tab in front: whether it has come to its client, with its own answer.
    async fn act(&self, act: Act, state: &str) -> bool {
        match act {
            Act::Back => self.browser.driver.back().await.unwrap(),
            Act::Reload => self.browser.driver.refresh().await.unwrap(),
            Act::SendTwice | Act::GoOn | Act::Restart => {
                if self.has("#username").await {
                    let script = "document.getElementById('username').value = ''";
                    self.browser.driver.execute(script, Vec::new()).await.unwrap();
                    self.browser.element("#username").await.send_keys(USER).await.unwrap();
                    self.browser.element("#password").await.send_keys(PASSWORD).await.unwrap();
                    self.send(act, "button[type=submit]").await;
                } else if self.has("button[value=allow]").await {
                    self.send(act, "button[value=allow]").await;
                } else if !self.url().await.as_str().starts_with(&self.client.redirect_uri) {
                    // A page that says so, or the empty one from before: the user starts again at the application.
                    self.browser.open(&self.request(&[("state", state), ("prompt", "consent")])).await;
                }
            }
        }
        let settled = eventually("the tab has settled", || async {
            let url = self.url().await;
            let at_client = url.as_str().starts_with(&self.client.redirect_uri);
            let waits = !at_client && self.has("meta[http-equiv=refresh]").await;
            (!waits).then_some(at_client.then_some(url))
        })
        .await;
        let Some(url) = settled else { return false };
        let answer: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        assert_eq!(value(&answer, "state"), state, "the answer of another tab");
        let code = value(&answer, "code");
        let redeemed = self.provider.redeem(&self.client, code, &[]).await;
        assert_eq!(redeemed.status, 200, "{}", redeemed.text);
        true
    }

    async fn send(&self, act: Act, button: &str) {
        if matches!(act, Act::SendTwice) {
            // A double click that the browser has not swallowed: two submissions of one form.
            let script = format!("const b = document.querySelector('{button}'); b.click(); b.click();");
            self.browser.driver.execute(&script, Vec::new()).await.unwrap();
        } else {
            self.browser.click(button).await;
        }
    }
}
