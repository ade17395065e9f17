use super::*;

fn parse(text: &str) -> Result<RedirectUri, &'static str> {
    RedirectUri::parse(text)
}

#[test]
fn web_applications_native_apps_and_this_machine_are_registered() {
    for good in [
        "https://app.example.com/callback",
        "https://app.example.com/callback?provider=signet",
        "https://app.example.com",
        "https://app.example.com/",
        "https://app.example.com:8443/callback",
        "https://xn--mnchen-3ya.example/cb",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:3000/callback",
        "http://[::1]:3000/callback",
        "http://localhost:8080/callback",
        "com.example.app:/callback",
        "com.example.app://login/callback",
    ] {
        assert_eq!(parse(good).map(|uri| uri.to_string()), Ok(good.to_owned()));
    }
}

#[test]
fn what_two_parsers_could_read_differently_is_not_registered() {
    let long = format!("https://app.example.com/{}", "a".repeat(2000));
    for bad in [
        "",
        "/callback",
        "//app.example.com/callback",
        "app.example.com/callback",
        "https://",
        "https:app.example.com/callback",
        "https:///app.example.com/callback",
        "https://user@app.example.com/callback",
        "https://user:password@app.example.com/callback",
        "https://app.example.com@evil.example/callback",
        "https://@app.example.com/callback",
        "https://app.example.com/callback#fragment",
        "https://app.example.com/callback#",
        "https://app.example.com/*",
        "https://*.example.com/callback",
        "https://APP.example.com/callback",
        "HTTPS://app.example.com/callback",
        "https://app.example.com:443/callback",
        "http://127.0.0.1:80/callback",
        "https://app.example.com/a/../callback",
        "https://app.example.com/./callback",
        "https://app.example.com/a/%2e%2e/callback",
        "https://app.example.com/a/%2E%2e",
        "https://app.example.com\\callback",
        "https:\\\\app.example.com/callback",
        "https://app.example.com/call back",
        "https://app.example.com/callback\n",
        "https://app.example.com/call\tback",
        " https://app.example.com/callback",
        "https://m\u{fc}nchen.example/cb",
        "https://app.example.com/\"><script>",
        "https://app.example.com:99999/callback",
        "http://app.example.com/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.2/callback",
        "http://127.1/callback",
        "http://0x7f.0.0.1/callback",
        "http://2130706433/callback",
        "http://localhost.evil.example/callback",
        "http://[::ffff:127.0.0.1]/callback",
        "http://0.0.0.0/callback",
        "javascript:alert(1)",
        "javascript://app.example.com/%0aalert(1)",
        "data:text/html,hello",
        "file:///etc/passwd",
        "vbscript:x",
        "blob:https://app.example.com/1",
        "about:blank",
        "myapp://callback",
        "com.example.app:callback",
        &long,
    ] {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_request_names_the_same_bytes() {
    let registered = parse("https://app.example.com/callback").unwrap();
    assert!(registered.matches("https://app.example.com/callback"));
    for other in [
        "https://app.example.com/callback/",
        "https://app.example.com/callback?",
        "https://app.example.com/callback?a=b",
        "https://app.example.com/callback#",
        "https://app.example.com/callback#x",
        "https://app.example.com/Callback",
        "https://app.example.com/call%62ack",
        "https://app.example.com:443/callback",
        "https://app.example.com:8443/callback",
        "https://APP.EXAMPLE.COM/callback",
        "HTTPS://app.example.com/callback",
        "http://app.example.com/callback",
        "https://app.example.com/../callback",
        "https://app.example.com/callback/..",
        "https://app.example.com/callback%00",
        "https://app.example.com.evil.example/callback",
        "https://app.example.com@evil.example/callback",
        "https://evil.example/https://app.example.com/callback",
        "https://evil.example\\@app.example.com/callback",
        "https://app.example.com\\.evil.example/callback",
        "//app.example.com/callback",
        " https://app.example.com/callback",
        "https://app.example.com/callback ",
        "https://app.example.com/callback\n",
        "javascript:alert(1)//https://app.example.com/callback",
        "",
    ] {
        assert!(!registered.matches(other), "{other:?}");
    }
}

#[test]
fn to_a_loopback_address_any_port_is_the_same_and_nothing_else() {
    let registered = parse("http://127.0.0.1/callback").unwrap();
    for same in
        ["http://127.0.0.1/callback", "http://127.0.0.1:49152/callback", "http://127.0.0.1:1/callback"]
    {
        assert!(registered.matches(same), "{same}");
    }
    for other in [
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:49152/other",
        "http://127.0.0.1:49152/callback/",
        "http://127.0.0.1:49152",
        "http://127.0.0.1:49152@evil.example/callback",
        "http://127.0.0.1:49152.evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.1evil.example/callback",
        "http://127.0.0.10/callback",
        "http://127.0.0.2:49152/callback",
        "http://localhost:49152/callback",
        "http://[::1]:49152/callback",
        "https://127.0.0.1:49152/callback",
        "http://user@127.0.0.1:49152/callback",
        "http://127.0.0.1:49152#/callback",
    ] {
        assert!(!registered.matches(other), "{other}");
    }
    let named = parse("http://localhost:8080/callback").unwrap();
    assert!(
        named.matches("http://localhost:8080/callback") && !named.matches("http://localhost:8081/callback")
    );
}
