//! Who is behind a request, as headers for what stands behind the proxy.

use shared_claims::AccessClaims;

/// The headers that the gateway alone may set. Each is there in each answer that lets pass, if need be empty,
/// so that a proxy which copies them leaves none that the client sent.
pub const HEADERS: [&str; 5] =
    ["x-signet-subject", "x-signet-client", "x-signet-scope", "x-signet-roles", "x-signet-session"];

/// Names and values for one request; all empty where no token was asked for.
#[must_use]
pub fn identity_of(claims: Option<&AccessClaims>) -> [(&'static str, String); 5] {
    let values = claims.map_or_else(Default::default, |claims| {
        [
            encoded(&claims.sub),
            encoded(&claims.client_id),
            encoded(claims.scope.as_str()),
            claims.roles.iter().map(|role| encoded(role).replace(',', "%2C")).collect::<Vec<_>>().join(","),
            claims.sid.as_deref().map(encoded).unwrap_or_default(),
        ]
    });
    let mut values = values.into_iter();
    HEADERS.map(|name| (name, values.next().unwrap_or_default()))
}

/// Whether a header is one of them, also as an application behind CGI or WSGI reads it, where a dash and an
/// underscore are the same.
#[must_use]
pub fn is_identity_header(name: &str) -> bool {
    HEADERS.iter().any(|own| is_called(own, name))
}

/// By these some applications take a request for one of another method, or for another path, than the proxy has seen.
const OVERRIDES: [&str; 7] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-override-url",
    "x-forwarded-path",
];

/// Whether a header is one of them, in whatever spelling.
#[must_use]
pub fn is_override_header(name: &str) -> bool {
    OVERRIDES.iter().any(|own| is_called(own, name))
}

fn is_called(own: &str, name: &str) -> bool {
    own.len() == name.len()
        && own
            .bytes()
            .zip(name.bytes())
            .all(|(own, sent)| own == sent.to_ascii_lowercase() || (own == b'-' && sent == b'_'))
}

/// Every name by which an application behind CGI or WSGI would read one of them.
pub(super) fn spellings() -> impl Iterator<Item = String> {
    HEADERS.iter().flat_map(|name| {
        let dashes: Vec<usize> = name.match_indices('-').map(|(place, _)| place).collect();
        (0..1_usize << dashes.len()).map(move |choice| {
            let underscore = |place| {
                dashes.iter().position(|dash| *dash == place).is_some_and(|nth| choice >> nth & 1 == 1)
            };
            name.char_indices().map(|(place, letter)| if underscore(place) { '_' } else { letter }).collect()
        })
    })
}

/// Visible ASCII and spaces as they are; everything else, and `%`, percent-encoded: a claim may hold any
/// text, a header may not.
fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if (byte.is_ascii_graphic() && byte != b'%') || byte == b' ' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_known_in_every_spelling() {
        for name in ["X-Signet-Subject", "x_signet_subject", "X_SIGNET-SUBJECT", "x-signet-roles"] {
            assert!(is_identity_header(name), "{name}");
        }
        for name in ["x-signet-subjects", "signet-subject", "x.signet.subject", "authorization"] {
            assert!(!is_identity_header(name), "{name}");
        }
    }

    #[test]
    fn an_override_is_known_in_every_spelling() {
        for name in ["X-HTTP-Method-Override", "x_http_method_override", "X-Original-URL", "x-rewrite_url"] {
            assert!(is_override_header(name), "{name}");
        }
        // The proxies' own, of which only theirs is looked at.
        for name in ["x-original-uri", "x-original-method", "x-forwarded-method", "x-forwarded-uri"] {
            assert!(!is_override_header(name), "{name}");
        }
    }

    #[test]
    fn all_spellings_are_known() {
        let all: std::collections::HashSet<String> = spellings().collect();
        assert_eq!(all.len(), HEADERS.len() * 4);
        assert!(all.contains("x_signet-subject") && all.iter().all(|name| is_identity_header(name)));
    }

    #[test]
    fn no_claim_can_break_out_of_a_header() {
        assert_eq!(encoded("client:a b"), "client:a b");
        assert_eq!(encoded("a\r\nX: y"), "a%0D%0AX: y");
        assert_eq!(encoded("100% ü"), "100%25 %C3%BC");
    }
}
