//! The set of what was revoked: as a model says, also while it grows under the eyes of its readers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::thread;

use proptest::prelude::*;
use shared_claims::revocations::{Fingerprints, IdSetWriter, RevocationEntry, RevocationsWriter, Target};

#[derive(Debug, Clone)]
enum Step {
    Insert { fingerprint: u64, expires_at: u32 },
    Sweep,
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    // Neighbours and the ends of the range collide most.
    let fingerprint = prop_oneof![0_u64..50, (u64::MAX - 20)..=u64::MAX, any::<u64>()];
    prop_oneof![
        20 => (fingerprint, 0_u32..400).prop_map(|(fingerprint, expires_at)| Step::Insert { fingerprint, expires_at }),
        1 => Just(Step::Sweep),
        1 => (0_u32..40).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_set_holds_what_is_needed_and_nothing_that_never_came(steps in prop::collection::vec(step(), 1..600)) {
        let (mut writer, mut model, mut now) = (IdSetWriter::default(), HashMap::<u64, u32>::new(), 0_u32);
        for step in steps {
            match step {
                Step::Insert { fingerprint, expires_at } => {
                    writer.insert(fingerprint, expires_at, now);
                    // 0 and 1 are one fingerprint.
                    let held = model.entry(fingerprint.max(1)).or_default();
                    *held = (*held).max(expires_at);
                }
                Step::Sweep => drop(writer.sweep(now)),
                Step::Wait(seconds) => now += seconds,
            }
            let readers = writer.readers();
            for (fingerprint, expires_at) in &model {
                prop_assert!(*expires_at <= now || readers.contains(*fingerprint), "{fingerprint} is missing");
            }
            for (fingerprint, _) in writer.iter() {
                prop_assert!(model.contains_key(&fingerprint), "{fingerprint} never came");
            }
            prop_assert_eq!(writer.iter().count(), writer.len());
        }
    }

    #[test]
    fn what_is_saved_is_read_back_and_damage_is_not(ids in prop::collection::vec("[a-f0-9]{1,40}", 0..200), cut in 1_usize..30) {
        let fingerprints = Fingerprints::with_key([3; 16]);
        let mut writer = RevocationsWriter::new(fingerprints);
        let entry = |id, place: usize| {
            let target = match place % 4 {
                0 => Target::Session(id),
                1 => Target::Token(id),
                2 => Target::Subject { sub: id, not_before: 500 },
                _ => Target::Client { client_id: id, not_before: 600 },
            };
            RevocationEntry { target, expires_at: 1000 + place as u64 }
        };
        writer.apply(ids.iter().enumerate().map(|(place, id)| entry(id, place)), 0);
        let bytes = writer.to_bytes();
        let read = RevocationsWriter::from_bytes(fingerprints, &bytes, 0).unwrap();
        prop_assert_eq!(read.len(), writer.len());
        let sorted = |writer: &RevocationsWriter| {
            let mut bytes: Vec<Vec<u8>> = writer.to_bytes()[8..].chunks(4).map(<[u8]>::to_vec).collect();
            bytes.sort();
            bytes
        };
        prop_assert_eq!(sorted(&read), sorted(&writer));
        if !ids.is_empty() {
            let cut = bytes.len().saturating_sub(cut);
            // A cut that falls between two entries leaves a shorter list; the file's checksum tells of that.
            if let Some(shorter) = RevocationsWriter::from_bytes(fingerprints, &bytes[..cut], 0) {
                prop_assert!(shorter.len() < writer.len());
            }
        }
    }
}

#[test]
fn readers_see_each_entry_from_the_moment_at_which_it_was_announced() {
    const ENTRIES: u64 = 200_000;
    let fingerprint = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut writer = IdSetWriter::default();
    let table = Arc::new(RwLock::new(writer.readers()));
    let announced = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..3)
        .map(|reader| {
            let (table, announced) = (Arc::clone(&table), Arc::clone(&announced));
            thread::spawn(move || {
                let mut asked = 0_u64;
                loop {
                    let newest = announced.load(Ordering::Acquire);
                    let set = table.read().unwrap().clone();
                    for number in [newest, newest / 2, newest.saturating_sub(reader)] {
                        assert!(number == 0 || set.contains(fingerprint(number)), "{number} of {newest}");
                    }
                    assert!(!set.contains(fingerprint(ENTRIES + 1 + asked % 1000)), "it never came");
                    asked += 1;
                    if newest == ENTRIES {
                        return asked;
                    }
                }
            })
        })
        .collect();
    for number in 1..=ENTRIES {
        if writer.insert(fingerprint(number), u32::MAX, 0) {
            *table.write().unwrap() = writer.readers();
        }
        announced.store(number, Ordering::Release);
    }
    let asked: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    assert!(asked > 3, "nobody looked while it grew");
}

#[test]
fn an_entry_takes_no_more_than_24_bytes_at_rest_however_many_there_are() {
    let mut writer = IdSetWriter::default();
    for number in 1..=1_000_000_u64 {
        writer.insert(number.wrapping_mul(0x9E37_79B9_7F4A_7C15), u32::MAX, 0);
        if number > 1000 && number % 997 == 0 {
            let each = writer.bytes() as f64 / writer.len() as f64;
            assert!(each <= 24.0, "{each} bytes each of {number}");
        }
    }
    assert!(writer.sweep(u32::MAX), "all have expired");
    assert!(writer.bytes() < 1024 && writer.is_empty());
}
