//! The signature: degenerate numbers, other encodings, and second spellings.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::{Case, Forge, object, refused, text};

/// The order of P-256 (FIPS 186-5), big-endian.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The order of Ed25519's subgroup (RFC 8032 section 5.1), little-endian.
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

impl Forge {
    /// CVE-2022-21449 and its neighbours, truncations, DER where `r || s` belongs, other base64.
    pub(super) fn ecdsa_signatures(&self) -> Vec<Case> {
        let good = self.good();
        let (input, signature) = good.rsplit_once('.').expect("a token");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        let (r, s) = signature.split_at(32);
        let token = |bytes: &[u8]| format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes));
        let pair = |r: &[u8], s: &[u8]| token(&[r, s].concat());
        let zero = [0_u8; 32];
        let one = [&[0_u8; 31][..], &[1]].concat();
        let mut flipped = signature.clone();
        flipped[0] ^= 0x80;
        refused(
            "es",
            [
                ("zero", pair(&zero, &zero)),
                ("r-0", pair(&zero, s)),
                ("s-0", pair(r, &zero)),
                ("r-n", pair(&P256_ORDER, s)),
                ("s-n", pair(r, &P256_ORDER)),
                ("r-1-s-1", pair(&one, &one)),
                ("r-plus-n", pair(&plus_order(r), s)),
                ("63-octets", token(&signature[..63])),
                ("32-octets", token(&signature[..32])),
                ("nul-behind", token(&[&signature[..], &[0]].concat())),
                ("nul-in-front", token(&[&[0], &signature[..]].concat())),
                ("der", token(&der(r, s))),
                ("swapped", pair(s, r)),
                ("one-bit", token(&flipped)),
                ("empty", format!("{input}.")),
                ("spare-bits", format!("{input}.{}", spare_bit_twin(&URL_SAFE_NO_PAD.encode(&signature)))),
                ("padding", format!("{good}==")),
                ("standard-alphabet", self.standard_alphabet()),
            ],
        )
    }

    /// RFC 8032 section 5.1.7: S below the order, R a true point, nothing more and nothing less.
    pub(super) fn eddsa_signatures(&self) -> Vec<Case> {
        let header = text(&object(json!({"alg": "EdDSA", "typ": "at+jwt", "kid": self.eddsa.kid})));
        let good = self.eddsa.token(header.as_bytes(), text(&self.claims()).as_bytes());
        let (input, encoded) = good.rsplit_once('.').expect("a token");
        let signature = URL_SAFE_NO_PAD.decode(encoded).expect("base64url");
        let (r, s) = signature.split_at(32);
        let token = |bytes: &[u8]| format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes));
        let identity = [&[1_u8], &[0; 31][..]].concat();
        let mut flipped = signature.clone();
        flipped[63] ^= 0x80;
        refused(
            "ed",
            [
                ("s-plus-order", token(&[r, &add(s, &ED25519_ORDER)].concat())),
                ("zero", token(&[0; 64])),
                ("63-octets", token(&signature[..63])),
                ("65-octets", token(&[&signature[..], &[0]].concat())),
                ("small-order-r", token(&[&identity, &[0; 32][..]].concat())),
                ("top-bit", token(&flipped)),
                ("spare-bits", format!("{input}.{}", spare_bit_twin(encoded))),
            ],
        )
    }

    /// `+` and `/` in the signature; signed again until the signature has one of them.
    fn standard_alphabet(&self) -> String {
        loop {
            let good = self.good();
            let (input, signature) = good.rsplit_once('.').expect("a token");
            if signature.contains(['-', '_']) {
                let bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
                return format!("{input}.{}", STANDARD_NO_PAD.encode(bytes));
            }
        }
    }
}

/// The other signature that holds wherever the first does: `(r, n - s)`. ECDSA is malleable, which is
/// why nothing may be revoked by a token's text.
///
/// # Panics
/// When the token is no ES256 token.
#[must_use]
pub fn high_s_twin(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').expect("a token");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let (r, s) = signature.split_at(32);
    let mut other = [0_u8; 32];
    let mut borrow = 0_i16;
    for place in (0..32).rev() {
        let difference = i16::from(P256_ORDER[place]) - i16::from(s[place]) - borrow;
        borrow = i16::from(difference < 0);
        other[place] = u8::try_from(difference.rem_euclid(256)).expect("below 256");
    }
    format!("{input}.{}", URL_SAFE_NO_PAD.encode([r, &other].concat()))
}

/// Another last character that a lenient decoder reads as the same octets.
fn spare_bit_twin(encoded: &str) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = encoded.bytes().last().expect("not empty");
    let place = alphabet.iter().position(|byte| *byte == last).expect("base64url");
    format!("{}{}", &encoded[..encoded.len() - 1], char::from(alphabet[place ^ 1]))
}

/// `r + n` needs 33 octets.
fn plus_order(r: &[u8]) -> Vec<u8> {
    let reversed = |bytes: &[u8]| bytes.iter().rev().copied().chain([0]).collect::<Vec<u8>>();
    let mut sum = add(&reversed(r), &reversed(&P256_ORDER));
    sum.reverse();
    sum
}

/// Little-endian, of equal length, without the last carry.
fn add(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0_u16;
    a.iter()
        .zip(b)
        .map(|(a, b)| {
            let sum = u16::from(*a) + u16::from(*b) + carry;
            carry = sum >> 8;
            u8::try_from(sum & 0xFF).expect("below 256")
        })
        .collect()
}

/// ECDSA-Sig-Value (RFC 3279 section 2.2.3).
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let mut value: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        if value.first().is_some_and(|first| *first >= 0x80) {
            value.insert(0, 0);
        }
        let length = u8::try_from(value.len()).expect("short");
        [&[0x02, length], value.as_slice()].concat()
    };
    let body = [integer(r), integer(s)].concat();
    let length = u8::try_from(body.len()).expect("short");
    [&[0x30, length], body.as_slice()].concat()
}
