//! The header: what is accepted reads the same in serde_json, and has nothing forbidden in it.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use shared_claims::strict::UnverifiedToken;

fuzz_target!(|header: &[u8]| {
    let text = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header));
    let Ok(token) = UnverifiedToken::parse(&text, 64 * 1024) else { return };
    let Ok(parsed) = token.header() else { return };
    let value: Value = serde_json::from_slice(header).expect("what we accept is JSON");
    assert_eq!(value["alg"].as_str(), Some(parsed.alg.as_ref()));
    assert_eq!(value["kid"].as_str(), Some(parsed.kid.as_ref()));
    assert_eq!(value.get("typ").map(|typ| typ.as_str().expect("text")), parsed.typ.as_deref());
    for name in ["crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5u", "x5c"] {
        assert!(value.get(name).is_none(), "{name}");
    }
});
