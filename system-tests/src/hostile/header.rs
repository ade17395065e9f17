//! The header: algorithm confusion, keys and trust brought along, extensions that change the meaning.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Case, Expected, Forge, cases_of, object, refused, text, with};

/// DER in front of a P-256 point in a SubjectPublicKeyInfo (RFC 5480 section 2).
const P256_SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

impl Forge {
    /// `none` in every dress, with and without a true signature (CVE-2015-9235 and its kin), and `alg`
    /// of another type.
    pub(super) fn algorithms(&self) -> Vec<Case> {
        let mut tokens = Vec::new();
        for alg in ["none", "None", "NONE", "nOnE", "none ", ""] {
            let signed = self.with_header("alg", json!(alg));
            let input = signed.rsplit_once('.').expect("a token").0;
            tokens.push((format!("{alg:?}-no-signature"), format!("{input}.")));
            tokens.push((format!("{alg:?}-true-signature"), signed));
        }
        for (id, alg) in [
            ("null", json!(null)),
            ("array", json!(["ES256"])),
            ("number", json!(1)),
            ("lower-case", json!("es256")),
            ("of-another-curve", json!("ES384")),
            ("of-another-type", json!("EdDSA")),
        ] {
            tokens.push((id.to_owned(), self.with_header("alg", alg)));
        }
        let mut header = self.header();
        header.remove("alg");
        tokens.push(("missing".to_owned(), self.sign(&header, &self.claims())));
        cases_of("alg", Expected::Refused, tokens)
    }

    /// The public key taken for a MAC secret, in each form in which an attacker can have it
    /// (CVE-2015-9235, CVE-2022-29217, CVE-2026-34950).
    pub(super) fn shared_secrets(&self) -> Vec<Case> {
        let point = self.es256.public();
        let spki = [&P256_SPKI_PREFIX, point.as_slice()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(&spki));
        let jwk = self.es256.jwk();
        let secrets: Vec<(&str, Vec<u8>)> = vec![
            ("pem-final-newline", format!("{pem}\n").into_bytes()),
            ("pem", pem.clone().into_bytes()),
            ("pem-crlf", format!("{}\r\n", pem.replace('\n', "\r\n")).into_bytes()),
            ("pem-leading-newline", format!("\n{pem}\n").into_bytes()),
            ("der", spki),
            ("point", point.clone()),
            ("x", point[1..33].to_vec()),
            ("x-text", URL_SAFE_NO_PAD.encode(&point[1..33]).into_bytes()),
            ("jwk", jwk.to_string().into_bytes()),
            ("jwks", json!({"keys": [jwk]}).to_string().into_bytes()),
            ("empty", Vec::new()),
            ("nul", vec![0]),
            ("kid", self.es256.kid.clone().into_bytes()),
        ];
        let forged = |alg: &str, mac: hmac::Algorithm, secret: &[u8]| {
            let header = with(self.header(), "alg", json!(alg));
            let encode = |part: String| URL_SAFE_NO_PAD.encode(part);
            let input = format!("{}.{}", encode(text(&header)), encode(text(&self.claims())));
            let tag = hmac::sign(&hmac::Key::new(mac, secret), input.as_bytes());
            format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
        };
        let mut tokens = Vec::new();
        for (id, secret) in secrets {
            tokens.push((format!("256-{id}"), forged("HS256", hmac::HMAC_SHA256, &secret)));
            tokens.push((format!("512-{id}"), forged("HS512", hmac::HMAC_SHA512, &secret)));
        }
        cases_of("hs", Expected::Refused, tokens)
    }

    /// A key, or a place to find one, inside the token (CVE-2018-0114, CVE-2026-27962); and a right
    /// `kid` over an unpublished key.
    pub(super) fn key_sources(&self) -> Vec<Case> {
        let by_attacker = |name: &str, value: Value, kid: bool| {
            let mut header = with(self.header(), name, value);
            if !kid {
                header.remove("kid");
            }
            self.attacker.token(text(&header).as_bytes(), text(&self.claims()).as_bytes())
        };
        let trap = |path: &str| json!(format!("{}/{path}", self.trap_url));
        refused(
            "key",
            [
                ("jwk", by_attacker("jwk", self.attacker.jwk(), true)),
                ("jwk-without-kid", by_attacker("jwk", self.attacker.jwk(), false)),
                ("jwk-of-the-issuer", self.with_header("jwk", self.es256.jwk())),
                ("jku", by_attacker("jku", trap("jwks.json"), true)),
                ("x5u", by_attacker("x5u", trap("chain.pem"), true)),
                ("x5c", by_attacker("x5c", json!(["MIIB"]), true)),
                ("unpublished", by_attacker("x-none", json!(0), true)),
                ("kid-of-another-key", self.with_header("kid", json!(self.eddsa.kid))),
            ],
        )
    }

    /// Parameters that change what is signed or what is inside (RFC 7515 section 4.1.11, RFC 7797,
    /// CVE-2026-32597, the family of CVE-2024-28180).
    pub(super) fn extensions(&self) -> Vec<Case> {
        let header = |members: Value| {
            let mut header = self.header();
            header.extend(object(members));
            self.sign(&header, &self.claims())
        };
        let unencoded = {
            let head = text(&with(with(self.header(), "b64", json!(false)), "crit", json!(["b64"])));
            let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), text(&self.claims()));
            format!("{input}.{}", URL_SAFE_NO_PAD.encode(self.es256.sign(input.as_bytes())))
        };
        let inner = self.good();
        let mut cases = refused(
            "extension",
            [
                ("crit-unknown", header(json!({"crit": ["x-foo"], "x-foo": 1}))),
                ("crit-empty", header(json!({"crit": []}))),
                ("crit-text", header(json!({"crit": "exp"}))),
                ("crit-absent-name", header(json!({"crit": ["x-foo"]}))),
                ("crit-standard-name", header(json!({"crit": ["alg"]}))),
                ("b64-false-raw-payload", unencoded),
                ("b64-false-with-crit", header(json!({"b64": false, "crit": ["b64"]}))),
                ("b64-false", header(json!({"b64": false}))),
                ("zip", header(json!({"zip": "DEF"}))),
                ("enc", header(json!({"enc": "A256GCM"}))),
                ("cty", header(json!({"cty": "JWT"}))),
            ],
        );
        let nested = text(&with(self.header(), "cty", json!("JWT")));
        cases.extend(refused(
            "extension",
            [("nested-jws", self.es256.token(nested.as_bytes(), inner.as_bytes()))],
        ));
        cases
    }

    /// Another kind of token (RFC 8725 section 3.11, RFC 9068 section 4).
    pub(super) fn types(&self) -> Vec<Case> {
        let kinds = [
            json!("JWT"),
            json!("rt+jwt"),
            json!("id+jwt"),
            json!("logout+jwt"),
            json!("revocations+jwt"),
            json!("secevent+jwt"),
            json!("dpop+jwt"),
            json!("at+jwt "),
            json!("at+JWT2"),
            json!("application/"),
            json!(""),
            json!(1),
            json!(null),
            json!(["at+jwt"]),
        ];
        let mut tokens: Vec<_> =
            kinds.into_iter().map(|typ| (typ.to_string(), self.with_header("typ", typ))).collect();
        let mut header = self.header();
        header.remove("typ");
        tokens.push(("missing".to_owned(), self.sign(&header, &self.claims())));
        for (id, kind) in [("refresh", json!("refresh")), ("id", json!("id")), ("number", json!(1))] {
            tokens.push((format!("token_type-{id}"), self.with_claim("token_type", kind)));
        }
        cases_of("typ", Expected::Refused, tokens)
    }

    /// `kid` as a way into a path, a query or another key (RFC 8725 section 3.10).
    pub(super) fn key_ids(&self) -> Vec<Case> {
        let kid = &self.es256.kid;
        let kids = [
            ("unknown", json!("k-unknown")),
            ("sql", json!(format!("{kid}' OR '1'='1"))),
            ("path", json!("../../../../dev/null")),
            ("nul", json!(format!("{kid}\0"))),
            ("number", json!(1)),
            ("other-case", json!(kid.to_ascii_uppercase())),
            ("prefix", json!(kid[..kid.len() - 1])),
            ("129-bytes", json!("k".repeat(129))),
            ("100-kB", json!("k".repeat(100_000))),
            ("empty", json!("")),
            ("null", json!(null)),
        ];
        let mut tokens: Vec<_> =
            kids.into_iter().map(|(id, kid)| (id.to_owned(), self.with_header("kid", kid))).collect();
        let mut header = self.header();
        header.remove("kid");
        tokens.push(("missing".to_owned(), self.sign(&header, &self.claims())));
        cases_of("kid", Expected::Refused, tokens)
    }
}
