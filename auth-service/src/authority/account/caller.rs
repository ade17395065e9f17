use serde_json::Map;
use shared_claims::ScopeSet;

use crate::audit::{Action, Actor, Event};
use crate::authority::Authority;
use crate::authority::sign_in::TOO_MANY_LOGINS;
use crate::authority::sign_in::limited_by;
use crate::authority::tokens::{Draft, IssuedTokens, PresentedToken};
use crate::context::RequestContext;
use crate::error::{Error, OAuthFault, Result, SignInFault, TokenFault};
use crate::secret::PlainSecret;
use crate::sessions::Evaluation;
use crate::users::{Attempt, Origin, User};

/// A user who is logged in at a first-party application, by an access token.
#[derive(Debug, Clone)]
pub struct Caller {
    pub user_id: String,
    pub session_id: String,
    pub context: RequestContext,
}

impl Authority {
    /// The audience of tokens that open the account endpoints, and nothing else: a service that is shown a user's access
    /// token must not be able to read their address or end their sessions with it.
    pub(crate) fn account_audience(&self) -> String {
        format!("{}/api/account", self.issuer.url)
    }

    /// An access token for the account endpoints, for the session of a refresh token of a first-party application. That
    /// is not spent.
    ///
    /// # Errors
    /// `Token` with the fault; `AccountInactive`; `Unavailable`.
    pub fn issue_account_token(&self, unverified_refresh_token: &str) -> Result<IssuedTokens> {
        let now = self.now();
        let claims = self.read_refresh_token(unverified_refresh_token, now)?;
        let presented = self.presented(&claims, &self.simplejwt.first_party.id, now);
        let found = self.storage.find_session_and_account(&claims.session_id)?;
        let (session, attributes) = found.ok_or(TokenFault::Invalid)?;
        match session.evaluate(&presented) {
            Evaluation::Current | Evaluation::Repeated => {}
            Evaluation::NotYours => return Err(TokenFault::Invalid.into()),
            Evaluation::Expired => return Err(TokenFault::Expired.into()),
            Evaluation::Ended | Evaluation::Reused => return Err(TokenFault::Revoked.into()),
        }
        let disabled = || Error::new(SignInFault::AccountInactive, "the account is disabled");
        let attributes = attributes.ok_or_else(disabled)?;
        let (audience, scope) = (self.account_audience(), ScopeSet::default());
        let draft = Draft::for_user(&session, &attributes, &scope, Map::new()).for_audience(&audience);
        Ok(IssuedTokens {
            access_token: self.mint_access_token(&draft, now)?,
            expires_in: self.policy.access_ttl.as_secs(),
            scope: String::new(),
            id_token: None,
            refresh_token: None,
            cnf: None,
            issued_token_type: None,
        })
    }

    /// Who calls, by a token that was issued for the account endpoints.
    ///
    /// # Errors
    /// `Token` with the fault; `Unavailable`.
    pub fn authenticate_caller(&self, unverified_token: &str, context: &RequestContext) -> Result<Caller> {
        // Tokens for this audience are bound to nothing.
        let presented = PresentedToken::borne(unverified_token.to_owned());
        let claims = self.read_live_access_token(&presented)?;
        match &claims.sid {
            Some(session_id) if claims.aud.contains(&self.account_audience()) => {
                let context = context.clone();
                Ok(Caller { user_id: claims.sub.clone(), session_id: session_id.clone(), context })
            }
            _ => Err(Error::new(
                OAuthFault::UnauthorizedClient,
                "not a token for the account endpoints: POST /api/account/v1/token",
            )),
        }
    }

    pub(super) fn user_of(&self, caller: &Caller) -> Result<User> {
        let user = self.storage.find_user_by_id(&caller.user_id)?.filter(User::is_active);
        user.ok_or_else(|| Error::new(SignInFault::AccountInactive, "the account is disabled"))
    }

    /// Asks for the password again, for what must not be done by anyone who finds an open browser. Guesses count as those
    /// at the login do.
    pub(super) fn check_password_again(
        &self,
        caller: &Caller,
        user: &User,
        password: &PlainSecret,
    ) -> Result<()> {
        let attempt = Attempt::new(
            &self.sign_in.count_key,
            &self.sign_in.attempt_policy,
            user.username.key(),
            caller.context.client_ip,
        );
        let place = self.sign_in.hasher.acquire_slot(Origin::Known)?;
        self.check_limit(&attempt, TOO_MANY_LOGINS, &caller.context, || limited_by(&user.id))?;
        if user.has_password() && place.verify(password, &user.password_hash)? {
            self.give_back(&attempt);
            return Ok(());
        }
        Err(self.refuse_again(caller, "wrong password"))
    }

    /// Refuses, and writes it down; what cannot be written down is `Unavailable`.
    pub(super) fn refuse_again(&self, caller: &Caller, cause: &str) -> Error {
        let Caller { user_id, context, .. } = caller;
        let event =
            Event::of(Action::PasswordAsked).by(Actor::User(user_id.clone())).user(user_id).refused(cause);
        if let Err(error) = self.storage.on_behalf_of(context).note(event) {
            return error.into();
        }
        Error::new(SignInFault::InvalidCredentials, format!("account {user_id}: {cause}"))
    }
}
