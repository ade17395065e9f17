//! Tokens that are bound to a key or a certificate, at each way in: a thief who has the token alone gets nothing.

use std::future::ready;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, mpsc};

use actix_web::{App, HttpServer, web};
use serde_json::{Value, json};
use shared_claims::actix::Authorized;
use shared_claims::clock::unix_now;
use shared_claims::tonic::{Authenticated, BearerInterceptor, authorized};
use shared_claims::tower::BearerLayer;
use shared_claims::{
    AccessClaims, ClientCertificate, Confirmation, Credentials, Guard, Presented, ProofHeader, ProofRefusal,
    ProofVerifier, Refusal, Rejection, Required, Requirement, TestIssuer, Thumbprint, Verifier, bind,
};
use tonic::service::Interceptor;
use tower_layer::Layer;

use crate::asking::{Inner, answer_of};
use crate::proofs::{Holder, Proof, SERVICE};

const HELD: &[u8] = b"the certificate that tokens are bound to";
const OTHER: &[u8] = b"another certificate";

fn issuer() -> TestIssuer {
    TestIssuer::new("https://auth.test", "notes").unwrap()
}

fn claims(issuer: &TestIssuer, cnf: Option<Value>) -> Result<Arc<AccessClaims>, Rejection> {
    let token = issuer.token();
    let bound = cnf.is_some();
    let token = cnf.into_iter().fold(token, |token, cnf| token.claim("cnf", cnf)).sign();
    let header = format!("Bearer {token}");
    let credentials = Credentials::new([header.as_str()].into_iter());
    let claims = issuer.guard().authenticate(credentials);
    assert!(!bound || claims.is_err(), "a bound token alone");
    claims
}

fn to_certificate(der: &[u8]) -> Value {
    json!({"x5t#S256": Thumbprint::of_certificate(der).to_string()})
}

#[test]
fn every_pair_of_a_binding_and_what_is_shown_is_decided() {
    let (held, other) = (Thumbprint::of_certificate(HELD), Thumbprint::of_certificate(OTHER));
    let unbound = claims(&issuer(), None).unwrap();
    let of = |cnf| {
        let mut claims = (*unbound).clone();
        claims.cnf = cnf;
        claims
    };
    let shown = [
        Presented::Bearer,
        Presented::Proof(held),
        Presented::Proof(other),
        Presented::Certificate(held),
        Presented::Certificate(other),
    ];
    let (no, unproved) = (Err(Refusal::NotBound), Err(Refusal::Unproved));
    let table = [
        (None, [Ok(()), no, no, Ok(()), Ok(())]),
        (Some(Confirmation::Key(held)), [unproved, Ok(()), unproved, unproved, unproved]),
        (Some(Confirmation::Certificate(held)), [unproved, unproved, unproved, Ok(()), unproved]),
    ];
    for (cnf, expected) in table {
        for (presented, expected) in shown.into_iter().zip(expected) {
            assert_eq!(bind(&of(cnf), presented), expected, "{cnf:?} {presented:?}");
        }
    }
}

/// A claim that is there and cannot be checked must not pass for an unbound token.
#[test]
fn a_confirmation_that_cannot_be_read_refuses_the_token() {
    let issuer = issuer();
    let held = Thumbprint::of_certificate(HELD).to_string();
    let refused = |cnf: Value| claims(&issuer, Some(cnf)).map(drop).unwrap_err();
    let malformed = [
        json!(null),
        json!(true),
        json!(held),
        json!([]),
        json!({}),
        json!([{"jkt": held}]),
        json!({"jkt": ""}),
        json!({"jkt": 1}),
        json!({"jkt": null}),
        json!({"jkt": [held]}),
        json!({"jkt": format!("{held}=")}),
        json!({"jkt": format!("{held}AA")}),
        json!({"jkt": &held[1..]}),
        // The last character has spare bits.
        json!({"jkt": format!("{}B", "A".repeat(42))}),
        json!({"x5t#S256": "not base64url +/"}),
        json!({"jkt": held, "x5t#S256": held}),
        json!({"jkt": held, "x5t#S256": null}),
        // Kinds that are not known here.
        json!({"jwk": {"kty": "OKP"}}),
        json!({"kid": "a"}),
        json!({"x5t": held}),
        json!({"JKT": held}),
        json!({"jkt": held, "jwk": {}}),
        json!({"x5t#S256": held, "kid": "a"}),
    ];
    for cnf in malformed {
        let said = cnf.to_string();
        assert_eq!(refused(cnf), Rejection::Invalid(Refusal::Claim("cnf")), "{said}");
    }
    // What stands beside a known one is passed over (RFC 7800 section 3.1).
    for cnf in [json!({"jkt": held}), json!({"x5t#S256": held}), json!({"jkt": held, "more": 1})] {
        assert_eq!(refused(cnf), Rejection::Invalid(Refusal::Unproved));
    }
}

/// A request, as each way in is asked.
#[derive(Default, Clone)]
struct Sent {
    authorization: String,
    proofs: Vec<String>,
    certificate: Option<ClientCertificate>,
}

/// What each way in is asked about certificates, and what it says.
fn certificates(issuer: &TestIssuer, ask: impl Fn(&Sent) -> u16) {
    let (held, other) = (ClientCertificate::from_der(HELD), ClientCertificate::from_der(OTHER));
    let key = json!({"jkt": Thumbprint::of_certificate(HELD).to_string()});
    let table = [
        (None, None, 200),
        (None, Some(other), 200),
        (Some(to_certificate(HELD)), Some(held), 200),
        (Some(to_certificate(HELD)), Some(other), 401),
        (Some(to_certificate(HELD)), None, 401),
        (Some(key.clone()), None, 401),
        (Some(key), Some(held), 401),
        (Some(json!({"jwk": {}})), Some(held), 401),
    ];
    for (cnf, certificate, status) in table {
        let said = format!("{cnf:?} {certificate:?}");
        let token = issuer.token();
        let token = cnf.into_iter().fold(token, |token, cnf| token.claim("cnf", cnf)).sign();
        let sent = Sent { authorization: format!("Bearer {token}"), certificate, ..Sent::default() };
        // Twice: the second time the token is known already.
        assert_eq!((ask(&sent), ask(&sent)), (status, status), "{said}");
    }
}

/// What a holder sends: their proofs for requests with their token.
struct Holding {
    holder: Holder,
    token: String,
    method: &'static str,
    url: String,
}

impl Holding {
    fn new(issuer: &TestIssuer, method: &'static str, path: &str) -> Self {
        let holder = Holder::new();
        let token = issuer.token().claim("cnf", json!({"jkt": holder.thumbprint()})).sign();
        Self { holder, token, method, url: format!("{SERVICE}{path}") }
    }

    fn good(&self) -> Proof {
        self.holder.proof(self.method, &self.url, &self.token)
    }

    fn with(&self, proofs: Vec<String>) -> Sent {
        Sent { authorization: format!("DPoP {}", self.token), proofs, certificate: None }
    }

    /// What has to pass.
    fn accepted(&self) -> Vec<(&'static str, Proof)> {
        let (good, url, now) = (|| self.good(), &self.url, unix_now());
        let at = |host| url.replace("notes.test", host);
        vec![
            ("as it should be", good()),
            ("another one, with a token that is known", good()),
            ("a query", good().claim("htu", format!("{url}?a=b"))),
            ("a fragment", good().claim("htu", format!("{url}#c"))),
            ("the default port", good().claim("htu", at("notes.test:443"))),
            ("the host in upper case", good().claim("htu", at("NOTES.test"))),
            ("another claim", good().claim("more", 1)),
            ("another header parameter", good().header("more", "x")),
            ("10 s early", good().claim("iat", now + 10)),
            ("10 s late", good().claim("iat", now - 10)),
            ("parts of a second", good().claim("iat", json!(format!("{now}.5").parse::<f64>().unwrap()))),
            ("a nonce that was not asked for", good().claim("nonce", "n")),
        ]
    }

    /// The negatives of a resource server (RFC 9449 section 4.3) that lie in the header of a proof.
    fn refused_by_header(&self) -> Vec<(&'static str, Proof, ProofRefusal)> {
        let good = || self.good();
        let symmetric = json!({"kty": "oct", "k": "AAAA"});
        vec![
            ("no typ", good().without_header("typ"), ProofRefusal::Type),
            ("typ JWT", good().header("typ", "JWT"), ProofRefusal::Type),
            ("typ at+jwt", good().header("typ", "at+jwt"), ProofRefusal::Type),
            ("no alg", good().without_header("alg"), ProofRefusal::Algorithm),
            ("alg none", good().header("alg", "none"), ProofRefusal::Algorithm),
            ("alg RS256", good().header("alg", "RS256"), ProofRefusal::Algorithm),
            ("alg HS256", good().header("alg", "HS256"), ProofRefusal::Algorithm),
            ("alg of another key", good().header("alg", "ES256"), ProofRefusal::Key),
            ("no jwk", good().without_header("jwk"), ProofRefusal::Key),
            ("a jwk that is a string", good().header("jwk", "x"), ProofRefusal::Key),
            ("jwk of another curve", good().key_member("crv", "X25519"), ProofRefusal::Key),
            ("a private jwk", good().key_member("d", "AAAA"), ProofRefusal::PrivateKey),
            ("a symmetric jwk", good().header("jwk", symmetric), ProofRefusal::PrivateKey),
            ("crit", good().header("crit", json!(["exp"])), ProofRefusal::Malformed),
            ("x5c", good().header("x5c", json!([])), ProofRefusal::Malformed),
            ("a bad signature", good().spoiled(), ProofRefusal::Signature),
            ("another key's signature", good().signed_by(&Holder::new()), ProofRefusal::Signature),
        ]
    }

    /// Those that lie in its claims.
    fn refused_by_claims(&self) -> Vec<(&'static str, Proof, ProofRefusal)> {
        use ProofRefusal::{Claim, Expired, Method, NotYetValid, Target, Token};
        let (good, url, now) = (|| self.good(), &self.url, unix_now());
        let of_another_token = self.holder.proof(self.method, url, "another");
        vec![
            ("no jti", good().without("jti"), Claim("jti")),
            ("an empty jti", good().claim("jti", ""), Claim("jti")),
            ("a jti that is a number", good().claim("jti", 1), Claim("jti")),
            ("a long jti", good().claim("jti", "x".repeat(257)), Claim("jti")),
            ("no htm", good().without("htm"), Claim("htm")),
            ("another htm", good().claim("htm", "DELETE"), Method),
            ("htm in lower case", good().claim("htm", self.method.to_lowercase()), Method),
            ("no htu", good().without("htu"), Claim("htu")),
            ("htu of another host", good().claim("htu", url.replace("notes", "other")), Target),
            ("htu of another path", good().claim("htu", format!("{url}/more")), Target),
            ("htu without TLS", good().claim("htu", url.replace("https", "http")), Target),
            ("no iat", good().without("iat"), Claim("iat")),
            ("an iat that is text", good().claim("iat", now.to_string()), Claim("iat")),
            ("an hour old", good().claim("iat", now - 3600), Expired),
            ("an hour early", good().claim("iat", now + 3600), NotYetValid),
            ("expired", good().claim("exp", now - 60), Expired),
            ("not yet valid", good().claim("nbf", now + 60), NotYetValid),
            ("no ath", good().without("ath"), Token),
            ("ath of another token", of_another_token, Token),
        ]
    }

    /// Those that lie in the request.
    fn requests(&self, issuer: &TestIssuer) -> Vec<(&'static str, Sent, u16)> {
        let (good, unbound) = (|| self.good().sign(), issuer.token().sign());
        let of = |scheme: &str, token: &str, proofs: Vec<String>| Sent {
            authorization: format!("{scheme} {token}"),
            proofs,
            certificate: None,
        };
        let for_unbound = self.holder.proof(self.method, &self.url, &unbound).sign();
        let of_thief = Holder::new().proof(self.method, &self.url, &self.token).sign();
        vec![
            ("no proof", self.with(vec![]), 401),
            ("two proofs", self.with(vec![good(), good()]), 401),
            ("no JWT", self.with(vec!["proof".to_owned()]), 401),
            ("another key", self.with(vec![of_thief]), 401),
            ("as bearer token", of("Bearer", &self.token, vec![]), 401),
            ("as bearer token with its proof", of("Bearer", &self.token, vec![good()]), 401),
            ("unbound", of("DPoP", &unbound, vec![for_unbound]), 401),
            ("unbound as bearer token with a proof", of("Bearer", &unbound, vec![good()]), 200),
            ("the scheme in another case", of("dpop", &self.token, vec![good()]), 200),
        ]
    }
}

/// What each way in is asked about proofs, and what it says.
fn proofs(issuer: &TestIssuer, method: &'static str, path: &str, ask: impl Fn(&Sent) -> u16) {
    let holding = Holding::new(issuer, method, path);
    let one = |proof: Proof| ask(&holding.with(vec![proof.sign()]));
    for (what, proof) in holding.accepted() {
        assert_eq!(one(proof), 200, "{what}");
    }
    for (what, proof, _) in holding.refused_by_header().into_iter().chain(holding.refused_by_claims()) {
        assert_eq!(one(proof), 401, "{what}");
    }
    for (what, sent, status) in holding.requests(issuer) {
        assert_eq!(ask(&sent), status, "{what}");
    }
    let same = holding.with(vec![holding.good().sign()]);
    assert_eq!((ask(&same), ask(&same)), (200, 401), "a proof is good once");
    let named = || holding.good().claim("jti", "chosen");
    assert_eq!((one(named()), one(named().claim("iat", unix_now() + 1))), (200, 401), "its ID again");
}

#[test]
fn each_proof_is_refused_for_its_own_reason() {
    let issuer = issuer();
    let (guard, holding) = (guard(&issuer), Holding::new(&issuer, "PUT", "/notes"));
    let authorization = format!("DPoP {}", holding.token);
    let refused = |proof: &str| {
        let proof = ProofHeader::of([proof].into_iter());
        let credentials = Credentials::new([authorization.as_str()].into_iter());
        guard.authenticate(credentials.with_proof(proof, "PUT", "/notes")).map(drop)
    };
    for (what, proof, refusal) in holding.refused_by_header().into_iter().chain(holding.refused_by_claims()) {
        assert_eq!(refused(&proof.sign()), Err(Rejection::InvalidProof(refusal)), "{what}");
    }
    let rejection = refused("proof").unwrap_err();
    assert_eq!(rejection, Rejection::InvalidProof(ProofRefusal::Malformed));
    assert_eq!(
        rejection.challenge().as_deref(),
        Some("DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA ES384 PS256\"")
    );
}

fn guard(issuer: &TestIssuer) -> Arc<Guard> {
    let proofs = ProofVerifier::new(["https://elsewhere.test", SERVICE]).unwrap();
    let guard = issuer.guard();
    Arc::new(Arc::into_inner(guard).unwrap().with_proofs(proofs))
}

struct Anyone;

impl Requirement for Anyone {
    const REQUIRED: Required = Required::valid_token();
}

fn request(method: &str, path: &str, sent: &Sent) -> http::Request<()> {
    let mut request = http::Request::builder().method(method).uri(path).body(()).unwrap();
    request.headers_mut().insert("authorization", sent.authorization.parse().unwrap());
    for proof in &sent.proofs {
        request.headers_mut().append("dpop", proof.parse().unwrap());
    }
    if let Some(certificate) = sent.certificate {
        request.extensions_mut().insert(certificate);
    }
    request
}

#[test]
fn at_tower() {
    let issuer = issuer();
    let layer = BearerLayer::<Anyone>::new(guard(&issuer));
    // One within another, and the proof is spent once.
    let service = layer.layer(layer.layer(Inner));
    let ask =
        |sent: &Sent| answer_of(&mut service.clone(), request("PUT", "/notes/1?x=y", sent)).status().as_u16();
    certificates(&issuer, ask);
    proofs(&issuer, "PUT", "/notes/1", ask);
}

#[test]
fn at_tonic() {
    let issuer = issuer();
    let service = Authenticated::new(Inner, guard(&issuer));
    let ask = |sent: &Sent| {
        let answered = answer_of(&mut service.clone(), request("POST", "/notes.v1.Notes/List", sent));
        match answered.headers().get("grpc-status").map(|status| status.to_str().unwrap()) {
            None => 200,
            Some("16") => 401,
            Some(other) => panic!("status {other}"),
        }
    };
    certificates(&issuer, ask);
    proofs(&issuer, "POST", "/notes.v1.Notes/List", ask);
}

/// An interceptor does not see what is called.
#[test]
fn at_an_interceptor_of_tonic_no_proof_is_taken() {
    let issuer = issuer();
    let interceptor = BearerInterceptor::new(guard(&issuer));
    let ask = |sent: &Sent| {
        let mut request = tonic::Request::new(());
        request.metadata_mut().insert("authorization", sent.authorization.parse().unwrap());
        for proof in &sent.proofs {
            request.metadata_mut().append("dpop", proof.parse().unwrap());
        }
        if let Some(certificate) = sent.certificate {
            request.extensions_mut().insert(certificate);
        }
        match interceptor.clone().call(request).and_then(|request| authorized::<Anyone, _>(&request)) {
            Ok(_) => 200,
            Err(status) if status.code() == tonic::Code::Unauthenticated => 401,
            Err(status) => panic!("{status:?}"),
        }
    };
    certificates(&issuer, ask);
    let holder = Holder::new();
    let token = issuer.token().claim("cnf", json!({"jkt": holder.thumbprint()})).sign();
    let proof = holder.proof("POST", SERVICE, &token).sign();
    let sent = Sent { authorization: format!("DPoP {token}"), proofs: vec![proof], certificate: None };
    assert_eq!(ask(&sent), 401);
}

#[test]
fn at_actix() {
    let issuer = issuer();
    let guard = web::Data::new(guard(&issuer));
    let shown = Arc::new(Mutex::new(None));
    let of_listener = Arc::clone(&shown);
    let (started, addresses) = mpsc::channel();
    let server = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let app = move || {
                // Two ask, and the proof is spent once.
                type Asked = Authorized<Anyone>;
                let nobody = |_: Asked, _: Asked| ready(actix_web::HttpResponse::Ok());
                App::new().app_data(guard.clone()).route("/notes/{id}", web::put().to(nobody))
            };
            let server = HttpServer::new(app).workers(1).on_connect(move |_, extensions| {
                if let Some(certificate) = *of_listener.lock().unwrap() {
                    extensions.insert::<ClientCertificate>(certificate);
                }
            });
            let server = server.bind(("127.0.0.1", 0)).unwrap();
            let address = server.addrs()[0];
            let server = server.disable_signals().run();
            started.send((address, server.handle())).unwrap();
            server.await.unwrap();
        });
    });
    let (address, handle) = addresses.recv().unwrap();
    let ask = |sent: &Sent| {
        *shown.lock().unwrap() = sent.certificate;
        let proofs: String = sent.proofs.iter().map(|proof| format!("dpop: {proof}\r\n")).collect();
        let request = format!(
            "PUT /notes/1?x=y HTTP/1.1\r\nhost: evil.test\r\nauthorization: {}\r\n{proofs}content-length: 0\r\n\
             connection: close\r\n\r\n",
            sent.authorization
        );
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    };
    certificates(&issuer, ask);
    proofs(&issuer, "PUT", "/notes/1", ask);
    drop(handle.stop(false));
    server.join().unwrap();
}

/// A service that was not told where it is reached takes no proof for any place.
#[test]
fn without_the_url_of_the_service_a_token_that_is_bound_to_a_key_is_refused() {
    let issuer = issuer();
    let holder = Holder::new();
    let token = issuer.token().claim("cnf", json!({"jkt": holder.thumbprint()})).sign();
    let (header, proof) = (format!("DPoP {token}"), holder.proof("GET", SERVICE, &token).sign());
    let shown = |guard: &Guard| {
        let proof = ProofHeader::of([proof.as_str()].into_iter());
        guard
            .authenticate(Credentials::new([header.as_str()].into_iter()).with_proof(proof, "GET", "/"))
            .map(drop)
    };
    assert_eq!(shown(&issuer.guard()), Err(Rejection::Missing));
    let fixed = Guard::with_fixed_keys(Verifier::new("https://auth.test", "notes"), issuer.key_set());
    assert_eq!(shown(&fixed.with_proofs(ProofVerifier::new([SERVICE]).unwrap())), Ok(()));
    let nowhere = guard(&issuer);
    let elsewhere = ProofHeader::of([proof.as_str()].into_iter());
    let credentials =
        Credentials::new([header.as_str()].into_iter()).with_proof(elsewhere, "GET", "elsewhere");
    assert_eq!(nowhere.authenticate(credentials), Err(Rejection::InvalidProof(ProofRefusal::Target)));
    for url in
        ["", "notes.test", "/notes", "ftp://notes.test", "https://notes.test/?a", "https://a@notes.test"]
    {
        assert!(ProofVerifier::new([url]).is_err(), "{url}");
    }
}
