//! Tokens that must be refused, each made from a real one by changing only the named thing and signing
//! it with the issuer's true key, so that nothing but the named defect can cause the refusal; and
//! controls that must be accepted. What each family is after stands at its head.

mod claims;
mod form;
mod header;
mod signature;
mod signer;

use serde_json::{Map, Value, json};

pub use signature::high_s_twin;
pub use signer::Signer;

/// A token and the expected that every place must come to.
#[derive(Debug, Clone)]
pub struct Case {
    pub id: String,
    /// Not always text: a body can carry any bytes, a header cannot.
    pub token: String,
    pub expected: Expected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Refused,
    Accepted,
    /// By verifiers, which forgive a clock difference; not by the authority, whose own clock it was.
    AcceptedWithLeeway,
}

/// What a true token looks like here, and the keys that make it true.
pub struct Forge {
    pub issuer: String,
    pub audience: String,
    pub client_id: String,
    pub scope: String,
    /// Seconds since the epoch.
    pub now: u64,
    /// Stands in every token, so that an answer which echoes a claim is noticed.
    pub marker: String,
    /// Where `jku` and `x5u` point: nobody may call there.
    pub trap_url: String,
    pub es256: Signer,
    pub eddsa: Signer,
    /// Keys that nobody published.
    pub attacker: Signer,
}

impl Forge {
    /// The whole catalogue, controls first.
    #[must_use]
    pub fn cases(&self) -> Vec<Case> {
        let families = [
            self.controls(),
            self.algorithms(),
            self.shared_secrets(),
            self.key_sources(),
            self.extensions(),
            self.types(),
            self.key_ids(),
            self.duplicates(),
            self.encodings(),
            self.dates(),
            self.parties(),
            self.ecdsa_signatures(),
            self.eddsa_signatures(),
            self.forms(),
            self.sizes(),
        ];
        families.into_iter().flatten().collect()
    }

    #[must_use]
    pub fn header(&self) -> Map<String, Value> {
        object(json!({"alg": "ES256", "typ": "at+jwt", "kid": self.es256.kid}))
    }

    #[must_use]
    pub fn claims(&self) -> Map<String, Value> {
        object(json!({
            "iss": self.issuer, "sub": format!("client:{}", self.client_id), "aud": self.audience,
            "exp": self.now + 300, "iat": self.now, "nbf": self.now, "jti": self.marker,
            "client_id": self.client_id, "scope": self.scope, "token_type": "access",
        }))
    }

    /// A true token.
    #[must_use]
    pub fn good(&self) -> String {
        self.sign(&self.header(), &self.claims())
    }

    #[must_use]
    pub fn sign(&self, header: &Map<String, Value>, claims: &Map<String, Value>) -> String {
        self.sign_raw(text(header).as_bytes(), text(claims).as_bytes())
    }

    fn sign_raw(&self, header: &[u8], payload: &[u8]) -> String {
        self.es256.token(header, payload)
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        self.sign(&with(self.header(), name, value), &self.claims())
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        self.sign(&self.header(), &with(self.claims(), name, value))
    }

    fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims();
        claims.remove(name);
        self.sign(&self.header(), &claims)
    }

    /// A claim written by hand, for numbers and escapes that no JSON library would write.
    fn with_raw_claim(&self, name: &str, raw: &str) -> String {
        let mut claims = self.claims();
        claims.remove(name);
        let raw = text(&claims).replacen('{', &format!("{{\"{name}\":{raw},"), 1);
        self.sign_raw(text(&self.header()).as_bytes(), raw.as_bytes())
    }

    fn controls(&self) -> Vec<Case> {
        let eddsa = |alg: &str| {
            let header = object(json!({"alg": alg, "typ": "at+jwt", "kid": self.eddsa.kid}));
            self.eddsa.token(text(&header).as_bytes(), text(&self.claims()).as_bytes())
        };
        let nested = (0..20).fold(json!(1), |inner, _| json!([inner]));
        let expired = with(with(self.claims(), "iat", json!(self.now - 300)), "exp", json!(self.now - 5));
        let expired = with(expired, "nbf", json!(self.now - 300));
        let accepted = [
            ("base", self.good()),
            ("aud-array", self.with_claim("aud", json!(["api://other", self.audience]))),
            ("typ-long", self.with_header("typ", json!("application/at+jwt"))),
            ("typ-case", self.with_header("typ", json!("AT+JWT"))),
            ("exp-fraction", self.with_raw_claim("exp", &format!("{}.5", self.now + 300))),
            ("unknown-header", self.with_header("x-unknown", json!({"a": [1, null]}))),
            ("unknown-claim", self.with_claim("x-unknown", json!({"a": {"b": "ü\u{1F511}"}}))),
            ("nested-20", self.with_claim("x-nested", nested)),
            ("no-nbf", self.without_claim("nbf")),
            ("eddsa", eddsa("EdDSA")),
            ("ed25519", eddsa("Ed25519")),
        ];
        let mut cases = cases("control", Expected::Accepted, accepted);
        cases.extend(cases_of(
            "control",
            Expected::AcceptedWithLeeway,
            vec![("exp-in-leeway".to_owned(), self.sign(&self.header(), &expired))],
        ));
        cases
    }
}

fn cases<const N: usize>(family: &str, expected: Expected, tokens: [(&str, String); N]) -> Vec<Case> {
    cases_of(family, expected, tokens.map(|(id, token)| (id.to_owned(), token)).into())
}

fn refused<const N: usize>(family: &str, tokens: [(&str, String); N]) -> Vec<Case> {
    cases(family, Expected::Refused, tokens)
}

fn cases_of(family: &str, expected: Expected, tokens: Vec<(String, String)>) -> Vec<Case> {
    let case = |(id, token)| Case { id: format!("{family}-{id}"), token, expected };
    tokens.into_iter().map(case).collect()
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("no object: {value}") };
    members
}

fn with(mut members: Map<String, Value>, name: &str, value: Value) -> Map<String, Value> {
    members.insert(name.to_owned(), value);
    members
}

fn text(members: &Map<String, Value>) -> String {
    serde_json::to_string(members).expect("JSON is written")
}
