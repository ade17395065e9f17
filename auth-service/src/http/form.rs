//! `application/x-www-form-urlencoded` (WHATWG URL section 5.1), strictly: what is no UTF-8 is an
//! error, not a replacement character.

/// The body is not a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotAForm;

/// Names and values in the order sent, repeated names included.
pub(super) fn parse(body: &[u8]) -> Result<Vec<(String, String)>, NotAForm> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            Ok((name, value))
        })
        .collect()
}

/// One name or value: `+` is a space, `%41` an `A`.
pub(super) fn decode(encoded: &[u8]) -> Result<String, NotAForm> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        decoded.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, behind) = rest.split_at_checked(2).ok_or(NotAForm)?;
                rest = behind;
                hex(digits[0])? << 4 | hex(digits[1])?
            }
            other => *other,
        });
    }
    String::from_utf8(decoded).map_err(|_| NotAForm)
}

fn hex(digit: u8) -> Result<u8, NotAForm> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).ok_or(NotAForm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_in_order() {
        let pairs = parse(b"a=1&b=x+y%21&a=&c&&%C3%A4=%C3%B6").unwrap();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, [("a", "1"), ("b", "x y!"), ("a", ""), ("c", ""), ("ä", "ö")]);
    }

    #[test]
    fn broken_escapes_and_other_encodings_are_refused() {
        for body in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%ff", b"a=\xff", b"%c3=1"] {
            assert_eq!(parse(body), Err(NotAForm), "{body:?}");
        }
    }
}
