use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Made by the hashers of Django 5.2, of `correct horse`; the last ones as Django 3.1 and 1.11 made them.
const OF_DJANGO: &[(&str, &str)] = &[
    (
        "pbkdf2_sha256",
        "pbkdf2_sha256$1000000$hFWIcyRnAtE7XTMZDXoVVv$WNrBvwotbr20fvDrZgJcNz/aF2eLynQCT1yFVCtGvYY=",
    ),
    (
        "pbkdf2_sha256",
        "pbkdf2_sha256$12000$8E9HWzdDsPEo2dPXdATBtL$Fin9qBdEFsH0raXkZEPXMACuAwCzzXUYrjUqTG6WgUs=",
    ),
    ("pbkdf2_sha1", "pbkdf2_sha1$12000$xY72azIoCpENT5KyHhLbTh$Na8qMFMdC1veQSHKYdkLUz3PfrE="),
    (
        "argon2",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$aGtQV2NTbmN4ZzdvNmw1amFuNW1TQQ$dxEGgmd7FrYxBu4xQisVNn66edhw5PXkfjutJJlXNP0",
    ),
    (
        "argon2",
        "argon2$argon2id$v=19$m=1024,t=2,p=8$Snc4c0p2dXdJcGhEN1hCTVBZUjlKRw$dc4DBmoQoU2YC24thVbQlJm3cPr7LUnyXtHykVqZnyE",
    ),
    ("bcrypt_sha256", "bcrypt_sha256$$2b$05$qA5bs7XaGNiTl.kFWl6wmOvx.cutxRv98VSV0DJSCSxXFbfEJHSQq"),
    ("bcrypt", "bcrypt$$2b$05$xwB2EK6imEbGvdRKHh7fhOu4DaT9cnSmSjEscZbrQKYMe/nuD61Xi"),
    (
        "scrypt",
        "scrypt$16384$mpcWbmhgHvirA4dr1DzgXi$8$5$jpCJN9OXWeHnRDOqBE3jE6bkZGtErERSM1C5Z2uEqBZ+Nf+WGj65yvtgCuKDTkQf1m++ZawH5MbxOkGQAjxbOg==",
    ),
    ("md5", "md5$20pEytKC4chINKQSmoDtsE$ece31fff51e7afb07000e303cf76c9a3"),
    ("argon2", "argon2$argon2i$v=19$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$bynHEyr4haxtPeI7EZzgYQ"),
    ("sha1", "sha1$salt$619a8b7fb0e2b3f5d24ab3bc0b53ce167a50f893"),
    ("sha1", "sha1$$2f9e53523b62abc141a2b4d6019d23cba835dbd0"),
    ("md5", "3cb4e732631f47e6eb961f34554b7cde"),
    ("md5", "md5$$3cb4e732631f47e6eb961f34554b7cde"),
];

#[test]
fn every_format_that_django_ships_is_verified_and_a_wrong_password_is_not() {
    for (format, encoded) in OF_DJANGO {
        let stored = StoredHash::parse(encoded).unwrap_or_else(|error| panic!("{format}: {error}"));
        assert_eq!(stored.format(), *format);
        assert!(stored.fits(b"correct horse"), "{format}");
        for wrong in [b"correct hors".as_slice(), b"correct horse ", b"Correct horse", b""] {
            assert!(!stored.fits(wrong), "{format}: {wrong:?}");
        }
    }
    let formats: std::collections::HashSet<&str> = OF_DJANGO.iter().map(|(format, _)| *format).collect();
    assert_eq!(formats.len(), 8);
}

#[test]
fn an_account_without_a_password_is_one_that_no_password_fits() {
    for encoded in ["", "!", "!kY3tH0hGLdqX"] {
        assert_eq!(StoredHash::parse(encoded), Ok(StoredHash::Unusable));
    }
    assert!(!StoredHash::Unusable.fits(b""));
}

#[test]
fn what_is_unknown_malformed_or_too_costly_is_named_and_never_verified() {
    let b64 = STANDARD.encode([7; 32]);
    for (encoded, expected) in [
        ("crypt$abc", UnknownHash::Format),
        ("plaintext", UnknownHash::Format),
        ("sha1$salt$c0ffee", UnknownHash::Malformed("sha1")),
        ("ECE31FFF51E7AFB07000E303CF76C9A3", UnknownHash::Format),
        ("$2b$12$abc", UnknownHash::Format),
        ("pbkdf2_sha256$0$salt$AAAA", UnknownHash::Malformed("pbkdf2_sha256")),
        ("pbkdf2_sha256$1000$salt", UnknownHash::Malformed("pbkdf2_sha256")),
        ("pbkdf2_sha1$1000$salt$!!!", UnknownHash::Malformed("pbkdf2_sha1")),
        (&format!("pbkdf2_sha256$99999999$s${b64}"), UnknownHash::TooCostly("pbkdf2_sha256")),
        ("argon2$argon2id$v=19$m=1", UnknownHash::Malformed("argon2")),
        (
            "argon2$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OTAxMjM0NQ",
            UnknownHash::TooCostly("argon2"),
        ),
        ("bcrypt$$2b$99$x", UnknownHash::Malformed("bcrypt")),
        (&format!("scrypt$16383$s$8$1${b64}"), UnknownHash::Malformed("scrypt")),
        (&format!("scrypt$1073741824$s$8$1${b64}"), UnknownHash::TooCostly("scrypt")),
        ("md5$salt$XYZ", UnknownHash::Malformed("md5")),
    ] {
        assert_eq!(StoredHash::parse(encoded), Err(expected), "{encoded}");
    }
}

#[test]
fn hashes_of_one_scheme_cost_the_same() {
    let scheme = |encoded: &str| StoredHash::parse(encoded).unwrap().scheme();
    let b64 = STANDARD.encode([7; 32]);
    assert_eq!(scheme(&format!("pbkdf2_sha256$1000$a${b64}")), "pbkdf2_sha256:1000");
    assert_eq!(scheme(&format!("scrypt$16384$a$8$5${b64}")), "scrypt:14,8,5");
    assert_eq!(
        scheme("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OTAxMjM0NQ"),
        "argon2:m=19456,t=2,p=1"
    );
    assert_eq!(scheme("!x"), "unusable");
}
