//! The browser's part of the login of a device (RFC 8628 section 3.3).

use std::time::Duration;

use quick_cache::sync::Cache;

use super::claims_parameter::RequestedClaims;
use super::interaction::Interaction;
use super::page::{DevicePage, Page};
use super::prompt::{AcrWish, Prompt};
use super::request::AuthorizationRequest;
use super::response::{DeviceAsking, Recipient};
use super::tab::TabLogin;
use super::{Answer, AuthorizeService, Browser};
use crate::audit::{Action, Event};
use crate::authority::Authority;
use crate::browser_sessions::LiveBrowserSession;
use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::secret::HashedSecret;
use crate::storage::{AllowedBy, Decision};
use crate::user_code::normal_user_code;
use crate::users::{Attempt, AttemptPolicy};

/// Codes that are entered from one address: an attacker who guesses needs 34 bits.
const USER_CODES: AttemptPolicy = AttemptPolicy {
    realm: "user codes",
    pair: 0,
    account: 0,
    client_ip: 10,
    window: Duration::from_secs(600),
};

/// Devices whose last question is remembered.
const POLLING: usize = 10_000;

/// What a device is told to wait longer by each time (RFC 8628 section 3.5).
const SLOWER_BY: Duration = Duration::from_secs(5);

/// When each device asked last. Each replica counts by itself: a device that asks several gets as many answers more.
pub(super) struct DevicePolls(Cache<Vec<u8>, (Timestamp, Duration)>);

impl DevicePolls {
    pub(super) fn new() -> Self {
        Self(Cache::new(POLLING))
    }
}

impl AuthorizeService {
    /// Whether a device asks sooner than it was told to; it has to wait longer then.
    pub(in crate::authority) fn asks_too_often(&self, code: &HashedSecret, now: Timestamp) -> bool {
        let key = code.as_bytes().to_vec();
        let Some((last, interval)) = self.polls.0.get(&key) else {
            self.polls.0.insert(key, (now, self.policy.device.interval));
            return false;
        };
        let too_often = now < last.plus(interval);
        self.polls.0.insert(key, (now, if too_often { interval + SLOWER_BY } else { interval }));
        too_often
    }
}

impl Authority {
    /// A user enters the code that their device shows.
    ///
    /// # Errors
    /// `TooManyAttempts`; `Unavailable`, `Internal`.
    pub fn submit_user_code(&self, entered: &str, browser: &Browser) -> Result<Answer> {
        let Some(user_code) = normal_user_code(entered) else { return Ok(wrong_code()) };
        let attempt = Attempt::new(&self.sign_in.count_key, &USER_CODES, "", browser.context.client_ip);
        let limited = || Event::of(Action::AttemptsLimited);
        self.check_limit(&attempt, "too many user codes were tried", &browser.context, limited)?;
        let request = match self.device_request_of(&user_code)? {
            Ok(request) => request,
            Err(answer) => return Ok(*answer),
        };
        self.give_back(&attempt);
        let binding = browser.bind()?;
        let interaction = Interaction::begin_for_device(user_code, &binding.secret);
        let login = TabLogin { request, interaction, problem: None };
        Ok(Answer { binding: binding.to_set, ..self.proceed(login, browser)? })
    }

    /// What a device asks for, or the page that asks for the code again.
    pub(super) fn device_request_of(
        &self,
        user_code: &str,
    ) -> Result<std::result::Result<AuthorizationRequest, Box<Answer>>> {
        let found = self.storage.pending_device_request(user_code, self.now())?;
        let client = found.as_ref().and_then(|found| ClientId::parse(&found.client_id));
        let client = client.and_then(|id| self.clients.enabled(&id));
        let (Some(found), Some(client)) = (found, client) else { return Ok(Err(Box::new(wrong_code()))) };
        let device = DeviceAsking { user_code: user_code.to_owned(), client_ip: found.client_ip };
        Ok(Ok(AuthorizationRequest {
            recipient: Recipient::device_of(client, device),
            allowed_scope: found.scope.clone(),
            scope: found.scope,
            audience: found.audience,
            challenge: None,
            dpop_jkt: None,
            nonce: None,
            prompt: Prompt::default(),
            max_age: None,
            acr: AcrWish::default(),
            login_hint: None,
            hinted_user: None,
            ui_locales: None,
            claims: RequestedClaims::default(),
        }))
    }

    pub(super) fn allow_device(&self, user_code: &str, account: &LiveBrowserSession) -> Result<Answer> {
        let by = AllowedBy {
            user_id: account.session.user_id.clone(),
            browser_session_id: account.session.id.clone(),
            password_epoch: account.password_epoch,
            auth_time: account.session.auth_time,
            amr: account.session.amr.clone(),
        };
        self.decide_device(user_code, &Decision::Allowed(by), DevicePage::Allowed)
    }

    pub(super) fn deny_device(&self, user_code: &str) -> Result<Answer> {
        self.decide_device(user_code, &Decision::Denied, DevicePage::Denied)
    }

    fn decide_device(&self, user_code: &str, decision: &Decision, done: DevicePage) -> Result<Answer> {
        let decided = self.storage.decide_device_request(user_code, decision, self.now())?;
        Ok(if decided { Answer::page(Page::Device(done)) } else { wrong_code() })
    }
}

fn wrong_code() -> Answer {
    Answer::page(Page::Device(DevicePage::Enter { user_code: String::new(), is_wrong: true }))
}
