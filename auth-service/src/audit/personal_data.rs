//! What an entry says about a user beyond their user ID. It can be erased without breaking the chain.

use aws_lc_rs::hmac;

use super::Event;
use super::mac::{Fields, Mac};
use crate::context::RequestContext;
use crate::secret::{NoRandomness, random_bytes};

/// Longest username of an attempt that is kept, in characters, before escaping.
const USERNAME_CHARACTERS: usize = 150;

/// Where a request came from, and the username that it tried. Deleting a user erases these columns of their entries; the
/// MAC of an entry covers only a MAC over them, and that stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonalData {
    pub client_ip: Option<String>,
    /// Without control characters, 150 characters at most.
    pub user_agent: Option<String>,
    /// The username that a refused attempt named: control characters escaped, 150 characters at most before that.
    pub username: Option<String>,
    /// 16 random bytes: once they are erased, not even the holder of the master key can find out an address by trying all.
    pub salt: Option<Vec<u8>>,
}

impl PersonalData {
    /// # Errors
    /// [`NoRandomness`].
    pub(super) fn of(event: &Event, context: &RequestContext) -> Result<Self, NoRandomness> {
        let mut data = Self {
            client_ip: context.client_ip.map(|ip| ip.address.to_string()),
            user_agent: context.device(),
            username: event.unverified_username.as_deref().map(bounded),
            salt: None,
        };
        if data != Self::default() {
            data.salt = Some(random_bytes::<16>()?.to_vec());
        }
        Ok(data)
    }

    /// `None` of no data.
    pub(super) fn mac(&self, key: &hmac::Key) -> Option<Mac> {
        if *self == Self::default() {
            return None;
        }
        let Self { client_ip, user_agent, username, salt } = self;
        let fields = Fields::new(key).bytes(salt.as_deref());
        Some(
            [client_ip, user_agent, username]
                .map(Option::as_ref)
                .into_iter()
                .fold(fields, Fields::text)
                .mac(),
        )
    }
}

fn bounded(unverified: &str) -> String {
    let kept = unverified.chars().take(USERNAME_CHARACTERS);
    kept.flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Action;

    #[test]
    fn a_username_is_bounded_and_escaped() {
        let of = |sent: &str| {
            let event = Event::of(Action::Login).tried(sent);
            PersonalData::of(&event, &RequestContext::default()).unwrap().username.unwrap()
        };
        assert_eq!(of("al\u{1b}[31mice\n"), "al\\u{1b}[31mice\\n");
        assert_eq!(of(&"é".repeat(1000)).chars().count(), USERNAME_CHARACTERS);
    }

    #[test]
    fn an_entry_of_no_request_has_none_and_two_of_one_request_have_their_own_salts() {
        let event = Event::of(Action::Login);
        assert_eq!(PersonalData::of(&event, &RequestContext::default()).unwrap(), PersonalData::default());
        let context =
            RequestContext { unverified_user_agent: Some("curl".into()), ..RequestContext::default() };
        let (one, two) =
            (PersonalData::of(&event, &context).unwrap(), PersonalData::of(&event, &context).unwrap());
        assert_ne!(one.salt, two.salt);
    }
}
