use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::json;
use shared_claims::Confirmation;
use shared_claims::strict::{
    DEFAULT_MAX_TOKEN_BYTES, Members, StrictValue, UnverifiedHeader, UnverifiedToken,
};

use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result, TokenFault};
use crate::keys::{KeyPurpose, Secrets};
use crate::secret::hex;
use crate::sessions::Session;
use crate::tokens::UserId;

/// Another `typ`, another algorithm and another key than an access token's: the two can never be
/// taken for each other (RFC 8725 section 3.12).
const TYPE: &str = "rt+jwt";
const ALGORITHM: &str = "HS256";

/// Makes and reads refresh tokens. Only the authority ever reads one, so a MAC is enough; the token
/// follows from the session's row alone, so that a retry gets the same bytes and nothing that could
/// be replayed is stored.
pub struct RefreshTokens {
    issuer: String,
    /// The encoded header. Its `kid` names the MAC key, so that the log can distinguish another master key from a forgery.
    header: String,
    mac: hmac::Key,
    id: hmac::Key,
    /// A token is good for so long after it says that it has expired: its session lasts longer by it.
    leeway: Duration,
}

/// A refresh token whose MAC holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshClaims {
    pub session_id: String,
    pub generation: i64,
    /// Its `sub`: the `user_id` of the token is for others.
    pub user_id: String,
    pub client_id: ClientId,
    pub jti: String,
    /// Seconds since the epoch.
    pub iat: u64,
    pub exp: u64,
    /// Of a public client: what it has to show with it (RFC 9449 section 5).
    pub cnf: Option<Confirmation>,
}

/// Their order must not change: replicas of two versions have to write the same bytes.
#[derive(Serialize)]
struct WrittenClaims<'a> {
    token_type: &'static str,
    exp: u64,
    iat: u64,
    jti: String,
    user_id: UserId<'a>,
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    sid: &'a str,
    #[serde(rename = "gen")]
    generation: i64,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
}

impl RefreshTokens {
    #[must_use]
    pub fn new(issuer: String, secrets: &Secrets, leeway: Duration) -> Self {
        let header = json!({"alg": ALGORITHM, "typ": TYPE, "kid": secrets.name()});
        let key = |purpose| hmac::Key::new(hmac::HMAC_SHA256, secrets.get(purpose));
        Self {
            issuer,
            header: URL_SAFE_NO_PAD.encode(header.to_string()),
            mac: key(KeyPurpose::RefreshTokenMac),
            id: key(KeyPurpose::RefreshTokenId),
            leeway,
        }
    }

    /// The refresh token of the session's current generation: the same bytes each time. What it is bound to goes on from token to
    /// token, and is stored nowhere else.
    ///
    /// # Errors
    /// `Internal` when the claims cannot be written.
    pub fn mint(&self, session: &Session, user_id: UserId<'_>, cnf: Option<Confirmation>) -> Result<String> {
        let claims = WrittenClaims {
            token_type: "refresh",
            exp: session.refresh_expires_at().minus(self.leeway).seconds(),
            iat: session.rotated_at.seconds(),
            jti: self.jti(&session.id, session.generation),
            user_id,
            iss: &self.issuer,
            sub: &session.user_id,
            aud: &self.issuer,
            sid: &session.id,
            generation: session.generation,
            client_id: session.client_id.as_str(),
            cnf,
        };
        let claims = serde_json::to_vec(&claims);
        let claims = claims.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        let mut token = self.header.clone();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let tag = hmac::sign(&self.mac, token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(tag.as_ref(), &mut token);
        Ok(token)
    }

    /// Checks the MAC, in constant time, and then the expiry.
    ///
    /// # Errors
    /// `Invalid`, `WrongType` for another `typ`, `Expired`.
    pub fn read(
        &self,
        header: &UnverifiedHeader<'_>,
        token: &UnverifiedToken<'_>,
        now: Timestamp,
    ) -> std::result::Result<RefreshClaims, TokenFault> {
        if header.alg != ALGORITHM || !is_one(header) {
            return Err(TokenFault::WrongType);
        }
        hmac::verify(&self.mac, token.signing_input.as_bytes(), token.signature())
            .map_err(|_| TokenFault::Invalid)?;
        let members = token.unverified_claims().map_err(|_| TokenFault::Invalid)?;
        let claims = self.claims(&members).ok_or(TokenFault::Invalid)?;
        if claims.exp.saturating_add(self.leeway.as_secs()) <= now.seconds() {
            return Err(TokenFault::Expired);
        }
        Ok(claims)
    }

    /// 128 bits in hexadecimal, as simplejwt's; cannot be foreseen without the key.
    fn jti(&self, session_id: &str, generation: i64) -> String {
        let tag = hmac::sign(&self.id, format!("{session_id}.{generation}").as_bytes());
        hex(&tag.as_ref()[..16])
    }

    fn claims(&self, members: &Members<'_>) -> Option<RefreshClaims> {
        let text = |name: &str| members.get(name).and_then(StrictValue::as_str);
        let ours = text("iss")? == self.issuer && text("aud")? == self.issuer;
        ours.then_some(RefreshClaims {
            session_id: text("sid")?.to_owned(),
            generation: members.get("gen")?.as_i64()?,
            user_id: text("sub")?.to_owned(),
            client_id: ClientId::parse(text("client_id")?)?,
            jti: text("jti")?.to_owned(),
            iat: members.get("iat")?.as_u64()?,
            exp: members.get("exp")?.as_u64()?,
            // One that cannot be read must not pass for none.
            cnf: members.get("cnf").map(Confirmation::read).transpose().ok()?,
        })
    }
}

/// Whether a token calls itself a refresh token; says nothing about its truth.
pub(crate) fn is_one(unverified_header: &UnverifiedHeader<'_>) -> bool {
    unverified_header.is_of_type(TYPE)
}

/// Takes a token apart under the size cap.
pub(crate) fn parse(unverified_token: &str) -> std::result::Result<UnverifiedToken<'_>, TokenFault> {
    UnverifiedToken::parse(unverified_token, DEFAULT_MAX_TOKEN_BYTES).map_err(|_| TokenFault::Invalid)
}
