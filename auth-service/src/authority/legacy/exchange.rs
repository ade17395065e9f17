use std::time::Duration;

use serde_json::{Map, Value};

use crate::authority::Authority;
use crate::authority::grants::{Lifetimes, RefreshAnswer};
use crate::authority::tokens::IssuedTokens;
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::error::{Error, MissingPart, Result, SignInFault, TokenFault};
use crate::sessions::{NewSession, Presented, Rotation, Session};
use crate::storage::{Exchanged, LegacyExchange, Rotate};
use crate::tokens::{LegacyClaims, LegacyKind, LegacyTokens};

/// Longest time for which a sliding session is taken over, in seconds: a year.
const MOST_LEFT: u64 = 31_536_000;

/// A token from the old system stands before the first one of its session.
const BEFORE_THE_FIRST: i64 = -1;

impl Authority {
    /// Exchanges a refresh token of the previous issuer. A retry within the grace gets the same answer, a
    /// later use ends the session, as with a token of ours: it is the one before the first.
    pub(in crate::authority) fn refresh_legacy(
        &self,
        legacy: &LegacyTokens,
        claims: &LegacyClaims,
        context: &RequestContext,
    ) -> Result<IssuedTokens> {
        self.check_legacy_kind(claims, LegacyKind::Refresh)?;
        let now = self.now();
        let webhook_claims = self.ask_webhook_of_legacy(claims)?;
        let exchange = self.legacy_exchange(legacy, claims, self.session_lifetimes())?;
        match self.storage.on_behalf_of(context).exchange_legacy_token(exchange)? {
            Exchanged::Started(session, attributes) => {
                self.answer_refresh(&session, &attributes, RefreshAnswer::unbound(webhook_claims, now))
            }
            Exchanged::NoAccount => Err(no_account()),
            Exchanged::Spent => {
                let rotate = Rotate { context: context.clone(), ..self.legacy_rotate(legacy, claims, now) };
                let outcome = self.rotate_or_hold(rotate)?;
                // Without a session it had been blacklisted.
                let Rotation::Unknown = outcome else {
                    return self.answer_rotation(outcome, RefreshAnswer::unbound(webhook_claims, now));
                };
                Err(TokenFault::Revoked.into())
            }
        }
    }

    fn ask_webhook_of_legacy(&self, claims: &LegacyClaims) -> Result<Map<String, Value>> {
        if self.issuer.webhook.is_none() {
            return Ok(Map::new());
        }
        let id = claims.user_id.as_deref().unwrap_or_default();
        self.storage.find_user_by_legacy_id(id)?.map_or(Ok(Map::new()), |user| self.ask_webhook(&user))
    }

    /// The session that a sliding token of the old system goes on in, which it may do again and again.
    pub(super) fn legacy_sliding_session(
        &self,
        legacy: &LegacyTokens,
        claims: &LegacyClaims,
        context: &RequestContext,
    ) -> Result<Exchanged> {
        self.check_legacy_kind(claims, LegacyKind::Sliding)?;
        let now = self.now();
        if claims.refresh_exp.is_none_or(|end| end <= now.seconds()) {
            return Err(TokenFault::RefreshEnded.into());
        }
        let left = claims.refresh_exp.unwrap_or_default().saturating_sub(now.seconds());
        let left = Duration::from_secs(left.min(MOST_LEFT));
        let exchange = self.legacy_exchange(legacy, claims, Lifetimes { idle: left, absolute: left })?;
        Ok(self.storage.on_behalf_of(context).exchange_legacy_token(exchange)?)
    }

    /// As simplejwt does: a blacklisted token is reported before any other fault.
    fn check_legacy_kind(&self, claims: &LegacyClaims, wanted: LegacyKind) -> Result<()> {
        let fault = match claims.kind {
            Some(kind) if kind == wanted => return Ok(()),
            Some(_) => TokenFault::WrongType,
            None => TokenFault::Missing(MissingPart::Type),
        };
        let spent = self.storage.legacy_token_is_spent(&claims.jti)?;
        Err(if spent { TokenFault::Revoked } else { fault }.into())
    }

    fn legacy_exchange(
        &self,
        legacy: &LegacyTokens,
        claims: &LegacyClaims,
        lifetimes: Lifetimes,
    ) -> Result<LegacyExchange> {
        let now = self.now();
        let seconds =
            |seconds: u64| Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX / 1000).saturating_mul(1000));
        let session = Session::begin(NewSession {
            id: legacy.session_id(&claims.jti),
            user_id: String::new(),
            client_id: self.simplejwt.first_party.id.clone(),
            scope: self.simplejwt.first_party.scope.clone(),
            audience: self.simplejwt.first_party.choose_audience(None)?,
            auth_time: claims.iat.map_or(now, seconds),
            amr: vec!["pwd".to_owned()],
            created_at: now,
            idle_ttl: lifetimes.idle,
            absolute_ttl: lifetimes.absolute,
            leeway: self.simplejwt.leeway,
            device: None,
            browser: None,
        });
        Ok(LegacyExchange {
            jti: claims.jti.clone(),
            expires_at: seconds(claims.exp.max(claims.refresh_exp.unwrap_or(0))),
            issued_at: claims.iat.map(seconds),
            hash_password: claims.hash_password.clone(),
            legacy_id: claims.user_id.clone().ok_or(TokenFault::Invalid)?,
            limit: self.session_limit(session.created_at),
            session,
        })
    }

    fn legacy_rotate(&self, legacy: &LegacyTokens, claims: &LegacyClaims, now: Timestamp) -> Rotate {
        Rotate {
            presented: Presented {
                session_id: legacy.session_id(&claims.jti),
                generation: BEFORE_THE_FIRST,
                client_id: self.simplejwt.first_party.id.clone(),
                now,
                grace: self.policy.refresh_grace,
            },
            idle_expires_at: now.plus(self.policy.refresh_idle_ttl + self.simplejwt.leeway),
            revoked_until: self.revoked_until(now),
            context: RequestContext::default(),
        }
    }
}

pub(super) fn no_account() -> Error {
    Error::new(
        SignInFault::AccountInactive,
        "no active account has the id of this token, or its password has changed",
    )
}
