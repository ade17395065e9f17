use arc_swap::ArcSwap;

use super::super::freshness::LastContact;
use super::*;
use crate::revocations::Target;

const NOW: u64 = 1_800_000_000;
const EPOCH: u64 = 7;

pub(crate) fn held() -> Held {
    let fingerprints = Fingerprints::with_key([1; 16]);
    let revocations = RevocationsWriter::new(fingerprints).readers();
    let authority = Authority {
        trust: ArcSwap::from_pointee(Trust { keys: KeySet::default(), revocations }),
        last_contact: LastContact::at_age(None),
        refused_updates: 0.into(),
        unknown_key_seen: false.into(),
        complete: false.into(),
        needs_revocations: true,
    };
    Held::new(Arc::new(authority), fingerprints)
}

fn statement(after: u64, seq: u64, sids: &[&'static str], expires_at: u64) -> Statement<'static> {
    let entries =
        sids.iter().map(|sid| RevocationEntry { target: Target::Session(sid), expires_at }).collect();
    Statement { after, position: Position { epoch: EPOCH, seq }, entries, more: false, signed: true }
}

#[test]
fn a_clock_that_went_back_asks_for_everything_again() {
    let mut held = held();
    let mut say = |statement, now| held.apply(&mut None, statement, now);
    assert_eq!(say(statement(0, 1, &["s1"], NOW + 300), NOW), Ok(Applied::Complete));
    // An hour ahead everything has expired; back again it is needed.
    assert_eq!(say(statement(1, 2, &["s2"], NOW + 300), NOW + 3600), Ok(Applied::Complete));
    assert_eq!(say(statement(2, 2, &[], 0), NOW + 1), Err(OutOfStep::ClockWentBack));
    assert_eq!(say(statement(2, 2, &[], 0), NOW + 2), Ok(Applied::Complete), "told once");
    assert_eq!(say(statement(2, 2, &[], 0), NOW - 5), Ok(Applied::Complete), "a daemon sets it right");
}

#[test]
fn statements_are_applied_from_wherever_one_stands_within_them() {
    let mut held = held();
    let mut say = |statement| held.apply(&mut None, statement, NOW);
    assert_eq!(say(statement(0, 3, &["s1", "s2", "s3"], NOW + 300)), Ok(Applied::Complete));
    assert_eq!(say(statement(1, 4, &["s2", "s3", "s4"], NOW + 300)), Ok(Applied::Complete), "some twice");
    assert_eq!(say(statement(3, 3, &[], 0)), Ok(Applied::Behind));
    assert_eq!(say(statement(5, 6, &["s6"], NOW + 300)), Err(OutOfStep::Gap));
    assert_eq!(say(statement(4, 5, &["s5"], NOW + 300)), Ok(Applied::Complete));
    assert_eq!(held.revocations.len(), 5);
}

#[test]
fn a_snapshot_is_taken_whole_and_goes_back_by_leave_only() {
    let mut held = held();
    held.apply(&mut None, statement(0, 9, &["old"], NOW + 300), NOW).unwrap();
    let part = || Statement { more: true, ..statement(0, 1, &["a"], NOW + 300) };
    let mut snapshot = Some(held.snapshot(false));
    assert_eq!(held.apply(&mut snapshot, part(), NOW), Ok(Applied::More));
    assert_eq!((held.position.seq, held.revocations.len()), (9, 1), "what is held stays until then");
    assert_eq!(held.apply(&mut snapshot, statement(1, 2, &["b"], NOW + 300), NOW), Err(OutOfStep::Late));
    let mut snapshot = Some(held.snapshot(true));
    assert_eq!(held.apply(&mut snapshot, part(), NOW), Ok(Applied::More));
    assert_eq!(held.apply(&mut snapshot, statement(1, 2, &["b"], NOW + 300), NOW), Ok(Applied::Complete));
    assert_eq!((held.position.seq, held.revocations.len()), (2, 2));
}
