//! Nonces: that a proof was made a moment ago is shown by a value of the server's, and not by the clock of its client (RFC 9449
//! section 8).

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Seconds for which one is handed out. It is accepted for as long again.
const PERIOD: u64 = 120;

/// Makes and recognises nonces. Nothing is stored: all who have the secret accept the nonces of all others.
pub struct DpopNonces(hmac::Key);

impl DpopNonces {
    /// With a secret of 32 random octets.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The one to hand out at `now`, in seconds since the epoch.
    #[must_use]
    pub fn current(&self, now: u64) -> String {
        self.of_period(now / PERIOD)
    }

    /// Whether it was handed out in this period or the one before; the next one is that of a server whose clock is a little ahead.
    #[must_use]
    pub fn accepts(&self, unverified_nonce: &str, now: u64) -> bool {
        let period = now / PERIOD;
        let periods = period.saturating_sub(1)..=period + 1;
        let mut octets = [0; 40];
        let Ok(40) = URL_SAFE_NO_PAD.decode_slice(unverified_nonce, &mut octets) else { return false };
        let (named, tag) = octets.split_at(8);
        hmac::verify(&self.0, named, tag).is_ok()
            && named.try_into().is_ok_and(|named| periods.contains(&u64::from_be_bytes(named)))
    }

    fn of_period(&self, period: u64) -> String {
        let named = period.to_be_bytes();
        let tag = hmac::sign(&self.0, &named);
        URL_SAFE_NO_PAD.encode([&named, tag.as_ref()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_its_period_and_the_next_at_all_who_have_the_secret() {
        let (one, other) = (DpopNonces::new(&[1; 32]), DpopNonces::new(&[1; 32]));
        let (begin, stranger) = (1200, DpopNonces::new(&[2; 32]));
        let nonce = one.current(begin);
        assert!(nonce.len() == 54 && nonce == one.current(begin + PERIOD - 1));
        for (now, accepted) in [
            (begin - PERIOD - 1, false),
            (begin - PERIOD, true),
            (begin, true),
            (begin + 2 * PERIOD - 1, true),
            (begin + 2 * PERIOD, false),
        ] {
            assert_eq!(other.accepts(&nonce, now), accepted, "{now}");
        }
        assert!(!stranger.accepts(&nonce, begin));
        assert!(other.accepts(&one.current(0), 0), "at the beginning of time");
        for wrong in ["", "x", &nonce[..53], &format!("{nonce}A"), &nonce.replace('A', "B")] {
            assert!(!other.accepts(wrong, begin), "{wrong}");
        }
    }
}
