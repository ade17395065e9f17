use std::time::Duration;

use serde_json::{Map, Value};
use shared_claims::{Confirmation, ScopeSet};

use crate::clients::{Client, ClientId};
use crate::clock::Timestamp;
use crate::sessions::Session;
use crate::users::Attributes;

/// Whom an access token is for, and what it allows.
pub struct Draft<'a> {
    pub(super) client_id: &'a ClientId,
    pub(super) audience: &'a str,
    pub(super) scope: &'a ScopeSet,
    pub(super) user: Option<UserFields<'a>>,
    pub(super) cnf: Option<Confirmation>,
}

/// A user within a session.
pub(super) struct UserFields<'a> {
    pub(super) session: &'a Session,
    pub(super) attributes: &'a Attributes,
    /// What the claim map and the webhook make of them.
    pub(super) custom: Map<String, Value>,
    pub(super) sliding: Option<Sliding>,
}

/// simplejwt's sliding token: an access token that is exchanged for a later one with the same id.
#[derive(Debug, Clone)]
pub struct Sliding {
    /// `None` for the first one.
    pub jti: Option<String>,
    /// Until when there is a later one.
    pub refresh_exp: Timestamp,
    /// How long each lives.
    pub ttl: Duration,
}

impl<'a> Draft<'a> {
    /// For a client that acts for itself.
    #[must_use]
    pub fn for_client(client: &'a Client, audience: &'a str, scope: &'a ScopeSet) -> Self {
        Self { client_id: &client.id, audience, scope, user: None, cnf: None }
    }

    /// For a user, within a session; `scope` may be narrower than the session's.
    #[must_use]
    pub fn for_user(
        session: &'a Session,
        attributes: &'a Attributes,
        scope: &'a ScopeSet,
        custom: Map<String, Value>,
    ) -> Self {
        Self {
            client_id: &session.client_id,
            audience: &session.audience,
            scope,
            user: Some(UserFields { session, attributes, custom, sliding: None }),
            cnf: None,
        }
    }

    /// The same, for another audience than the session's.
    #[must_use]
    pub fn for_audience(mut self, audience: &'a str) -> Self {
        self.audience = audience;
        self
    }

    /// The same, of use only to who shows this with it.
    #[must_use]
    pub fn bound_to(self, cnf: Option<Confirmation>) -> Self {
        Self { cnf, ..self }
    }

    /// The same, as a sliding token.
    #[must_use]
    pub fn sliding(mut self, sliding: Sliding) -> Self {
        if let Some(user) = &mut self.user {
            user.sliding = Some(sliding);
        }
        self
    }
}

impl Draft<'_> {
    pub(super) fn machine_subject(&self) -> String {
        format!("client:{}", self.client_id)
    }
}
