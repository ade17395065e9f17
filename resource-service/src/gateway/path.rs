/// A request target, read as every server behind the proxy must read it.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// Decoded, with single slashes.
    pub path: String,
    /// Whether the query holds `access_token` (RFC 6750 section 2.3).
    pub has_token: bool,
}

/// Why a target has more than one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedTarget(pub &'static str);

impl Target {
    /// Reads `/path?query`. A path that proxy and application may read differently is refused, or a rule
    /// could be walked around: dot segments, empty segments, encoded slashes, control characters.
    ///
    /// # Errors
    /// [`MalformedTarget`].
    pub fn parse(target: &str) -> Result<Self, MalformedTarget> {
        if target.contains('#') {
            // No request has a fragment (RFC 9112 section 3.2); what comes behind one is read here and there.
            return Err(MalformedTarget("the target has a fragment"));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if !path.starts_with('/') {
            return Err(MalformedTarget("the target is not a path"));
        }
        let path = decode(path)?;
        let mut segments = path[1..].split('/').peekable();
        while let Some(segment) = segments.next() {
            let last = segments.peek().is_none();
            if segment == "." || segment == ".." || (segment.is_empty() && !last) {
                return Err(MalformedTarget("the path has dot or empty segments"));
            }
        }
        let name = |pair: &str| decode(pair.split('=').next().unwrap_or_default()).unwrap_or_default();
        let has_token = query.split(['&', ';']).any(|pair| name(pair) == "access_token");
        Ok(Self { path, has_token })
    }
}

/// Undoes percent-encoding once (RFC 3986 section 2.1).
fn decode(encoded: &str) -> Result<String, MalformedTarget> {
    const STRANGE: MalformedTarget = MalformedTarget("the path has encoded or strange characters");
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        let escaped = byte == b'%';
        let byte = if escaped {
            let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
            let (high, low) = (digit(bytes.next()).ok_or(STRANGE)?, digit(bytes.next()).ok_or(STRANGE)?);
            u8::try_from(high * 16 + low).map_err(|_| STRANGE)?
        } else {
            byte
        };
        // `;` begins path parameters for some servers, `%` would be decoded again by others.
        let ambiguous = byte < 0x20 || byte == 0x7F || byte == b'\\' || byte == b';';
        if ambiguous || (escaped && matches!(byte, b'/' | b'%' | b'.' | b'?' | b'#')) {
            return Err(STRANGE);
        }
        decoded.push(byte);
    }
    String::from_utf8(decoded).map_err(|_| STRANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_in_one_way_or_not_at_all() {
        let path = |target: &str| Target::parse(target).map(|target| target.path);
        for (target, expected) in [
            ("/", "/"),
            ("/notes/1?x=/../y", "/notes/1"),
            ("/notes/", "/notes/"),
            ("/%6Eotes/a%20b", "/notes/a b"),
            ("/caf%C3%A9", "/café"),
        ] {
            assert_eq!(path(target).as_deref(), Ok(expected), "{target}");
        }
        for target in [
            "",
            "notes",
            "http://x/notes",
            "*",
            "//notes",
            "/a//b",
            "/a/../b",
            "/a/..",
            "/./a",
            "/a/%2e%2e/b",
            "/a/.%2e/b",
            "/a%2Fb",
            "/a%5Cb",
            "/a\\b",
            "/a%00",
            "/a%0d%0ab",
            "/a%252e",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a;b=c/d",
            "/a#",
            "/a#/../b",
            "/%ff",
            "/a\u{7f}",
        ] {
            assert!(path(target).is_err(), "{target:?}");
        }
    }

    #[test]
    fn a_token_in_the_query_is_seen_however_it_is_spelled() {
        let has_token = |target: &str| Target::parse(target).unwrap().has_token;
        for target in
            ["/a?access_token=x", "/a?b=1&access_token", "/a?b=1;access_token=x", "/a?%61ccess_token=x"]
        {
            assert!(has_token(target), "{target}");
        }
        assert!(!has_token("/a?token=access_token") && !has_token("/access_token"));
    }
}
