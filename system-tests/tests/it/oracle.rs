//! Request by request to djangorestframework-simplejwt 5.5.1 and to us: the same status, the same body,
//! the same headers where clients read them. What differs is declared in [`DIFFERENCES`], with its reason;
//! a declared difference that is none any more fails as well.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use system_tests::processes::Service;
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, System, eventually};

use crate::django::Django;

const TOKEN: &str = "/api/token/";
const REFRESH: &str = "/api/token/refresh/";
const VERIFY: &str = "/api/token/verify/";
const BLACKLIST: &str = "/api/token/blacklist/";
const SLIDING: &str = "/api/token/sliding/";
const SLIDING_REFRESH: &str = "/api/token/sliding/refresh/";

/// Of both servers: tokens under it are crafted, and sent to both.
const SECRET: &str = "only for this test, and long enough for HS256";

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=b";

/// What is in an answer that clients read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// With every token replaced by a word, the order of members kept.
    body: String,
    headers: BTreeMap<&'static str, String>,
}

/// What a row may do before its request, so that there is something to ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// The refresh token has been blacklisted.
    Blacklisted,
    /// The refresh token has been refreshed with.
    Used,
    /// The account of the token has been disabled.
    Disabled,
    /// Only for the rows about methods: no pair is needed.
    NoPair,
}

struct Row {
    id: &'static str,
    method: Method,
    path: &'static str,
    content_type: &'static str,
    /// `{access}`, `{refresh}`, `{expired_access}` and `{expired_refresh}` are filled in.
    body: String,
    before: Before,
}

/// Where we answer otherwise, on purpose: our status, and the reason.
const DIFFERENCES: &[(&str, u16, &str)] = &[
    (
        "refresh used",
        200,
        "a retry within the grace gets the identical successor: a lost answer loses no session",
    ),
    ("verify blacklisted", 401, "the same as everywhere else, where simplejwt has a 400 of another form"),
    ("verify access of a blacklisted session", 401, "blacklisting ends the session, access tokens included"),
    ("verify spaces", 401, "a token with space around it is a second spelling of that token"),
    ("refresh spaces", 401, "a token with space around it is a second spelling of that token"),
    ("obtain malformed json", 400, "the message of our parser names the place, not Python's"),
    ("obtain truncated json", 400, "the message of our parser names the place, not Python's"),
    ("obtain form not utf-8", 400, "what is no UTF-8 is refused, where Django replaces characters"),
    ("obtain multipart without end", 400, "an unfinished body is refused, where Django takes what it has"),
    ("obtain multipart without boundary", 400, "the message of our parser, not Django's"),
    ("options obtain", 200, "there is no page for a browser to render"),
    ("options refresh", 200, "there is no page for a browser to render"),
    ("options verify", 200, "there is no page for a browser to render"),
    ("options blacklist", 200, "no page, and the description says that the session ends"),
    ("no slash", 404, "without Django's page"),
    ("options sliding", 200, "there is no page for a browser to render"),
    ("options sliding refresh", 200, "there is no page for a browser to render"),
    ("sliding malformed json", 400, "the message of our parser names the place, not Python's"),
    ("refresh no_jti", 401, "a token that nobody can blacklist is refused, where simplejwt breaks: 500"),
    ("blacklist no_jti", 401, "a token that nobody can blacklist is refused, where simplejwt breaks: 500"),
    ("sliding no_jti", 401, "a token that nobody can blacklist is refused, where simplejwt breaks: 500"),
    ("refresh no_user", 401, "a session needs an account"),
    ("refresh unknown_user", 401, "a deleted user is no server error, which it is there: 500"),
    ("blacklist no_user", 200, "the same"),
];

/// A server under comparison, ours or theirs.
struct Side {
    base: String,
    http: reqwest::Client,
    /// Tokens that have expired.
    expired: Value,
    /// Tokens under simplejwt's key, by what is amiss with them; the same on both sides.
    crafted: Value,
}

impl Side {
    async fn login(&self, username: &str) -> Value {
        let body = json!({"username": username, "password": PASSWORD});
        let answer = self.http.post(format!("{}{TOKEN}", self.base)).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> u16 {
        self.http.post(format!("{}{path}", self.base)).json(body).send().await.unwrap().status().as_u16()
    }

    async fn ask(&self, row: &Row, pair: &Value) -> Answer {
        let body = row
            .body
            .replace("{access}", pair["access"].as_str().unwrap_or_default())
            .replace("{refresh}", pair["refresh"].as_str().unwrap_or_default())
            .replace("{expired_access}", self.expired["access"].as_str().unwrap())
            .replace("{expired_refresh}", self.expired["refresh"].as_str().unwrap());
        let body = self.crafted.as_object().into_iter().flatten().fold(body, |body, (name, token)| {
            body.replace(&format!("{{crafted:{name}}}"), token.as_str().unwrap())
        });
        // A character that stands for an octet which is no UTF-8.
        let octets: Vec<u8> = body.chars().flat_map(octets_of).collect();
        let mut request = self.http.request(row.method.clone(), format!("{}{}", self.base, row.path));
        if !row.content_type.is_empty() {
            request = request.header("content-type", row.content_type);
        }
        let answer = request.body(octets).send().await.unwrap();
        let status = answer.status().as_u16();
        let headers = ["content-type", "allow", "vary", "www-authenticate"]
            .into_iter()
            .filter_map(|name| Some((name, answer.headers().get(name)?.to_str().unwrap().to_owned())))
            .collect();
        Answer { status, body: without_tokens(&answer.text().await.unwrap()), headers }
    }
}

fn octets_of(character: char) -> Vec<u8> {
    if character == '\u{FFFD}' { vec![0xFF] } else { character.to_string().into_bytes() }
}

/// Replaces what is a token by a word, so that the rest can be compared to the letter.
fn without_tokens(body: &str) -> String {
    let mut rest = body;
    let mut out = String::new();
    while let Some(start) = rest.find("\"eyJ") {
        out.push_str(&rest[..=start]);
        out.push_str("TOKEN");
        let end = rest[start + 1..].find('"').map_or(rest.len(), |end| start + 1 + end);
        rest = &rest[end..];
    }
    out + rest
}

#[tokio::test]
async fn each_request_is_answered_as_simplejwt_answers_it() {
    let folder = tempfile::tempdir().unwrap();
    let django = Reference::start(folder.path(), "rotate");
    let key = moved_key(folder.path());
    let settings = [
        ("AUTH__SIMPLEJWT__LEGACY_KEY_FILE", key.as_str()),
        ("AUTH__SIMPLEJWT__LEGACY_UNTIL", "2099-01-01T00:00:00Z"),
        ("AUTH__SIMPLEJWT__SLIDING", "true"),
    ];
    let system = System::with(Database::Sqlite, &settings).await;
    // The first account is number 1 on both sides, as if it had moved in before any token was issued.
    let moved = "UPDATE users SET legacy_id = '1', import_mark = '' WHERE username = 'alice'";
    system_tests::database::execute(&system.auth_env["AUTH__DATABASE__URL"], moved).unwrap();
    let _ = system.cli(&["user", "create", "inactive"]);
    let _ = system.cli(&["user", "disable", "inactive"]);
    let theirs = django.side().await;
    let mut ours = our_side(&system).await;
    ours.crafted.clone_from(&theirs.crafted);

    let mut unexpected = Vec::new();
    for row in rows() {
        let mut answers = Vec::new();
        for (side, disable) in [(&theirs, false), (&ours, true)] {
            let pair = prepare(side, row.before, disable.then_some(&system)).await;
            answers.push(side.ask(&row, &pair).await);
        }
        let [their, our] = &answers[..] else { panic!("two answers") };
        let declared = DIFFERENCES.iter().find(|(id, ..)| *id == row.id);
        match (their == our, declared) {
            (true, None) => {}
            (false, Some((_, status, reason))) => assert_eq!(our.status, *status, "{}: {reason}", row.id),
            (true, Some((.., reason))) => {
                unexpected.push(format!("{}: declared ({reason}), but the same: {their:?}", row.id));
            }
            (false, None) => {
                unexpected.push(format!("{}:\n  simplejwt {their:?}\n  we        {our:?}", row.id))
            }
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    let known: Vec<&str> = rows().iter().map(|row| row.id).collect();
    for (id, ..) in DIFFERENCES {
        assert!(known.contains(id), "a difference is declared for a row that is not there: {id}");
    }
}

#[tokio::test]
async fn tokens_say_what_simplejwts_say_in_its_order_and_more() {
    use system_tests::protocol::{unverified_claims, unverified_header};
    let folder = tempfile::tempdir().unwrap();
    let django = Reference::start(folder.path(), "rotate");
    let system = System::start(Database::Sqlite).await;
    let theirs = django.side().await.login(USER).await;
    let ours = our_side(&system).await.login(USER).await;
    for kind in ["access", "refresh"] {
        let (their, our) = (theirs[kind].as_str().unwrap(), ours[kind].as_str().unwrap());
        let (their_claims, our_claims) = (unverified_claims(their), unverified_claims(our));
        let names = |claims: &Value| claims.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            names(&our_claims)[..5],
            names(&their_claims),
            "{kind}: their claims first, in their order"
        );
        for (name, their_value) in their_claims.as_object().unwrap() {
            let ours = &our_claims[name];
            let same = std::mem::discriminant(ours) == std::mem::discriminant(their_value);
            assert!(same, "{kind}: `{name}` is {ours}, theirs is {their_value}");
        }
        assert_eq!(our_claims["token_type"], their_claims["token_type"]);
        let life = |claims: &Value| claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert_eq!(life(&our_claims), life(&their_claims), "{kind}");
        assert_eq!(our_claims["jti"].as_str().unwrap().len(), their_claims["jti"].as_str().unwrap().len());
        // Declared: theirs is one shared secret without a name; ours has a key that can be rotated, and a
        // type of its own, so that one kind is never taken for the other (RFC 8725 section 3.11).
        assert_eq!(unverified_header(their), json!({"alg": "HS256", "typ": "JWT"}));
        assert!(unverified_header(our)["kid"].is_string());
    }
}

/// A Django resource service answers for our tokens what it answers for simplejwt's own.
#[tokio::test]
async fn a_resource_service_says_of_our_tokens_what_it_says_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let django = Reference::start(folder.path(), "rotate");
    let system = System::start(Database::Sqlite).await;
    let resource = Django::start(system.folder.path(), &system.auth_url(""));
    let (theirs, ours) = (django.side().await, our_side(&system).await);
    let whoami = async |address: SocketAddr, header: Option<String>| {
        let mut request = ours.http.get(format!("http://{address}/whoami/"));
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let answer = request.send().await.ok()?;
        let challenge =
            answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        Some((answer.status().as_u16(), challenge, answer.json::<Value>().await.ok()?))
    };
    eventually("the resource service answers", || whoami(resource.address, None)).await;
    let (their_pair, our_pair) = (theirs.login(USER).await, ours.login(USER).await);
    let rows = [
        "",
        "{access}",
        "Bearer",
        "Bearer {access}",
        "bearer {access}",
        "Basic YTpi",
        "Bearer {access} x",
        "Bearer garbage",
        "Bearer a.b.c",
        "Bearer {access}x",
        "Bearer {refresh}",
        "Bearer {expired_access}",
    ];
    for row in rows {
        let mut answers = Vec::new();
        for (side, pair, address) in
            [(&theirs, &their_pair, django.0.address), (&ours, &our_pair, resource.address)]
        {
            let header = row
                .replace("{access}", pair["access"].as_str().unwrap())
                .replace("{refresh}", pair["refresh"].as_str().unwrap())
                .replace("{expired_access}", side.expired["access"].as_str().unwrap());
            let (status, challenge, mut body) =
                whoami(address, Some(header).filter(|text| !text.is_empty())).await.unwrap();
            if status == 200 {
                body = json!("whoever it is");
            }
            // Declared: a refresh token of ours cannot be taken for an access token by its type alone: it
            // is not even signed with a key that anybody else has.
            if row == "Bearer {refresh}" {
                assert!(body["messages"][0]["message"].is_string(), "{body}");
                body["messages"] = json!("of the wrong kind, or not valid at all");
            }
            answers.push((status, challenge, body));
        }
        assert_eq!(answers[0], answers[1], "{row}");
    }
}

/// The key of the server that is moved from, as an operator keeps it.
fn moved_key(folder: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    let file = folder.join("legacy.key");
    std::fs::write(&file, SECRET).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_rotation_a_refresh_is_answered_as_simplejwt_answers_it() {
    let folder = tempfile::tempdir().unwrap();
    let django = Reference::start(folder.path(), "keep");
    let system = System::with(Database::Sqlite, &[("AUTH__SIMPLEJWT__ROTATE_REFRESH_TOKENS", "false")]).await;
    let (theirs, ours) = (django.side().await, our_side(&system).await);
    let mut answers = Vec::new();
    for side in [&theirs, &ours] {
        let pair = side.login(USER).await;
        let token = row("refresh", REFRESH, JSON, "{\"refresh\":\"{refresh}\"}");
        let blacklist = row("blacklist", BLACKLIST, JSON, "{\"refresh\":\"{refresh}\"}");
        let mut seen = Vec::new();
        for asked in [&token, &token, &token, &blacklist, &token, &blacklist] {
            seen.push(side.ask(asked, &pair).await);
        }
        answers.push(seen);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(
        answers[0].iter().map(|answer| answer.status).collect::<Vec<_>>(),
        [200, 200, 200, 200, 401, 401]
    );
}

async fn prepare(side: &Side, before: Before, system: Option<&System>) -> Value {
    let pair = match before {
        Before::NoPair => return json!({}),
        Before::Disabled => {
            if let Some(system) = system {
                let arguments = ["user", "create", "leaver", "--password-stdin"];
                let _ =
                    system_tests::system::cli(system.folder.path(), &system.auth_env, &arguments, PASSWORD);
            }
            side.login("leaver").await
        }
        Before::Nothing | Before::Blacklisted | Before::Used => side.login(USER).await,
    };
    let refresh = json!({"refresh": pair["refresh"]});
    match (before, system) {
        (Before::Blacklisted, _) => assert_eq!(side.post(BLACKLIST, &refresh).await, 200),
        (Before::Used, _) => assert_eq!(side.post(REFRESH, &refresh).await, 200),
        (Before::Disabled, Some(system)) => {
            let _ = system.cli(&["user", "disable", "leaver"]);
        }
        (Before::Disabled, None) => {
            let url = format!("{}/for-the-test/deactivate/leaver/", side.base);
            assert_eq!(side.http.get(url).send().await.unwrap().status(), 200);
        }
        (Before::Nothing | Before::NoPair, _) => {}
    }
    pair
}

fn row(id: &'static str, path: &'static str, content_type: &'static str, body: impl Into<String>) -> Row {
    Row { id, method: Method::POST, path, content_type, body: body.into(), before: Before::Nothing }
}

fn rows() -> Vec<Row> {
    let mut rows = obtain_rows();
    rows.extend(token_rows());
    rows.extend(crafted_rows());
    rows.extend(sliding_rows());
    rows.extend(method_rows());
    rows
}

const CRAFTED: [&str; 10] = [
    "no_exp",
    "no_jti",
    "no_type",
    "no_user",
    "another_type",
    "an_access",
    "text_exp",
    "past",
    "another_key",
    "unknown_user",
];

/// Tokens of simplejwt's own key with something amiss, at every endpoint that takes a token.
fn crafted_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for name in CRAFTED {
        let body = |field: &str| format!("{{\"{field}\":\"{{crafted:{name}}}\"}}");
        let id = |endpoint: &str| -> &'static str { format!("{endpoint} {name}").leak() };
        for (endpoint, path, field) in [
            ("verify", VERIFY, "token"),
            ("refresh", REFRESH, "refresh"),
            ("blacklist", BLACKLIST, "refresh"),
            ("sliding", SLIDING_REFRESH, "token"),
        ] {
            rows.push(row(id(endpoint), path, JSON, body(field)));
        }
    }
    rows.push(row("verify good", VERIFY, JSON, "{\"token\":\"{crafted:good}\"}"));
    rows.push(row("refresh good", REFRESH, JSON, "{\"refresh\":\"{crafted:good}\"}"));
    rows.push(row("blacklist integer_user", BLACKLIST, JSON, "{\"refresh\":\"{crafted:integer_user}\"}"));
    rows.push(row(
        "refresh blacklisted integer_user",
        REFRESH,
        JSON,
        "{\"refresh\":\"{crafted:integer_user}\"}",
    ));
    let needs_no_pair = |row| Row { before: Before::NoPair, ..row };
    rows.into_iter().map(needs_no_pair).collect()
}

fn sliding_rows() -> Vec<Row> {
    let with =
        |username: &str, password: &str| json!({"username": username, "password": password}).to_string();
    let token = |name: &str| format!("{{\"token\":\"{{crafted:{name}}}\"}}");
    let rows = vec![
        row("sliding obtain", SLIDING, JSON, with(USER, PASSWORD)),
        row(
            "sliding obtain form",
            SLIDING,
            FORM,
            format!("username={USER}&password={}", PASSWORD.replace(' ', "+")),
        ),
        row("sliding wrong password", SLIDING, JSON, with(USER, "wrong")),
        row("sliding inactive", SLIDING, JSON, with("inactive", PASSWORD)),
        row("sliding nothing", SLIDING, JSON, "{}"),
        row("sliding blank", SLIDING, JSON, with("", "")),
        row("sliding malformed json", SLIDING, JSON, "{\"a\":}"),
        row("sliding list", SLIDING, JSON, "[]"),
        row("sliding plain text", SLIDING, "text/plain", "x"),
        row("sliding refresh", SLIDING_REFRESH, JSON, token("sliding")),
        row("sliding refresh again", SLIDING_REFRESH, JSON, token("sliding")),
        row("sliding refresh over", SLIDING_REFRESH, JSON, token("sliding_over")),
        row("sliding refresh past", SLIDING_REFRESH, JSON, token("sliding_past")),
        row("sliding refresh garbage", SLIDING_REFRESH, JSON, "{\"token\":\"garbage\"}"),
        row("sliding refresh nothing", SLIDING_REFRESH, JSON, "{}"),
        row("sliding refresh null", SLIDING_REFRESH, JSON, "{\"token\":null}"),
        row("sliding verify", VERIFY, JSON, token("sliding")),
    ];
    let needs_no_pair = |row| Row { before: Before::NoPair, ..row };
    rows.into_iter().map(needs_no_pair).collect()
}

fn obtain_rows() -> Vec<Row> {
    let good = json!({"username": USER, "password": PASSWORD}).to_string();
    let form = format!("username={USER}&password={}", PASSWORD.replace(' ', "+"));
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts = format!("{}{}", part("username", USER), part("password", PASSWORD));
    let with =
        |username: Value, password: Value| json!({"username": username, "password": password}).to_string();
    let rows = vec![
        row("obtain json", TOKEN, JSON, good.clone()),
        row("obtain json with charset", TOKEN, "application/json; charset=utf-8", good.clone()),
        row("obtain form", TOKEN, FORM, form.clone()),
        row("obtain multipart", TOKEN, MULTIPART, format!("{parts}--b--\r\n")),
        row("obtain more fields", TOKEN, JSON, good.replacen('{', "{\"x\":1,", 1)),
        row("obtain a field twice", TOKEN, FORM, format!("username=nobody&{form}")),
        row("obtain name with spaces", TOKEN, JSON, with(json!(format!(" {USER} ")), json!(PASSWORD))),
        row("obtain wrong password", TOKEN, JSON, with(json!(USER), json!("wrong"))),
        row("obtain unknown user", TOKEN, JSON, with(json!("nobody"), json!(PASSWORD))),
        row("obtain inactive user", TOKEN, JSON, with(json!("inactive"), json!(PASSWORD))),
        row("obtain nothing", TOKEN, JSON, "{}"),
        row("obtain no password", TOKEN, JSON, json!({"username": USER}).to_string()),
        row("obtain blank", TOKEN, JSON, with(json!(""), json!(""))),
        row("obtain spaces", TOKEN, JSON, with(json!("  "), json!("  "))),
        row("obtain null", TOKEN, JSON, with(json!(null), json!(null))),
        row("obtain list and object", TOKEN, JSON, with(json!(["a"]), json!({}))),
        row("obtain bool", TOKEN, JSON, with(json!(true), json!(false))),
        row("obtain number", TOKEN, JSON, with(json!(1), json!(2))),
        row("obtain nul", TOKEN, JSON, with(json!("a\0b"), json!("c\0d"))),
        row("obtain malformed json", TOKEN, JSON, "{\"a\":}"),
        row("obtain truncated json", TOKEN, JSON, "{"),
        row("obtain list", TOKEN, JSON, "[]"),
        row("obtain text", TOKEN, JSON, "\"x\""),
        row("obtain integer", TOKEN, JSON, "5"),
        row("obtain float", TOKEN, JSON, "5.5"),
        row("obtain true", TOKEN, JSON, "true"),
        row("obtain json null", TOKEN, JSON, "null"),
        row("obtain empty json body", TOKEN, JSON, ""),
        row("obtain empty form", TOKEN, FORM, ""),
        row("obtain form blank", TOKEN, FORM, "username=&password="),
        row("obtain form not utf-8", TOKEN, FORM, "username=%FF&password=x"),
        row("obtain multipart without end", TOKEN, MULTIPART, parts),
        row("obtain multipart without boundary", TOKEN, "multipart/form-data", "x"),
        row("obtain plain text", TOKEN, "text/plain", "x"),
        row("obtain xml", TOKEN, "application/xml", "<a/>"),
        row("obtain no type", TOKEN, "", "x"),
    ];
    let needs_no_pair = |row| Row { before: Before::NoPair, ..row };
    rows.into_iter().map(needs_no_pair).collect()
}

fn token_rows() -> Vec<Row> {
    let field = |name: &str, value: &str| format!("{{\"{name}\":\"{value}\"}}");
    let after = |before: Before, row: Row| Row { before, ..row };
    let mut rows = vec![
        row("refresh json", REFRESH, JSON, field("refresh", "{refresh}")),
        row("refresh form", REFRESH, FORM, "refresh={refresh}"),
        row(
            "refresh multipart",
            REFRESH,
            MULTIPART,
            "--b\r\nContent-Disposition: form-data; name=\"refresh\"\r\n\r\n{refresh}\r\n--b--\r\n",
        ),
        row("refresh spaces", REFRESH, JSON, field("refresh", " {refresh} ")),
        row("refresh with an access token", REFRESH, JSON, field("refresh", "{access}")),
        row("refresh expired", REFRESH, JSON, field("refresh", "{expired_refresh}")),
        after(Before::Blacklisted, row("refresh blacklisted", REFRESH, JSON, field("refresh", "{refresh}"))),
        after(Before::Used, row("refresh used", REFRESH, JSON, field("refresh", "{refresh}"))),
        after(
            Before::Disabled,
            row("refresh of a disabled account", REFRESH, JSON, field("refresh", "{refresh}")),
        ),
        row("verify access", VERIFY, JSON, field("token", "{access}")),
        row("verify refresh", VERIFY, FORM, "token={refresh}"),
        row("verify spaces", VERIFY, JSON, field("token", " {access}\\n")),
        row("verify expired access", VERIFY, JSON, field("token", "{expired_access}")),
        row("verify expired refresh", VERIFY, JSON, field("token", "{expired_refresh}")),
        after(Before::Blacklisted, row("verify blacklisted", VERIFY, JSON, field("token", "{refresh}"))),
        after(
            Before::Blacklisted,
            row("verify access of a blacklisted session", VERIFY, JSON, field("token", "{access}")),
        ),
        row("blacklist", BLACKLIST, JSON, field("refresh", "{refresh}")),
        row("blacklist form", BLACKLIST, FORM, "refresh={refresh}"),
        after(Before::Blacklisted, row("blacklist twice", BLACKLIST, JSON, field("refresh", "{refresh}"))),
        row("blacklist an access token", BLACKLIST, JSON, field("refresh", "{access}")),
        row("blacklist expired", BLACKLIST, JSON, field("refresh", "{expired_refresh}")),
    ];
    // The same faults at each of the three.
    let names = [("refresh", REFRESH), ("token", VERIFY), ("refresh", BLACKLIST)];
    for (name, path) in names {
        for (id, body) in [
            ("garbage", field(name, "garbage")),
            ("three segments of garbage", field(name, "a.b.c")),
            ("altered", field(name, "{access}x")),
            ("missing", "{}".to_owned()),
            ("blank", field(name, "")),
            ("only spaces", field(name, "   ")),
            ("null", format!("{{\"{name}\":null}}")),
            ("a list", format!("{{\"{name}\":[\"x\"]}}")),
            ("an object", format!("{{\"{name}\":{{}}}}")),
            ("a number", format!("{{\"{name}\":1}}")),
            ("a bool", format!("{{\"{name}\":true}}")),
        ] {
            rows.push(row(id, path, JSON, body));
        }
        rows.push(row("another type", path, "text/plain", "x"));
        rows.push(row("no object", path, JSON, "[1]"));
    }
    rows
}

fn method_rows() -> Vec<Row> {
    let by = |id, method, path| Row {
        id,
        method,
        path,
        content_type: "",
        body: String::new(),
        before: Before::NoPair,
    };
    let mut rows = Vec::new();
    for path in [TOKEN, REFRESH, VERIFY, BLACKLIST, SLIDING, SLIDING_REFRESH] {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE] {
            rows.push(by("another method", method, path));
        }
    }
    rows.push(by("options obtain", Method::OPTIONS, TOKEN));
    rows.push(by("options refresh", Method::OPTIONS, REFRESH));
    rows.push(by("options verify", Method::OPTIONS, VERIFY));
    rows.push(by("options blacklist", Method::OPTIONS, BLACKLIST));
    rows.push(by("no slash", Method::POST, "/api/token"));
    rows.push(by("options sliding", Method::OPTIONS, SLIDING));
    rows.push(by("options sliding refresh", Method::OPTIONS, SLIDING_REFRESH));
    rows
}

/// simplejwt itself, in a process of its own.
struct Reference(Django);

impl Reference {
    /// `rotate` refresh tokens, or `keep` them.
    fn start(folder: &Path, rotation: &str) -> Self {
        Self(Django::run(folder, include_str!("oracle.py"), &[folder.to_str().unwrap(), rotation]))
    }

    async fn side(&self) -> Side {
        let (base, http) = (format!("http://{}", self.0.address), reqwest::Client::new());
        let expired = eventually("Django answers", || async {
            http.get(format!("{base}/for-the-test/expired/")).send().await.ok()?.json().await.ok()
        })
        .await;
        let crafted = http.get(format!("{base}/for-the-test/crafted/")).send().await.unwrap();
        Side { base, http, expired, crafted: crafted.json().await.unwrap() }
    }
}

/// Expired tokens come from a replica whose tokens live for a second.
async fn our_side(system: &System) -> Side {
    let folder = tempfile::tempdir().unwrap();
    let mut env = system.auth_env.clone();
    for name in ["AUTH__TOKENS__ACCESS_TTL", "AUTH__TOKENS__REFRESH_IDLE_TTL"] {
        env.insert(name.to_owned(), "1s".to_owned());
    }
    let short = Service::start("auth-service", folder.path(), &env).await;
    let http = reqwest::Client::new();
    let mut side =
        Side { base: format!("http://{}", short.http), http, expired: json!({}), crafted: json!({}) };
    let pair = side.login(USER).await;
    side.base = system.auth_url("");
    eventually("the tokens expire", || async {
        let access = side.post(VERIFY, &json!({"token": pair["access"]})).await;
        let refresh = side.post(VERIFY, &json!({"token": pair["refresh"]})).await;
        (access == 401 && refresh == 401).then_some(())
    })
    .await;
    side.expired = pair;
    side
}
