//! Workloads, which prove themselves by the token that their platform gave them: in the formats of Kubernetes, GitHub and SPIFFE.

use std::collections::BTreeMap;

use auth_service::authority::Authentication;
use auth_service::clients::{
    AssertionFault, ClientAuthentication, ClientChange, ClientMethod, IssuerKeys, KeyLocation, StoredKeys,
    SubjectPattern, TrustedIssuer, Workload,
};
use auth_service::clock::Clock;
use auth_service::error::{AdminFault, ErrorKind};
use auth_service::secret::PlainSecret;
use serde_json::{Value, json};

use super::InProcess;
use super::client_keys::{Key, jwks, merged, proved};

const ISSUER: &str = "http://127.0.0.1:8080";
const CLUSTER: &str = "https://kubernetes.default.svc.cluster.local";
const GITHUB: &str = "https://token.actions.githubusercontent.com";
const DOMAIN: &str = "spiffe://example.org";

/// A platform with a client that its tokens prove.
struct Platform {
    signet: InProcess,
    key: Key,
    client: &'static str,
    token: fn(u64) -> Value,
}

impl Platform {
    fn new(client: &'static str, workload: Workload, token: fn(u64) -> Value) -> Self {
        let (signet, key) = (InProcess::new(), Key::new("platform"));
        let keys = bundle_or_set(&workload.issuer, &key);
        let trusted = TrustedIssuer { issuer: workload.issuer.clone(), keys, audience: None };
        signet.authority.create_trusted_issuer(&trusted).map_err(|error| error.cause).unwrap();
        signet.client_by(client, ClientMethod::Workload(workload));
        Self { signet, key, client, token }
    }

    /// What becomes of its token with changes; `null` takes a claim out.
    fn with(&self, change: &Value) -> Result<(), String> {
        let claims = merged((self.token)(self.signet.clock.now().seconds()), change);
        self.proves(&self.key, &claims)
    }

    fn proves(&self, key: &Key, claims: &Value) -> Result<(), String> {
        let header = json!({"alg": "EdDSA", "kid": key.kid, "typ": "JWT"});
        proved(&self.signet, self.client, &key.sign(&header, &claims.to_string()))
    }

    fn refuses(&self, changes: &[(Value, AssertionFault)]) {
        for (change, fault) in changes {
            assert_eq!(self.with(change), Err(fault.to_string()), "{change}");
        }
        assert_eq!(self.with(&json!({})), Ok(()), "a control");
    }
}

fn bundle_or_set(issuer: &str, key: &Key) -> IssuerKeys {
    let text = if issuer == DOMAIN { jwks(&[key]).replace("\"sig\"", "\"jwt-svid\"") } else { jwks(&[key]) };
    IssuerKeys::Stored(StoredKeys::parse_of_issuer(text, issuer).unwrap())
}

fn workload(issuer: &str, subject: &str, claims: &[(&str, &str)]) -> Workload {
    let claims: BTreeMap<String, String> =
        claims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Workload { issuer: issuer.to_owned(), subject: SubjectPattern::parse(subject).unwrap(), claims }
}

fn kubernetes() -> Platform {
    let claims = [("kubernetes.io/namespace", "prod"), ("kubernetes.io/serviceaccount/uid", "5c1e")];
    let billing = workload(CLUSTER, "system:serviceaccount:prod:billing", &claims);
    Platform::new("billing", billing, |now| {
        json!({
            "aud": [ISSUER], "exp": now + 3600, "iat": now, "nbf": now, "iss": CLUSTER, "jti": "8d0c", "sub": "system:serviceaccount:prod:billing",
            "kubernetes.io": {"namespace": "prod", "node": {"name": "n1", "uid": "77"}, "pod": {"name": "billing-0", "uid": "b1"},
                "serviceaccount": {"name": "billing", "uid": "5c1e"}},
        })
    })
}

fn github() -> Platform {
    let deploy = workload(
        GITHUB,
        "repo:octo/app:*",
        &[("repository_owner_id", "1342"), ("environment", "production")],
    );
    Platform::new("deploy", deploy, |now| {
        json!({
            "iss": GITHUB, "aud": ISSUER, "exp": now + 300, "iat": now, "nbf": now - 300, "jti": "f0", "sub": "repo:octo/app:environment:production",
            "repository": "octo/app", "repository_owner_id": "1342", "environment": "production", "run_attempt": 1,
        })
    })
}

fn spiffe() -> Platform {
    let payments = workload(DOMAIN, "spiffe://example.org/ns/prod/sa/payments", &[]);
    Platform::new(
        "payments",
        payments,
        |now| json!({"aud": [ISSUER], "exp": now + 300, "iat": now, "sub": "spiffe://example.org/ns/prod/sa/payments"}),
    )
}

#[test]
fn a_projected_token_of_a_cluster_proves_its_service_account_alone() {
    let other_namespace = json!({"kubernetes.io": {"namespace": "dev", "serviceaccount": {"uid": "5c1e"}}});
    kubernetes().refuses(&[
        (json!({"sub": "system:serviceaccount:prod:billing-debug"}), AssertionFault::Subject),
        (json!({"sub": "system:serviceaccount:dev:billing"}), AssertionFault::Subject),
        (json!({"sub": "system:serviceaccount:prod:Billing"}), AssertionFault::Subject),
        (json!({"iss": "https://kubernetes.default.svc"}), AssertionFault::Issuer),
        (json!({"iss": format!("{CLUSTER}/")}), AssertionFault::Issuer),
        (json!({"iss": null}), AssertionFault::Issuer),
        // What every pod has, for the API server.
        (json!({"aud": [CLUSTER]}), AssertionFault::Audience),
        (json!({"aud": [CLUSTER, ISSUER]}), AssertionFault::Audience),
        (json!({"aud": []}), AssertionFault::Audience),
        (json!({"aud": null}), AssertionFault::Claim("aud")),
        (other_namespace, AssertionFault::WorkloadClaim("kubernetes.io/namespace".to_owned())),
        // The account was deleted and made again by someone else.
        (
            json!({"kubernetes.io": {"namespace": "prod", "serviceaccount": {"uid": "6d2f"}}}),
            AssertionFault::WorkloadClaim("kubernetes.io/serviceaccount/uid".to_owned()),
        ),
        (json!({"kubernetes.io": null}), AssertionFault::WorkloadClaim("kubernetes.io/namespace".to_owned())),
        (
            json!({"kubernetes.io": "prod"}),
            AssertionFault::WorkloadClaim("kubernetes.io/namespace".to_owned()),
        ),
    ]);
}

#[test]
fn a_token_of_a_workflow_proves_its_repository_and_what_else_is_asked() {
    let claim = |name: &str| AssertionFault::WorkloadClaim(name.to_owned());
    github().refuses(&[
        (json!({"sub": "repo:octo/app-evil:environment:production"}), AssertionFault::Subject),
        (json!({"sub": "repo:octo/app:"}), AssertionFault::Subject),
        (json!({"sub": "repo:evil/app:environment:production"}), AssertionFault::Subject),
        (json!({"repository_owner_id": "1343"}), claim("repository_owner_id")),
        (json!({"repository_owner_id": null}), claim("repository_owner_id")),
        (json!({"repository_owner_id": ["1342"]}), claim("repository_owner_id")),
        (json!({"environment": "staging"}), claim("environment")),
        (json!({"aud": "https://github.com/octo"}), AssertionFault::Audience),
    ]);
}

#[test]
fn an_svid_proves_its_path_in_the_trust_domain_without_an_iss() {
    let platform = spiffe();
    assert_eq!(platform.with(&json!({"iss": "https://oidc.example.org"})), Ok(()), "which says nothing");
    platform.refuses(&[
        (json!({"sub": "spiffe://example.org.evil.test/ns/prod/sa/payments"}), AssertionFault::Issuer),
        (json!({"sub": "spiffe://example.com/ns/prod/sa/payments"}), AssertionFault::Issuer),
        (json!({"sub": "spiffe://example.org"}), AssertionFault::Issuer),
        (json!({"sub": "spiffe://example.org/ns/prod/sa/payments/x"}), AssertionFault::Subject),
        (json!({"sub": "spiffe://example.org/ns/dev/sa/payments"}), AssertionFault::Subject),
        (json!({"sub": null}), AssertionFault::Claim("sub")),
    ]);
}

#[test]
fn a_token_of_a_platform_is_good_until_it_expires_and_not_for_longer_than_a_day() {
    for platform in [kubernetes(), github(), spiffe()] {
        let now = platform.signet.clock.now().seconds();
        platform.refuses(&[
            (json!({"exp": now - 10}), AssertionFault::Expired),
            (json!({"exp": null}), AssertionFault::Claim("exp")),
            (json!({"exp": now + 86_411}), AssertionFault::LivesTooLong),
            (json!({"nbf": now + 11}), AssertionFault::NotYetValid),
            (json!({"iat": now + 11}), AssertionFault::NotYetValid),
        ]);
        for _ in 0..3 {
            assert_eq!(
                platform.with(&json!({"exp": now + 86_410})),
                Ok(()),
                "the platform gives the same one again"
            );
        }
        let other = Key::new("platform");
        let claims = (platform.token)(now);
        assert!(
            platform.proves(&other, &claims).unwrap_err().contains("signature"),
            "another platform's key"
        );
        let unknown = Key::new("unknown");
        assert_eq!(platform.proves(&unknown, &claims), Err(AssertionFault::UnknownKey.to_string()));
    }
}

#[test]
fn the_token_of_one_platform_proves_no_client_of_another() {
    let (cluster, github) = (kubernetes(), github());
    let now = cluster.signet.clock.now().seconds();
    // The same key at both, as if one had taken the other over.
    let keys = bundle_or_set(GITHUB, &cluster.key);
    let trusted = TrustedIssuer { issuer: GITHUB.to_owned(), keys, audience: None };
    cluster.signet.authority.create_trusted_issuer(&trusted).unwrap();
    cluster.signet.see_changes();
    assert_eq!(cluster.with(&json!({"iss": GITHUB})), Err(AssertionFault::Issuer.to_string()));
    let of_github = (github.token)(now);
    assert_eq!(cluster.proves(&cluster.key, &of_github), Err(AssertionFault::Issuer.to_string()));
}

#[test]
fn an_issuer_is_trusted_until_it_is_deleted_and_not_deleted_while_it_is_used() {
    let platform = github();
    let signet = &platform.signet;
    let kind = |outcome: Result<(), auth_service::error::Error>| outcome.map_err(|error| error.kind);
    assert_eq!(
        kind(signet.authority.delete_trusted_issuer(GITHUB)),
        Err(ErrorKind::Admin(AdminFault::InUse))
    );
    let next = Key::new("next");
    let audience = Some("https://auth.example".to_owned());
    let changed = TrustedIssuer { issuer: GITHUB.to_owned(), keys: bundle_or_set(GITHUB, &next), audience };
    signet.authority.update_trusted_issuer(&changed).unwrap();
    signet.see_changes();
    assert_eq!(
        platform.with(&json!({})),
        Err(AssertionFault::UnknownKey.to_string()),
        "its keys were replaced"
    );
    let claims = (platform.token)(signet.clock.now().seconds());
    assert_eq!(platform.proves(&next, &claims), Err(AssertionFault::Audience.to_string()));
    let for_us = merged(claims.clone(), &json!({"aud": "https://auth.example"}));
    assert_eq!(platform.proves(&next, &for_us), Ok(()));
    // The client gets a key of its own, and the issuer can go.
    let method = ClientMethod::PrivateKeyJwt(super::client_keys::stored(&[&next]));
    let change = ClientChange { method: Some(method), ..ClientChange::default() };
    let client =
        signet.authority.clients.enabled(&auth_service::clients::ClientId::parse("deploy").unwrap()).unwrap();
    signet.authority.update_client(&client.id, change).unwrap();
    signet.see_changes();
    assert_eq!(
        platform.proves(&next, &for_us),
        Err(AssertionFault::Issuer.to_string()),
        "it proves nothing any more"
    );
    assert_eq!(kind(signet.authority.delete_trusted_issuer(GITHUB)), Ok(()));
    assert_eq!(
        kind(signet.authority.delete_trusted_issuer(GITHUB)),
        Err(ErrorKind::Admin(AdminFault::NotFound))
    );
    let entries = signet.authority.audit_entries(0).unwrap();
    for action in ["trusted_issuer.created", "trusted_issuer.updated", "trusted_issuer.deleted"] {
        assert!(entries.iter().any(|entry| entry.action == action), "{action}");
    }
    let orphan =
        signet.try_client_by("orphan", ClientMethod::Workload(workload(GITHUB, "repo:octo/app:*", &[])));
    assert_eq!(orphan.unwrap_err().kind, ErrorKind::Admin(AdminFault::NotFound));
}

#[test]
fn an_issuer_that_could_speak_for_others_is_not_trusted() {
    let signet = InProcess::new();
    let key = Key::new("a");
    let at = |url: &str| IssuerKeys::At(url.to_owned());
    for (issuer, keys) in [
        // Any user's token would prove a workload.
        (ISSUER, bundle_or_set(ISSUER, &key)),
        ("", bundle_or_set(GITHUB, &key)),
        ("https://two words.example", bundle_or_set(GITHUB, &key)),
        (DOMAIN, IssuerKeys::Discovered),
        ("http://clear.example", IssuerKeys::Discovered),
        ("kubernetes/serviceaccount", IssuerKeys::Discovered),
        (GITHUB, at("http://keys.example/jwks")),
        (GITHUB, at("https://169.254.169.254/jwks")),
    ] {
        let trusted = TrustedIssuer { issuer: issuer.to_owned(), keys, audience: None };
        let refused = signet.authority.create_trusted_issuer(&trusted).unwrap_err();
        let expected = if issuer == ISSUER { AdminFault::Taken } else { AdminFault::Invalid };
        assert_eq!(refused.kind, ErrorKind::Admin(expected), "{issuer}");
    }
    let svid_keys = jwks(&[&key]);
    assert!(
        StoredKeys::parse_of_issuer(svid_keys, DOMAIN).is_err(),
        "keys that the bundle has for other uses"
    );
}

#[test]
fn the_keys_of_an_issuer_are_where_its_metadata_or_its_registration_says() {
    let signet = InProcess::new();
    let key = Key::new("a");
    let assertion = |client: &str| ClientAuthentication::Assertion {
        unverified_id: client.to_owned(),
        assertion: PlainSecret::new(key.sign(&json!({"alg": "EdDSA", "kid": "a"}), "{}")),
    };
    let table = [
        ("by-metadata", GITHUB, IssuerKeys::Discovered, KeyLocation::Discovery(GITHUB.to_owned())),
        (
            "by-url",
            CLUSTER,
            IssuerKeys::At("https://keys.example/jwks".to_owned()),
            KeyLocation::Jwks("https://keys.example/jwks".to_owned()),
        ),
        (
            "by-bundle",
            DOMAIN,
            IssuerKeys::At("https://keys.example/bundle".to_owned()),
            KeyLocation::SpiffeBundle("https://keys.example/bundle".to_owned()),
        ),
    ];
    for (client, issuer, keys, expected) in table {
        let trusted = TrustedIssuer { issuer: issuer.to_owned(), keys, audience: None };
        signet.authority.create_trusted_issuer(&trusted).unwrap();
        signet.client_by(client, ClientMethod::Workload(workload(issuer, "a:b:c", &[])));
        let outcome = signet.authority.authenticate_client(&assertion(client)).unwrap();
        let Authentication::NeedsKeys(location) = outcome else { panic!("{client}") };
        assert_eq!(location, expected);
    }
}
