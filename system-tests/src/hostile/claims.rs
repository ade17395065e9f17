//! The payload: two readings of one text, dates of every wrong type, and tokens for someone else.

use serde_json::{Value, json};

use super::{Case, Expected, Forge, cases_of, refused, text, with};

impl Forge {
    /// One name twice: which one counts differs from parser to parser (RFC 7515 section 4, RFC 7519
    /// section 4).
    pub(super) fn duplicates(&self) -> Vec<Case> {
        let (header, claims) = (text(&self.header()), text(&self.claims()));
        let head = |members: &str| {
            self.sign_raw(header.replacen('{', &format!("{{{members},"), 1).as_bytes(), claims.as_bytes())
        };
        let first = |members: &str| {
            self.sign_raw(header.as_bytes(), claims.replacen('{', &format!("{{{members},"), 1).as_bytes())
        };
        let last = |members: &str| {
            let open = claims.trim_end_matches('}');
            self.sign_raw(header.as_bytes(), format!("{open},{members}}}").as_bytes())
        };
        refused(
            "duplicate",
            [
                ("header-alg-none", head(r#""alg":"none""#)),
                ("header-alg-same", head(r#""alg":"ES256""#)),
                ("header-kid", head(r#""kid":"zz""#)),
                ("header-typ", head(r#""typ":"JWT""#)),
                ("sub-first", first(r#""sub":"root""#)),
                ("sub-last", last(r#""sub":"root""#)),
                ("sub-escaped", first(r#""\u0073ub":"root""#)),
                ("exp", last(r#""exp":9999999999"#)),
                ("aud", last(r#""aud":"api://other""#)),
                ("iss", first(r#""iss":"https://evil.test""#)),
                ("scope", last(r#""scope":"admin""#)),
                ("client_id", last(r#""client_id":"other""#)),
                ("nested", last(r#""act":{"sub":"a","sub":"b"}"#)),
                ("nested-in-array", last(r#""x":[{"a":1,"\u0061":2}]"#)),
            ],
        )
    }

    /// What is no single JSON object in UTF-8 (RFC 8725 section 3.7).
    pub(super) fn encodings(&self) -> Vec<Case> {
        let (header, claims) = (text(&self.header()), text(&self.claims()));
        let payload = |bytes: &[u8]| self.sign_raw(header.as_bytes(), bytes);
        let utf16: Vec<u8> = claims.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let bad_utf8 = claims.replacen('{', "{\"x\":\"??\",", 1).into_bytes();
        let bad_utf8: Vec<u8> =
            bad_utf8.into_iter().map(|byte| if byte == b'?' { 0xFF } else { byte }).collect();
        let surrogate = claims.replacen('{', r#"{"x":"\ud800","#, 1);
        refused(
            "encoding",
            [
                ("second-object", payload(format!("{claims}{{\"sub\":\"x\"}}").as_bytes())),
                ("nul-behind", payload(format!("{claims}\0").as_bytes())),
                ("array", payload(b"[]")),
                ("text", payload(b"\"x\"")),
                ("empty-payload", payload(b"")),
                ("comment", payload(format!("{claims}//").as_bytes())),
                ("trailing-comma", payload(claims.replace('}', ",}").as_bytes())),
                ("header-array", self.sign_raw(b"[\"ES256\"]", claims.as_bytes())),
                (
                    "header-second-object",
                    self.sign_raw(format!("{header}{{}}").as_bytes(), claims.as_bytes()),
                ),
                ("byte-order-mark", payload(format!("\u{FEFF}{claims}").as_bytes())),
                (
                    "header-byte-order-mark",
                    self.sign_raw(format!("\u{FEFF}{header}").as_bytes(), claims.as_bytes()),
                ),
                ("utf-16", payload(&utf16)),
                ("invalid-utf-8", payload(&bad_utf8)),
                ("lone-surrogate", payload(surrogate.as_bytes())),
            ],
        )
    }

    /// Dates of another type or range are errors, never absent (CVE-2026-25537), and never round to
    /// something that passes.
    pub(super) fn dates(&self) -> Vec<Case> {
        let now = self.now;
        let mut tokens = Vec::new();
        let past = |exp: u64| {
            let claims = with(with(self.claims(), "iat", json!(now - 7200)), "nbf", json!(now - 7200));
            self.sign(&self.header(), &with(claims, "exp", json!(exp)))
        };
        tokens.push(("exp-past".to_owned(), past(now - 3600)));
        tokens.push(("exp-beyond-leeway".to_owned(), past(now - 90)));
        tokens.push(("exp-before-iat".to_owned(), self.with_claim("exp", json!(now - 1))));
        tokens.push(("exp-in-ten-years".to_owned(), self.with_claim("exp", json!(now + 315_360_000))));
        let wrong = [json!(null), json!(true), json!([now + 300]), json!({}), json!(-1), json!(0)];
        for (name, missing_is_wrong) in [("exp", true), ("iat", true), ("nbf", false)] {
            for value in &wrong {
                tokens.push((format!("{name}-{value}"), self.with_claim(name, value.clone())));
            }
            for text in [(now + 3600).to_string(), "x".to_owned(), String::new()] {
                tokens.push((format!("{name}-text-{text}"), self.with_claim(name, json!(text))));
            }
            if missing_is_wrong {
                tokens.push((format!("{name}-missing"), self.without_claim(name)));
            }
        }
        for name in ["iat", "nbf"] {
            tokens.push((format!("{name}-future"), self.with_claim(name, json!(now + 120))));
        }
        for raw in [
            "9007199254740992",
            "9223372036854775808",
            "18446744073709551616",
            "1e400",
            "1e18",
            "NaN",
            "Infinity",
            "-9223372036854775809",
            "0x7fffffff",
            "1_800_000_000",
        ] {
            tokens.push((format!("exp-raw-{raw}"), self.with_raw_claim("exp", raw)));
        }
        cases_of("date", Expected::Refused, tokens)
    }

    /// For someone else, or by someone else (CVE-2020-26160, CVE-2024-53861, CVE-2025-30144).
    pub(super) fn parties(&self) -> Vec<Case> {
        let (audience, issuer) = (self.audience.as_str(), self.issuer.as_str());
        let wrong: Vec<(&str, Value)> = vec![
            ("aud", json!("api://pay")),
            ("aud", json!(["api://pay"])),
            ("aud", json!([])),
            ("aud", json!("")),
            ("aud", json!(1)),
            ("aud", json!({audience: audience})),
            ("aud", json!(format!("{audience}2"))),
            ("aud", json!(audience[..audience.len() - 1])),
            ("aud", json!(audience.to_ascii_uppercase())),
            ("aud", json!(format!("{audience} "))),
            ("aud", json!(format!("{audience},api://pay"))),
            ("aud", json!(null)),
            ("aud", json!([[audience]])),
            ("aud", json!([audience, 1])),
            ("aud", json!([audience, ""])),
            ("iss", json!("https://evil.test")),
            ("iss", json!(format!("{issuer}/"))),
            ("iss", json!(issuer.replace("auth", "AUTH"))),
            ("iss", json!([issuer, "https://evil.test"])),
            ("iss", json!([issuer])),
            ("iss", json!(1)),
            ("iss", json!(null)),
            ("iss", json!(format!("{issuer}.evil.test"))),
            ("iss", json!(issuer[..issuer.len() - 1])),
            ("sub", json!(1)),
            ("sub", json!("")),
            ("sub", json!(null)),
            ("sub", json!("s".repeat(256))),
            ("jti", json!(1)),
            ("jti", json!("")),
            ("client_id", json!(["gateway"])),
            ("client_id", json!("")),
            ("scope", json!(["notes:read"])),
            ("scope", json!("notes:read  notes:write")),
            ("scope", json!(1)),
            ("sid", json!(1)),
            ("roles", json!("admin")),
            ("roles", json!([1])),
        ];
        let mut tokens: Vec<_> = wrong
            .into_iter()
            .map(|(name, value)| {
                let id: String = format!("{name}-{value}").chars().take(60).collect();
                (id, self.with_claim(name, value))
            })
            .collect();
        for name in ["aud", "iss", "sub", "jti", "client_id"] {
            tokens.push((format!("{name}-missing"), self.without_claim(name)));
        }
        cases_of("party", Expected::Refused, tokens)
    }
}
