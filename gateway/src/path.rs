use unicode_normalization::UnicodeNormalization;

/// A request target, read as every server behind the proxy must read it.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// Decoded, with single slashes; the forms of `forms` stand in it as they were sent.
    pub path: String,
    /// What servers read in two ways: a rule must say that its application reads it literally.
    pub forms: Vec<Form>,
    /// The path in the other reading, where there are such forms: decoded to the end, without empty segments and
    /// parameters.
    pub other_path: Option<String>,
    /// Whether the query holds `access_token` (RFC 6750 section 2.3).
    pub has_token: bool,
    /// Whether the query holds `_method`, by which some frameworks take the request for one of another method.
    pub overrides_method: bool,
}

/// What stands literally in the paths of some applications, and means something else to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    EncodedSlash,
    EncodedPercent,
    EmptySegment,
    Semicolon,
}

impl Form {
    pub const ALL: [Self; 4] =
        [Self::EncodedSlash, Self::EncodedPercent, Self::EmptySegment, Self::Semicolon];

    /// As it is written in settings.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::EncodedSlash => "%2F",
            Self::EncodedPercent => "%25",
            Self::EmptySegment => "//",
            Self::Semicolon => ";",
        }
    }
}

/// Why a target has more than one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedTarget(pub &'static str);

const STRANGE: MalformedTarget = MalformedTarget("the path has encoded or strange characters");
const DOTS: MalformedTarget = MalformedTarget("the path has dot segments");

/// How often a path may be encoded on top of itself.
const MOST_ENCODINGS: usize = 8;

impl Target {
    /// Reads `/path?query`. A path that proxy and application may read differently is refused, or a rule
    /// could be walked around: dot segments, other encoded delimiters, control characters. Forms that some
    /// applications need are told apart, for the rules to decide.
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
        let mut forms = Vec::new();
        let path = decode(path, &mut forms)?;
        if has_empty_segments(&path) {
            forms.push(Form::EmptySegment);
        }
        if has_dots(&path) {
            return Err(DOTS);
        }
        if !path.is_ascii() && gains_delimiters(&path) {
            return Err(STRANGE);
        }
        let other_path = if forms.is_empty() { None } else { Some(other_reading(&path)?) };
        let name = |pair: &str| unescape(pair.split('=').next().unwrap_or_default()).unwrap_or_default();
        let names: Vec<String> = query.split(['&', ';']).map(name).collect();
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        let (has_token, overrides_method) = (has("access_token"), has("_method"));
        Ok(Self { path, forms, other_path, has_token, overrides_method })
    }
}

fn has_empty_segments(path: &str) -> bool {
    path.contains("//")
}

/// Whether an application that reads full-width letters as plain ones would see a slash or a dot that is none here.
fn gains_delimiters(path: &str) -> bool {
    let count = |letters: &mut dyn Iterator<Item = char>| {
        letters.filter(|letter| matches!(letter, '/' | '\\' | '.' | '%' | ';' | '?' | '#')).count()
    };
    count(&mut path.nfkc()) != count(&mut path.chars())
}

fn has_dots(path: &str) -> bool {
    path.split('/').any(|segment| segment == "." || segment == "..")
}

/// Undoes percent-encoding once (RFC 3986 section 2.1), but for the forms, which are noted.
fn decode(encoded: &str, forms: &mut Vec<Form>) -> Result<String, MalformedTarget> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut note = |form| {
        if !forms.contains(&form) {
            forms.push(form);
        }
    };
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        let escaped = byte == b'%';
        let byte = if escaped { escaped_byte(&mut bytes).ok_or(STRANGE)? } else { byte };
        if byte < 0x20 || byte == 0x7F || byte == b'\\' || (escaped && matches!(byte, b'.' | b'?' | b'#')) {
            return Err(STRANGE);
        }
        match (escaped, byte) {
            (true, b'/') => {
                note(Form::EncodedSlash);
                decoded.extend_from_slice(b"%2F");
            }
            (true, b'%') => {
                note(Form::EncodedPercent);
                decoded.extend_from_slice(b"%25");
            }
            // It begins path parameters for some servers.
            (_, b';') => {
                note(Form::Semicolon);
                decoded.push(b';');
            }
            (_, byte) => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).map_err(|_| STRANGE)
}

fn escaped_byte(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
    u8::try_from(digit()? * 16 + digit()?).ok()
}

/// Undoes percent-encoding once, wholly; what is no encoding stays as it is.
fn unescape(encoded: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        match (byte, escaped_byte(&mut ahead)) {
            (b'%', Some(meant)) => {
                decoded.push(meant);
                bytes = ahead;
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).ok()
}

/// The path as a server reads it that takes none of the forms literally.
fn other_reading(path: &str) -> Result<String, MalformedTarget> {
    let mut read = path.to_owned();
    for _ in 0..MOST_ENCODINGS {
        read = unescape(&read).ok_or(STRANGE)?;
    }
    if unescape(&read).as_ref() != Some(&read)
        || read.contains(|letter: char| letter == '\\' || letter.is_ascii_control())
    {
        return Err(STRANGE);
    }
    let without_parameters = read.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    let segments: Vec<&str> = without_parameters.filter(|segment| !segment.is_empty()).collect();
    let read = format!("/{}", segments.join("/"));
    if has_dots(&read) { Err(DOTS) } else { Ok(read) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_in_one_way_or_not_at_all() {
        let path = |target: &str| {
            let target = Target::parse(target)?;
            if target.forms.is_empty() { Ok(target.path) } else { Err(MalformedTarget("two readings")) }
        };
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
            "/a%3Bb",
            "/a#",
            "/a#/../b",
            "/%ff",
            "/a\u{7f}",
            "/notes%EF%BC%8Fadmin",
            "/notes/%EF%BC%8E%EF%BC%8E/admin",
            "/a%EF%BC%85",
            "/a\u{2026}",
        ] {
            assert!(path(target).is_err(), "{target:?}");
        }
    }

    #[test]
    fn the_other_reading_of_a_literal_form_is_known() {
        for (target, literal, other) in [
            ("/a%2fb", "/a%2Fb", "/a/b"),
            ("/a%252Fb", "/a%252Fb", "/a/b"),
            ("/a%25", "/a%25", "/a%"),
            ("//a///b/", "//a///b/", "/a/b"),
            ("/a;x=1/b;y", "/a;x=1/b;y", "/a/b"),
            ("/;/a", "/;/a", "/a"),
            ("/100%25%20sure", "/100%25 sure", "/100% sure"),
        ] {
            let read = Target::parse(target).unwrap();
            assert_eq!((read.path.as_str(), read.other_path.as_deref()), (literal, Some(other)));
        }
        for target in [
            "/a%2F..%2Fb",
            "/a/%252e%252e/b",
            "/..;/a",
            "/a;/%2e%2e",
            "/a%2F%255c",
            "/a%25252525252525252525252e",
        ] {
            assert!(Target::parse(target).is_err(), "{target}");
        }
    }

    #[test]
    fn what_the_query_must_not_hold_is_seen_however_it_is_spelled() {
        let has_token = |target: &str| Target::parse(target).unwrap().has_token;
        for target in
            ["/a?access_token=x", "/a?b=1&access_token", "/a?b=1;access_token=x", "/a?%61ccess_token=x"]
        {
            assert!(has_token(target), "{target}");
        }
        assert!(!has_token("/a?token=access_token") && !has_token("/access_token"));
        assert!(Target::parse("/a?b&%5Fmethod=DELETE").unwrap().overrides_method);
        assert!(!Target::parse("/a?the_method=1").unwrap().overrides_method);
    }
}
