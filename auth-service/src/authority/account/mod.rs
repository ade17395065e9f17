//! What users do for their own accounts: make one, prove an address, find the way back in, change the password, add
//! a second factor, look after their sessions.
//!
//! No answer tells a stranger whether a user exists; only the owner of the address learns it, by e-mail.

mod caller;
mod email;
mod logins;
mod mail_tokens;
mod messages;
mod own_account;
mod password;
mod registration;
mod second_factor;
mod sessions;

use std::time::Duration;

use crate::audit::{Action, Event};
use crate::authority::Authority;
use crate::context::RequestContext;
use crate::error::{AccountFault, Error, Result};
use crate::keys::Secrets;
use crate::mail::{EmailMessage, Mailer};
use crate::users::{Address, Attempt, AttemptPolicy};

pub use caller::Caller;
use mail_tokens::Kind;
use mail_tokens::MailTokens;
pub use messages::Links;
use messages::Writer;
pub use own_account::OwnAccount;
pub use registration::Registration;
pub use second_factor::{NewSecondFactor, SecondFactorState};

/// E-mails of one kind to one address, and those that one network may cause, within an hour.
const fn emails(realm: &'static str) -> AttemptPolicy {
    AttemptPolicy { realm, pair: 0, account: 5, client_ip: 50, window: Duration::from_secs(3600) }
}

/// What is offered to users.
#[derive(Debug, Clone)]
pub struct AccountPolicy {
    /// Whether strangers may make an account.
    pub registration: bool,
    pub links: Links,
}

/// What users do for themselves, and the e-mails that they get.
pub struct AccountService {
    pub policy: AccountPolicy,
    pub(crate) mail_tokens: MailTokens,
    /// `None` where no mail server is set.
    pub(crate) mailer: Option<Mailer>,
}

impl AccountService {
    #[must_use]
    pub fn new(policy: AccountPolicy, mailer: Option<Mailer>, secrets: &Secrets) -> Self {
        Self { policy, mail_tokens: MailTokens::new(secrets), mailer }
    }
}

impl Authority {
    fn mailer(&self) -> Result<&Mailer> {
        self.account
            .mailer
            .as_ref()
            .ok_or_else(|| Error::new(AccountFault::NotOffered, "no mail server is set: [mail]"))
    }

    fn writer(&self) -> Writer<'_> {
        Writer { issuer: &self.issuer.url, links: &self.account.policy.links }
    }

    /// Informs a user about a change that has been made. A failure is only logged.
    fn write_to_owner(&self, email: EmailMessage) {
        if let Some(mailer) = &self.account.mailer
            && let Err(error) = mailer.send(Some(email))
        {
            error.log();
        }
    }

    /// Counts an e-mail that is asked for, whether or not anybody gets one.
    fn check_email_limit<K: Kind>(&self, address: &Address, context: &RequestContext) -> Result<()> {
        let attempt =
            Attempt::new(&self.sign_in.count_key, &emails(K::LIMIT_REALM), &address.key(), context.client_ip);
        let cause = "too many e-mails were requested";
        self.check_limit(&attempt, cause, context, || Event::of(Action::AttemptsLimited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_a_mail_server_would_take() {
        for good in ["a@example.org", " first.last+tag@sub.example.org ", "josé@example.org"] {
            assert!(Address::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@",
            "@b.c",
            "a@b",
            "a b@c.d",
            "a@b.c\r\nBcc: x@y.z",
            "<a@b.c>",
            "a@b.c,d@e.f",
            &format!("{}@b.c", "x".repeat(65)),
        ] {
            assert!(Address::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(Address::parse("A@Example.org").unwrap().key(), "a@example.org");
    }
}
