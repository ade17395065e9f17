use std::sync::Arc;

use aws_lc_rs::hmac;

use super::{Actor, AuditEntry, Event};
use crate::clock::Clock;
use crate::keys::{KeyPurpose, Secrets};

/// HMAC-SHA-256 (RFC 2104) over an entry and the MAC of the one before. Anyone who can write to the database, and has
/// not the master key, can neither alter an entry nor take one out unseen.
pub type Mac = [u8; 32];

/// Before the first entry.
const BEGINNING: Mac = [0; 32];

/// What makes the links.
pub struct Chain {
    key: hmac::Key,
    clock: Arc<dyn Clock>,
    /// Who runs this process: whatever nobody else is named for.
    process: Actor,
}

/// An entry with its MAC, as they were read.
#[derive(Debug, Clone)]
pub struct Link {
    pub entry: AuditEntry,
    pub mac: Vec<u8>,
}

/// Where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("entry {0} is missing")]
    Missing(i64),
    #[error("entry {0} was altered, or the one before it was, or they were made under another master key")]
    Altered(i64),
    #[error("the last entry is {last}, and {written} were written")]
    CutOff { last: i64, written: i64 },
}

impl Chain {
    #[must_use]
    pub fn new(secrets: &Secrets, clock: Arc<dyn Clock>, process: Actor) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secrets.get(KeyPurpose::AuditChain));
        Self { key, clock, process }
    }

    /// An event as the entry of this number, written now.
    #[must_use]
    pub fn entry(&self, seq: i64, event: &Event) -> AuditEntry {
        AuditEntry::new(seq, self.clock.now(), event, &self.process)
    }

    /// The MAC of an entry behind the one whose MAC is given; none for the first.
    #[must_use]
    pub fn link(&self, before: Option<&[u8]>, entry: &AuditEntry) -> Mac {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(before.unwrap_or(&BEGINNING));
        context.update(&entry.seq.to_be_bytes());
        context.update(&entry.at.0.to_be_bytes());
        let texts = [&entry.action, &entry.outcome, &entry.actor, &entry.detail].map(Some);
        let names = [&entry.user_id, &entry.client_id, &entry.session_id, &entry.key_id].map(Option::as_ref);
        for text in texts.into_iter().chain(names) {
            // Each with its length, or two fields could trade characters; an absent one is not an empty one.
            let length = text.map_or(u64::MAX, |text| text.len() as u64);
            context.update(&length.to_be_bytes());
            context.update(text.map_or(&[], |text| text.as_bytes()));
        }
        let mut mac = BEGINNING;
        mac.copy_from_slice(context.sign().as_ref());
        mac
    }

    /// Whether a link follows on the one before; the first follows on none.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn check(&self, before: Option<&Link>, link: &Link) -> Result<(), Broken> {
        let expected = before.map_or(1, |before| before.entry.seq + 1);
        if link.entry.seq != expected {
            return Err(Broken::Missing(expected));
        }
        let mac = self.link(before.map(|before| before.mac.as_slice()), &link.entry);
        // No secret is compared: anyone who reads the database knows both.
        if mac.as_slice() == link.mac { Ok(()) } else { Err(Broken::Altered(expected)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Action, Event};
    use crate::clock::{SystemClock, Timestamp};

    fn chain() -> Chain {
        let folder = tempfile::tempdir().unwrap();
        let master = crate::keys::MasterKey::create(&folder.path().join("master.key")).unwrap();
        Chain::new(&Secrets::derived(&master), Arc::new(SystemClock), Actor::Authority)
    }

    fn entry(seq: i64) -> AuditEntry {
        let event = Event::of(Action::Login).user("u").client("web").session("s");
        AuditEntry::new(seq, Timestamp(1_800_000_000_000), &event, &Actor::Authority)
    }

    #[test]
    fn every_field_and_the_entry_before_are_part_of_the_mac() {
        let chain = chain();
        let mac = chain.link(Some(&[7; 32]), &entry(3));
        let altered = [
            AuditEntry { seq: 4, ..entry(3) },
            AuditEntry { at: Timestamp(1), ..entry(3) },
            AuditEntry { action: "logout".to_owned(), ..entry(3) },
            AuditEntry { outcome: "refused: x".to_owned(), ..entry(3) },
            AuditEntry { actor: "user:u".to_owned(), ..entry(3) },
            AuditEntry { user_id: None, ..entry(3) },
            AuditEntry { user_id: Some("uweb".to_owned()), client_id: Some(String::new()), ..entry(3) },
            AuditEntry { client_id: None, session_id: Some("web".to_owned()), ..entry(3) },
            AuditEntry { key_id: Some(String::new()), ..entry(3) },
            AuditEntry { detail: "x".to_owned(), ..entry(3) },
        ];
        for entry in altered {
            assert_ne!(chain.link(Some(&[7; 32]), &entry), mac, "{entry:?}");
        }
        assert_ne!(chain.link(Some(&[8; 32]), &entry(3)), mac);
        assert_ne!(self::chain().link(Some(&[7; 32]), &entry(3)), mac, "another master key");
    }

    #[test]
    fn a_chain_holds_until_something_is_changed() {
        let chain = chain();
        let mut links: Vec<Link> = Vec::new();
        for seq in 1..=3 {
            let mac = chain.link(links.last().map(|link| link.mac.as_slice()), &entry(seq));
            links.push(Link { entry: entry(seq), mac: mac.to_vec() });
        }
        let check = |before: Option<&Link>, link: &Link| chain.check(before, link);
        assert_eq!(check(None, &links[0]), Ok(()));
        assert_eq!(check(Some(&links[0]), &links[1]), Ok(()));
        assert_eq!(check(Some(&links[0]), &links[2]), Err(Broken::Missing(2)));
        assert_eq!(check(None, &links[1]), Err(Broken::Missing(1)));
        let altered = Link { entry: AuditEntry { detail: "x".to_owned(), ..entry(2) }, ..links[1].clone() };
        assert_eq!(check(Some(&links[0]), &altered), Err(Broken::Altered(2)));
    }
}
