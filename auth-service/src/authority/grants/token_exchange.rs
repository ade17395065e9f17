use std::sync::Arc;

use shared_claims::encryption::is_encrypted;
use shared_claims::{AccessClaims, Actors, ScopeSet};

use crate::authority::proofs::CheckedSender;
use crate::authority::tokens::{ExchangedDraft, IssuedTokens, ValidatedToken};
use crate::authority::{Authority, Step};
use crate::clients::{Client, ExchangeRule, NoRule, narrow};
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, OAuthFault, Result};
use crate::metrics;

/// `grant_type` (RFC 8693 section 2.1).
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// What is exchanged, and what for (RFC 8693 section 3).
pub const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A token that a client was sent, for one by which it calls another service (RFC 8693).
pub struct TokenExchangeGrant {
    pub unverified_subject_token: String,
    /// One that the client has for itself.
    pub unverified_actor_token: Option<String>,
    pub scope: Option<String>,
    pub audience: Option<String>,
    pub context: RequestContext,
}

/// An exchange that may take place.
pub(super) struct Exchange {
    pub(super) client: Arc<Client>,
    pub(super) subject: Arc<AccessClaims>,
    pub(super) rule: ExchangeRule,
    pub(super) scope: ScopeSet,
    pub(super) act: Option<Actors>,
    pub(super) sender: CheckedSender,
    pub(super) context: RequestContext,
}

impl Authority {
    /// Exchanges a token: the new one is about the same user or service, of the same session, names who acts, and never has more
    /// scope or a longer life. Nothing is stored but an entry in the audit log, now and then.
    ///
    /// # Errors
    /// `unauthorized_client` for a public client; `invalid_request` for a token that is not good here, or that no rule lets the client
    /// exchange; `invalid_target`, `invalid_scope`; `invalid_dpop_proof`, `use_dpop_nonce`; `Unavailable`.
    pub(super) fn exchange_token(
        &self,
        client: Arc<Client>,
        request: TokenExchangeGrant,
    ) -> Result<Step<IssuedTokens>> {
        if client.is_public() {
            let cause = format!("client {} is public: anybody can say that they are it", client.id);
            return Err(Error::new(OAuthFault::UnauthorizedClient, cause));
        }
        if !self.is_fresh() {
            return Ok(Step::blocks(move |authority| {
                authority.check_fresh()?;
                let exchange = authority.check_exchange(client, request)?;
                authority.note_exchange(&exchange)?;
                authority.issue_exchanged(&exchange)
            }));
        }
        let exchange = self.check_exchange(client, request)?;
        if self.is_noted(&exchange) {
            return self.issue_exchanged(&exchange).map(Step::Done);
        }
        Ok(Step::blocks(move |authority| {
            authority.note_exchange(&exchange)?;
            authority.issue_exchanged(&exchange)
        }))
    }

    fn check_exchange(&self, client: Arc<Client>, request: TokenExchangeGrant) -> Result<Exchange> {
        let now = self.now();
        let hint = "the subject token is not a valid access token";
        let subject = self.exchangeable(&request.unverified_subject_token, now, hint)?;
        let rule = self.rule_for(&client, &subject, request.audience.as_deref())?;
        let actor = match &request.unverified_actor_token {
            None => format!("client:{}", client.id),
            Some(token) => self.actor_by_token(&client, token, now)?,
        };
        if subject.may_act.as_ref().is_some_and(|only| only.nearest() != actor) {
            return Err(refused("`may_act` of the subject token names another actor"));
        }
        let scope = exchanged_scope(&subject, &rule, request.scope.as_deref())?;
        let act = match rule.impersonates {
            true => subject.act.clone(),
            false => {
                let longer = Actors::with(actor, subject.act.as_ref());
                Some(longer.ok_or_else(|| refused("the subject token has come by too many actors already"))?)
            }
        };
        let sender = self.check_sender(&client, &request.context.sender)?;
        self.check_can_issue_for(&rule.to)?;
        Ok(Exchange { client, subject, rule, scope, act, sender, context: request.context })
    }

    /// A token that holds. Whether its sender could prove that it is bound to them was for its recipient to see, who now exchanges it.
    fn exchangeable(
        &self,
        unverified: &str,
        now: Timestamp,
        hint: &'static str,
    ) -> Result<Arc<AccessClaims>> {
        if is_encrypted(unverified) {
            return Err(refused("an encrypted token cannot be read here: exchange what is inside"));
        }
        let token = self.read_token(unverified, now).map_err(|_| refused(hint))?;
        let held = self.check_holds(&token, now);
        held.map_err(|error| if matches!(error.kind, ErrorKind::Token(_)) { refused(hint) } else { error })?;
        match token {
            ValidatedToken::Access(claims) if claims.exp > now.seconds() => Ok(claims),
            ValidatedToken::Access(_) | ValidatedToken::Refresh(_) => Err(refused(hint)),
        }
    }

    fn rule_for(&self, client: &Client, subject: &AccessClaims, to: Option<&str>) -> Result<ExchangeRule> {
        let rules = self.clients.exchange_rules(&client.id);
        let found = ExchangeRule::choose(&rules, &subject.aud, to).cloned();
        found.map_err(|missing| {
            let cause =
                format!("client {}: tokens for {:?}, for {to:?}: {missing:?}", client.id, subject.aud);
            match missing {
                NoRule::From => Error { cause, ..refused("the client may not exchange this token") },
                NoRule::To => Error::new(OAuthFault::InvalidTarget, cause),
                NoRule::Ambiguous => Error { cause, ..refused("the parameter `audience` is missing") },
            }
        })
    }

    /// `actor_token`: one that was issued to the client itself.
    fn actor_by_token(&self, client: &Client, unverified: &str, now: Timestamp) -> Result<String> {
        let claims = self.exchangeable(unverified, now, "the actor token is not a valid access token")?;
        // One of a user would say that the user acts.
        if claims.sub != format!("client:{}", client.id) || claims.cnf.is_some() {
            return Err(refused("the actor token is not the client's own, or is bound to a key"));
        }
        Ok(claims.sub.clone())
    }

    fn issue_exchanged(&self, exchange: &Exchange) -> Result<IssuedTokens> {
        let Exchange { client, subject, rule, scope, act, sender, .. } = exchange;
        let now = self.now();
        let cnf = self.confirm(sender)?;
        let exp = subject.exp.min(now.plus(self.policy.access_ttl).seconds());
        let access_token = self.mint_exchanged_token(
            &ExchangedDraft {
                subject,
                client_id: &client.id,
                audience: &rule.to,
                scope,
                act: act.as_ref(),
                cnf,
                exp,
            },
            now,
        )?;
        metrics::issued(TOKEN_EXCHANGE);
        Ok(IssuedTokens {
            access_token,
            expires_in: exp.saturating_sub(now.seconds()),
            scope: scope.to_string(),
            id_token: None,
            refresh_token: None,
            cnf,
            issued_token_type: Some(ACCESS_TOKEN_TYPE),
        })
    }
}

/// What the client asks for, out of what the token has and the rule allows.
fn exchanged_scope(subject: &AccessClaims, rule: &ExchangeRule, asked: Option<&str>) -> Result<ScopeSet> {
    let held = subject.scope.as_str().split(' ').filter(|scope| rule.scope.contains(scope));
    let held = ScopeSet::parse(&held.collect::<Vec<_>>().join(" "));
    let held = held.map_err(|error| Error::new(OAuthFault::InvalidScope, error.to_string()))?;
    narrow(&held, asked)
}

fn refused(hint: &'static str) -> Error {
    Error::invalid_request(hint)
}
