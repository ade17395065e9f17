//! What is written to people. Each letter says who sent it, why, and what to do when one did not ask for it.

use crate::mail::EmailMessage;

/// Where the applications are that take a token from a letter: `{token}` stands for it, best behind a `#`, which is
/// sent to nobody. Empty for a letter with the token alone.
#[derive(Debug, Clone, Default)]
pub struct Links {
    pub registration: String,
    pub email: String,
    pub reset: String,
}

/// The service, as its letters name it.
pub struct Writer<'a> {
    pub issuer: &'a str,
    pub links: &'a Links,
}

impl Writer<'_> {
    pub fn registration(&self, to: &str, token: &str) -> EmailMessage {
        let way = way(&self.links.registration, token);
        self.asked(to, "Confirm your account", &format!(
            "somebody, most likely you, asked for an account with this address. To confirm it, within 24 hours, with the \
             password that you chose:\n\n{way}"
        ))
    }

    pub fn has_an_account(&self, to: &str, username: &str) -> EmailMessage {
        self.asked(to, "You have an account", &format!(
            "somebody, most likely you, asked for another account with this address. You have one already: \
             \"{username}\". If you have forgotten its password, ask for another one."
        ))
    }

    pub fn reset(&self, to: &str, username: &str, token: &str) -> EmailMessage {
        let way = way(&self.links.reset, token);
        self.asked(to, "Set another password", &format!(
            "somebody, most likely you, asked for another password of the account \"{username}\". To set it, within an \
             hour:\n\n{way}"
        ))
    }

    pub fn email(&self, to: &str, username: &str, token: &str) -> EmailMessage {
        let way = way(&self.links.email, token);
        self.asked(to, "Confirm your address", &format!(
            "this address is to become the one of the account \"{username}\". To confirm it, within 24 hours:\n\n{way}"
        ))
    }

    pub fn email_has_changed(&self, to: &str, username: &str) -> EmailMessage {
        self.letter(to, "Your address has changed", &format!(
            "the account \"{username}\" has another address from now on. If that was not you, ask the operator for help."
        ))
    }

    pub fn password_has_changed(&self, to: &str, username: &str) -> EmailMessage {
        self.letter(to, "Your password has changed", &format!(
            "the password of the account \"{username}\" was set anew, and its other sessions have ended. If that was not \
             you, ask for another one now."
        ))
    }

    pub fn second_factor_has_changed(&self, to: &str, username: &str, on: bool) -> EmailMessage {
        let what = if on {
            "asks for a one-time password from now on"
        } else {
            "asks for no one-time password any more"
        };
        self.letter(
            to,
            "Your second factor has changed",
            &format!("the account \"{username}\" {what}. If that was not you, set another password now."),
        )
    }

    /// Somebody asked for something: without a click nothing comes of it.
    fn asked(&self, to: &str, subject: &str, text: &str) -> EmailMessage {
        self.letter(to, subject, &format!("{text}\n\nIf this was not you, nothing has to be done."))
    }

    fn letter(&self, to: &str, subject: &str, text: &str) -> EmailMessage {
        let text = format!("Hello,\n\n{text}\n\n-- \n{}\n", self.issuer);
        EmailMessage { to: to.to_owned(), subject: subject.to_owned(), text }
    }
}

fn way(link: &str, token: &str) -> String {
    if link.is_empty() { token.to_owned() } else { link.replace("{token}", token) }
}
