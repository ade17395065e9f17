//! More logins than the machine can hash: the excess is shed, everything else goes on.

use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, Mouth, System, on_both_databases};

on_both_databases! {
    f30_a_login_flood_is_shed_and_harms_nothing_else
}

async fn f30_a_login_flood_is_shed_and_harms_nothing_else(database: Database) {
    let system = System::with(database, &[("AUTH__PASSWORDS__THREADS", "1")]).await;
    let pair = Mouth::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let logins = (0..120).map(|_| {
        let form = [("username", "nobody"), ("password", "wrong")];
        let request = system.http.post(system.auth_url("/api/token/")).form(&form);
        tokio::spawn(async move {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
        })
    });
    let logins: Vec<_> = logins.collect();
    let next = Mouth::Http.refresh(&system, &pair.refresh).await.expect("a refresh is not harmed");
    Mouth::Http.verify(&system, &next.access).await.expect("nor a verification");
    let keys = system.http.get(system.auth_url("/.well-known/jwks.json")).send().await.unwrap();
    assert_eq!(keys.status(), 200);

    let (mut answered, mut shed) = (0, 0);
    for login in logins {
        match login.await.unwrap() {
            (401, _) => answered += 1,
            (503, true) => shed += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(answered > 0 && shed > 0, "{answered} answered, {shed} shed with Retry-After");
}
