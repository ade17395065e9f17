//! The e-mails to users. Each says why it was sent, what to do, and what to do if the user did not request it.

use crate::mail::EmailMessage;

/// URLs of the applications that take a token from an e-mail. `{token}` stands for the token, best behind a `#`, which
/// browsers send to no server. An empty URL puts the token alone into the e-mail.
#[derive(Debug, Clone, Default)]
pub struct Links {
    pub registration: String,
    pub email: String,
    pub reset: String,
}

/// Writes the e-mails of one authority.
pub(super) struct Writer<'a> {
    pub issuer: &'a str,
    pub links: &'a Links,
}

impl Writer<'_> {
    pub(super) fn registration(&self, to: &str, token: &str) -> EmailMessage {
        let link = link(&self.links.registration, token);
        let text = format!(
            "an account was requested with this address. Confirm it within 24 hours, with the password that you chose:\
             \n\n{link}"
        );
        self.requested(to, "Confirm your account", &text)
    }

    pub(super) fn has_an_account(&self, to: &str, username: &str) -> EmailMessage {
        let text = format!(
            "another account was requested with this address. You already have one: \"{username}\". If you have \
             forgotten its password, reset the password."
        );
        self.requested(to, "You already have an account", &text)
    }

    pub(super) fn reset(&self, to: &str, username: &str, token: &str) -> EmailMessage {
        let link = link(&self.links.reset, token);
        let text = format!(
            "a new password was requested for the account \"{username}\". Set it within one hour:\n\n{link}"
        );
        self.requested(to, "Reset your password", &text)
    }

    pub(super) fn email(&self, to: &str, username: &str, token: &str) -> EmailMessage {
        let link = link(&self.links.email, token);
        let text = format!(
            "this address was entered as the new address of the account \"{username}\". Confirm it within 24 hours:\
             \n\n{link}"
        );
        self.requested(to, "Confirm your e-mail address", &text)
    }

    pub(super) fn email_has_changed(&self, to: &str, username: &str) -> EmailMessage {
        let text = format!(
            "the account \"{username}\" now has a different e-mail address. If you did not change it, contact the \
             operator of this service."
        );
        self.message(to, "Your e-mail address was changed", &text)
    }

    pub(super) fn password_has_changed(&self, to: &str, username: &str) -> EmailMessage {
        let text = format!(
            "the password of the account \"{username}\" was changed, and its other sessions were ended. If you did not \
             change it, reset the password now."
        );
        self.message(to, "Your password was changed", &text)
    }

    pub(super) fn second_factor_has_changed(&self, to: &str, username: &str, on: bool) -> EmailMessage {
        let what = if on { "now requires" } else { "no longer requires" };
        let text = format!(
            "the account \"{username}\" {what} a one-time password at login. If you did not change this, change your \
             password now."
        );
        self.message(to, "Your second factor was changed", &text)
    }

    /// An e-mail with a link: nothing happens unless the user follows it.
    fn requested(&self, to: &str, subject: &str, text: &str) -> EmailMessage {
        self.message(
            to,
            subject,
            &format!("{text}\n\nIf you did not request this, you can ignore this e-mail."),
        )
    }

    fn message(&self, to: &str, subject: &str, text: &str) -> EmailMessage {
        let text = format!("Hello,\n\n{text}\n\n-- \n{}\n", self.issuer);
        EmailMessage { to: to.to_owned(), subject: subject.to_owned(), text }
    }
}

fn link(url: &str, token: &str) -> String {
    if url.is_empty() { token.to_owned() } else { url.replace("{token}", token) }
}
