//! The holder of a key, and its proofs (RFC 9449 section 4.2), right and wrong ones.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use shared_claims::clock::unix_now;
use shared_claims::dpop::ProvedRequest;
use shared_claims::public_keys::thumbprint;
use shared_claims::{ProofHeader, ProofRefusal, ProofVerifier};

/// Where the service of the tests is reached.
pub(crate) const SERVICE: &str = "https://notes.test";

static PROOFS: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Holder(Ed25519KeyPair);

pub(crate) struct Proof {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    signer: Ed25519KeyPair,
    spoiled: bool,
}

impl Holder {
    pub(crate) fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    fn copy(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_pkcs8(self.0.to_pkcs8().unwrap().as_ref()).unwrap()
    }

    fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(self.0.public_key())})
    }

    /// `jkt`.
    pub(crate) fn thumbprint(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        thumbprint(&format!("{{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"{x}\"}}"))
    }

    /// One that is good for a request with this token.
    pub(crate) fn proof(&self, method: &str, url: &str, token: &str) -> Proof {
        let ath = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()));
        let jti = format!("proof-{}", PROOFS.fetch_add(1, Ordering::Relaxed));
        let header = json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": self.jwk()});
        let claims = json!({"jti": jti, "htm": method, "htu": url, "iat": unix_now(), "ath": ath});
        let members = |value: Value| value.as_object().cloned().unwrap();
        Proof { header: members(header), claims: members(claims), signer: self.copy(), spoiled: false }
    }
}

impl Proof {
    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.claims.remove(name).unwrap();
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name).unwrap();
        self
    }

    /// Of the key in its header.
    pub(crate) fn key_member(mut self, name: &str, value: &str) -> Self {
        self.header["jwk"][name] = value.into();
        self
    }

    pub(crate) fn signed_by(self, other: &Holder) -> Self {
        Self { signer: other.copy(), ..self }
    }

    pub(crate) fn spoiled(self) -> Self {
        Self { spoiled: true, ..self }
    }

    pub(crate) fn sign(self) -> String {
        let part = |members: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(members).to_string());
        let signed = format!("{}.{}", part(self.header), part(self.claims));
        let mut signature = self.signer.sign(signed.as_bytes()).as_ref().to_vec();
        if self.spoiled {
            signature[0] ^= 1;
        }
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// At the edges of the window, with a clock that is 10 s before or behind: as long as a proof is accepted it is known.
#[test]
fn a_proof_is_refused_the_second_time_for_as_long_as_it_is_accepted_the_first() {
    let (holder, iat) = (Holder::new(), unix_now());
    let request = ProvedRequest { method: "GET", path: "/a", unverified_token: Some("token") };
    let proof = holder.proof("GET", "https://notes.test/a", "token").claim("iat", iat).sign();
    let header = ProofHeader::of([proof.as_str()].into_iter());
    for first in iat - 12..iat + 75 {
        let verifier = ProofVerifier::new([SERVICE]).unwrap();
        let spend =
            |now| verifier.check(&header, request, now).and_then(|checked| verifier.spend(&checked, now));
        let expected = match first {
            _ if first < iat - 10 => Err(ProofRefusal::NotYetValid),
            _ if first > iat + 70 => Err(ProofRefusal::Expired),
            _ => Ok(()),
        };
        assert_eq!(spend(first), expected, "{first} of {iat}");
        for later in first..iat + 75 {
            assert!(expected.is_err() || spend(later).is_err(), "{first} {later}");
        }
    }
}
