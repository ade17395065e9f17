use std::time::Duration;

use super::*;

fn keys() -> Keys {
    let folder = tempfile::tempdir().unwrap();
    let master = crate::keys::MasterKey::create(&folder.path().join("master.key")).unwrap();
    Keys::new(&Secrets::derived(&master))
}

#[test]
fn a_key_that_signs_at_once_signs_also_where_the_clock_is_behind() {
    let (keys, now) = (keys(), Timestamp(1_800_000_000_000));
    let record = keys.record(&SigningKey::generate(Algorithm::EdDsa).unwrap(), now, now).unwrap();
    keys.rebuild(vec![record.clone()], Position::default(), now.minus(Duration::from_secs(4))).unwrap();
    assert_eq!(keys.ring().signer(Algorithm::EdDsa).unwrap().kid, record.kid);
    assert!(keys.ring().key_set.contains(&record.kid));
}

#[test]
fn the_newest_active_key_signs_and_the_ring_knows_when_that_changes() {
    let (keys, now) = (keys(), Timestamp(1_800_000_000_000));
    let make = |activates_at| {
        keys.record(&SigningKey::generate(Algorithm::Es256).unwrap(), now, activates_at).unwrap()
    };
    let (old, next) = (make(now), make(now.plus(Duration::from_secs(300))));
    keys.rebuild(vec![old.clone(), next.clone()], Position::default(), now).unwrap();
    let ring = keys.ring();
    assert_eq!(ring.signer(Algorithm::Es256).unwrap().kid, old.kid);
    assert!(ring.signer(Algorithm::EdDsa).is_none());
    assert_eq!(ring.next_change, Some(next.activates_at));
    keys.rebuild(vec![old, next.clone()], Position::default(), next.activates_at).unwrap();
    assert_eq!(keys.ring().signer(Algorithm::Es256).unwrap().kid, next.kid);
    assert_ne!(keys.ring().etag, "");
}

#[test]
fn a_row_that_was_tampered_with_is_not_used_and_the_ring_stays() {
    let (keys, now) = (keys(), Timestamp(1_800_000_000_000));
    let good = keys.record(&SigningKey::generate(Algorithm::EdDsa).unwrap(), now, now).unwrap();
    let other = keys.record(&SigningKey::generate(Algorithm::EdDsa).unwrap(), now, now).unwrap();
    keys.rebuild(vec![good.clone()], Position::default(), now).unwrap();
    let swapped = KeyRecord { sealed_private_key: other.sealed_private_key.clone(), ..good.clone() };
    let fresh = self::keys();
    assert!(matches!(
        fresh.rebuild(vec![swapped], Position::default(), now),
        Err(UnusableKey::CannotOpen(..))
    ));
    let mismatched = KeyRecord { public_jwk: good.public_jwk.clone(), ..other };
    assert!(matches!(
        keys.rebuild(vec![mismatched], Position::default(), now),
        Err(UnusableKey::Mismatched(_))
    ));
    assert_eq!(keys.ring().signer(Algorithm::EdDsa).unwrap().kid, good.kid);
}

#[test]
fn a_waiting_key_that_cannot_be_opened_is_left_out_and_keeps_nothing_else_from_happening() {
    let (keys, now) = (keys(), Timestamp(1_800_000_000_000));
    let generate = || SigningKey::generate(Algorithm::EdDsa).unwrap();
    let good = keys.record(&generate(), now, now).unwrap();
    let standby = keys.record(&generate(), now, UNSCHEDULED).unwrap();
    let damaged = KeyRecord { sealed_private_key: vec![0; 40], ..standby.clone() };
    keys.rebuild(vec![good.clone(), damaged.clone()], Position::default(), now).unwrap();
    let ring = keys.ring();
    assert!(ring.unusable.contains(&damaged.kid) && !ring.jwks.contains(&damaged.kid));
    assert!(ring.jwks.contains(&good.kid));
    let revoked = KeyRecord { revoked_at: Some(now), ..good.clone() };
    keys.rebuild(vec![revoked, damaged], Position::default(), now).unwrap();
    assert!(!keys.ring().jwks.contains(&good.kid), "a revocation goes through");
    keys.rebuild(vec![good, standby.clone()], Position::default(), now).unwrap();
    assert!(keys.ring().jwks.contains(&standby.kid), "a whole one is published");
}
