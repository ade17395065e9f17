use std::collections::HashMap;

use super::*;

const POLICY: AttemptPolicy =
    AttemptPolicy { realm: "test", pair: 3, account: 6, client_ip: 4, window: Duration::from_secs(600) };

fn from(address: &str) -> ClientIp {
    address.parse::<IpAddr>().unwrap().into()
}

fn key() -> CountKey {
    CountKey::new(&[7; 32])
}

/// Counts in memory, as the database keeps them.
#[derive(Default)]
struct Kept(HashMap<String, Timestamp>);

impl Kept {
    fn wait(&self, name: &str, client_ip: &str, at: i64) -> Option<u64> {
        let attempt = Attempt::new(&key(), &POLICY, name, Some(from(client_ip)));
        attempt
            .limited(|id| self.0.get(id).copied(), Timestamp(at * 1000))
            .map(|limited| limited.wait.as_secs())
    }

    fn fail(&mut self, name: &str, client_ip: &str, at: i64) {
        let attempt = Attempt::new(&key(), &POLICY, name, Some(from(client_ip)));
        for count in &attempt.counts {
            let stands = self.0.get(&count.id).copied();
            self.0.insert(count.id.clone(), attempt.failed(count, stands, Timestamp(at * 1000)));
        }
    }
}

#[test]
fn so_many_failures_are_allowed_and_then_one_each_step() {
    let mut kept = Kept::default();
    for _ in 0..3 {
        assert_eq!(kept.wait("alice", "192.0.2.1", 1000), None);
        kept.fail("alice", "192.0.2.1", 1000);
    }
    assert_eq!(kept.wait("alice", "192.0.2.1", 1000), Some(200), "the third part of the window");
    assert_eq!(kept.wait("alice", "192.0.2.2", 1000), None, "she herself may, from elsewhere");
    assert_eq!(kept.wait("bob", "192.0.2.1", 1000), None);
    assert_eq!(kept.wait("alice", "192.0.2.1", 1200), None);
    kept.fail("alice", "192.0.2.1", 1200);
    assert_eq!(kept.wait("alice", "192.0.2.1", 1200), Some(200));
    assert_eq!(kept.wait("alice", "192.0.2.1", 9000), None, "nobody is kept out for ever");
}

#[test]
fn a_peer_that_tries_many_names_and_a_name_that_is_tried_from_many_peers_are_counted() {
    let mut kept = Kept::default();
    for name in ["a", "b", "c", "d"] {
        kept.fail(name, "2001:db8::1", 1000);
    }
    assert_eq!(kept.wait("e", "2001:db8::ffff", 1000), Some(150), "a neighbour in the same network");
    assert_eq!(kept.wait("e", "2001:db8:0:1::1", 1000), None);
    // A provider's customer has 256 such networks, or 65,536.
    for network in 1..=4 {
        kept.fail("f", &format!("2001:db8:0:{network}::1"), 1000);
    }
    assert!(kept.wait("g", "2001:db8:0:99::1", 1000).is_some(), "twice as many in a network of 56 bits");
    for network in 0..=16 {
        kept.fail(&format!("n{network}"), &format!("2001:db9:0:{network:x}00::1"), 1000);
    }
    assert!(kept.wait("h", "2001:db9:0:ff00::1", 1000).is_some(), "four times in one of 48");
    assert_eq!(kept.wait("h", "2001:dba::1", 1000), None);
    for client_ip in 1..=6 {
        kept.fail("victim", &format!("198.51.100.{client_ip}"), 1000);
    }
    assert_eq!(kept.wait("victim", "198.51.100.77", 1000), Some(100));
    assert_eq!(kept.wait("e", "::ffff:198.51.100.1", 1000), None);
}

#[test]
fn nobody_who_guesses_elsewhere_keeps_the_owner_out_of_where_she_has_logged_in() {
    let mut kept = Kept::default();
    let at_home = Attempt::new(&key(), &POLICY, "alice", Some(from("192.0.2.1")));
    kept.0.insert(at_home.known.unwrap(), Timestamp(2_000_000));
    for client_ip in 1..=6 {
        kept.fail("alice", &format!("198.51.100.{client_ip}"), 1000);
    }
    assert_eq!(kept.wait("alice", "203.0.113.9", 1000), Some(100), "from anywhere else");
    assert_eq!(kept.wait("alice", "192.0.2.1", 1000), None, "from her own network");
    for _ in 0..3 {
        kept.fail("alice", "192.0.2.1", 1000);
    }
    assert!(kept.wait("alice", "192.0.2.1", 1000).is_some(), "there the count of both goes on");
}

#[test]
fn a_limit_of_0_is_none_and_a_clock_that_jumped_keeps_nobody_out() {
    let none = AttemptPolicy { pair: 0, account: 0, client_ip: 0, ..POLICY };
    assert!(Attempt::new(&key(), &none, "alice", Some(from("192.0.2.1"))).counts.is_empty());
    let attempt = Attempt::new(&key(), &POLICY, "alice", None);
    let far = Some(Timestamp(10_000_000));
    assert_eq!(attempt.failed(&attempt.counts[0], far, Timestamp(0)), Timestamp(100_000));
    assert_eq!(attempt.limited(|_| far, Timestamp(0)), None);
}

#[test]
fn a_proxy_that_is_not_listed_is_not_counted_and_the_accounts_behind_it_are() {
    let forwards = ClientIp { forwards: true, ..from("192.0.2.1") };
    let ids = |client_ip| -> Vec<String> {
        let attempt = Attempt::new(&key(), &POLICY, "alice", Some(client_ip));
        attempt.counts.into_iter().map(|count| count.id).collect()
    };
    let (direct, forwarded) = (ids(from("192.0.2.1")), ids(forwards));
    assert_eq!((direct.len(), forwarded.len()), (3, 2));
    assert!(forwarded.iter().all(|id| direct.contains(id)), "the account, and the account from there");
}

#[test]
fn without_the_key_nobody_knows_whose_a_count_is() {
    let client_ip = Some(from("192.0.2.1"));
    let ids = |secret| Attempt::new(&CountKey::new(&[secret; 32]), &POLICY, "alice", client_ip);
    assert!(ids(1).counts.iter().all(|count| ids(2).counts.iter().all(|other| other.id != count.id)));
    assert_eq!(ids(1).counts, ids(1).counts);
}

#[test]
fn what_was_counted_ahead_is_given_back() {
    let attempt = Attempt::new(&key(), &POLICY, "alice", None);
    let count = &attempt.counts[0];
    let before = Timestamp(1_000_000);
    let ahead = attempt.failed(count, Some(before), Timestamp(900_000));
    assert_eq!(attempt.given_back(count, ahead), before);
}

#[test]
fn counts_of_different_things_never_meet() {
    let client_ip = Some(from("192.0.2.1"));
    let other = AttemptPolicy { realm: "other", ..POLICY };
    let [one, two] = [POLICY, other].map(|policy| Attempt::new(&key(), &policy, "alice", client_ip));
    for count in &one.counts {
        assert!(two.counts.iter().all(|of_other| of_other.id != count.id));
    }
    assert_ne!(one.known, two.known);
}

#[test]
fn many_guesses_at_one_moment_do_not_begin_the_count_again() {
    let mut kept = Kept::default();
    for _ in 0..50 {
        kept.fail("alice", "192.0.2.1", 1000);
    }
    assert_eq!(kept.wait("alice", "192.0.2.1", 1000), Some(800), "two windows at most");
    assert_eq!(kept.wait("alice", "192.0.2.1", 1799), Some(1));
    assert_eq!(kept.wait("alice", "192.0.2.1", 1800), None);
}
