//! A form that we accept has the pairs that the URL Standard's parser finds in it.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "the authority uses all of it")]
#[path = "../../auth-service/src/http/form.rs"]
mod form;

fuzz_target!(|body: &[u8]| {
    let Ok(pairs) = form::parse(body) else { return };
    let standard: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    assert_eq!(pairs, standard);
});
