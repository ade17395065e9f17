use std::fs;
use std::process::Command;

use super::*;

/// What `openssl` writes, with its arguments.
fn openssl(arguments: &str, input: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in");
    fs::write(&file, input).unwrap();
    let arguments = arguments.replace("FILE", file.to_str().unwrap());
    let output = Command::new("openssl").args(arguments.split(' ')).output().expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn fault(algorithm: &str, key: &[u8]) -> String {
    VerifyingKey::new(algorithm, key).map(drop).expect_err("it does not fit")
}

#[test]
fn a_public_key_is_read_in_every_form_in_which_it_is_pasted() {
    let private = openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", b"");
    let spki = openssl("pkey -in FILE -pubout", &private);
    let pkcs1 = openssl("rsa -in FILE -RSAPublicKey_out", &private);
    let text = String::from_utf8(spki.clone()).unwrap();
    let forms: [(&str, Vec<u8>); 8] = [
        ("SPKI", spki.clone()),
        ("PKCS#1", pkcs1),
        ("CRLF", text.replace('\n', "\r\n").into_bytes()),
        ("one line", text.replace('\n', " ").into_bytes()),
        ("escaped line breaks", text.trim().replace('\n', "\\n").into_bytes()),
        ("indented", text.lines().map(|line| format!("    {line}\n")).collect::<String>().into_bytes()),
        ("byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("without a break at the end", text.trim().as_bytes().to_vec()),
    ];
    for (form, key) in &forms {
        assert!(VerifyingKey::new("RS256", key).is_ok(), "{form}");
    }
    assert!(fault("RS256", &private).contains("openssl pkey -in FILE -pubout"));
    assert!(fault("ES256", &spki).contains("does not fit ES256"));
    assert!(fault("HS256", &spki).contains("RS256 or ES256"));
    assert!(fault("RS256", &spki[..200]).contains("cut short"));
    let curve = openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", b"");
    let curve = openssl("pkey -in FILE -pubout", &curve);
    assert!(VerifyingKey::new("ES256", &curve).is_ok());
    assert!(fault("RS256", &curve).contains("RSA") && fault("ES384", &curve).contains("does not fit"));
    let small = openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024", b"");
    assert!(fault("RS256", &openssl("pkey -in FILE -pubout", &small)).contains("2048"));
}

#[test]
fn an_ssh_key_is_the_same_key() {
    // exponent 65537 and a modulus of 2048 bits, as `ssh-keygen` writes them.
    let modulus = [&[0, 0xC1][..], &[0x5A; 254], &[0x31]].concat();
    let field = |field: &[u8]| [&u32::try_from(field.len()).unwrap().to_be_bytes()[..], field].concat();
    let blob = [field(b"ssh-rsa"), field(&[1, 0, 1]), field(&modulus)].concat();
    let line = format!("ssh-rsa {} operator@host\n", STANDARD.encode(&blob));
    assert!(VerifyingKey::new("RS256", line.as_bytes()).is_ok());
    assert!(fault("RS256", b"ssh-rsa AAAA").contains("malformed"));
    for cut in [3, 10, 20, blob.len() - 1] {
        assert_eq!(of_ssh(&blob[..cut]), None, "{cut}");
    }
}

#[test]
fn the_line_break_at_the_end_of_a_secret_is_an_editors() {
    let secret = b"an old secret that is long enough for HS256";
    let tag = |key: &VerifyingKey| match key {
        VerifyingKey::Mac(key) => hmac::sign(key, b"x").as_ref().to_vec(),
        VerifyingKey::Public(_) => unreachable!("it is a secret"),
    };
    let plain = tag(&VerifyingKey::new("HS256", secret).unwrap());
    for end in [&b"\n"[..], b"\r\n"] {
        assert_eq!(tag(&VerifyingKey::new("HS256", &[secret, end].concat()).unwrap()), plain, "{end:?}");
    }
    let marked = [b"\xEF\xBB\xBF", &secret[..]].concat();
    assert_eq!(tag(&VerifyingKey::new("HS256", &marked).unwrap()), plain);
    let spaced = [secret, &b" \n"[..]].concat();
    assert_ne!(tag(&VerifyingKey::new("HS256", &spaced).unwrap()), plain, "a space may be part of it");
}
