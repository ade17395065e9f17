//! Config OP.

use system_tests::openid::{ISSUER, Provider};
use system_tests::{Database, on_both_databases};

on_both_databases! {
    oidcc_discovery_endpoint_verification
    oidcc_rp_initiated_logout_discovery_endpoint_verification
}

async fn oidcc_discovery_endpoint_verification(database: Database) {
    let provider = Provider::start(database).await;
    let _ = provider.client("first", &[]).await;
    let answer = provider.get("/.well-known/openid-configuration").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("application/json"));
    let metadata = answer.json();
    assert_eq!(metadata["issuer"], ISSUER);
    let list = |name: &str| -> Vec<String> {
        let values = metadata[name].as_array().unwrap_or_else(|| panic!("no {name}"));
        values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list("response_types_supported"), ["code"]);
    assert_eq!(list("subject_types_supported"), ["public"]);
    assert!(list("id_token_signing_alg_values_supported").contains(&"RS256".to_owned()));
    assert!(list("scopes_supported").contains(&"openid".to_owned()));
    assert!(!list("claims_supported").is_empty());
    assert_eq!(list("code_challenge_methods_supported"), ["S256"]);
    assert!(list("ui_locales_supported").iter().all(|tag| tag.len() == 2));
    for endpoint in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
        assert!(metadata[endpoint].as_str().unwrap().starts_with("https://"), "{endpoint}");
    }
    let keys = provider.get("/.well-known/jwks.json").await.json();
    let keys = keys["keys"].as_array().unwrap();
    let mut kids: Vec<&str> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    kids.sort_unstable();
    kids.dedup();
    assert_eq!(kids.len(), keys.len(), "each key has its own kid");
    assert!(keys.iter().all(|key| ["d", "p", "q", "k"].iter().all(|private| key.get(private).is_none())));
    assert!(
        keys.iter().any(|key| key["alg"] == "RS256"),
        "there with the first client at which users log in"
    );
}

async fn oidcc_rp_initiated_logout_discovery_endpoint_verification(database: Database) {
    let provider = Provider::start(database).await;
    let metadata = provider.get("/.well-known/openid-configuration").await.json();
    assert_eq!(metadata["end_session_endpoint"], format!("{ISSUER}/oauth2/logout"));
}
