use super::*;

#[test]
fn a_password_fits_its_own_hash_only_however_it_is_spelt() {
    let hasher = PasswordHasher::new(1);
    let fits = |password: &str, stored: &str| {
        hasher
            .acquire_slot(Origin::Unknown)
            .unwrap()
            .verify(&PlainSecret::new(password.to_owned()), stored)
            .unwrap()
    };
    let password = PlainSecret::new("caf\u{e9} horse".to_owned());
    let hash = hasher.hash(&password).unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(fits("caf\u{e9} horse", &hash) && fits("cafe\u{301} horse", &hash));
    assert!(!fits("cafe horse", &hash));
    assert!(!fits("cafe horse", "crypt$unknown"), "what cannot be read is never right");
    assert_ne!(hash, hasher.hash(&password).unwrap());
    assert!(is_ours(&hash) && !is_ours("md5$salt$00000000000000000000000000000000"));
}

#[test]
fn a_password_of_many_spellings_costs_one_hash_where_the_hash_is_ours() {
    let hasher = PasswordHasher::new(1);
    let stored = hasher.hash(&PlainSecret::new("\u{212b}ngstrom horse".to_owned())).unwrap();
    let many = "\u{212b} wrong \u{e9} horse";
    assert_eq!(forms_to_try(many, &stored).len(), 1);
    assert_eq!(forms_to_try(many, "pbkdf2_sha256$1$salt$aGFzaA==").len(), 3, "Django hashed it as typed");
}

#[test]
fn a_place_is_refused_when_all_are_taken_and_free_again_when_one_is_left() {
    let hasher = PasswordHasher::new(1);
    let take = |origin, most: usize| -> Vec<QueueSlot<'_>> {
        (0..most).map_while(|_| hasher.acquire_slot(origin).ok()).collect()
    };
    let mut others = take(Origin::Unknown, 1000);
    assert_eq!(others.len(), 1 + MAX_WAITING - RESERVED_FOR_KNOWN);
    let known = take(Origin::Known, 1000);
    assert_eq!(known.len(), RESERVED_FOR_KNOWN, "whatever floods the others");
    assert!(hasher.acquire_slot(Origin::Known).is_err());
    drop((others.pop(), known));
    assert!(hasher.acquire_slot(Origin::Unknown).is_ok());
}

#[test]
fn the_dummy_hash_costs_what_a_real_one_does() {
    assert!(is_ours(dummy::OUR_DUMMY));
}
