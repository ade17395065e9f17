//! What an earlier version has left and handed out is valid for this one: its database and master key, cookies, pages that are
//! open, codes, tokens. A folder of `tests/earlier` is what one version left; a release adds its own. The first is what
//! `main` left on 30 November 2026, before any release had logins in a browser.
//!
//!     cargo test -p auth-service --test suite -- --ignored leaves_state
//!     mv target/tmp/earlier auth-service/tests/earlier/VERSION

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "any other page fails the test, also one that comes later"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use auth_service::authority::authorize::{LogoutRequest, Outcome, Page};
use auth_service::authority::grants::DeviceCodes;
use auth_service::browser_sessions::Tickets;
use serde_json::json;

use super::device::{asks, decides, polls, tv};
use super::login::{Chrome, code, redeem, response, sign_in, web};
use super::*;

/// The pause of the upgrade, and that of the device.
const LATER: Duration = Duration::from_secs(5);

const OFFLINE: [(&str, &str); 1] = [("scope", "openid offline_access")];

fn earlier() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/earlier")
}

fn cookie(browser: &Chrome<'_>) -> Value {
    json!({
        "accounts": browser.tickets.to_value().expose(),
        "binding": browser.binding.as_ref().map(PlainSecret::expose),
    })
}

fn browser<'a>(at: &'a InProcess, cookie: &Value) -> Chrome<'a> {
    let binding = PlainSecret::new(cookie["binding"].as_str().unwrap().to_owned());
    let mut browser = Chrome::new(at);
    browser.tickets = Tickets::parse(cookie["accounts"].as_str().unwrap());
    browser.binding = Some(binding);
    browser
}

fn consent_page(outcome: Outcome) -> String {
    match outcome {
        Outcome::Page(Page::Consent(page)) => page.interaction,
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "writes what the next version is tested with"]
fn leaves_state() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("earlier");
    let _ = fs::remove_dir_all(&folder);
    let at = InProcess::new();
    let (client, device) = (at.client_like("web", web), tv(&at));
    at.user("alice");
    let mut known = Chrome::new(&at);
    let first = known.log_in("alice", &OFFLINE);
    let issued = redeem(&at, &client, code(&first)).unwrap();
    let waiting = response(known.authorize(&OFFLINE));
    let asked = consent_page(known.authorize(&[]));
    let mut new = Chrome::new(&at);
    let page = sign_in(new.authorize(&[]));
    let codes = asks(&at, &device, None).unwrap();
    let left = json!({
        "at": at.clock.now().0,
        "known": cookie(&known),
        "new": cookie(&new),
        "consent_page": asked,
        "sign_in_page": page,
        "code": code(&waiting),
        "device_code": codes.device_code.expose(),
        "user_code": codes.user_code,
        "access_token": issued.access_token,
        "refresh_token": issued.refresh_token,
        "id_token": issued.id_token,
    });
    fs::create_dir_all(&folder).unwrap();
    at.execute(&format!("PRAGMA page_size = 512; VACUUM INTO '{}'", folder.join("signet.db").display()));
    fs::copy(at.folder.path().join("master.key"), folder.join("master.key")).unwrap();
    fs::write(folder.join("left.json"), serde_json::to_string_pretty(&left).unwrap() + "\n").unwrap();
}

#[test]
fn what_an_earlier_version_left_is_valid() {
    let mut versions: Vec<PathBuf> =
        fs::read_dir(earlier()).unwrap().map(|entry| entry.unwrap().path()).collect();
    versions.sort();
    assert!(!versions.is_empty());
    for version in versions {
        println!("{}", version.display());
        goes_on_from(&version);
    }
}

fn goes_on_from(version: &Path) {
    let left: Value = serde_json::from_slice(&fs::read(version.join("left.json")).unwrap()).unwrap();
    let text = |name: &str| left[name].as_str().unwrap();
    let at = InProcess::on(Timestamp(left["at"].as_i64().unwrap()).plus(LATER), |folder| {
        for name in ["signet.db", "master.key"] {
            fs::copy(version.join(name), folder.join(name)).unwrap();
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
    });
    let client = |id: &str| at.authority.clients.enabled(&ClientId::parse(id).unwrap()).unwrap();
    let (web, device) = (client("web"), client("tv"));
    assert_eq!(at.verify(text("access_token")), Ok(()));
    at.refresh(&web, text("refresh_token")).unwrap();
    redeem(&at, &web, text("code")).unwrap();
    let mut known = browser(&at, &left["known"]);
    let again = response(known.authorize(&[OFFLINE[0], ("prompt", "none")]));
    redeem(&at, &web, code(&again)).unwrap();
    let allowed = response(known.consent(text("consent_page"), true));
    let online = redeem(&at, &web, code(&allowed)).unwrap();
    let mut new = browser(&at, &left["new"]);
    let logged_in = response(new.password(text("sign_in_page"), "alice", PASSWORD));
    redeem(&at, &web, code(&logged_in)).unwrap();
    let codes = DeviceCodes {
        device_code: PlainSecret::new(text("device_code").to_owned()),
        user_code: text("user_code").to_owned(),
        expires_in: Duration::ZERO,
        interval: LATER,
    };
    decides(&mut new, &codes, true);
    polls(&at, &device, &codes).unwrap();
    let hint = Some(text("id_token").to_owned());
    known.log_out(LogoutRequest { id_token_hint: hint, ..LogoutRequest::default() });
    assert_eq!(at.verify(&online.access_token), Err(REVOKED));
}
