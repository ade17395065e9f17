//! The outer form and the size: other serialisations, other characters, and what wants to be costly.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::{Case, Forge, refused, text, with};

impl Forge {
    /// RFC 8725 (draft bis) section 3.14: one serialisation, nothing around it.
    pub(super) fn forms(&self) -> Vec<Case> {
        let good = self.good();
        let parts: Vec<&str> = good.split('.').collect();
        let [head, payload, signature] = parts[..] else { panic!("three segments") };
        let flattened = json!({"protected": head, "payload": payload, "signature": signature});
        let general =
            json!({"payload": payload, "signatures": [{"protected": head, "signature": signature}]});
        let forged = self.attacker.token(text(&self.header()).as_bytes(), text(&self.claims()).as_bytes());
        let polyglot = json!({"x": forged, "protected": head, "payload": payload, "signature": signature});
        let mut cases = refused(
            "form",
            [
                ("leading-space", format!(" {good}")),
                ("trailing-space", format!("{good} ")),
                ("trailing-lf", format!("{good}\n")),
                ("trailing-crlf", format!("{good}\r\n")),
                ("trailing-nul", format!("{good}\0")),
                ("lf-inside", good.replacen('.', ".\n", 1)),
                ("lf-in-payload", format!("{head}.{}\n{}.{signature}", &payload[..8], &payload[8..])),
                ("four-segments", format!("{good}.{signature}")),
                ("fourth-empty", format!("{good}.")),
                ("two-segments", format!("{head}.{payload}")),
                ("one-segment", head.to_owned()),
                ("dots", "..".to_owned()),
                ("leading-dot", format!(".{good}")),
                ("no-payload", format!("{head}..{signature}")),
                ("bearer-inside", format!("Bearer {good}")),
                ("encoded-dot", good.replace('.', "%2E")),
                ("quotes", format!("\"{good}\"")),
                ("full-width-dot", good.replace('.', "\u{FF0E}")),
            ],
        );
        cases.extend(refused(
            "form",
            [
                ("flattened-json", flattened.to_string()),
                ("general-json", general.to_string()),
                ("polyglot-json", polyglot.to_string()),
                ("jwe-rsa", self.jwe(json!({"alg": "RSA-OAEP-256", "enc": "A256GCM"}))),
                ("jwe-dir", self.jwe(json!({"alg": "dir", "enc": "A256GCM"}))),
                (
                    "jwe-pbes2",
                    self.jwe(json!({
                        "alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": "AAAA", "p2c": 2_147_483_647_u32,
                    })),
                ),
            ],
        ));
        cases
    }

    /// Five parts (RFC 7516 section 3.1). No audience here takes encrypted tokens.
    fn jwe(&self, header: serde_json::Value) -> String {
        let mut header = header;
        header["typ"] = json!("at+jwt");
        header["kid"] = json!(self.es256.kid);
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        [
            part(header.to_string().as_bytes()),
            part(&[1; 256]),
            part(&[2; 12]),
            part(self.good().as_bytes()),
            part(&[3; 16]),
        ]
        .join(".")
    }

    /// Stacks, buffers and quadratic loops (CVE-2025-30204, CVE-2025-61920, RUSTSEC-2024-0012).
    pub(super) fn sizes(&self) -> Vec<Case> {
        let (header, claims) = (text(&self.header()), text(&self.claims()));
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let into = |base: &str, member: String| base.replacen('{', &format!("{{\"x\":{member},"), 1);
        let names: String = (0..900).map(|n| format!("\"{n}\":0,")).collect();
        let many_then_twice = claims.replacen('{', &format!("{{{names}\"0\":0,"), 1);
        refused(
            "size",
            [
                ("nested-33", self.sign_raw(header.as_bytes(), into(&claims, deep(33)).as_bytes())),
                ("nested-2000", self.sign_raw(header.as_bytes(), into(&claims, deep(2000)).as_bytes())),
                (
                    "header-nested-2000",
                    self.sign_raw(into(&header, deep(2000)).as_bytes(), claims.as_bytes()),
                ),
                ("nested-100000", self.sign_raw(header.as_bytes(), into(&claims, deep(100_000)).as_bytes())),
                (
                    "header-nested-100000",
                    self.sign_raw(into(&header, deep(100_000)).as_bytes(), claims.as_bytes()),
                ),
                ("900-names-one-twice", self.sign_raw(header.as_bytes(), many_then_twice.as_bytes())),
                ("over-the-cap", self.with_claim("x", json!("x".repeat(8192)))),
                (
                    "header-1M",
                    self.sign(&with(self.header(), "x", json!("x".repeat(1 << 20))), &self.claims()),
                ),
                ("payload-1M", self.with_claim("x", json!("x".repeat(1 << 20)))),
                ("dots-8k", ".".repeat(8000)),
                ("dots-1M", ".".repeat(1_000_000)),
                ("sub-10k", self.with_claim("sub", json!("s".repeat(10_000)))),
            ],
        )
    }
}
