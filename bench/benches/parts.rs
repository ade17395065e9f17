//! The parts, each beside the bare primitive that it stands on. Criterion prints times; the ratios within
//! one run are what counts. `cargo bench -p bench`

use std::hint::black_box;

use auth_service::audit::Actor;
use auth_service::authority::tokens::Draft;
use auth_service::keys::{Algorithm, SigningKey};
use auth_service::settings::Settings;
use auth_service::startup::build;
use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};
use shared_claims::DecryptionKeys;
use shared_claims::cache::CachingVerifier;
use shared_claims::encryption::EncryptionKey;
use shared_claims::revocations::{Fingerprints, IdSetWriter, RevocationEntry, RevocationsWriter, Target};
use shared_claims::{KeySet, Verifier};
use system_tests::hostile::{Expected, Forge, Signer};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://auth.test";

/// A true token of the usual size, and what verifies it.
struct Sample {
    algorithm: Algorithm,
    key: SigningKey,
    jwk: Value,
    keys: KeySet,
    token: String,
}

impl Sample {
    fn new(algorithm: Algorithm) -> Self {
        let key = SigningKey::generate(algorithm).expect("randomness");
        let (kid, jwk) = key.public_jwk();
        let header = json!({"alg": algorithm.as_str(), "typ": "at+jwt", "kid": kid});
        let claims = json!({
            "token_type": "access", "exp": NOW + 300, "iat": NOW, "jti": "0123456789abcdef0123456789abcdef",
            "user_id": "client:bench", "iss": ISSUER, "sub": "client:bench", "aud": "notes",
            "client_id": "bench", "scope": "notes:read notes:write",
        });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let input = format!("{}.{}", encode(&header), encode(&claims));
        let signature = key.sign(input.as_bytes()).expect("signs");
        let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
        let keys = KeySet::from_jwks(json!({"keys": [jwk]}).to_string().as_bytes()).expect("a key set");
        Self { algorithm, key, jwk, keys, token }
    }

    /// What is signed, and the signature.
    fn parts(&self) -> (&str, Vec<u8>) {
        let (input, signature) = self.token.rsplit_once('.').expect("a token");
        (input, URL_SAFE_NO_PAD.decode(signature).expect("base64url"))
    }
}

fn verification(c: &mut Criterion) {
    for algorithm in Algorithm::ALL {
        let sample = Sample::new(algorithm);
        let (input, signature) = sample.parts();
        let kid = sample.jwk["kid"].as_str().expect("a kid");
        let verifier = Verifier::new(ISSUER, "notes");
        let caching = CachingVerifier::new(verifier.clone());
        caching.verify_before_binding(&sample.token, &sample.keys, NOW).expect("a true token");
        let mut group = c.benchmark_group(format!("verify {algorithm}"));
        let bare = sample.keys.get(kid).expect("the key");
        group.bench_function("bare signature check", |b| {
            b.iter(|| bare.verify(black_box(input.as_bytes()), black_box(&signature)));
        });
        group.bench_function("token never seen", |b| {
            b.iter(|| verifier.verify(black_box(&sample.token), &sample.keys, NOW));
        });
        group.bench_function("token seen before", |b| {
            b.iter(|| caching.verify_before_binding(black_box(&sample.token), &sample.keys, NOW));
        });
        let jwk: Jwk = serde_json::from_value(sample.jwk.clone()).expect("a JWK");
        let key = DecodingKey::from_jwk(&jwk).expect("a key");
        let mut validation =
            Validation::new(jsonwebtoken::decode_header(&sample.token).expect("a header").alg);
        validation.set_audience(&["notes"]);
        validation.validate_exp = false;
        group.bench_function("jsonwebtoken decode", |b| {
            b.iter(|| jsonwebtoken::decode::<Value>(black_box(&sample.token), &key, &validation));
        });
        group.finish();
    }
}

fn minting(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    for algorithm in Algorithm::ALL {
        let path = |name: &str| folder.path().join(format!("{algorithm}-{name}"));
        let mut settings = Settings::default();
        settings.database.url = format!("sqlite://{}", path("db").display());
        settings.keys.master_key_file = path("master.key");
        settings.keys.algorithm = algorithm.as_str().to_owned();
        let authority = build(&settings, Actor::Authority).expect("an authority");
        let client = &authority.simplejwt.first_party;
        let now = authority.now();
        let mint = || authority.mint_access_token(&Draft::for_client(client, "notes", &client.scope), now);
        let token = mint().expect("a token");
        let input = token.rsplit_once('.').expect("a token").0;
        let sample = Sample::new(algorithm);
        let mut group = c.benchmark_group(format!("mint {algorithm}"));
        group.bench_function("bare signature", |b| b.iter(|| sample.key.sign(black_box(input.as_bytes()))));
        group.bench_function("access token", |b| b.iter(mint));
        group.finish();
        assert_eq!(sample.algorithm, algorithm);
    }
}

/// No hostile token may cost more than a good one by much: the dearest of them at the size cap.
fn hostile(c: &mut Criterion) {
    let (mut es256, mut eddsa) = (Signer::es256(), Signer::eddsa());
    (es256.kid, eddsa.kid) = ("es256".to_owned(), "eddsa".to_owned());
    let keys = json!({"keys": [es256.jwk(), eddsa.jwk()]}).to_string();
    let keys = KeySet::from_jwks(keys.as_bytes()).expect("a key set");
    let forge = Forge {
        issuer: ISSUER.to_owned(),
        audience: "notes".to_owned(),
        client_id: "bench".to_owned(),
        scope: "notes:read".to_owned(),
        now: NOW,
        marker: "marker".to_owned(),
        trap_url: "http://127.0.0.1:9".to_owned(),
        es256,
        eddsa,
        attacker: Signer::es256(),
    };
    let verifier = Verifier::new(ISSUER, "notes");
    let cost = |token: &str| {
        let started = std::time::Instant::now();
        for _ in 0..200 {
            drop(black_box(verifier.verify(token, &keys, NOW)));
        }
        started.elapsed()
    };
    let refused = forge.cases().into_iter().filter(|case| case.expected == Expected::Refused);
    let dearest = refused.max_by_key(|case| cost(&case.token)).expect("a corpus");
    let good = forge.good();
    let mut group = c.benchmark_group("hostile");
    group.bench_function("good token, ES256", |b| b.iter(|| verifier.verify(&good, &keys, NOW)));
    group.bench_function(format!("dearest of the corpus: {}", dearest.id), |b| {
        b.iter(|| verifier.verify(&dearest.token, &keys, NOW));
    });
    group.finish();
}

/// What a parsed key saves, which is why keys are held parsed.
fn parsed_keys(c: &mut Criterion) {
    let signer = Signer::eddsa();
    let (public, message) = (signer.public(), b"message");
    let signature = signer.sign(message);
    let mut group = c.benchmark_group("Ed25519 key");
    let parsed = ParsedPublicKey::new(&ED25519, &public).expect("a key");
    group.bench_function("held parsed", |b| b.iter(|| parsed.verify_sig(message, &signature)));
    group.bench_function("parsed each time", |b| {
        b.iter(|| ParsedPublicKey::new(&ED25519, &public).map(|key| key.verify_sig(message, &signature)));
    });
    group.finish();
}

/// The whole of a question that was asked before: found, evaluated by the clock, and asked among a million
/// revocations. By one thread, and by several: each then has tokens of its own, or all have the same one.
fn seen_before(c: &mut Criterion) {
    let mut revoked = RevocationsWriter::new(Fingerprints::with_key([7; 16]));
    let ids: Vec<String> = (0..1_000_000).map(|number| format!("{number:032x}")).collect();
    revoked.apply(
        ids.iter().map(|id| RevocationEntry { target: Target::Session(id), expires_at: u64::MAX }),
        NOW,
    );
    let revocations = revoked.readers();
    let samples: Vec<Sample> = (0..8).map(|_| Sample::new(Algorithm::EdDsa)).collect();
    let caching: Vec<_> =
        samples.iter().map(|_| CachingVerifier::new(Verifier::new(ISSUER, "notes"))).collect();
    let ask = |place: usize, token: usize| {
        let sample = &samples[token];
        let claims = caching[place]
            .verify_before_binding(black_box(&sample.token), &sample.keys, NOW)
            .expect("a true token");
        assert!(!revocations.matches(&claims));
    };
    let mut group = c.benchmark_group("seen before, clock and a million revocations");
    group.bench_function("one thread", |b| b.iter(|| ask(0, 0)));
    for threads in [2, 8] {
        // Of all threads together, per question: a lock that they shared would show here.
        let together = |iterations: u64, token_of: fn(usize) -> usize| {
            let each = iterations.div_ceil(threads as u64);
            let begun = std::time::Instant::now();
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    scope.spawn(move || (0..each).for_each(|_| ask(token_of(thread), token_of(thread))));
                }
            });
            begun.elapsed()
        };
        group.bench_function(format!("{threads} threads, a token each"), |b| {
            b.iter_custom(|iterations| together(iterations, |thread| thread));
        });
        group.bench_function(format!("{threads} threads, one token"), |b| {
            b.iter_custom(|iterations| together(iterations, |_| 0));
        });
    }
    group.finish();
    let mut group = c.benchmark_group("a million revocations");
    let id_set = {
        let mut writer = IdSetWriter::default();
        for number in 0..1_000_000_u64 {
            writer.insert(number.wrapping_mul(0x9E37_79B9_7F4A_7C15), u32::MAX, 0);
        }
        writer
    };
    let readers = id_set.readers();
    let mut number = 0_u64;
    group.bench_function("one lookup, another each time", |b| {
        b.iter(|| {
            number = number.wrapping_add(0xD134_2543_DE82_EF95);
            readers.contains(black_box(number))
        });
    });
    group.finish();
}

/// What it costs to open a nested token, beside the verification of what is inside.
fn nested(c: &mut Criterion) {
    let sample = Sample::new(Algorithm::EdDsa);
    let private = DecryptionKeys::from_pem(DecryptionKeys::generate_pem().expect("randomness").as_bytes());
    let private = private.expect("a key");
    let public = EncryptionKey::from_jwks(private.public_jwks().to_string().as_bytes()).expect("a key");
    let sealed = public.seal(&sample.token).expect("randomness");
    let verifier = Verifier::builder(ISSUER, "notes").decryption(private).build();
    let mut group = c.benchmark_group("nested, X25519");
    group.bench_function("signed token", |b| b.iter(|| verifier.verify(&sample.token, &sample.keys, NOW)));
    group.bench_function("sealed token", |b| b.iter(|| verifier.verify(&sealed, &sample.keys, NOW)));
    group.bench_function("seal", |b| b.iter(|| public.seal(&sample.token)));
    group.finish();
}

criterion_group! {
    name = parts;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = verification, seen_before, nested, minting, hostile, parsed_keys
}
criterion_main!(parts);
