use std::sync::Arc;

use super::fault::RecipientFault;
use super::response::Recipient;
use crate::clients::Client;

/// What a user sees.
#[derive(Debug, Clone)]
pub enum Page {
    SignIn(SignInPage),
    SecondFactor(SecondFactorPage),
    ChooseAccount(AccountsPage),
    Consent(ConsentPage),
    Device(DevicePage),
    /// The login cannot go on here.
    Stopped(Stopped),
}

/// The client that a user logs in at.
#[derive(Debug, Clone)]
pub struct ClientShown {
    pub client: Arc<Client>,
    /// Where the answer goes, as users read it.
    pub host: String,
}

impl ClientShown {
    pub(super) fn of(recipient: &Recipient) -> Self {
        Self { client: Arc::clone(&recipient.client), host: recipient.host().to_owned() }
    }
}

/// Username and password.
#[derive(Debug, Clone)]
pub struct SignInPage {
    pub client: ClientShown,
    /// What stands in the field for the name: a hint of the client, or what was entered before.
    pub username: String,
    pub problem: Option<Problem>,
    pub interaction: String,
}

/// The code of an authenticator, or a recovery code.
#[derive(Debug, Clone)]
pub struct SecondFactorPage {
    pub client: ClientShown,
    pub problem: Option<Problem>,
    pub interaction: String,
}

/// The accounts that are open in the browser.
#[derive(Debug, Clone)]
pub struct AccountsPage {
    pub client: ClientShown,
    pub accounts: Vec<Account>,
    pub interaction: String,
}

/// An account that is open in the browser.
#[derive(Debug, Clone)]
pub struct Account {
    pub browser_session_id: String,
    pub username: String,
}

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct ConsentPage {
    pub client: ClientShown,
    pub username: String,
    pub scope: Vec<String>,
    /// Where the tokens may be used; `None` for the authority alone.
    pub audience: Option<String>,
    /// Any program on the user's machine can say that it is this client.
    pub is_unproved: bool,
    /// The device that asks, with its code as it shows it.
    pub device: Option<DeviceShown>,
    pub interaction: String,
}

/// What the user sees of the login of a device, beside the pages of every login.
#[derive(Debug, Clone)]
pub enum DevicePage {
    /// The code is asked for.
    Enter {
        user_code: String,
        is_wrong: bool,
    },
    Allowed,
    Denied,
}

/// What a user can recognise a device by.
#[derive(Debug, Clone)]
pub struct DeviceShown {
    pub user_code: String,
    pub client_ip: String,
}

/// What went wrong on a page that the user can fill in again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    WrongCredentials,
    WrongCode,
    /// With the seconds after which the next attempt is looked at.
    TooManyAttempts(u32),
    /// The page was open for too long, or in another browser.
    StartedAgain,
}

/// Why a login does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The request does not say whose it is.
    Recipient(RecipientFault),
    /// The page is of another version, or was altered.
    UnreadablePage,
}
