use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Caller;
use super::mail_tokens::Kind;
use crate::authority::Authority;
use crate::context::RequestContext;
use crate::error::{AccountFault, Error, Result};
use crate::secret::PlainSecret;
use crate::storage::NewPassword;
use crate::users::Address;
use crate::users::User;

/// Good as long as the password is the one that it was: once, and for an hour.
#[derive(Serialize, Deserialize)]
struct Reset {
    user_id: String,
    password_epoch: i64,
    /// What it was sent to: after a change of the address, an old mailbox must not open the account any more.
    email: String,
}

/// How a password is changed.
struct Change<'a> {
    /// The session that goes on; all others end.
    keep_session: Option<&'a str>,
    /// The address that an e-mail was sent to; by now it may be another user's.
    proved_email: Option<String>,
}

impl Kind for Reset {
    const NAME: &'static str = "password reset";
    const LIMIT_REALM: &'static str = "e-mails: password reset";
    const TTL: Duration = Duration::from_secs(3600);
}

impl Authority {
    /// Sets another password, by anyone who knows the present one. The session that asks goes on; all others end.
    ///
    /// # Errors
    /// `InvalidCredentials`, `TooManyAttempts`; `PasswordRefused`; `Overloaded`, `Unavailable`.
    pub fn change_password(
        &self,
        caller: &Caller,
        present: &PlainSecret,
        new: &PlainSecret,
    ) -> Result<usize> {
        let user = self.user_of(caller)?;
        self.check_password_again(caller, &user, present)?;
        let change = Change { keep_session: Some(&caller.session_id), proved_email: None };
        self.set_password(&user, new, change, &caller.context)
    }

    /// Sends an e-mail to reset the password, if a user has this address. Only its owner learns whether one has.
    ///
    /// # Errors
    /// `NotOffered`; `InvalidRequest`; `TooManyAttempts`; `Overloaded`, `Unavailable`.
    pub fn ask_for_reset(&self, unverified_email: &str, context: &RequestContext) -> Result<()> {
        let mailer = self.mailer()?;
        let email = Address::parse(unverified_email)
            .ok_or_else(|| Error::invalid_request("`email` is no address"))?;
        self.check_email_limit::<Reset>(&email, context)?;
        let writer = self.writer();
        let users = self.storage.find_users_by_email(&email.key())?;
        // To the stored address: the typed one may have another spelling and belong to someone else. A token is created in
        // any case, so that the time does not tell whether there is a user.
        let emails: Vec<_> = users
            .iter()
            // A user without a password logs in elsewhere (single sign-on, LDAP): an e-mail must not give them one. An
            // operator can, by `user passwd`.
            .filter(|(user, _)| user.has_password())
            .map(|(user, address)| {
                let reset = Reset {
                    user_id: user.id.clone(),
                    password_epoch: user.password_epoch,
                    email: address.clone(),
                };
                let token = self.account.mail_tokens.seal(reset, self.now())?;
                Ok(writer.reset(address, user.username.as_str(), &token))
            })
            .collect::<Result<_>>()?;
        if emails.is_empty() {
            let nobody =
                Reset { user_id: String::new(), password_epoch: 0, email: email.as_str().to_owned() };
            self.account.mail_tokens.seal(nobody, self.now())?;
            return mailer.send(None);
        }
        emails.into_iter().try_for_each(|email| mailer.send(Some(email)))
    }

    /// Sets a new password with the token of an e-mail. This is not a login: a second factor is still required.
    ///
    /// # Errors
    /// `LinkInvalid`, also for one that was used; `PasswordRefused`; `Overloaded`, `Unavailable`.
    pub fn reset_password(
        &self,
        unverified_token: &str,
        new: &PlainSecret,
        context: &RequestContext,
    ) -> Result<()> {
        let reset: Reset = self.account.mail_tokens.open(unverified_token, self.now())?;
        let used = || {
            Error::new(
                AccountFault::LinkInvalid,
                "the password has changed since, or the account is disabled",
            )
        };
        let user = self.storage.find_user_by_id(&reset.user_id)?.filter(User::is_active).ok_or_else(used)?;
        if user.password_epoch != reset.password_epoch {
            return Err(used());
        }
        let change = Change { keep_session: None, proved_email: Some(reset.email) };
        self.set_password(&user, new, change, context)?;
        Ok(())
    }

    /// How many sessions ended.
    fn set_password(
        &self,
        user: &User,
        new: &PlainSecret,
        change: Change<'_>,
        context: &RequestContext,
    ) -> Result<usize> {
        let email = self.storage.email_of(&user.id)?;
        let names = [user.username.as_str(), email.as_deref().unwrap_or_default()];
        self.sign_in.password_rules.check(new, &names)?;
        let password_hash = self.sign_in.hasher.hash(new)?;
        let now = self.now();
        let revoked_until = self.revoked_until(now);
        let new = NewPassword {
            user_id: user.id.clone(),
            password_epoch: user.password_epoch,
            password_hash,
            proved_email: change.proved_email,
            keep_session: change.keep_session.map(str::to_owned),
            now,
            revoked_until,
        };
        let raced = || Error::new(AccountFault::LinkInvalid, "the password or the address has changed since");
        let ended = self.storage.on_behalf_of(context).change_password(new)?.ok_or_else(raced)?;
        ended.revoked.iter().for_each(|target| self.apply_revocation(target, revoked_until));
        if let Some(email) = email {
            self.write_to_owner(self.writer().password_has_changed(&email, user.username.as_str()));
        }
        Ok(ended.count)
    }
}
