use aws_lc_rs::hmac;

use crate::secret::PlainSecret;

/// As many as are made at one time.
const RECOVERY_CODES: u8 = 10;

/// 32 characters that cannot be taken for each other (Crockford): 80 bits a code.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Derives the recovery codes of a second factor: they can be shown again, and no database holds them.
pub struct RecoveryCodes(hmac::Key);

impl RecoveryCodes {
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Those of a factor, by its sealed secret: each set-up has another one.
    pub(crate) fn of(&self, sealed_secret: &[u8]) -> Vec<PlainSecret> {
        let code = |number: u8| {
            let tag = hmac::sign(&self.0, &[&[number], sealed_secret].concat());
            let letters = tag.as_ref()[..16].iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
            PlainSecret::new(letters.collect())
        };
        (0..RECOVERY_CODES).map(code).collect()
    }
}

/// As it was made, however it was typed.
pub(crate) fn normal_code(code: &PlainSecret) -> PlainSecret {
    let letters = code.expose().chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase());
    PlainSecret::new(
        letters
            .map(|c| match c {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_are_80_bits_that_nobody_mistypes() {
        let codes = RecoveryCodes::new(&[7; 32]).of(b"sealed");
        assert_eq!(codes.len(), 10);
        let texts =
            |codes: &[PlainSecret]| codes.iter().map(|code| code.expose().to_owned()).collect::<Vec<_>>();
        assert_eq!(texts(&codes), texts(&RecoveryCodes::new(&[7; 32]).of(b"sealed")), "the same again");
        let others =
            [RecoveryCodes::new(&[8; 32]).of(b"sealed"), RecoveryCodes::new(&[7; 32]).of(b"another")];
        let mut all: Vec<String> = others.iter().chain([&codes]).flat_map(|codes| texts(codes)).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 30);
        assert!(
            codes
                .iter()
                .all(|code| code.expose().len() == 16 && !code.expose().contains(['i', 'l', 'o', 'u']))
        );
        let typed = PlainSecret::new(" OIL0-abcd ".to_owned());
        assert_eq!(normal_code(&typed).expose(), "0110abcd");
    }
}
