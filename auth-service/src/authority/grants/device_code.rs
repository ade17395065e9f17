use std::sync::Arc;
use std::time::Duration;

use super::begin::Allowed;
use super::first_tokens::Begun;
use crate::audit::{Action, Event};
use crate::authority::Authority;
use crate::authority::tokens::IssuedTokens;
use crate::clients::{Client, GrantType};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, OAuthFault, Result};
use crate::secret::{HashedSecret, PlainSecret};
use crate::sessions::Session;
use crate::storage::{AllowedBy, Decision, DeviceRequest, StorageError};
use crate::user_code::{shown, user_code};
use crate::users::{Attempt, AttemptPolicy};

/// Requests of devices from one address: each is a row until it expires.
const DEVICE_REQUESTS: AttemptPolicy = AttemptPolicy {
    realm: "device requests",
    pair: 0,
    account: 0,
    client_ip: 200,
    window: Duration::from_secs(600),
};

/// Tries at a user code that nobody has; with 10,000 of them in use a clash is one in two million.
const TRIES: usize = 5;

/// What a device asks for.
pub struct DeviceAuthorization {
    pub scope: Option<String>,
    pub audience: Option<String>,
    pub context: RequestContext,
}

/// What a device shows, and asks with (RFC 8628 section 3.2).
#[derive(Debug, Clone)]
pub struct DeviceCodes {
    pub device_code: PlainSecret,
    /// With a dash in the middle.
    pub user_code: String,
    pub expires_in: Duration,
    /// Between two questions.
    pub interval: Duration,
}

impl Authority {
    /// Begins the login of a device without a browser.
    ///
    /// # Errors
    /// `unauthorized_client`, `invalid_scope`, `invalid_target`; `TooManyAttempts`; `Unavailable`.
    pub fn authorize_device(&self, client: &Client, asked: &DeviceAuthorization) -> Result<DeviceCodes> {
        client.check_grant(GrantType::DeviceCode)?;
        let attempt = Attempt::new(&self.sign_in.count_key, &DEVICE_REQUESTS, "", asked.context.client_ip);
        let limited = || Event::of(Action::AttemptsLimited).client(client.id.as_str());
        self.check_limit(&attempt, "too many devices asked", &asked.context, limited)?;
        let now = self.now();
        let policy = self.authorize.policy.device;
        let audience = match (&asked.audience, client.audiences.is_empty()) {
            (None, true) => self.userinfo_audience(),
            (asked, _) => client.choose_audience(asked.as_deref())?,
        };
        let mut request = DeviceRequest {
            user_code: String::new(),
            client_id: client.id.to_string(),
            scope: client.narrow_scope(asked.scope.as_deref())?,
            audience,
            decision: Decision::Pending,
            session_id: Session::new_id(now),
            expires_at: now.plus(policy.ttl),
            client_ip: asked.context.client_ip.map(|ip| ip.address.to_string()),
            device: asked.context.device(),
        };
        let device_code = PlainSecret::generate()?;
        for _ in 0..TRIES {
            request.user_code = user_code()?;
            match self.storage.add_device_request(&HashedSecret::of(&device_code), &request) {
                Err(StorageError::Taken) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    let user_code = shown(&request.user_code);
                    return Ok(DeviceCodes {
                        device_code,
                        user_code,
                        expires_in: policy.ttl,
                        interval: policy.interval,
                    });
                }
            }
        }
        Err(Error::new(ErrorKind::Internal, "no user code is free"))
    }

    /// A device asks whether its user has decided (RFC 8628 section 3.4).
    ///
    /// # Errors
    /// `authorization_pending`, `slow_down`, `access_denied`, `expired_token`, `invalid_grant`; `Unavailable`.
    pub(super) fn poll_device(
        &self,
        client: Arc<Client>,
        device_code: &PlainSecret,
        context: &RequestContext,
    ) -> Result<IssuedTokens> {
        client.check_grant(GrantType::DeviceCode)?;
        // First: a request that is repeated with the nonce of its answer does not come too soon.
        drop(self.check_sender(&client, &context.sender)?);
        let (now, code) = (self.now(), HashedSecret::of(device_code));
        if self.authorize.asks_too_often(&code, now) {
            return Err(refused(OAuthFault::SlowDown));
        }
        let request =
            self.storage.device_request(&code)?.filter(|request| request.client_id == client.id.as_str());
        let request =
            request.ok_or_else(|| refused(OAuthFault::InvalidGrant("the device code is not valid")))?;
        match &request.decision {
            Decision::Denied => Err(refused(OAuthFault::AccessDenied)),
            _ if request.expires_at <= now => Err(refused(OAuthFault::ExpiredDeviceCode)),
            Decision::Pending => Err(refused(OAuthFault::AuthorizationPending)),
            Decision::Allowed(by) => self.begin_device_session(client, &request, by, context),
        }
    }

    fn begin_device_session(
        &self,
        client: Arc<Client>,
        request: &DeviceRequest,
        by: &AllowedBy,
        context: &RequestContext,
    ) -> Result<IssuedTokens> {
        let allowed = Allowed {
            session_id: &request.session_id,
            user_id: &by.user_id,
            password_epoch: by.password_epoch,
            browser_session_id: &by.browser_session_id,
            browser_idle_expires_at: None,
            auth_time: by.auth_time,
            amr: &by.amr,
            scope: request.scope.clone(),
            audience: &request.audience,
            nonce: None,
            dpop_jkt: None,
            id_token_claims: &[],
            userinfo_claims: &[],
        };
        let (redeem, beginning) = self.prepare(client, allowed, GrantType::DeviceCode, context)?;
        match self.begin(beginning, self.redeem(redeem)?)? {
            Begun::Issued(tokens) => Ok(tokens),
            Begun::Again => Err(refused(OAuthFault::InvalidGrant("the device code was used before"))),
            // The user was disabled, has logged out, or has another password by now.
            Begun::Gone => Err(refused(OAuthFault::AccessDenied)),
        }
    }
}

fn refused(fault: OAuthFault) -> Error {
    Error::new(fault, format!("device: {fault:?}"))
}
