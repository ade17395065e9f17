//! Examples that others have published: RFC 7518 appendix C, and RFC 7520 sections 5.2 and 5.5 as far as our
//! profile has a part of them. Their algorithms are not all ours; their arithmetic is.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::content;
use super::key_agreement::{KdfContext, agreed_key};

/// RFC 7520, figure 72.
const PLAINTEXT_5: &str = "\
    You can trust us to stick with you through thick and thin\u{2013}to the bitter end. And you can \
    trust us to keep any secret of yours\u{2013}closer than you keep it yourself. But you cannot \
    trust us to let you face trouble alone, and go off without a word. We are your friends, \
    Frodo.\
    ";

/// RFC 7520, figure 84, as PKCS#8.
const RSA_KEY_5_2: &str = "\
    MIIJQwIBADANBgkqhkiG9w0BAQEFAASCCS0wggkpAgEAAoICAQDBt3EjnlVpqdlc9jb0uDmF2a/ZeG+oCGjFSRqd/N/b7nNV\
    TFrqmsdGsjik/UCGiolGVl9i1ZZ3maYdEbakAciWHTJIn3CLQGKhkGXVc/Z74L4XJckZxPLQd0pBaWt+FObjYRbtW/TiviB9\
    qjq7GMsbB+katktquiGJYI+eQ2uDvVLYK41lJAEg8aNd+SYjLa2X9VaAacvbYamXJePliUEt3Fendd5K2yqjnvW601+hRNTw\
    Tip3MndTUMi2hWQ8awzCWaacmLADuxdEi0EKK9Hgzmqdm13D7u/ha5Hjvv25sO4nmdqUy/ZLrr5E9ycUDNZIrG0EOcUkkMYh\
    R7tPOLOODWeazRer/I+5v9Q6VafR5zzkUJ+3WEAKlYbyxyGs4F42ocE4MWyRilRzYsLkkDZNo8XZ0Drt2DVNOwL8W6l9DaQ0\
    ZwTUuCmvEodxVZhBvzoH4ejOMdlyq1q4HMU1Xm1tO4H5OmRy8l81wUuUfdvyZv4f+jHfkWOoFICMsrKh6p8pOlWO9eF3T2Sf\
    CAl/pUqrpQLjXz9M6WMxV8VNZdTGWd+E46fNbodJLMPVz1asK5XOxQy/nizOJ1D3B/VxhZ/eDmoUPENAqKz32BwNqIIDAzfI\
    QEjO4154Jrl1qu0cNvXEQH8dwdJ5huCFsyMZ9qy8qfRplGydPILTGFYGWyiVkQIDAQABAoICAQCft/Mlzf9Ybn1UQ4FORrLO\
    5IwzvzQ4lC5mM38psfyU5kbblmgDtPgHFxzTFCfmhkTm5IIjCD3WgK3Qm/E9ymarNolmDWeKuNxZn6gG1WTuAIBar4HeqF8X\
    eLOVuSiyvOMdqMhxjfccGGzLj9Z6uteDgwM0TgdiiPLrxNzFPYthBHFQ4J/lO0le8zyiV7GVIa1WdCcNG63ERQLCJ7B+aat+\
    94SiAvH0QD4oyACNOIhJfGohdCFZRBfUbu/+ZX8evZi4iZhw1weRG+n0TuiiTTzvoOGQ7y/hQ5kvADU6VRf3yaSirBznwD9j\
    aUFhtXHX+zmWk+wSptsf6eoiOHV8vSB01+KEvGdyVa1bukLO0uciZkDJ4JYAbtkh+/5Gf18si/2Nnqvuv4xIf2ypu7OIc3aC\
    saMP+N9GW4wdrSXzh8UqXptyo3UlbE9WHM1mjTXIMX7UuJCepRhJ6k9/pfdrZI52SoFGKq4ToS8u5JggOkmreMMiyCgvwyjU\
    uiiaCInFTAv8ZYQ4a7byCmXLOb71DRTSfKER/W6FJHxokBBYCIUiZYflb8hBP0jv7KuKd2v/Z9ZD+LVSAywbMDto4bNl8+WN\
    HLrP61j8q4EbTT7bxL9pa+PJRz4CWnwBTIqMFn7sJYffZ8ZYrjyPW37OiavCMv+aeGw9sazRz1axaBHMj4ryAQKCAQEA7/2v\
    3OQZzlPFcHyYfLABQ3XP85Es4hCdwCkbDeltaUXgVy9l9etKghvM4hRkOvbb01kYVuLFmxIkCDtpi+zLCYAdXKrAK3PtSbtz\
    ld/XZ9nlsYa/QZWpXB/IrtFjVfdKUdMz94pHUhFGFj7nr6NNxfpiHSHWFE1zD/AC3mY46J961Y2LRnreVwAGNw53p07Db8yD\
    /92pDa97vqcZOdgtybH9q6uma+RFNhO1AoiJhYZj69hjmMRXx+x56HO9cnXNbmzNSCFCKnQmn4GQLmRj9sfbZRqL94bbtE4/\
    e0Zrpo8RNo8vxRLqQNwIy85fc6BRgBJomt8QdQvIgPgWCv5HoQKCAQEAzqOHk1P6WN/rHuM7ZF1cXH0x6RuOHq67WuHiSknq\
    QeefGBA9PWs6ZyKQCO+O6mKXtcgE8/Q/hA2kMRcKOcvHil1hqMCNSXlflM7WPRPZu2qCDcqssd/uMbP+DqYthH/EzwL9KnYo\
    H7JQFxxmcv5An8oXUtTwk4knKjkIYGRuUwfQTus0w1NfjFAyxOOiAQ37ussIcE6C6ZSsM3n41UlbJ7TCqewzVJaPJN5cxjyS\
    PZPD3Vp01a9YgAD6a3IIaKJdIxJS1ImnfPevSJQBE79+EXe2kSwVgOzvt+gsmM29QQ8veHy4uAqca5dZzMs7hkkHtw1z0jHV\
    90epQJJlXXnH8QKCAQEA19oDkBh1AXelMIxQFm2zZTqUhAzCIr4xNIGEPNoDt1jK83/FJA+xnx5kA7+1erdHdms/Ef67HsON\
    Nv5A60JaR7w8LHnDiBGnjdaUmmuO8XAxQJ/ia5mxjxNjS6E2yD44USo2JmHvzeeNczq25elqbTPLhUpGo1IZuG72FZQ5gTjX\
    oTXC2+xtCDEUZfaUNh4IeAipfLugbpe0JAFlFfrTDAMUFpC3iXjxqzbEanflwPvj6V9iDSgjj8SozSM0dLtxvu0LIeIQAeEg\
    T/yXcrKGmpKdSO08kLBx8VUjkbv/3Pn20Gyu2YEuwpFlM/H1NikuxJNKFGmnAq9LcnwwT0jvoQKCAQBLqnn0quWbMbNpBhAz\
    ejRd8cIa9+octiMI7nnsdhB/vY72QswJ93/VUESp4P7WOPAQsoONyTyQ4GXlS+iErWgN9I/UOV4DL5yeYvb0OpaaGDAzWKnQ\
    II2aSayYNKWqRRcOLqwBpm6e3K6TJ+Uj6pJDcL8Fp8/IVoqu3V+B3ITBhrTykRIrDBaKzLsqeahS9ondJoeaiEVLvxMnblx9\
    zXTBn2FA06sgKFmWSI50UK3EOp2YKo1pyeGATdtlCManefzc4NLP3PAlxJS84OVcE9zYDJwfoKLnKNvG3g+mjH/mmObrGdCS\
    I+CPTUamxSywyYE3uIdWysTs3aLOcE0J45QhAoIBABWYQpQTMsFVY57lLnftOaneQmFNHSu/WpAIMvaF+kV+iNyCCD3JAnIk\
    a6JMYJWZ/qJgGOQpwnuCna54xTk+WFGROxvz4OOF4Al2mqy0H+IZfNKDxH+voyeSMusD0cextnvKi8Z4fXDnX/pEaoDktxeP\
    FHL8N5muVeihjMEKlhXld9V7WfJeXFSPiNzcwUu6pbaVFYM9ibtNtXsnOyJaoM0ffKijjZduw7hBEtGitFhPe457Mjtu2KfP\
    FmtkYgaxKHDPPUGSNbHiYhg4sx0VD+FGccPc7F8MOOsMtD+n/YK52Ke7fC5Mgw5PHqCOCl+kjTDVXMlUvSFo5avBM6mRCiA=\
    ";

/// RFC 7520, figure 93: RSA-OAEP, A256GCM.
const COMPACT_5_2: &str = "\
    eyJhbGciOiJSU0EtT0FFUCIsImtpZCI6InNhbXdpc2UuZ2FtZ2VlQGhvYmJpdG9uLmV4YW1wbGUiLCJlbmMiOiJBMjU2R0NN\
    In0.rT99rwrBTbTI7IJM8fU3Eli7226HEB7IchCxNuh7lCiud48LxeolRdtFF4nzQibeYOl5S_PJsAXZwSXtDePz9hk-Bbts\
    TBqC2UsPOdwjC9NhNupNNu9uHIVftDyucvI6hvALeZ6OGnhNV4v1zx2k7O1D89mAzfw-_kT3tkuorpDU-CpBENfIHX1Q58-A\
    ad3FzMuo3Fn9buEP2yXakLXYa15BUXQsupM4A1GD4_H4Bd7V3u9h8Gkg8BpxKdUV9ScfJQTcYm6eJEBz3aSwIaK4T3-dwWpu\
    BOhROQXBosJzS1asnuHtVMt2pKIIfux5BC6huIvmY7kzV7W7aIUrpYm_3H4zYvyMeq5pGqFmW2k8zpO878TRlZx7pZfPYDSX\
    ZyS0CfKKkMozT_qiCwZTSz4duYnt8hS4Z9sGthXn9uDqd6wycMagnQfOTs_lycTWmY-aqWVDKhjYNRf03NiwRtb5BE-tOdFw\
    CASQj3uuAgPGrO2AWBe38UjQb0lvXn1SpyvYZ3WFc7WOJYaTa7A8DRn6MC6T-xDmMuxC0G7S2rscw5lQQU06MvZTlFOt0Uvf\
    uKBa03cxA_nIBIhLMjY2kOTxQMmpDPTr6Cbo8aKaOnx6ASE5Jx9paBpnNmOOKH35j_QlrQhDWUN6A2Gg8iFayJ69xDEdHAVC\
    GRzN3woEI2ozDRs.-nBoKLH0YkLZPSI9.o4k2cnGN8rSSw3IDo1YuySkqeS_t2m1GXklSgqBdpACm6UJuJowOHC5ytjqYgRL\
    -I-soPlwqMUf4UgRWWeaOGNw6vGW-xyM01lTYxrXfVzIIaRdhYtEMRBvBWbEwP7ua1DRfvaOjgZv6Ifa3brcAM64d8p5lhhN\
    cizPersuhw5f-pGYzseva-TUaL8iWnctc-sSwy7SQmRkfhDjwbz0fz6kFovEgj64X1I5s7E6GLp5fnbYGLa1QUiML7Cc2Gxg\
    vI7zqWo0YIEc7aCflLG1-8BboVWFdZKLK9vNoycrYHumwzKluLWEbSVmaPpOslY2n525DxDfWaVFUfKQxMF56vn4B9QMpWAb\
    nypNimbM8zVOw.UCGiqJxhBI3IFVdPalHHvA\
    ";

/// RFC 7520, figure 129: ECDH-ES, A128CBC-HS256.
const COMPACT_5_5: &str = "\
    eyJhbGciOiJFQ0RILUVTIiwia2lkIjoibWVyaWFkb2MuYnJhbmR5YnVja0BidWNrbGFuZC5leGFtcGxlIiwiZXBrIjp7Imt0\
    eSI6IkVDIiwiY3J2IjoiUC0yNTYiLCJ4IjoibVBVS1RfYkFXR0hJaGcwVHBqanFWc1AxclhXUXVfdndWT0hIdE5rZFlvQSIs\
    InkiOiI4QlFBc0ltR2VBUzQ2ZnlXdzVNaFlmR1RUMElqQnBGdzJTUzM0RHY0SXJzIn0sImVuYyI6IkExMjhDQkMtSFMyNTYi\
    fQ..yc9N8v5sYyv3iGQT926IUg.BoDlwPnTypYq-ivjmQvAYJLb5Q6l-F3LIgQomlz87yW4OPKbWE1zSTEFjDfhU9IPIOSA9\
    Bml4m7iDFwA-1ZXvHteLDtw4R1XRGMEsDIqAYtskTTmzmzNa-_q4F_evAPUmwlO-ZG45Mnq4uhM1fm_D9rBtWolqZSF3xGNN\
    kpOMQKF1Cl8i8wjzRli7-IXgyirlKQsbhhqRzkv8IcY6aHl24j03C-AR2le1r7URUhArM79BY8soZU0lzwI-sD5PZ3l4NDCC\
    ei9XkoIAfsXJWmySPoeRb2Ni5UZL4mYpvKDiwmyzGd65KqVw7MsFfI_K767G9C9Azp73gKZD0DyUn1mn0WW5LmyX_yJ-3ARO\
    q8p1WZBfG-ZyJ6195_JGG2m9Csg.WCCkNa-x4BeB9hIDIfFuhg\
    ";

/// RFC 7520, figure 108: `d`.
const EC_D_5_5: &str = "r_kHyZ-a06rmxM3yESK84r1otSg-aQcVStkRhA-iCM8";

fn octets(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn point(x: &str, y: &str) -> Vec<u8> {
    [&[4], octets(x).as_slice(), octets(y).as_slice()].concat()
}

#[test]
fn rfc_7518_appendix_c_both_sides_agree_on_the_key_that_is_printed_there() {
    let alice =
        PrivateKey::from_private_key(&ECDH_P256, &octets("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"));
    let bob =
        PrivateKey::from_private_key(&ECDH_P256, &octets("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"));
    let alice_point =
        point("gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0", "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps");
    let bob_point =
        point("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ", "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck");
    let context = KdfContext { algorithm: "A128GCM", apu: b"Alice", apv: b"Bob" };
    for (ours, theirs) in [(alice.unwrap(), bob_point), (bob.unwrap(), alice_point)] {
        let key = agreed_key::<16>(&ours, &theirs, &context).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(*key), "VqqN6vgjbSBcIijNcacQGg");
    }
}

#[test]
fn rfc_7520_section_5_2_the_content_is_opened() {
    let parts: Vec<&str> = COMPACT_5_2.split('.').collect();
    let rsa = PrivateDecryptingKey::from_pkcs8(&STANDARD.decode(RSA_KEY_5_2).unwrap()).unwrap();
    let rsa = OaepPrivateDecryptingKey::new(rsa).unwrap();
    let mut room = vec![0; rsa.min_output_size()];
    let key = rsa.decrypt(&OAEP_SHA1_MGF1SHA1, &octets(parts[1]), &mut room, None).unwrap();
    let mut content = [octets(parts[3]), octets(parts[4])].concat();
    let opened = content::open(key, &octets(parts[2]), parts[0], &mut content).unwrap();
    assert_eq!(str::from_utf8(opened).unwrap(), PLAINTEXT_5);
    let mut altered = [octets(parts[3]), octets(parts[4])].concat();
    altered[0] ^= 1;
    assert!(content::open(key, &octets(parts[2]), parts[0], &mut altered).is_err());
}

#[test]
fn rfc_7520_section_5_5_the_agreed_key_is_the_one_that_made_the_tag() {
    let parts: Vec<&str> = COMPACT_5_5.split('.').collect();
    let header: Value = serde_json::from_slice(&octets(parts[0])).unwrap();
    let epk = |name: &str| header["epk"][name].as_str().unwrap();
    let ours = PrivateKey::from_private_key(&ECDH_P256, &octets(EC_D_5_5)).unwrap();
    let context = KdfContext { algorithm: header["enc"].as_str().unwrap(), apu: &[], apv: &[] };
    let key = agreed_key::<32>(&ours, &point(epk("x"), epk("y")), &context).unwrap();
    // RFC 7518 section 5.2.2.1: the first half is the key of the tag.
    let mac_key = hmac::Key::new(hmac::HMAC_SHA256, &key[..16]);
    let (iv, ciphertext) = (octets(parts[2]), octets(parts[3]));
    let bits = (parts[0].len() as u64 * 8).to_be_bytes();
    let tag = hmac::sign(&mac_key, &[parts[0].as_bytes(), &iv, &ciphertext, &bits].concat());
    assert_eq!(&tag.as_ref()[..16], octets(parts[4]));
}
