use super::*;

const POLICY: KeyPolicy = KeyPolicy {
    rotation_period: Duration::from_secs(1000),
    publish_lead: Duration::from_secs(100),
    longest_token: Duration::from_secs(60),
};

fn key(kid: &str, algorithm: Algorithm, activates_at: i64) -> KeyRecord {
    KeyRecord {
        kid: kid.to_owned(),
        algorithm,
        sealed_private_key: vec![],
        public_jwk: String::new(),
        created_at: Timestamp(0),
        published_at: Timestamp(0),
        activates_at: Timestamp(activates_at),
        retires_at: None,
        removed_at: None,
        revoked_at: None,
    }
}

fn step(records: &[KeyRecord], algorithm: Algorithm, by_audience: bool, at: i64) -> Option<KeyStep> {
    next_step(records, KeyDemand { algorithm, by_audience }, Timestamp(at), &POLICY)
}

fn create(at: i64) -> Option<KeyStep> {
    Some(KeyStep::Create { activates_at: Timestamp(at) })
}

fn schedule(kid: &str, at: i64) -> Option<KeyStep> {
    Some(KeyStep::Schedule { kid: kid.to_owned(), activates_at: Timestamp(at) })
}

fn standby(kid: &str, algorithm: Algorithm) -> KeyRecord {
    KeyRecord { activates_at: UNSCHEDULED, ..key(kid, algorithm, 0) }
}

#[test]
fn the_first_key_signs_at_once_and_a_standby_key_follows() {
    let (ed, es) = (Algorithm::EdDsa, Algorithm::Es256);
    assert_eq!(step(&[], ed, false, 5000), create(5000));
    let first = key("a", ed, 0);
    assert_eq!(step(std::slice::from_ref(&first), ed, false, 5000), create(UNSCHEDULED.0));
    assert_eq!(step(&[first.clone(), standby("b", ed)], ed, false, 5000), None);
    assert_eq!(step(std::slice::from_ref(&first), es, false, 5000), create(105_000), "a new default waits");
    assert_eq!(step(&[first], es, true, 5000), create(5000), "an audience does not");
}

#[test]
fn a_revoked_key_is_replaced_by_one_that_verifiers_hold() {
    let ed = Algorithm::EdDsa;
    let revoked = KeyRecord { revoked_at: Some(Timestamp(1)), ..key("a", ed, 0) };
    assert_eq!(step(std::slice::from_ref(&revoked), ed, false, 5000), create(5000), "none is left");
    let with_standby = [revoked.clone(), standby("b", ed)];
    assert_eq!(step(&with_standby, ed, false, 5000), schedule("b", 5000));
    let imported = KeyRecord { published_at: Timestamp(4000), ..key("c", ed, 9000) };
    let with_both = [revoked, standby("b", ed), imported];
    assert_eq!(step(&with_both, ed, false, 5000), schedule("b", 5000), "the one that was published first");
    let other = key("a", Algorithm::Es256, 0);
    let new = [other.clone(), key("c", ed, 200_000), standby("d", ed)];
    assert_eq!(step(&new, ed, false, 5000), None, "a new default waits: verifiers may not have it yet");
    assert_eq!(step(&new, ed, true, 5000), schedule("c", 5000), "an audience does not wait");
    let known = [other, standby("d", ed)];
    assert_eq!(step(&known, ed, false, 105_000), schedule("d", 105_000), "not signed by another algorithm");
}

#[test]
fn a_rotation_is_due_one_lead_before_the_period_ends_and_only_once() {
    let ed = Algorithm::EdDsa;
    let keys = [key("a", ed, 0), standby("b", ed)];
    assert_eq!(step(&keys, ed, false, 899_999), None);
    assert_eq!(step(&keys, ed, false, 900_000), schedule("b", 1_000_000));
    let scheduled = [key("a", ed, 0), key("b", ed, 1_000_000)];
    assert_eq!(step(&scheduled, ed, false, 900_000), create(UNSCHEDULED.0), "the next standby key");
    let complete = [key("a", ed, 0), key("b", ed, 1_000_000), standby("c", ed)];
    assert_eq!(step(&complete, ed, false, 900_000), None);
    assert_eq!(step(&keys[..1], ed, false, 900_000), create(1_000_000), "an older version left no standby");
}

#[test]
fn a_standby_key_is_not_made_where_no_more_can_be_published() {
    let keys: Vec<_> = (0..40).map(|n| key(&n.to_string(), Algorithm::EdDsa, 0)).collect();
    assert_eq!(step(&keys, Algorithm::EdDsa, false, 5000), None);
    assert_eq!(step(&keys[1..], Algorithm::EdDsa, false, 5000), create(UNSCHEDULED.0));
}

#[test]
fn a_takeover_retires_the_keys_of_its_algorithm_but_no_standby_key() {
    let (ed, es) = (Algorithm::EdDsa, Algorithm::Es256);
    let records = [key("a", ed, 0), key("b", es, 0), standby("c", ed), standby("d", ed)];
    let now = Timestamp(900_000);
    let retired = |at: i64| Retirement {
        kid: "a".to_owned(),
        retires_at: Timestamp(at),
        removed_at: Timestamp(at + 60_000),
    };
    let take = |kid: &str, at: i64| takeover(&records, kid, now, Timestamp(at), &POLICY);
    let expected = Takeover {
        kid: "c".to_owned(),
        activates_at: Timestamp(1_000_000),
        retirements: vec![retired(1_000_000)],
    };
    assert_eq!(take("c", 1_000_000), Some(expected));
    assert_eq!(take("a", 1_000_000), None, "it signs already");
    assert_eq!(take("nokey", 1_000_000), None);
    let two = [key("a", ed, 0), key("c", ed, 950_000), key("d", ed, 960_000)];
    let first = takeover(&two, "c", now, Timestamp(950_000), &POLICY).unwrap();
    let retired_kids: Vec<&str> = first.retirements.iter().map(|retired| retired.kid.as_str()).collect();
    assert_eq!(retired_kids, ["a", "d"], "it is the last one: nothing is left that would retire it");
    let scheduled = [key("a", ed, 0), key("c", ed, 950_000)];
    let sooner = takeover(&scheduled, "c", now, Timestamp(1_000_000), &POLICY).unwrap();
    assert_eq!(sooner.activates_at, Timestamp(950_000), "a schedule is never put off");
    assert!(retirements(&records, ed, now, UNSCHEDULED, &POLICY).is_empty());
}

#[test]
fn a_key_walks_through_its_states_by_the_clock_alone() {
    let key = KeyRecord {
        published_at: Timestamp(10),
        activates_at: Timestamp(20),
        retires_at: Some(Timestamp(30)),
        removed_at: Some(Timestamp(40)),
        ..key("a", Algorithm::EdDsa, 0)
    };
    let states = [(9, "prepared"), (10, "published"), (20, "active"), (30, "retired"), (40, "removed")];
    for (at, state) in states {
        assert_eq!(key.state(Timestamp(at)).as_str(), state);
    }
}
