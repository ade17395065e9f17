//! Tokens that are bound to a key (RFC 9449), from the proof at the token endpoint to the one at userinfo.

use std::sync::atomic::AtomicU64;

use auth_service::authority::grants::AuthorizationCodeGrant;
use auth_service::authority::tokens::ActiveToken;
use auth_service::error::OAuthFault;
use auth_service::sender_proof::UnverifiedProof;
use auth_service::tokens::DpopNonces;
use aws_lc_rs::digest;
use serde_json::json;
use shared_claims::ProofHeader;
use shared_claims::bearer::Scheme;
use shared_claims::public_keys::thumbprint;
use system_tests::certificates::Certificate;
use system_tests::hostile::Signer;

use super::device::{asks, decides, polls, tv};
use super::login::{Chrome, code, code_grant, web};
use super::*;

const TOKEN_URL: &str = "http://127.0.0.1:8080/oauth2/token";
const USERINFO_URL: &str = "http://127.0.0.1:8080/oauth2/userinfo";

const INVALID_PROOF: ErrorKind = ErrorKind::OAuth(OAuthFault::InvalidDpopProof);
const USE_NONCE: ErrorKind = ErrorKind::OAuth(OAuthFault::UseDpopNonce);

static PROOFS: AtomicU64 = AtomicU64::new(0);

/// Who holds a key.
struct KeyHolder(Signer);

impl KeyHolder {
    fn new() -> Self {
        Self(Signer::es256())
    }

    fn jwk(&self) -> Value {
        let jwk = self.0.jwk();
        json!({"kty": "EC", "crv": "P-256", "x": jwk["x"], "y": jwk["y"]})
    }

    fn jkt(&self) -> String {
        let jwk = self.jwk();
        // The members in their order (RFC 7638 section 3.3).
        thumbprint(&json!({"crv": jwk["crv"], "kty": jwk["kty"], "x": jwk["x"], "y": jwk["y"]}).to_string())
    }

    /// With other claims than those of a good proof for the token endpoint.
    fn proof(&self, at: &InProcess, change: Value) -> String {
        let iat = at.authority.now().seconds();
        let jti = format!("proof-{}", PROOFS.fetch_add(1, Ordering::Relaxed));
        let mut claims = json!({"jti": jti, "htm": "POST", "htu": TOKEN_URL, "iat": iat});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()});
        self.0.token(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// Shows a good proof at the token endpoint.
    fn shows(&self, at: &InProcess) -> SenderProof {
        sent(&[&self.proof(at, json!({}))])
    }

    /// With an access token at userinfo.
    fn presents(&self, at: &InProcess, token: &str, change: Value) -> PresentedToken {
        let ath = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()));
        let mut claims = json!({"htm": "GET", "htu": USERINFO_URL, "ath": ath});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let sender = sent_to("GET", "/oauth2/userinfo", &[&self.proof(at, claims)]);
        PresentedToken { unverified_token: token.to_owned(), scheme: Scheme::Dpop, sender }
    }
}

/// These headers at the token endpoint.
fn sent(proofs: &[&str]) -> SenderProof {
    sent_to("POST", "/oauth2/token", proofs)
}

fn sent_to(method: &str, path: &str, proofs: &[&str]) -> SenderProof {
    let header = ProofHeader::of(proofs.iter().copied()).into_owned();
    let proof = UnverifiedProof { header, method: method.to_owned(), path: path.to_owned() };
    SenderProof { unverified_proof: Some(Arc::new(proof)), certificate: None }
}

fn with(sender: SenderProof) -> RequestContext {
    RequestContext { sender, ..context() }
}

fn client_token(
    at: &InProcess,
    client: &Arc<Client>,
    sender: SenderProof,
) -> Result<IssuedTokens, ErrorKind> {
    let (scope, audience) = (None, None);
    at.grant(client, Grant::ClientCredentials(ClientCredentialsGrant { scope, audience, sender }))
}

fn refresh(
    at: &InProcess,
    client: &Arc<Client>,
    token: &str,
    sender: SenderProof,
) -> Result<IssuedTokens, ErrorKind> {
    let unverified_token = token.to_owned();
    at.grant(
        client,
        Grant::RefreshToken(RefreshGrant { unverified_token, scope: None, context: with(sender) }),
    )
}

fn public(new: &mut NewClient) {
    web(new);
    new.method = ClientMethod::None;
}

fn jkt_of(token: &str) -> Value {
    claims(token)["cnf"]["jkt"].clone()
}

fn logged_in(at: &InProcess, client: &str, more: &[(&str, &str)]) -> String {
    let mut pairs = vec![("client_id", client), ("scope", "openid offline_access")];
    pairs.extend(more);
    code(&Chrome::new(at).log_in("alice", &pairs)).to_owned()
}

fn redeem(
    at: &InProcess,
    client: &Arc<Client>,
    code: &str,
    sender: SenderProof,
) -> Result<IssuedTokens, ErrorKind> {
    let grant = AuthorizationCodeGrant { context: with(sender), ..code_grant(code) };
    at.grant(client, Grant::AuthorizationCode(Box::new(grant)))
}

#[test]
fn each_grant_binds_the_access_token_to_the_key_of_its_proof() {
    let at = InProcess::new();
    let key = KeyHolder::new();
    at.user("alice");
    let (billing, web, tv) = (at.client("billing"), at.client_like("web", web), tv(&at));
    let issued = client_token(&at, &billing, key.shows(&at)).unwrap();
    assert_eq!((issued.token_type(), jkt_of(&issued.access_token)), ("DPoP", key.jkt().into()));
    let unbound = client_token(&at, &billing, SenderProof::default()).unwrap();
    assert_eq!((unbound.token_type(), jkt_of(&unbound.access_token)), ("Bearer", Value::Null));

    let Grant::Password(mut grant) = password_grant("alice", PASSWORD) else { panic!() };
    grant.context = with(key.shows(&at));
    let pair = at.grant(&billing, Grant::Password(grant)).unwrap();
    let code = logged_in(&at, "web", &[]);
    let by_code = redeem(&at, &web, &code, key.shows(&at)).unwrap();
    let codes = asks(&at, &tv, None).unwrap();
    decides(&mut Chrome::new(&at), &codes, true);
    let device_code = codes.device_code.clone();
    let by_device = Grant::DeviceCode { device_code, context: with(key.shows(&at)) };
    let by_device = at.grant(&tv, by_device).unwrap();
    for (issued, client) in [(pair, &billing), (by_code, &web), (by_device, &tv)] {
        assert_eq!((issued.token_type(), jkt_of(&issued.access_token)), ("DPoP", key.jkt().into()));
        let refresh_token = issued.refresh_token.unwrap();
        assert!(claims(&refresh_token).get("cnf").is_none(), "a client that proves itself needs no more");
        // Another key, and none.
        let other = KeyHolder::new();
        let next = refresh(&at, client, &refresh_token, other.shows(&at)).unwrap();
        assert_eq!(jkt_of(&next.access_token), other.jkt());
        let next = refresh(&at, client, &next.refresh_token.unwrap(), SenderProof::default()).unwrap();
        assert_eq!(jkt_of(&next.access_token), Value::Null);
    }
    let polled = polls(&at, &tv, &codes);
    assert!(polled.is_err(), "a device code is good once");
}

#[test]
fn the_refresh_tokens_of_a_public_client_are_bound_as_well() {
    let at = InProcess::new();
    at.user("alice");
    let app = at.try_client("app", public).map_err(|error| error.cause).unwrap().0;
    let (key, thief) = (KeyHolder::new(), KeyHolder::new());
    let issued = redeem(&at, &app, &logged_in(&at, "app", &[]), key.shows(&at)).unwrap();
    let mut refresh_token = issued.refresh_token.unwrap();
    for round in 0..3 {
        assert_eq!(jkt_of(&refresh_token), key.jkt(), "{round}");
        let refused = refresh(&at, &app, &refresh_token, SenderProof::default());
        assert_eq!(refused.map(drop), Err(INVALID_PROOF), "{round}: none");
        let refused = refresh(&at, &app, &refresh_token, thief.shows(&at)).map(drop);
        assert!(
            matches!(refused, Err(ErrorKind::OAuth(OAuthFault::InvalidGrant(_)))),
            "{round}: {refused:?}"
        );
        // Neither has spent it, or ended the session. A retry gets the same successor.
        let next = refresh(&at, &app, &refresh_token, key.shows(&at)).unwrap();
        let again = refresh(&at, &app, &refresh_token, key.shows(&at)).unwrap();
        assert_eq!(next.refresh_token, again.refresh_token);
        assert_eq!((next.token_type(), jkt_of(&next.access_token)), ("DPoP", key.jkt().into()));
        refresh_token = next.refresh_token.unwrap();
    }
    // A narrower scope takes another way.
    let narrowed = |sender| {
        let unverified_token = refresh_token.clone();
        let scope = Some("openid".to_owned());
        at.grant(&app, Grant::RefreshToken(RefreshGrant { unverified_token, scope, context: with(sender) }))
    };
    assert_eq!(narrowed(SenderProof::default()).map(drop), Err(INVALID_PROOF));
    let issued = narrowed(key.shows(&at)).unwrap();
    assert_eq!(jkt_of(issued.refresh_token.as_deref().unwrap()), key.jkt());
    assert_eq!(jkt_of(&issued.access_token), key.jkt());

    let unbound = redeem(&at, &app, &logged_in(&at, "app", &[]), SenderProof::default()).unwrap();
    let unbound = unbound.refresh_token.unwrap();
    assert!(claims(&unbound).get("cnf").is_none());
    let next = refresh(&at, &app, &unbound, key.shows(&at)).unwrap();
    assert_eq!(jkt_of(&next.access_token), key.jkt());
    let bound = next.refresh_token.unwrap();
    assert_eq!(jkt_of(&bound), key.jkt(), "from its first proof on");
    assert_eq!(refresh(&at, &app, &bound, SenderProof::default()).map(drop), Err(INVALID_PROOF));
}

/// Of a guess at a password nothing is remembered.
#[test]
fn a_proof_is_spent_when_all_else_holds() {
    let at = InProcess::new();
    at.user("alice");
    let (client, key) = (at.client("billing"), KeyHolder::new());
    let proof = key.proof(&at, json!({}));
    let with_password = |password| {
        let Grant::Password(mut grant) = password_grant("alice", password) else { panic!() };
        grant.context = with(sent(&[&proof]));
        at.grant(&client, Grant::Password(grant)).map(drop)
    };
    assert!(with_password("wrong").is_err());
    assert_eq!(with_password(PASSWORD), Ok(()));
    assert_eq!(with_password(PASSWORD), Err(INVALID_PROOF), "the second time");
}

/// What is wrong with a proof, and its claims.
fn wrong_proofs(now: u64) -> Vec<(&'static str, Value)> {
    vec![
        ("another method", json!({"htm": "GET"})),
        ("the method in another case", json!({"htm": "post"})),
        ("another endpoint", json!({"htu": "http://127.0.0.1:8080/oauth2/introspect"})),
        ("another host", json!({"htu": "http://localhost:8080/oauth2/token"})),
        ("another port", json!({"htu": "http://127.0.0.1/oauth2/token"})),
        ("another scheme", json!({"htu": "https://127.0.0.1:8080/oauth2/token"})),
        ("the path in another case", json!({"htu": "http://127.0.0.1:8080/OAuth2/token"})),
        ("no URL", json!({"htu": "/oauth2/token"})),
        ("too old", json!({"iat": now - 71})),
        ("an hour old", json!({"iat": now - 3600})),
        ("in the future", json!({"iat": now + 11})),
        ("expired", json!({"exp": now - 10})),
        ("not valid yet", json!({"nbf": now + 11})),
        ("no method", json!({"htm": null})),
        ("no URL at all", json!({"htu": null})),
        ("no time", json!({"iat": null})),
        ("no ID", json!({"jti": null})),
        ("a time that is text", json!({"iat": now.to_string()})),
        ("a nonce that is no text", json!({"nonce": 1})),
    ]
}

#[test]
fn a_proof_at_the_token_endpoint_is_for_it_now_and_once() {
    let at = InProcess::new();
    let (client, key) = (at.client("billing"), KeyHolder::new());
    let now = at.authority.now().seconds();
    let outcome = |sender| client_token(&at, &client, sender).map(drop);
    for (what, claims) in wrong_proofs(now) {
        assert_eq!(outcome(sent(&[&key.proof(&at, claims)])), Err(INVALID_PROOF), "{what}");
    }
    let good = key.proof(&at, json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let stranger = KeyHolder::new().proof(&at, json!({}));
    let spoiled = format!("{signed}.{}", stranger.rsplit_once('.').unwrap().1);
    for (what, headers) in [
        ("empty", vec![""]),
        ("no proof", vec!["x"]),
        ("unsigned", vec![signed]),
        ("the signature of another", vec![spoiled.as_str()]),
        ("two", vec![good.as_str(), good.as_str()]),
        ("two of two holders", vec![good.as_str(), stranger.as_str()]),
        ("an access token", vec![at.client_token(&client).as_str()]),
    ]
    .map(|(what, headers)| (what, headers.into_iter().map(str::to_owned).collect::<Vec<_>>()))
    {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        assert_eq!(outcome(sent(&headers)), Err(INVALID_PROOF), "{what}");
    }
    assert!(!signature.is_empty());
    assert_eq!(outcome(sent(&[&good])), Ok(()), "none of these has spent it");
    assert_eq!(outcome(sent(&[&good])), Err(INVALID_PROOF), "the second time");
    for edge in [json!({"iat": now - 70}), json!({"iat": now + 10}), json!({"exp": now - 9})] {
        assert_eq!(outcome(sent(&[&key.proof(&at, edge.clone())])), Ok(()), "{edge}");
    }
    for same in ["HTTP://127.0.0.1:8080/oauth2/token", "http://127.0.0.1:8080/oauth2/token?x=1#y"] {
        assert_eq!(outcome(sent(&[&key.proof(&at, json!({"htu": same}))])), Ok(()), "{same}");
    }
}

/// With clocks that differ by 10 s either way, a proof is remembered for as long as it is accepted.
#[test]
fn a_proof_is_known_again_for_as_long_as_it_could_be_accepted() {
    let at = InProcess::new();
    let (client, key) = (at.client("billing"), KeyHolder::new());
    let ahead = at.authority.now().seconds() + 10;
    let proof = key.proof(&at, json!({"iat": ahead}));
    assert_eq!(client_token(&at, &client, sent(&[&proof])).map(drop), Ok(()));
    for second in 0..=90 {
        assert_eq!(client_token(&at, &client, sent(&[&proof])).map(drop), Err(INVALID_PROOF), "{second}");
        at.clock.advance(Duration::from_secs(1));
    }
}

#[test]
fn where_a_nonce_is_required_a_proof_names_one_of_this_moment() {
    let at = InProcess::with(|settings| settings.dpop.require_nonce = true);
    let (client, key) = (at.client("billing"), KeyHolder::new());
    let outcome = |claims| client_token(&at, &client, sent(&[&key.proof(&at, claims)])).map(drop);
    assert_eq!(outcome(json!({})), Err(USE_NONCE));
    let foreign = DpopNonces::new(&[7; 32]).current(at.authority.now().seconds());
    for wrong in ["x", foreign.as_str()] {
        assert_eq!(outcome(json!({"nonce": wrong})), Err(USE_NONCE), "{wrong:?}");
    }
    let nonce = at.authority.dpop_nonce().unwrap();
    assert_eq!(outcome(json!({"nonce": nonce})), Ok(()));
    at.clock.advance(Duration::from_secs(120));
    assert_eq!(outcome(json!({"nonce": nonce})), Ok(()), "of the period before");
    at.clock.advance(Duration::from_secs(120));
    assert_eq!(outcome(json!({"nonce": nonce})), Err(USE_NONCE));
    assert_eq!(outcome(json!({"nonce": at.authority.dpop_nonce().unwrap()})), Ok(()));
    assert_eq!(
        client_token(&at, &client, SenderProof::default()).map(drop),
        Ok(()),
        "without a proof there is none"
    );
    assert_eq!(InProcess::new().authority.dpop_nonce(), None);
}

#[test]
fn a_code_that_was_asked_for_with_a_key_is_redeemed_with_it_alone() {
    let at = InProcess::new();
    at.user("alice");
    let web = at.client_like("web", web);
    let (key, thief) = (KeyHolder::new(), KeyHolder::new());
    let code = logged_in(&at, "web", &[("dpop_jkt", &key.jkt())]);
    let refused = redeem(&at, &web, &code, thief.shows(&at)).map(drop);
    assert!(matches!(refused, Err(ErrorKind::OAuth(OAuthFault::InvalidGrant(_)))), "{refused:?}");
    assert_eq!(redeem(&at, &web, &code, SenderProof::default()).map(drop), Err(INVALID_PROOF));
    let issued = redeem(&at, &web, &code, key.shows(&at)).unwrap();
    assert_eq!(jkt_of(&issued.access_token), key.jkt(), "neither has spent it");
}

#[test]
fn the_tokens_of_a_client_may_have_to_be_bound() {
    let at = InProcess::new();
    let bound_by = |id: &str, binding| at.client_like(id, |new| new.token_binding = binding);
    let (by_key, by_certificate) =
        (bound_by("by-key", TokenBinding::Dpop), bound_by("by-certificate", TokenBinding::Certificate));
    let key = KeyHolder::new();
    let certificate = Certificate::self_signed("billing");
    let with_certificate = |sender| SenderProof { certificate: Some(certificate.shown()), ..sender };
    let nothing = SenderProof::default;
    assert_eq!(client_token(&at, &by_key, nothing()).map(drop), Err(INVALID_PROOF));
    assert_eq!(client_token(&at, &by_key, with_certificate(nothing())).map(drop), Err(INVALID_PROOF));
    assert_eq!(client_token(&at, &by_key, key.shows(&at)).unwrap().token_type(), "DPoP");
    for sender in [nothing(), key.shows(&at), with_certificate(key.shows(&at))] {
        let refused = client_token(&at, &by_certificate, sender).map(drop);
        assert!(matches!(refused, Err(ErrorKind::InvalidRequest(_))), "{refused:?}");
    }
    let issued = client_token(&at, &by_certificate, with_certificate(nothing())).unwrap();
    assert_eq!(issued.token_type(), "Bearer", "RFC 8705 section 3");
    assert_eq!(claims(&issued.access_token)["cnf"], json!({"x5t#S256": certificate.thumbprint()}));
    let unbound = client_token(&at, &at.client("billing"), with_certificate(nothing())).unwrap();
    assert_eq!(claims(&unbound.access_token).get("cnf"), None, "a certificate alone binds nothing");
}

/// To its certificate, as to a key.
#[test]
fn the_tokens_of_a_public_client_may_be_bound_to_its_certificate() {
    let at = InProcess::new();
    at.user("alice");
    let bound = |new: &mut NewClient| {
        public(new);
        new.token_binding = TokenBinding::Certificate;
    };
    let app = at.try_client("app", bound).map_err(|error| error.cause).unwrap().0;
    let (own, others) = (Certificate::self_signed("app"), Certificate::self_signed("app"));
    let shows = |certificate: &Certificate| SenderProof {
        certificate: Some(certificate.shown()),
        ..Default::default()
    };
    let issued = redeem(&at, &app, &logged_in(&at, "app", &[]), shows(&own)).unwrap();
    let refresh_token = issued.refresh_token.unwrap();
    assert_eq!(claims(&refresh_token)["cnf"], json!({"x5t#S256": own.thumbprint()}));
    let refused = refresh(&at, &app, &refresh_token, shows(&others)).map(drop);
    assert!(matches!(refused, Err(ErrorKind::OAuth(OAuthFault::InvalidGrant(_)))), "{refused:?}");
    let refused = refresh(&at, &app, &refresh_token, SenderProof::default()).map(drop);
    assert!(matches!(refused, Err(ErrorKind::InvalidRequest(_))), "{refused:?}");
    let next = refresh(&at, &app, &refresh_token, shows(&own)).unwrap();
    let told = |sender: SenderProof| {
        let unverified_token = next.access_token.clone();
        let presented = PresentedToken { unverified_token, scheme: Scheme::Bearer, sender };
        at.authority.userinfo(&presented).map(drop).map_err(|error| error.kind)
    };
    assert_eq!(told(shows(&own)), Ok(()));
    assert_eq!(told(shows(&others)), Err(INVALID));
    assert_eq!(told(SenderProof::default()), Err(INVALID));
}

#[test]
fn a_bound_token_is_good_at_userinfo_with_a_proof_for_it_alone() {
    let at = InProcess::new();
    at.user("alice");
    let web = at.client_like("web", web);
    let (key, thief) = (KeyHolder::new(), KeyHolder::new());
    let bound = redeem(&at, &web, &logged_in(&at, "web", &[]), key.shows(&at)).unwrap().access_token;
    let borne = redeem(&at, &web, &logged_in(&at, "web", &[]), SenderProof::default()).unwrap().access_token;
    let told = |presented: &PresentedToken| {
        at.authority.userinfo(presented).map(|claims| claims.len()).map_err(|error| error.kind)
    };
    assert_eq!(told(&key.presents(&at, &bound, json!({}))), Ok(1));
    let once = key.presents(&at, &bound, json!({}));
    assert_eq!((told(&once), told(&once)), (Ok(1), Err(INVALID_PROOF)), "used again");
    assert_eq!(told(&PresentedToken::borne(bound.clone())), Err(INVALID), "alone");
    assert_eq!(told(&thief.presents(&at, &bound, json!({}))), Err(INVALID), "with another key");
    assert_eq!(told(&key.presents(&at, &borne, json!({}))), Err(INVALID), "one that is bound to nothing");
    assert_eq!(told(&PresentedToken::borne(borne.clone())), Ok(1));
    for (what, change) in wrong_proofs(at.authority.now().seconds()) {
        let change = match change.get("htm") {
            Some(method) if method == "GET" => json!({"htm": "POST"}),
            _ => change,
        };
        assert_eq!(told(&key.presents(&at, &bound, change)), Err(INVALID_PROOF), "{what}");
    }
    let ath = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, borne.as_bytes()));
    for wrong in [json!({"ath": ath}), json!({"ath": null}), json!({"ath": "x"})] {
        assert_eq!(told(&key.presents(&at, &bound, wrong.clone())), Err(INVALID_PROOF), "{wrong}");
    }
    // A client that asks what a token is learns what its holder has to show.
    let Introspection::Active(token) =
        at.authority.introspect(&web, &bound).unwrap().complete(&at.authority).unwrap()
    else {
        panic!("it is active")
    };
    let ActiveToken { token_type, cnf, .. } = *token;
    assert_eq!((token_type, json!(cnf)), ("DPoP", json!({"jkt": key.jkt()})));
    assert_eq!(at.verify(&bound), Err(INVALID), "where nothing can be shown with it");
}
