//! A key set from the network: taken as a whole or not at all, and never with a private member.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use shared_claims::KeySet;

fuzz_target!(|bytes: &[u8]| {
    let set = KeySet::from_jwks(bytes);
    let again = KeySet::from_jwks(bytes);
    assert_eq!(set.as_ref().err(), again.as_ref().err());
    let Ok(set) = set else { return };
    let value: Value = serde_json::from_slice(bytes).expect("what we accept is JSON");
    let keys = value["keys"].as_array().expect("an array");
    assert!(!set.is_empty());
    assert!(keys.iter().any(|key| key["kid"].as_str().is_some_and(|kid| set.contains(kid))));
    for key in keys {
        assert!(["d", "p", "q", "k", "priv"].iter().all(|name| key.get(name).is_none()));
    }
});
