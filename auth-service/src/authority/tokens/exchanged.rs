use serde::Serialize;
use serde_json::{Map, Value};
use shared_claims::{AccessClaims, Actors, Confirmation, ScopeSet};

use crate::authority::Authority;
use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::secret::random_id;

/// Claims of the subject token that say how it can be used, and not of whom it is.
const NOT_PASSED_ON: [&str; 1] = ["refresh_exp"];

/// A token that was exchanged for another one (RFC 8693).
pub(in crate::authority) struct ExchangedDraft<'a> {
    pub subject: &'a AccessClaims,
    pub client_id: &'a ClientId,
    pub audience: &'a str,
    pub scope: &'a ScopeSet,
    pub act: Option<&'a Actors>,
    pub cnf: Option<Confirmation>,
    /// Seconds since the epoch.
    pub exp: u64,
}

#[derive(Serialize)]
struct Claims<'a> {
    token_type: &'static str,
    exp: u64,
    iat: u64,
    jti: String,
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    scope: &'a str,
    /// That of the subject token: what ends the session ends this token too.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Actors>,
    /// The clients whose tokens it comes from, also those that do not act: what ends one of them ends this token too.
    via: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    /// What else the subject token says of its user.
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Authority {
    /// Signs, and encrypts where the audience wants it.
    ///
    /// # Errors
    /// `Unavailable` when no key is active for the audience.
    pub(in crate::authority) fn mint_exchanged_token(
        &self,
        draft: &ExchangedDraft<'_>,
        now: Timestamp,
    ) -> Result<String> {
        let subject = draft.subject;
        let others = subject.extra.iter().filter(|(name, _)| !NOT_PASSED_ON.contains(name));
        let claims = Claims {
            token_type: "access",
            exp: draft.exp,
            iat: now.seconds(),
            jti: random_id()?,
            iss: &self.issuer.url,
            sub: &subject.sub,
            aud: draft.audience,
            client_id: draft.client_id.as_str(),
            scope: draft.scope.as_str(),
            sid: subject.sid.as_deref(),
            auth_time: subject.auth_time,
            roles: (!subject.is_machine()).then_some(subject.roles.as_slice()),
            act: draft.act,
            via: subject.via.iter().map(String::as_str).chain([subject.client_id.as_str()]).collect(),
            cnf: draft.cnf,
            others: others.map(|(name, value)| (name.to_owned(), value.clone())).collect(),
        };
        self.sign_for(draft.audience, &claims)
    }
}
