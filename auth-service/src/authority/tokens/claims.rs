//! Asks the claims webhook for the claims of a user.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::authority::Authority;
use crate::error::Result;
use crate::keys::sign;
use crate::secret::random_id;
use crate::users::User;

/// How long a question is good.
const QUESTION_TTL: Duration = Duration::from_secs(30);

const QUESTION_TYPE: &str = "claims-request+jwt";

impl Authority {
    /// What the operator's service says of a user; nothing where there is no such service.
    ///
    /// # Errors
    /// `Unavailable` when it fails and the policy is to refuse.
    pub(crate) fn ask_webhook(&self, user: &User) -> Result<Map<String, Value>> {
        let Some(webhook) = &self.issuer.webhook else { return Ok(Map::new()) };
        if let Some(claims) = webhook.fresh(&user.id) {
            return Ok(claims);
        }
        match webhook.ask(self.question(webhook.url(), user)?) {
            Ok(claims) => {
                webhook.keep(&user.id, &claims);
                Ok(claims)
            }
            Err(cause) => webhook.instead(&user.id, &cause),
        }
    }

    /// The same for a user of whom only the id is known yet.
    ///
    /// # Errors
    /// As [`Self::ask_webhook`].
    pub(crate) fn ask_webhook_by_id(&self, user_id: &str) -> Result<Map<String, Value>> {
        let Some(webhook) = &self.issuer.webhook else { return Ok(Map::new()) };
        if let Some(claims) = webhook.fresh(user_id) {
            return Ok(claims);
        }
        // Nobody there: the refresh itself says what is wrong.
        self.storage.find_user_by_id(user_id)?.map_or(Ok(Map::new()), |user| self.ask_webhook(&user))
    }

    fn question(&self, url: &str, user: &User) -> Result<String> {
        let now = self.now();
        let profile: Value = serde_json::from_str(&user.attributes.profile).unwrap_or_default();
        let claims = json!({
            "iss": self.issuer.url,
            "aud": url,
            "iat": now.seconds(),
            "exp": now.plus(QUESTION_TTL).seconds(),
            "jti": random_id()?,
            "sub": user.id,
            "username": user.username.as_str(),
            "user_id": self.simplejwt.user_id.of(&user.id, &user.attributes),
            "roles": user.attributes.roles,
            "profile": profile,
        });
        let signer = self.issuer.signer_of(None)?;
        sign(&signer, QUESTION_TYPE, &claims)
    }
}
