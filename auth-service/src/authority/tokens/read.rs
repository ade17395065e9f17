//! Reading a token that someone presents, of whichever kind.

use std::sync::Arc;

use shared_claims::bearer::Scheme;
use shared_claims::{AccessClaims, Presented as Shown, Refusal, bind};

use crate::authority::Authority;
use crate::clients::{ClientId, TokenType};
use crate::clock::Timestamp;
use crate::error::{Result, TokenFault};
use crate::sender_proof::SenderProof;
use crate::sessions::{Evaluation, Presented};
use crate::tokens::refresh_token::{self, RefreshClaims};

/// An access token as a request brings it.
pub struct PresentedToken {
    pub unverified_token: String,
    pub scheme: Scheme,
    pub sender: SenderProof,
}

impl PresentedToken {
    /// One that is presented alone.
    #[must_use]
    pub fn borne(unverified_token: String) -> Self {
        Self { unverified_token, scheme: Scheme::Bearer, sender: SenderProof::default() }
    }
}

/// A token that was issued here and has not expired. Whether it was revoked is not known yet.
pub(in crate::authority) enum ValidatedToken {
    Access(Arc<AccessClaims>),
    Refresh(RefreshClaims),
}

impl Authority {
    pub(in crate::authority) fn read_token(
        &self,
        unverified: &str,
        now: Timestamp,
    ) -> std::result::Result<ValidatedToken, TokenFault> {
        let token = refresh_token::parse(unverified)?;
        let header = token.header().map_err(|_| TokenFault::Invalid)?;
        if refresh_token::is_one(&header) {
            return self.issuer.refresh_tokens.read(&header, &token, now).map(ValidatedToken::Refresh);
        }
        let token_type = TokenType::ALL.into_iter().find(|known| header.is_of_type(known.as_str()));
        let token_type = token_type.ok_or(TokenFault::Invalid)?;
        self.read_access_token(unverified, token_type, now).map(ValidatedToken::Access)
    }

    fn read_access_token(
        &self,
        unverified: &str,
        token_type: TokenType,
        now: Timestamp,
    ) -> std::result::Result<Arc<AccessClaims>, TokenFault> {
        let keys = self.issuer.keys.ring();
        let claims =
            self.reader.verifier.verify_before_binding(unverified, &keys.key_set, now.seconds()).map_err(
                |refusal| {
                    tracing::debug!(%refusal, "access token refused");
                    if refusal == Refusal::Expired { TokenFault::Expired } else { TokenFault::Invalid }
                },
            )?;
        // The authority asks for no audience of its own, but none that it does not know was ever issued, nor one of
        // another type than that audience has.
        let issued = |audience: &String| match self.clients.token_type(audience) {
            Some(of_audience) => of_audience == token_type,
            None => {
                let own = [self.account_audience(), self.userinfo_audience()];
                token_type == TokenType::default() && own.contains(audience)
            }
        };
        if claims.aud.iter().any(issued) {
            return Ok(claims);
        }
        tracing::debug!("access token for an audience that is not registered refused");
        Err(TokenFault::Invalid)
    }

    /// A refresh token where one is needed.
    pub(crate) fn read_refresh_token(
        &self,
        unverified: &str,
        now: Timestamp,
    ) -> std::result::Result<RefreshClaims, TokenFault> {
        match self.read_token(unverified, now)? {
            ValidatedToken::Refresh(claims) => Ok(claims),
            ValidatedToken::Access(_) => Err(TokenFault::WrongType),
        }
    }

    /// An access token that holds, of whatever audience, and may be used by who presents it.
    pub(crate) fn read_live_access_token(
        &self,
        PresentedToken { unverified_token, scheme, sender }: &PresentedToken,
    ) -> Result<Arc<AccessClaims>> {
        let now = self.now();
        let token = self.read_token(unverified_token, now)?;
        self.check_holds(&token, now)?;
        let ValidatedToken::Access(claims) = token else { return Err(TokenFault::WrongType.into()) };
        match scheme {
            Scheme::Bearer => check_presented(&claims, sender.presented())?,
            Scheme::Dpop => {
                let proved = self.check_proof(sender, Some(unverified_token))?;
                check_presented(&claims, proved.presented())?;
                self.spend_proof(&proved)?;
            }
        }
        Ok(claims)
    }

    /// Whether a known token still holds: not revoked, its session alive, its client enabled.
    ///
    /// # Errors
    /// `Token(Revoked)`, or `Unavailable` when the database cannot say.
    pub(in crate::authority) fn check_holds(&self, token: &ValidatedToken, now: Timestamp) -> Result<()> {
        let holds = match token {
            ValidatedToken::Access(claims) => {
                self.check_fresh()?;
                self.access_token_holds(claims)
            }
            ValidatedToken::Refresh(claims) => self.refresh_token_holds(claims, now)?,
        };
        if holds { Ok(()) } else { Err(TokenFault::Revoked.into()) }
    }

    /// From memory: what ends a session takes its access tokens back until the last of them has expired.
    pub(super) fn access_token_holds(&self, claims: &AccessClaims) -> bool {
        self.client_may_act(&claims.client_id) && !self.reader.revocations.matches(claims)
    }

    pub(super) fn refresh_token_holds(&self, claims: &RefreshClaims, now: Timestamp) -> Result<bool> {
        let Some(session) = self.storage.find_session(&claims.session_id)? else { return Ok(false) };
        let evaluation = session.evaluate(&self.presented(claims, &claims.client_id, now));
        let current = matches!(evaluation, Evaluation::Current | Evaluation::Repeated);
        Ok(current && self.client_may_act(claims.client_id.as_str()))
    }

    fn client_may_act(&self, id: &str) -> bool {
        id == self.simplejwt.first_party.id.as_str()
            || ClientId::parse(id).is_some_and(|id| self.clients.enabled(&id).is_some())
    }

    /// A refresh token as its session sees it, presented by a client.
    pub(crate) fn presented(
        &self,
        claims: &RefreshClaims,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Presented {
        Presented {
            session_id: claims.session_id.clone(),
            generation: claims.generation,
            client_id: client_id.clone(),
            now,
            grace: self.policy.refresh_grace,
        }
    }
}

/// Whether an access token may be used by anyone who bears it: a proof or a certificate cannot be shown here.
pub(in crate::authority) fn check_borne(claims: &AccessClaims) -> std::result::Result<(), TokenFault> {
    check_presented(claims, Shown::Bearer)
}

fn check_presented(claims: &AccessClaims, shown: Shown) -> std::result::Result<(), TokenFault> {
    bind(claims, shown).map_err(|refusal| {
        tracing::debug!(%refusal, "access token refused");
        TokenFault::Invalid
    })
}
