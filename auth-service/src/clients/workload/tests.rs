use super::*;

#[test]
fn a_pattern_is_a_subject_or_ends_behind_two_parts() {
    let parse = |text: &str| SubjectPattern::parse(text).map(drop);
    let good = [
        "repo:octo/app:ref:refs/heads/main",
        "repo:octo/app:*",
        "repo:octo/*",
        "system:serviceaccount:prod:billing",
        "system:serviceaccount:prod:*",
        "project_path:group/app:*",
        "spiffe://example.org/ns/prod/*",
        "spiffe://example.org/ns/*",
    ];
    assert_eq!(good.into_iter().find(|text| parse(text).is_err()), None);
    for text in ["repo:*", "repo:/*", "repo::*", "system:*", "spiffe://example.org/*", "https://*", "a/*"] {
        assert_eq!(parse(text), Err(InvalidPattern::TooWide), "{text}");
    }
    for text in ["*", "repo:octo/app*", "repo:*/app", "repo:octo/*:*", "repo:octo/app:**", "**"] {
        assert_eq!(parse(text), Err(InvalidPattern::Wildcard), "{text}");
    }
    for text in ["", "two words", "line\n", "caf\u{e9}", &"x".repeat(513)] {
        assert_eq!(parse(text), Err(InvalidPattern::Malformed), "{text:?}");
    }
}

#[test]
fn a_pattern_matches_byte_by_byte() {
    let matches = |pattern: &str, subject: &str| SubjectPattern::parse(pattern).unwrap().matches(subject);
    assert!(matches("repo:octo/app:ref:refs/heads/main", "repo:octo/app:ref:refs/heads/main"));
    assert!(matches("repo:octo/app:*", "repo:octo/app:pull_request"));
    for subject in [
        "repo:octo/app:",
        "repo:octo/app",
        "repo:octo/app-evil:ref",
        "repo:Octo/app:ref",
        "xrepo:octo/app:ref",
        "repo:octo/app:\u{301}",
    ] {
        assert!(!matches("repo:octo/app:ref", subject), "{subject}");
    }
    assert!(
        !matches("repo:octo/app:*", "repo:octo/app:")
            && !matches("repo:octo/app:*", "repo:octo/app-evil:ref")
    );
}
