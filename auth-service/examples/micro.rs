//! The cost of the primitives as this program uses them, for `scripts/bench`: microseconds of one core,
//! the median of seven runs.

#![expect(clippy::print_stdout, reason = "printing is all that it is for")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use auth_service::keys::{Algorithm, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use shared_claims::{KeySet, Verifier};

const NOW: u64 = 1_800_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:<10} {:>14} {:>20} {:>12}", "algorithm", "signature us", "whole verification us", "ratio");
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm)?;
        let (kid, jwk) = key.public_jwk();
        let header = json!({"alg": algorithm.as_str(), "typ": "at+jwt", "kid": kid});
        let claims = json!({
            "iss": "https://auth.test", "sub": "client:c", "aud": "notes", "exp": NOW + 300, "iat": NOW,
            "jti": "0123456789abcdef0123456789abcdef", "client_id": "c", "scope": "notes:read notes:write",
            "token_type": "access", "user_id": "client:c",
        });
        let encode = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let input = format!("{}.{}", encode(&header), encode(&claims));
        let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes())?));
        let keys = KeySet::from_jwks(json!({"keys": [jwk]}).to_string().as_bytes())?;
        let verifier = Verifier::new("https://auth.test", "notes");
        verifier.verify(&token, &keys, NOW)?;
        let sign = microseconds(|| drop(black_box(key.sign(black_box(input.as_bytes())))));
        let verify = microseconds(|| drop(black_box(verifier.verify(black_box(&token), &keys, NOW))));
        println!("{:<10} {sign:>14.1} {verify:>20.1} {:>12.2}", algorithm.as_str(), verify / sign);
    }
    Ok(())
}

fn microseconds(mut work: impl FnMut()) -> f64 {
    let mut runs: Vec<f64> = (0..7)
        .map(|_| {
            let (started, mut times) = (Instant::now(), 0_u32);
            while started.elapsed() < Duration::from_millis(150) {
                work();
                times += 1;
            }
            started.elapsed().as_secs_f64() * 1e6 / f64::from(times)
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}
