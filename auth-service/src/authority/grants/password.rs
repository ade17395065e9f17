use std::time::Duration;

use serde_json::{Map, Value};
use shared_claims::ScopeSet;

use super::refresh::binds_refresh;
use crate::audit::{Action, Actor, Event};
use crate::authority::Authority;
use crate::authority::sign_in::{PasswordCredentials, SignedIn, sign_in_outcome};
use crate::authority::tokens::{Draft, IssuedTokens};
use crate::clients::{Client, ClientId, GrantType};
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::error::{ErrorKind, Result, SignInFault};
use crate::metrics;
use crate::sessions::{NewSession, Session};
use crate::storage::{Login, SessionLimit, Start};
use crate::users::User;

/// A user's name and password, presented by a first-party client.
pub struct PasswordGrant {
    pub credentials: PasswordCredentials,
    pub context: RequestContext,
    pub scope: Option<String>,
    pub audience: Option<String>,
}

/// A session that has begun.
pub(in crate::authority) struct Started {
    pub session: Session,
    pub user: User,
    /// From the claim map and the webhook.
    pub custom: Map<String, Value>,
}

/// How long a session lives.
#[derive(Debug, Clone, Copy)]
pub(in crate::authority) struct Lifetimes {
    /// Ends it unless it is refreshed before.
    pub idle: Duration,
    /// Ends it however often it is refreshed.
    pub absolute: Duration,
}

/// What a session may do, and how long.
struct Terms {
    client_id: ClientId,
    scope: ScopeSet,
    audience: String,
    lifetimes: Lifetimes,
}

impl Authority {
    /// Begins a session and issues its first pair of tokens: simplejwt's `/api/token/` and `TokenService.ObtainPair`.
    ///
    /// # Errors
    /// `InvalidCredentials`, the same for an unknown username, a wrong password and a disabled user;
    /// `TooManyAttempts`, whatever the password is; `unauthorized_client`, `invalid_scope`, `invalid_target`;
    /// `Overloaded`, `Unavailable`.
    pub(super) fn obtain_pair(&self, client: &Client, grant: &PasswordGrant) -> Result<IssuedTokens> {
        client.check_grant(GrantType::Password)?;
        let sender = self.check_sender(client, &grant.context.sender)?;
        let Started { session, user, custom } =
            self.start_session(client, grant, self.session_lifetimes())?;
        // Who knows no password fills no memory.
        let cnf = self.confirm(&sender)?;
        let draft = Draft::for_user(&session, &user.attributes, &session.scope, custom).bound_to(cnf);
        let access_token = self.mint_access_token(&draft, session.created_at)?;
        metrics::issued(GrantType::Password.as_str());
        Ok(IssuedTokens {
            access_token,
            expires_in: self.policy.access_ttl.as_secs(),
            scope: session.scope.to_string(),
            id_token: None,
            refresh_token: Some(self.mint_refresh_token(
                &session,
                &user.attributes,
                binds_refresh(client, cnf),
            )?),
            cnf,
            issued_token_type: None,
        })
    }

    pub(in crate::authority) fn session_lifetimes(&self) -> Lifetimes {
        Lifetimes { idle: self.policy.refresh_idle_ttl, absolute: self.policy.refresh_absolute_ttl }
    }

    /// Begins a session for a user who proves who they are.
    pub(in crate::authority) fn start_session(
        &self,
        client: &Client,
        grant: &PasswordGrant,
        lifetimes: Lifetimes,
    ) -> Result<Started> {
        let outcome = self.sign_in_and_begin(client, grant, lifetimes);
        metrics::login(sign_in_outcome(&outcome));
        outcome
    }

    fn sign_in_and_begin(
        &self,
        client: &Client,
        grant: &PasswordGrant,
        lifetimes: Lifetimes,
    ) -> Result<Started> {
        client.check_grant(GrantType::Password)?;
        let scope = client.narrow_scope(grant.scope.as_deref())?;
        let audience = client.choose_audience(grant.audience.as_deref())?;
        let terms = Terms { client_id: client.id.clone(), scope, audience, lifetimes };
        let event = Event::of(Action::Login)
            .client(client.id.as_str())
            .by(Actor::Client(client.id.clone()))
            .tried(&grant.credentials.unverified_username);
        let mut signed_in = self.sign_in_by_password(&grant.credentials, &grant.context, &event)?;
        if self.issuer.webhook.is_some() {
            // A service that takes its time must not fill the counts with those who wait for it.
            self.give_back_attempt(&mut signed_in);
        }
        let begun = self.begin_session(terms, &grant.context, &signed_in, &event);
        if begun.as_ref().is_err_and(|error| error.kind != ErrorKind::SignIn(SignInFault::InvalidCredentials))
        {
            // The password was right.
            self.give_back_attempt(&mut signed_in);
        }
        let (session, custom) = begun?;
        Ok(Started { session, user: signed_in.user, custom })
    }

    fn begin_session(
        &self,
        terms: Terms,
        context: &RequestContext,
        signed_in: &SignedIn,
        event: &Event,
    ) -> Result<(Session, Map<String, Value>)> {
        let user = &signed_in.user;
        // Before there is a session: without its claims there is no token.
        let custom = self.simplejwt.claims.of(&user.attributes, self.ask_webhook(user)?)?;
        let now = self.now();
        let session = Session::begin(NewSession {
            id: Session::new_id(now),
            user_id: user.id.clone(),
            client_id: terms.client_id,
            scope: terms.scope,
            audience: terms.audience,
            auth_time: signed_in.auth_time,
            amr: signed_in.amr.clone(),
            created_at: now,
            idle_ttl: terms.lifetimes.idle,
            absolute_ttl: terms.lifetimes.absolute,
            leeway: self.simplejwt.leeway,
            device: context.device(),
            browser: None,
        });
        let login = Login {
            rehashed: signed_in.rehashed.clone(),
            known: signed_in.known_network.clone(),
            factor: signed_in.factor.clone(),
            limit: Some(self.session_limit(now)),
            attempt: signed_in.attempt.clone(),
        };
        let permit = self.login_permit(signed_in.known_network.as_deref())?;
        let started = self.storage.on_behalf_of(context).start_session(&session, user, login)?;
        drop(permit);
        let cause = match started {
            Start::Done => {
                self.sign_in.note_known_network(signed_in.known_network.as_deref());
                return Ok((session, custom));
            }
            Start::AccountChanged => "the user was disabled or their password changed during the login",
            Start::FactorSpent => "the one-time password was spent by another login at the same moment",
        };
        Err(self.refuse_sign_in(context, event, Some(&user.id), cause))
    }

    pub(in crate::authority) fn session_limit(&self, now: Timestamp) -> SessionLimit {
        SessionLimit { most: self.policy.max_sessions, revoked_until: self.revoked_until(now) }
    }
}
