//! The compact form: whatever parses has one spelling only, and parses the same way again.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use shared_claims::strict::{DEFAULT_MAX_TOKEN_BYTES, UnverifiedToken};

fuzz_target!(|text: &str| {
    let Ok(token) = UnverifiedToken::parse(text, DEFAULT_MAX_TOKEN_BYTES) else { return };
    let decode = |segment: &str| URL_SAFE_NO_PAD.decode(segment).expect("it was decoded before");
    let spelled: Vec<String> = text.split('.').map(|part| URL_SAFE_NO_PAD.encode(decode(part))).collect();
    assert_eq!(spelled.join("."), text, "a second spelling");
    assert_eq!(spelled.len(), 3);
    assert_eq!(URL_SAFE_NO_PAD.encode(token.signature()), spelled[2]);
    let again = UnverifiedToken::parse(text, DEFAULT_MAX_TOKEN_BYTES).expect("it parsed before");
    assert_eq!(token.header().is_ok(), again.header().is_ok());
    assert_eq!(token.unverified_claims().ok(), again.unverified_claims().ok());
});
