//! Very many revocations that can still match a token.

use std::time::{Duration, Instant};

use system_tests::drill::{figure, scale};
use system_tests::processes::Service;
use system_tests::protocol::unverified_claims;
use system_tests::system::{PASSWORD, USER, resource_env};
use system_tests::{Protocol, System, eventually, eventually_within};

/// A verifier without credentials reads all of them in pages; what it asks afterwards costs nobody more than before.
#[tokio::test]
async fn f37_so_many_revocations_reach_a_verifier_without_credentials_and_cost_nothing_afterwards() {
    let count = scale(60_000, 1_000_000);
    let system = System::quiet().await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let other = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let sid = unverified_claims(&pair.access)["sid"].as_str().unwrap().to_owned();
    // More than one document holds.
    system.revoke_many(count, &sid);
    let page = async |after: &str| {
        let url = system.auth_url(&format!("/revocations?after={after}"));
        let answer = system.http.get(url).send().await.unwrap();
        // Not ready, while it loads so many at once.
        if answer.status() == 200 { answer.text().await.ok() } else { None }
    };
    let first = eventually_within(Duration::from_secs(120), "the authority has loaded them", || async {
        let first = unverified_claims(&page("0.0").await?);
        (first["more"] == true).then_some(first)
    })
    .await;
    let newest = format!("{}.{count}", first["epoch"]);
    let whole = system.http.get(system.auth_url("/revocations")).send().await.unwrap();
    assert_eq!(whole.status(), 503, "all of them do not fit");

    let folder = tempfile::tempdir().unwrap();
    let mut env = resource_env(&system.auth, folder.path());
    env.insert("RESOURCE__LOG__LEVEL".to_owned(), "info".to_owned());
    let begun = Instant::now();
    let verifier = Service::start("resource-service", folder.path(), &env).await;
    let notes = async |token: &str| {
        let request = system.http.get(format!("http://{}/notes", verifier.http)).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    eventually_within(Duration::from_secs(120), "the verifier is ready", || async {
        let answer = notes(&other.access).await;
        assert!([200, 503].contains(&answer), "{answer}");
        (answer == 200).then_some(())
    })
    .await;
    let ready = begun.elapsed();
    assert_eq!(notes(&pair.access).await, 401, "it knows the last of them as soon as it accepts anything");

    // What a poll says when there is nothing new, and when there is one more.
    let empty = page(&newest).await.unwrap();
    assert!(empty.len() < 1000, "{} bytes to say that there is nothing newer", empty.len());
    let revoked = Instant::now();
    Protocol::Http.end(&system, &other.refresh).await.unwrap();
    eventually("one more is known", || async { (notes(&other.access).await == 401).then_some(()) }).await;
    let one_more = revoked.elapsed();
    assert!(page(&newest).await.unwrap().len() < 1500);
    let first_page = page("0.0").await.unwrap().len();
    figure(format!(
        "{count} revocations: a verifier without credentials is ready after {ready:.1?} ({} MiB), one more is known after \
         {one_more:.0?}; an empty page has {} bytes, a full one {} KiB",
        verifier.resident_kib() / 1024,
        empty.len(),
        first_page / 1024
    ));
}
