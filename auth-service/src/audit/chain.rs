use std::sync::Arc;

use super::mac::{AuditKeys, Fields, Mac};
use super::{Actor, AuditEntry, Broken, Event, Link, PersonalData, Position};
use crate::clock::Clock;
use crate::context::RequestContext;
use crate::keys::Secrets;
use crate::secret::NoRandomness;

/// Before the first entry.
const BEGINNING: Mac = [0; 32];

/// What makes the links.
pub struct Chain {
    pub(super) keys: AuditKeys,
    clock: Arc<dyn Clock>,
    /// Who runs this process: whatever nobody else is named for.
    process: Actor,
}

impl Chain {
    #[must_use]
    pub fn new(secrets: &Secrets, clock: Arc<dyn Clock>, process: Actor) -> Self {
        Self { keys: AuditKeys::new(secrets), clock, process }
    }

    /// An event of a request as the entry of this number, written now.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn entry(
        &self,
        seq: i64,
        event: &Event,
        context: &RequestContext,
    ) -> Result<AuditEntry, NoRandomness> {
        let personal = PersonalData::of(event, context)?;
        Ok(AuditEntry {
            request_id: context.request_id.map(|id| id.to_string()),
            personal_mac: personal.mac(&self.keys.personal_data).map(Vec::from),
            personal,
            ..AuditEntry::new(seq, self.clock.now(), event, &self.process)
        })
    }

    /// The MAC of an entry behind the one whose MAC is given; none for the first.
    #[must_use]
    pub fn link(&self, before: Option<&Mac>, entry: &AuditEntry) -> Mac {
        let fields = Fields::after(&self.keys.links, before.unwrap_or(&BEGINNING))
            .number(entry.seq)
            .number(entry.at.0);
        let texts = [&entry.action, &entry.outcome, &entry.actor, &entry.detail].map(Some);
        let names = [&entry.user_id, &entry.client_id, &entry.session_id, &entry.key_id].map(Option::as_ref);
        let fields = texts.into_iter().chain(names).fold(fields, Fields::text);
        // Entries of version 0.2 and of no request have neither, and keep their MAC.
        if entry.request_id.is_none() && entry.personal_mac.is_none() {
            return fields.mac();
        }
        fields.text(entry.request_id.as_ref()).bytes(entry.personal_mac.as_deref()).mac()
    }

    /// Whether a link follows on the one before; the first follows on none.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn check(&self, before: Option<&Position>, link: &Link) -> Result<(), Broken> {
        let expected = before.map_or(1, |before| before.seq + 1);
        if link.entry.seq != expected {
            return Err(Broken::Missing(expected));
        }
        let before = before.map(|before| Mac::try_from(before.mac.as_slice())).transpose();
        let mac = before.map(|before| self.link(before.as_ref(), &link.entry));
        let is_whole = link.entry.personal_mac.as_ref().is_none_or(|mac| mac.len() == 32);
        // No secret is compared: anyone who reads the database knows both.
        if !is_whole || mac.map_or(true, |mac| mac.as_slice() != link.mac) {
            return Err(Broken::Altered(expected));
        }
        let personal = &link.entry.personal;
        match personal.mac(&self.keys.personal_data) {
            Some(mac) if link.entry.personal_mac.as_deref() != Some(&mac) => {
                Err(Broken::PersonalDataAltered(expected))
            }
            // None is erased, or was never there; whether it may be erased, the deletion of its user says.
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::audit::{Action, Event};
    use crate::clock::{SystemClock, Timestamp};

    pub(in crate::audit) fn chain() -> Chain {
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
            AuditEntry { request_id: Some("x".to_owned()), ..entry(3) },
            AuditEntry { personal_mac: Some(vec![1; 32]), ..entry(3) },
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
            let before = links.last().map(|link| Mac::try_from(link.mac.as_slice()).unwrap());
            let mac = chain.link(before.as_ref(), &entry(seq));
            links.push(Link { entry: entry(seq), mac: mac.to_vec() });
        }
        let check =
            |before: Option<&Link>, link: &Link| chain.check(before.map(Link::position).as_ref(), link);
        assert_eq!(check(None, &links[0]), Ok(()));
        assert_eq!(check(Some(&links[0]), &links[1]), Ok(()));
        assert_eq!(check(Some(&links[0]), &links[2]), Err(Broken::Missing(2)));
        assert_eq!(check(None, &links[1]), Err(Broken::Missing(1)));
        let altered = Link { entry: AuditEntry { detail: "x".to_owned(), ..entry(2) }, ..links[1].clone() };
        assert_eq!(check(Some(&links[0]), &altered), Err(Broken::Altered(2)));
    }

    /// The entry of a login that was refused.
    pub(in crate::audit) fn requested() -> AuditEntry {
        requested_of(&chain())
    }

    fn requested_of(chain: &Chain) -> AuditEntry {
        let context = RequestContext {
            client_ip: Some("192.0.2.7".parse::<std::net::IpAddr>().unwrap().into()),
            unverified_user_agent: Some("curl/8".into()),
            request_id: Some(service_kit::request_id::RequestId::next()),
            ..RequestContext::default()
        };
        chain.entry(1, &Event::of(Action::Login).tried("mallory").refused("x"), &context).unwrap()
    }

    #[test]
    fn personal_data_are_authenticated_and_may_be_erased() {
        let chain = chain();
        let entry = requested_of(&chain);
        let link = |entry: AuditEntry| Link { mac: chain.link(None, &entry).to_vec(), entry };
        assert_eq!(chain.check(None, &link(entry.clone())), Ok(()));
        let others = [
            PersonalData { client_ip: Some("192.0.2.8".to_owned()), ..entry.personal.clone() },
            PersonalData { user_agent: None, ..entry.personal.clone() },
            PersonalData { username: Some("alice".to_owned()), ..entry.personal.clone() },
            PersonalData { salt: None, ..entry.personal.clone() },
        ];
        for personal in others {
            let altered = AuditEntry { personal, ..entry.clone() };
            assert!(!altered.is_erased());
            assert_eq!(chain.check(None, &link(altered)), Err(Broken::PersonalDataAltered(1)));
        }
        let erased = AuditEntry { personal: PersonalData::default(), ..entry };
        assert!(erased.is_erased());
        assert_eq!(chain.check(None, &link(erased)), Ok(()));
    }
}
