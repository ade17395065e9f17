use aws_lc_rs::digest;
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::source::TokenError;

/// A key that tokens are bound to (DPoP, RFC 9449): a thief who has a token without it can do nothing. ES256, made for this process; it
/// leaves it nowhere.
pub struct ProofKey {
    pair: EcdsaKeyPair,
    /// The encoded header of every proof.
    header: String,
    thumbprint: String,
}

/// What a proof is for.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProofRequest<'a> {
    /// The method, as sent; `POST` for a gRPC call.
    pub method: &'a str,
    /// The URL that is called; query and fragment are left out of the proof. For a gRPC call `https://host/package.Service/Method`.
    pub url: &'a str,
    /// The access token that is sent beside it; none at the token endpoint.
    pub access_token: Option<&'a str>,
    /// What the server asked for (RFC 9449 section 8).
    pub nonce: Option<&'a str>,
    /// Seconds since 1970-01-01.
    pub now: u64,
}

#[derive(Serialize)]
struct Jwk<'a> {
    crv: &'a str,
    kty: &'a str,
    x: &'a str,
    y: &'a str,
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    jwk: Jwk<'a>,
}

#[derive(Serialize)]
struct Claims<'a> {
    jti: String,
    htm: &'a str,
    htu: &'a str,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl ProofKey {
    /// # Errors
    /// [`TokenError::Settings`] without randomness of the system.
    pub fn generate() -> Result<Self, TokenError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| no_randomness())?;
        // `04`, x, y (SEC 1 section 2.3.3).
        let point = pair.public_key().as_ref();
        let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(point.get(from..from + 32).unwrap_or_default());
        let (x, y) = (coordinate(1), coordinate(33));
        // The members in their order (RFC 7638 section 3.2).
        let jwk = Jwk { crv: "P-256", kty: "EC", x: &x, y: &y };
        let thumbprint = hash(&json(&jwk)?);
        let header = URL_SAFE_NO_PAD.encode(json(&Header { typ: "dpop+jwt", alg: "ES256", jwk })?);
        Ok(Self { pair, header, thumbprint })
    }

    /// What tokens that are bound to it name: `cnf.jkt`, and `dpop_jkt` of an authorization request.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The value of a `DPoP` header. It is good once, and for a minute.
    ///
    /// # Errors
    /// [`TokenError::Settings`] without randomness of the system.
    pub fn proof(&self, request: ProofRequest<'_>) -> Result<String, TokenError> {
        let mut jti = [0; 16];
        fill(&mut jti).map_err(|_| no_randomness())?;
        let claims = Claims {
            jti: URL_SAFE_NO_PAD.encode(jti),
            htm: request.method,
            htu: request.url.split(['?', '#']).next().unwrap_or_default(),
            iat: request.now,
            ath: request.access_token.map(|token| hash(token.as_bytes())),
            nonce: request.nonce,
        };
        let mut proof = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(json(&claims)?));
        let signature =
            self.pair.sign(&SystemRandom::new(), proof.as_bytes()).map_err(|_| no_randomness())?;
        proof.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut proof);
        Ok(proof)
    }
}

/// SHA-256, base64url.
fn hash(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, octets))
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, TokenError> {
    serde_json::to_vec(value).map_err(|error| TokenError::Settings(error.to_string()))
}

fn no_randomness() -> TokenError {
    TokenError::Settings("no randomness of the system".to_owned())
}
