//! Clients that prove themselves by certificates (RFC 8705 section 2).

use auth_service::authority::Authentication;
use auth_service::clients::{
    CertificateName, ClientAuthentication, InvalidName, Presented, RegisteredCertificate,
};
use auth_service::error::OAuthFault;
use rustls_pki_types::CertificateDer;
use service_kit::client_certificates::ShownCertificate;
use system_tests::certificates::{self, Certificate, dns, email, of_client, uri};

use super::*;

/// The cause for the operator, where it is not proved.
fn proves(at: &InProcess, id: &str, certificate: Arc<ShownCertificate>) -> Result<(), String> {
    let presented = ClientAuthentication::Certificate { unverified_id: id.to_owned(), certificate };
    match at.authority.authenticate_client(&presented) {
        Ok(Authentication::Proved(client)) => {
            assert_eq!(client.id.as_str(), id);
            Ok(())
        }
        Ok(Authentication::MaybeNew(refused)) | Err(refused) => {
            assert_eq!(refused.kind, ErrorKind::OAuth(OAuthFault::InvalidClient));
            Err(refused.cause)
        }
        Ok(Authentication::NeedsKeys(_)) => panic!("there are none to fetch"),
    }
}

fn named(name: Result<CertificateName, InvalidName>) -> ClientMethod {
    ClientMethod::Certificate(RegisteredCertificate::Named(name.unwrap()))
}

fn listed(certificates: &[&Certificate]) -> ClientMethod {
    let certificates: Vec<&[u8]> =
        certificates.iter().map(|certificate| certificate.der.as_slice()).collect();
    ClientMethod::Certificate(RegisteredCertificate::listed(&certificates).unwrap())
}

#[test]
fn a_certificate_of_a_known_authority_proves_the_client_of_its_name_alone() {
    let at = InProcess::new();
    let ca = certificates::Authority::new();
    let ip = |text: &str| rcgen::SanType::IpAddress(text.parse().unwrap());
    let subject = "CN=billing,O=Example";
    let good = [
        ("dns", named(CertificateName::dns("billing.example.com")), dns("Billing.Example.com")),
        (
            "uri",
            named(CertificateName::uri("spiffe://example.org/billing")),
            uri("spiffe://example.org/billing"),
        ),
        ("ip", named(CertificateName::ip("2001:db8::1")), ip("2001:db8::1")),
        ("email", named(CertificateName::email("billing@example.com")), email("billing@example.com")),
        ("dn", named(CertificateName::subject_dn(subject)), dns("anything.test")),
    ];
    for (id, method, name) in good {
        at.client_by(id, method);
        let certificate = ca.issue_for(name);
        assert_eq!(proves(&at, id, certificate.shown_by(true)), Ok(()), "{id}");
        let unknown = proves(&at, id, certificate.shown()).unwrap_err();
        assert!(unknown.contains("no certificate authority of tls.client_ca_file"), "{unknown}");
    }
    let near = [
        ("dns", vec![dns("billing.example.com.evil.test")]),
        ("dns", vec![dns("*.example.com")]),
        ("dns", vec![dns("example.com")]),
        ("dns", vec![dns("xbilling.example.com")]),
        ("dns", vec![uri("https://billing.example.com")]),
        ("dns", vec![email("x@billing.example.com")]),
        ("dns", vec![]),
        ("uri", vec![uri("spiffe://example.org/billing/")]),
        ("uri", vec![uri("spiffe://example.org/billing2")]),
        ("uri", vec![uri("spiffe://EXAMPLE.org/billing")]),
        ("uri", vec![dns("spiffe.example.org")]),
        ("ip", vec![ip("2001:db8::2")]),
        ("ip", vec![ip("192.0.2.1")]),
        ("ip", vec![dns("2001.db8")]),
        ("email", vec![email("billing@example.org")]),
        ("email", vec![email("Billing@example.com")]),
    ];
    for (id, names) in near {
        let certificate = ca.issue(&of_client("someone", names.clone()));
        let refused = proves(&at, id, certificate.shown_by(true)).unwrap_err();
        assert!(refused.contains("for another name"), "{names:?}: {refused}");
    }
    for common_name in ["Billing", "billing2", "billing,O=Example", ""] {
        let certificate = ca.issue(&of_client(common_name, Vec::new()));
        assert!(proves(&at, "dn", certificate.shown_by(true)).is_err(), "{common_name}");
    }
    let several = ca.issue(&of_client("x", vec![dns("other.test"), dns("billing.example.com")]));
    assert_eq!(proves(&at, "dns", several.shown_by(true)), Ok(()), "among others");
}

#[test]
fn a_listed_certificate_of_any_issuer_proves_its_client_and_changes_without_a_gap() {
    let at = InProcess::new();
    let (old, new, other) =
        (Certificate::self_signed("a"), Certificate::self_signed("a"), Certificate::self_signed("a"));
    at.client_by("billing", listed(&[&old, &new]));
    assert_eq!(proves(&at, "billing", old.shown()), Ok(()));
    assert_eq!(proves(&at, "billing", new.shown()), Ok(()));
    assert!(proves(&at, "billing", other.shown()).unwrap_err().contains("not one of those"));
    assert!(proves(&at, "billing", other.shown_by(true)).is_err(), "also of a known authority");
    let change = auth_service::clients::ClientChange { method: Some(listed(&[&new])), ..Default::default() };
    at.authority.update_client(&ClientId::parse("billing").unwrap(), change).unwrap();
    at.see_changes();
    assert!(proves(&at, "billing", old.shown()).is_err());
    assert_eq!(proves(&at, "billing", new.shown()), Ok(()));
}

#[test]
fn a_certificate_is_good_within_its_dates_also_on_a_connection_that_outlives_it() {
    let at = InProcess::new();
    let ca = certificates::Authority::new();
    let mut params = of_client("billing", vec![dns("billing.example.com")]);
    let day = |text: &str| Timestamp::from_rfc3339(text).unwrap();
    params.not_before = rcgen::date_time_ymd(2027, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 2, 1);
    let (issued, own) = (ca.issue(&params), Certificate::signed_by_itself(&params));
    at.client_by("named", named(CertificateName::dns("billing.example.com")));
    at.client_by("listed", listed(&[&own]));
    for (now, expected) in [
        ("2026-12-31T23:59:59Z", Some("not valid yet")),
        ("2027-01-01T00:00:00Z", None),
        ("2027-02-01T00:00:00Z", None),
        ("2027-02-01T00:00:01Z", Some("has expired")),
    ] {
        at.clock.set(day(now));
        for refused in [proves(&at, "named", issued.shown_by(true)), proves(&at, "listed", own.shown())] {
            match (expected, refused) {
                (None, Ok(())) => {}
                (Some(expected), Err(cause)) => assert!(cause.contains(expected), "{now}: {cause}"),
                (expected, found) => panic!("{now}: {expected:?} {found:?}"),
            }
        }
    }
}

#[test]
fn a_certificate_is_no_proof_for_clients_of_other_methods_and_no_hindrance_for_theirs() {
    let at = InProcess::new();
    let own = Certificate::self_signed("billing");
    at.client_by("billing", listed(&[&own]));
    let (_, secret) = at.client_and_secret("web", |_| {});
    let refused = proves(&at, "web", own.shown()).unwrap_err();
    assert!(refused.contains("registered for the method client_secret_basic"), "{refused}");
    let by_secret = |id: &str, secret: &str| {
        let presented = Presented {
            client_id: Some(id),
            client_secret: Some(secret),
            certificate: Some(own.shown()),
            ..Presented::default()
        };
        let presented = ClientAuthentication::of(presented).unwrap();
        matches!(at.authority.authenticate_client(&presented), Ok(Authentication::Proved(_)))
    };
    assert!(by_secret("web", secret.expose()), "over a connection with a certificate");
    assert!(!by_secret("billing", secret.expose()), "the other method counts for nothing");
    let nobody =
        ClientAuthentication::of(Presented { certificate: Some(own.shown()), ..Presented::default() });
    assert!(nobody.is_err(), "without `client_id` nobody knows who it should be");
    let none = ClientAuthentication::None { unverified_id: "billing".to_owned() };
    assert!(!matches!(at.authority.authenticate_client(&none), Ok(Authentication::Proved(_))));
    let unreadable = ShownCertificate { der: CertificateDer::from(vec![0x30, 0]), is_issued_by_known: true };
    assert!(proves(&at, "billing", Arc::new(unreadable)).unwrap_err().contains("cannot be read"));
}

#[test]
fn names_that_cannot_be_those_of_a_client_are_not_registered() {
    type Parse = fn(&str) -> Result<CertificateName, InvalidName>;
    let table: [(Parse, &[&str]); 5] = [
        (CertificateName::dns, &["", "*.example.com", "a b", "a/b", "\u{fc}.test"]),
        (CertificateName::uri, &["", "spiffe", ":x", "spiffe:", "spiffe://a b"]),
        (CertificateName::ip, &["", "localhost", "1.2.3", "10.0.0.0/8"]),
        (CertificateName::email, &["", "a", "@b", "a@", "a b@c"]),
        (CertificateName::subject_dn, &["", "billing", "XX-UNKNOWN=a"]),
    ];
    for (parse, texts) in table {
        for text in texts {
            assert_eq!(parse(text), Err(InvalidName), "{text:?}");
        }
        assert_eq!(parse(&"a".repeat(513)), Err(InvalidName));
    }
    assert!(RegisteredCertificate::listed::<Vec<u8>>(&[]).is_err());
    assert!(RegisteredCertificate::listed(&[b"x"]).is_err());
    let many: Vec<Vec<u8>> = (0..9).map(|_| Certificate::self_signed("x").der).collect();
    assert!(RegisteredCertificate::listed(&many).is_err());
}
