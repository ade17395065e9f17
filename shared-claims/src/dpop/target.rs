//! The URL that a proof was made for (RFC 9449 section 4.3, check 9).

/// Longest URL that is compared, in bytes.
const MAX_BYTES: usize = 2048;

/// A URL as proofs are compared by it: without query and fragment, scheme and host in lower case, without the default port,
/// percent-encoding in one spelling (RFC 3986 section 6.2). `None` for anything but an absolute http or https URL without user
/// information.
pub(super) fn normal_form(url: &str) -> Option<String> {
    if url.len() > MAX_BYTES || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let authority = authority.to_ascii_lowercase();
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
    if authority.is_empty() || authority.starts_with(':') || authority.contains(['@', '\\']) {
        return None;
    }
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let path = if path.is_empty() { "/" } else { path };
    Some(format!("{scheme}://{authority}{}", normal_path(path)?))
}

/// `None` for a `%` without two hexadecimal digits.
fn normal_path(path: &str) -> Option<String> {
    let mut normal = String::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            normal.push(char::from(byte));
            continue;
        }
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        let encoded = high << 4 | low;
        if encoded.is_ascii_alphanumeric() || b"-._~".contains(&encoded) {
            normal.push(char::from(encoded));
        } else {
            normal.push_str(&format!("%{encoded:02X}"));
        }
    }
    Some(normal)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_url_are_one_and_others_are_not() {
        let same = [
            "https://notes.example.com/notes/a~b",
            "HTTPS://Notes.Example.COM/notes/a~b",
            "https://notes.example.com:443/notes/a~b",
            "https://notes.example.com/notes/a~b?page=1",
            "https://notes.example.com/notes/a~b#part",
            "https://notes.example.com/notes/a~b?x#y?z",
            "https://notes.example.com/n%6ftes/a%7Eb",
        ];
        for url in same {
            assert_eq!(normal_form(url).as_deref(), Some(same[0]), "{url}");
        }
        let others = [
            "http://notes.example.com/notes/a~b",
            "https://notes.example.com:8443/notes/a~b",
            "https://notes.example.com/notes/A~b",
            "https://notes.example.com/notes/a~b/",
            "https://notes.example.com//notes/a~b",
            "https://notes.example.com/notes%2Fa~b",
            "https://notes.example.com./notes/a~b",
        ];
        for url in others {
            assert!(normal_form(url).is_some_and(|url| url != same[0]), "{url}");
        }
        let none = [
            "",
            "/notes/a~b",
            "//notes.example.com/notes",
            "ftp://notes.example.com/",
            "https://",
            "https:///notes",
            "https://:443/",
            "https://user@notes.example.com/",
            "https://notes.example.com\\@evil/",
            "https://notes.example.com/%zz",
            "https://notes.example.com/%2",
            "https://notes.example.com/a b",
            "https://notes.example.com/\u{fc}",
        ];
        for url in none {
            assert_eq!(normal_form(url), None, "{url}");
        }
        assert_eq!(normal_form("https://a.example?q").as_deref(), Some("https://a.example/"));
        assert_eq!(normal_form("https://a.example/%2f%c3").as_deref(), Some("https://a.example/%2F%C3"));
        assert_eq!(normal_form("https://[::1]:443/x").as_deref(), Some("https://[::1]/x"));
    }
}
