//! The codes that users copy from a device.

use crate::error::Result;
use crate::secret::random_bytes;

/// Consonants that are not mistaken for each other, and make no words (RFC 8628 section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// 34 bits: enough against guesses that are limited.
const USER_CODE_LETTERS: usize = 8;

pub(crate) fn user_code() -> Result<String> {
    let mut code = String::with_capacity(USER_CODE_LETTERS);
    while code.len() < USER_CODE_LETTERS {
        for byte in random_bytes::<16>()? {
            // 240 is a multiple of 20: each letter is as likely as any other.
            if byte < 240 && code.len() < USER_CODE_LETTERS {
                code.push(char::from(LETTERS[usize::from(byte % 20)]));
            }
        }
    }
    Ok(code)
}

/// As users read it.
pub(crate) fn shown(user_code: &str) -> String {
    let (first, second) = user_code.split_at(user_code.len() / 2);
    format!("{first}-{second}")
}

/// What a user entered, as it is stored: without dashes and spaces, in capitals. `None` when it cannot be one.
pub(crate) fn normal_user_code(entered: &str) -> Option<String> {
    let letters: String =
        entered.chars().filter(char::is_ascii_alphabetic).take(USER_CODE_LETTERS + 1).collect();
    let code = letters.to_ascii_uppercase();
    (code.len() == USER_CODE_LETTERS && code.bytes().all(|letter| LETTERS.contains(&letter))).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_is_read_however_it_is_entered() {
        let code = user_code().map_err(|error| error.cause).unwrap();
        assert_eq!(normal_user_code(&shown(&code).to_lowercase()), Some(code.clone()));
        assert_eq!(normal_user_code(&format!(" {code} ")), Some(code));
        for bad in ["", "BCDF", "BCDF-GHJKL", "AEIO-UAEI", "1234-5678"] {
            assert_eq!(normal_user_code(bad), None, "{bad}");
        }
    }
}
