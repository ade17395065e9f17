//! The pages of a login.

use super::page::{Account, AccountsPage, ClientShown, ConsentPage, DeviceShown, Page, SignInPage};
use super::tab::{TabLogin, is_unproved};
use crate::authority::Authority;
use crate::browser_sessions::LiveBrowserSession;
use crate::error::Result;
use crate::user_code::shown;

impl Authority {
    pub(super) fn sign_in_page(&self, login: TabLogin, chosen: Option<&LiveBrowserSession>) -> Result<Page> {
        // A user who logs in again finds their name there.
        let again = chosen.filter(|_| !login.interaction.wants_another_account);
        let username = login.request.login_hint.clone().or_else(|| again.map(|live| live.username.clone()));
        Ok(Page::SignIn(SignInPage {
            client: ClientShown::of(&login.request.recipient),
            username: username.unwrap_or_default(),
            problem: login.problem,
            interaction: self.seal_interaction(login.interaction)?,
        }))
    }

    pub(super) fn accounts_page(&self, login: TabLogin, found: &[LiveBrowserSession]) -> Result<Page> {
        let account = |live: &LiveBrowserSession| Account {
            browser_session_id: live.session.id.clone(),
            username: live.username.clone(),
        };
        Ok(Page::ChooseAccount(AccountsPage {
            client: ClientShown::of(&login.request.recipient),
            accounts: found.iter().map(account).collect(),
            interaction: self.seal_interaction(login.interaction)?,
        }))
    }

    pub(super) fn consent_page(&self, login: TabLogin, account: &LiveBrowserSession) -> Result<Page> {
        let request = &login.request;
        let audience = Some(request.audience.clone()).filter(|name| *name != self.userinfo_audience());
        Ok(Page::Consent(ConsentPage {
            client: ClientShown::of(&request.recipient),
            username: account.username.clone(),
            scope: request
                .allowed_scope
                .as_str()
                .split(' ')
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
            audience,
            is_unproved: is_unproved(&request.recipient),
            device: request.recipient.device().map(|device| DeviceShown {
                user_code: shown(&device.user_code),
                client_ip: device.client_ip.clone().unwrap_or_default(),
            }),
            interaction: self.seal_interaction(login.interaction.asked_about(&account.session.id))?,
        }))
    }
}
