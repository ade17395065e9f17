use crate::secret::{HashedSecret, PlainSecret};

/// Between a session's ID and its secret, and between two of them: neither is in base64url or a UUID.
const WITHIN: char = '.';
const BETWEEN: char = '~';

/// Longest value of the cookie that is read, in bytes.
const MAX_BYTES: usize = 1024;

/// 256 bits in base64url.
const SECRET_CHARACTERS: usize = 43;

/// Most accounts that are read.
const MOST: usize = 10;

/// What a browser holds of a browser session.
#[derive(Debug, Clone)]
pub struct Ticket {
    pub unverified_id: String,
    pub secret: PlainSecret,
}

/// The accounts that are logged in, in one browser, the latest first: the value of its cookie.
#[derive(Debug, Clone, Default)]
pub struct Tickets(Vec<Ticket>);

impl Tickets {
    /// What is malformed is left out: a cookie of another version is one of nobody.
    #[must_use]
    pub fn parse(unverified: &str) -> Self {
        if unverified.len() > MAX_BYTES {
            return Self::default();
        }
        let ticket = |text: &str| {
            let (id, secret) = text.split_once(WITHIN)?;
            let id = uuid::Uuid::parse_str(id).ok()?.to_string();
            // As long as ours are: what cannot be one is not asked of the database.
            if secret.len() != SECRET_CHARACTERS {
                return None;
            }
            Some(Ticket { unverified_id: id, secret: PlainSecret::new(secret.to_owned()) })
        };
        Self(unverified.split(BETWEEN).filter_map(ticket).take(MOST).collect())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Ticket> {
        self.0.iter()
    }

    /// The IDs, without proof.
    #[must_use]
    pub fn unverified_ids(&self) -> Vec<String> {
        self.0.iter().map(|ticket| ticket.unverified_id.clone()).collect()
    }

    /// What was found for these accounts and belongs to their secrets, which are compared in constant time, in their order.
    pub fn proved<T>(&self, found: Vec<T>, held: impl Fn(&T) -> (&str, &HashedSecret)) -> Vec<T> {
        let mut found: Vec<Option<T>> = found.into_iter().map(Some).collect();
        let proves = |ticket: &Ticket, found: &Option<T>| {
            let Some((id, secret)) = found.as_ref().map(&held) else { return false };
            id == ticket.unverified_id && secret.matches(&ticket.secret)
        };
        let proved =
            self.0.iter().filter_map(|ticket| found.iter_mut().find(|found| proves(ticket, found))?.take());
        proved.collect()
    }

    /// With another account before all others; at most `most` of them.
    #[must_use]
    pub fn with(mut self, ticket: Ticket, most: usize) -> Self {
        self = self.without(&ticket.unverified_id);
        self.0.insert(0, ticket);
        self.0.truncate(most);
        self
    }

    /// Without one account.
    #[must_use]
    pub fn without(mut self, id: &str) -> Self {
        self.0.retain(|held| held.unverified_id != id);
        self
    }

    /// Only those of sessions that are still there.
    #[must_use]
    pub fn retain(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|held| keep(&held.unverified_id));
        self
    }

    /// The value of the cookie.
    #[must_use]
    pub fn to_value(&self) -> PlainSecret {
        let one = |ticket: &Ticket| format!("{}{WITHIN}{}", ticket.unverified_id, ticket.secret.expose());
        PlainSecret::new(self.0.iter().map(one).collect::<Vec<_>>().join(&BETWEEN.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(number: u128) -> Ticket {
        let id = uuid::Uuid::from_u128(number).to_string();
        Ticket { unverified_id: id, secret: PlainSecret::new(format!("secret-{number:036}")) }
    }

    #[test]
    fn the_latest_account_stands_first_and_the_oldest_falls_out() {
        let tickets = (1..=4).fold(Tickets::default(), |held, number| held.with(ticket(number), 3));
        let read = Tickets::parse(tickets.to_value().expose());
        let ids = |held: &Tickets| held.unverified_ids();
        assert_eq!(ids(&read), [4, 3, 2].map(|number| ticket(number).unverified_id));
        let again = read.with(ticket(2), 3);
        assert_eq!(ids(&again), [2, 4, 3].map(|number| ticket(number).unverified_id));
        assert_eq!(
            again.iter().next().map(|first| first.secret.expose()),
            Some(format!("secret-{:036}", 2).as_str())
        );
        assert_eq!(ids(&again.without(&ticket(4).unverified_id)).len(), 2);
    }

    #[test]
    fn what_is_no_ticket_is_left_out() {
        let good = Tickets::default().with(ticket(1), 5).to_value();
        let mixed = format!("x~.~{}~no-uuid.secret~", good.expose());
        assert_eq!(Tickets::parse(&mixed).unverified_ids(), [ticket(1).unverified_id]);
        let long = "x".repeat(2000);
        for nothing in ["", "~", ".", "a.b", long.as_str()] {
            assert!(Tickets::parse(nothing).is_empty(), "{nothing}");
        }
    }
}
