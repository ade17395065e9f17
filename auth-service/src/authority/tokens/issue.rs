use serde::Serialize;
use serde_json::{Map, Value};
use shared_claims::Confirmation;

use super::can_issue::unusable;
use super::draft::{Draft, UserFields};
use crate::authority::Authority;
use crate::browser_sessions::Acr;
use crate::clients::{Encryption, TokenForm};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::sign;
use crate::secret::random_id;
use crate::sessions::Session;
use crate::users::Attributes;

use crate::tokens::UserId;

/// The claims in the order in which simplejwt writes its own, then those of RFC 9068 section 2.2.
#[derive(Serialize)]
struct Claims<'a> {
    token_type: &'static str,
    exp: u64,
    iat: u64,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_exp: Option<u64>,
    /// Only of users: a Django service looks its user up by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId<'a>>,
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    /// Of sessions that began in a browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<&'a [String]>,
    /// Written here alone: no claim map and no webhook can (RFC 7800 section 3.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    #[serde(flatten)]
    custom: Option<&'a Map<String, Value>>,
}

impl Authority {
    /// Signs an access token (RFC 9068) that lives for the configured time, and encrypts it where its audience
    /// has registered a key.
    ///
    /// # Errors
    /// `Unavailable` when no key is active for the audience.
    pub fn mint_access_token(&self, draft: &Draft<'_>, now: Timestamp) -> Result<String> {
        let machine = draft.machine_subject();
        let user = draft.user.as_ref();
        let session = user.map(|user| user.session);
        let (sub, user_id) = match user {
            // A user's sub is a UUID, which holds no colon: the two can never meet (RFC 9068 section 5).
            None => (machine.as_str(), None),
            Some(UserFields { session, attributes, .. }) => {
                let sub = session.user_id.as_str();
                (sub, Some(self.simplejwt.user_id.of(sub, attributes)))
            }
        };
        let sliding = user.and_then(|user| user.sliding.as_ref());
        let life = sliding.map_or(self.policy.access_ttl, |sliding| sliding.ttl);
        let claims = Claims {
            token_type: if sliding.is_some() { "sliding" } else { "access" },
            exp: now.plus(life).seconds(),
            iat: now.seconds(),
            jti: match sliding.and_then(|sliding| sliding.jti.clone()) {
                Some(jti) => jti,
                None => random_id()?,
            },
            refresh_exp: sliding.map(|sliding| sliding.refresh_exp.seconds()),
            user_id,
            iss: &self.issuer.url,
            sub,
            aud: draft.audience,
            client_id: draft.client_id.as_str(),
            scope: draft.scope.as_str(),
            sid: session.map(|session| session.id.as_str()),
            auth_time: session.map(|session| session.auth_time.seconds()),
            acr: session
                .filter(|session| session.browser.is_some())
                .map(|session| Acr::of(&session.amr).as_str()),
            amr: session.map(|session| session.amr.as_slice()),
            roles: user.map(|user| user.attributes.roles.as_slice()),
            cnf: draft.cnf,
            custom: user.map(|user| &user.custom),
        };
        self.sign_for(draft.audience, &claims)
    }

    /// Signs claims as an audience wants its tokens, and encrypts them where it has registered a key.
    pub(super) fn sign_for(&self, audience: &str, claims: &impl Serialize) -> Result<String> {
        let TokenForm { algorithm, encryption, token_type } = self.clients.token_form(audience);
        let signer = self.issuer.signer_of(algorithm)?;
        let signed = sign(&signer, token_type.as_str(), claims)?;
        match encryption {
            Encryption::None => Ok(signed),
            Encryption::To(key) => key
                .seal(&signed)
                .map_err(|error| Error::new(ErrorKind::Internal, format!("{audience}: {error}"))),
            Encryption::Unusable => Err(unusable(audience)),
        }
    }

    /// The refresh token of the session's current generation, bound to a key of its client or to none.
    ///
    /// # Errors
    /// `Internal`.
    pub(crate) fn mint_refresh_token(
        &self,
        session: &Session,
        attributes: &Attributes,
        bound: Option<Confirmation>,
    ) -> Result<String> {
        let user_id = self.simplejwt.user_id.of(&session.user_id, attributes);
        self.issuer.refresh_tokens.mint(session, user_id, bound)
    }
}
