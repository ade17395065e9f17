use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Caller;
use super::mail_tokens::Kind;
use crate::authority::Authority;
use crate::error::{AccountFault, Error, Result};
use crate::secret::PlainSecret;
use crate::storage::EmailChange;
use crate::users::Address;

/// An address that becomes the account's when it is proved.
#[derive(Serialize, Deserialize)]
struct NewEmail {
    user_id: String,
    email: String,
    /// A changed password or address makes earlier requests invalid.
    password_epoch: i64,
    before: Option<String>,
}

impl Kind for NewEmail {
    const NAME: &'static str = "email";
    const LIMIT_REALM: &'static str = "e-mails: email";
    const TTL: Duration = Duration::from_secs(24 * 3600);
}

impl Authority {
    /// Writes to an address, to prove it; the one that the account has stays until then.
    ///
    /// # Errors
    /// `NotOffered`; `InvalidRequest`; `InvalidCredentials`, `TooManyAttempts`; `Overloaded`, `Unavailable`.
    pub fn ask_for_email(
        &self,
        caller: &Caller,
        password: &PlainSecret,
        unverified_email: &str,
    ) -> Result<()> {
        let mailer = self.mailer()?;
        let email = Address::parse(unverified_email)
            .ok_or_else(|| Error::invalid_request("`email` is no address"))?;
        let user = self.user_of(caller)?;
        self.check_password_again(caller, &user, password)?;
        self.check_email_limit::<NewEmail>(&email, &caller.context)?;
        let new = NewEmail {
            user_id: user.id.clone(),
            email: email.as_str().to_owned(),
            password_epoch: user.password_epoch,
            before: self.storage.email_of(&user.id)?,
        };
        let token = self.account.mail_tokens.seal(new, self.now())?;
        mailer.send(Some(self.writer().email(email.as_str(), user.username.as_str(), &token)))
    }

    /// Makes a proved address the account's, and tells the one that it had. Only the account's owner may: anyone who
    /// wrote someone else's address down, on purpose or by mistake, must not get it by that user's click.
    ///
    /// # Errors
    /// `LinkInvalid`; `Unavailable`.
    pub fn confirm_email(&self, caller: &Caller, unverified_token: &str) -> Result<()> {
        let now = self.now();
        let new: NewEmail = self.account.mail_tokens.open(unverified_token, now)?;
        let used = || {
            let cause = "it is another account's, or the password or the address has changed since";
            Error::new(AccountFault::LinkInvalid, cause)
        };
        if new.user_id != caller.user_id {
            return Err(used());
        }
        let email = Address::parse(&new.email).ok_or_else(used)?;
        let change = EmailChange {
            user_id: new.user_id,
            email,
            password_epoch: new.password_epoch,
            before: new.before.clone(),
        };
        let user = self.storage.on_behalf_of(&caller.context).set_email(change, now)?.ok_or_else(used)?;
        if let Some(before) = new.before.filter(|before| *before != new.email) {
            self.write_to_owner(self.writer().email_has_changed(&before, user.username.as_str()));
        }
        Ok(())
    }
}
