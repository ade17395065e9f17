//! A set of scopes has one spelling, which parses to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared_claims::ScopeSet;

fuzz_target!(|text: &str| {
    let Ok(set) = ScopeSet::parse(text) else { return };
    assert_eq!(ScopeSet::parse(set.as_str()).as_ref(), Ok(&set));
    assert!(text.split(' ').all(|scope| scope.is_empty() || set.contains(scope)));
    assert!(set.as_str().split(' ').all(|scope| scope.is_empty() || text.split(' ').any(|s| s == scope)));
    assert!(set.is_subset(&set));
});
