use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::code::hash;
use super::next_step::Done;
use super::parameters::Parameters;
use super::sealed::Kind;
use crate::clock::Timestamp;
use crate::secret::PlainSecret;

/// The login of one tab: its request as it came, and how far it has got. Its pages hold it, sealed, and send it along with what
/// the user enters: tabs know nothing of each other, and what a user leaves open costs nothing here. It is bound to the
/// browser: a page that an attacker prepared in their own does not log anybody else in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Interaction {
    #[serde(rename = "q")]
    pairs: Vec<(String, String)>,
    /// The user code of a device, in place of a request.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// SHA-256 of the browser's binding.
    #[serde(rename = "b")]
    browser_hash: String,
    #[serde(rename = "l", default)]
    logged_in: bool,
    #[serde(rename = "c", default)]
    chose_account: bool,
    /// The user wants to log in with an account that is not open here.
    #[serde(rename = "o", default)]
    pub wants_another_account: bool,
    /// The browser session that was begun or chosen on these pages, or that the user is asked about.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub browser_session_id: Option<String>,
    /// A user whose password was right and who has a second factor to show.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub proved: Option<PasswordProved>,
}

/// Half a login.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PasswordProved {
    pub user_id: String,
    pub password_epoch: i64,
    /// Milliseconds since the epoch.
    pub at: i64,
}

impl Kind for Interaction {
    const NAME: &'static str = "interaction 1";
}

impl Interaction {
    pub(super) fn begin(parameters: &Parameters, binding: &PlainSecret) -> Self {
        Self {
            pairs: parameters.pairs().to_vec(),
            device: None,
            browser_hash: hash(binding.expose().as_bytes()),
            logged_in: false,
            chose_account: false,
            wants_another_account: false,
            browser_session_id: None,
            proved: None,
        }
    }

    pub(super) fn begin_for_device(user_code: String, binding: &PlainSecret) -> Self {
        Self { device: Some(user_code), ..Self::begin(&Parameters::default(), binding) }
    }

    /// The same from its beginning, in a browser.
    pub(super) fn begin_again(self, binding: &PlainSecret) -> Self {
        Self { device: self.device.clone(), ..Self::begin(&self.parameters(), binding) }
    }

    pub(super) fn parameters(&self) -> Parameters {
        Parameters::new(self.pairs.clone())
    }

    /// Whether it was begun in the browser that a request comes from.
    pub(super) fn is_of(&self, binding: Option<&PlainSecret>) -> bool {
        let hashed = |binding: &PlainSecret| hash(binding.expose().as_bytes());
        binding.is_some_and(|binding| hashed(binding).as_bytes().ct_eq(self.browser_hash.as_bytes()).into())
    }

    pub(super) fn done(&self) -> Done {
        Done { logged_in: self.logged_in, chose_account: self.chose_account, consented: false }
    }

    /// After a login on its pages.
    pub(super) fn logged_in_as(self, browser_session_id: String) -> Self {
        let browser_session_id = Some(browser_session_id);
        Self { logged_in: true, wants_another_account: false, browser_session_id, proved: None, ..self }
    }

    /// Another account than the one that has logged in on these pages has not.
    pub(super) fn chose(self, browser_session_id: String) -> Self {
        let logged_in = self.logged_in && self.browser_session_id.as_ref() == Some(&browser_session_id);
        let browser_session_id = Some(browser_session_id);
        Self {
            chose_account: true,
            logged_in,
            wants_another_account: false,
            browser_session_id,
            proved: None,
            ..self
        }
    }

    pub(super) fn with_another_account(self) -> Self {
        Self {
            chose_account: true,
            wants_another_account: true,
            browser_session_id: None,
            proved: None,
            ..self
        }
    }

    pub(super) fn asked_about(self, browser_session_id: &str) -> Self {
        Self { browser_session_id: Some(browser_session_id.to_owned()), ..self }
    }

    pub(super) fn proved_password(self, user_id: &str, password_epoch: i64, at: Timestamp) -> Self {
        Self {
            proved: Some(PasswordProved { user_id: user_id.to_owned(), password_epoch, at: at.0 }),
            ..self
        }
    }
}
