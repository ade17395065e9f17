//! Users: obtain, use, refresh, retry, reuse, end.

use std::time::Duration;

use system_tests::protocol::{unverified_claims, unverified_header};
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, Protocol, Refused, System, eventually, over_both_protocols_on_both_databases};

over_both_protocols_on_both_databases! {
    a_user_obtains_a_pair_and_uses_it_at_the_resource
    a_refresh_gives_a_successor_and_a_retry_gives_the_same_one
    a_refresh_token_used_twice_ends_its_session
    an_ended_session_is_refused_everywhere
    a_disabled_account_is_refused_on_every_path
    a_changed_password_ends_the_sessions_of_the_old_one
    a_session_ends_when_it_is_idle_and_when_it_is_old
    each_kind_of_token_is_refused_where_the_other_belongs
    wrong_credentials_have_one_face
}

async fn a_user_obtains_a_pair_and_uses_it_at_the_resource(protocol: Protocol, database: Database) {
    let system = System::start(database).await;
    let pair = protocol.obtain(&system, USER, PASSWORD).await.unwrap();

    let (header, claims) = (unverified_header(&pair.access), unverified_claims(&pair.access));
    assert_eq!((&header["alg"], &header["typ"]), (&"EdDSA".into(), &"at+jwt".into()));
    assert_eq!(claims["iss"], "https://auth.test");
    assert_eq!(claims["aud"], "notes");
    assert_eq!(claims["scope"], "notes:read notes:write");
    assert_eq!(claims["token_type"], "access");
    assert_eq!(claims["user_id"], claims["sub"]);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
    for required in ["jti", "client_id", "sid", "auth_time", "amr"] {
        assert!(!claims[required].is_null(), "{required} is missing: {claims}");
    }

    assert!(system.notes_accept(&pair.access).await);
    protocol.verify(&system, &pair.access).await.unwrap();
    protocol.verify(&system, &pair.refresh).await.unwrap();
    assert!(protocol.is_active(&system, &pair.access).await);
}

async fn a_refresh_gives_a_successor_and_a_retry_gives_the_same_one(protocol: Protocol, database: Database) {
    let system = System::start(database).await;
    let first = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    let second = protocol.refresh(&system, &first.refresh).await.unwrap();
    assert_ne!(first.refresh, second.refresh);
    assert_ne!(first.access, second.access);

    let retried = protocol.refresh(&system, &first.refresh).await.unwrap();
    assert_eq!(retried.refresh, second.refresh, "a retry gets the identical successor");
    assert!(system.notes_accept(&retried.access).await);

    let third = protocol.refresh(&system, &second.refresh).await.unwrap();
    assert_ne!(third.refresh, second.refresh);
    let (old, new) = (unverified_claims(&first.refresh), unverified_claims(&third.refresh));
    assert_eq!(old["sid"], new["sid"], "it is one session");
    assert_ne!(old["jti"], new["jti"]);
}

async fn a_refresh_token_used_twice_ends_its_session(protocol: Protocol, database: Database) {
    let system = System::with(database, &[("AUTH__TOKENS__REFRESH_GRACE", "0s")]).await;
    let first = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    let second = protocol.refresh(&system, &first.refresh).await.unwrap();
    assert!(system.notes_accept(&second.access).await);

    assert_eq!(protocol.refresh(&system, &first.refresh).await, Err(Refused::Revoked));
    assert_eq!(
        protocol.refresh(&system, &second.refresh).await,
        Err(Refused::Revoked),
        "the session is over"
    );
    assert_eq!(protocol.verify(&system, &second.access).await, Err(Refused::Revoked));
    assert!(!protocol.is_active(&system, &second.access).await);
    system.notes_come_to_refuse(&second.access).await;
    assert!(system.auth.log().contains("a refresh token was used twice"), "the operator is told");
}

async fn an_ended_session_is_refused_everywhere(protocol: Protocol, database: Database) {
    let system = System::start(database).await;
    let pair = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    let other = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    assert!(system.notes_accept(&pair.access).await);

    protocol.end(&system, &pair.refresh).await.unwrap();
    assert_eq!(protocol.refresh(&system, &pair.refresh).await, Err(Refused::Revoked));
    assert_eq!(protocol.verify(&system, &pair.refresh).await, Err(Refused::Revoked));
    assert_eq!(protocol.verify(&system, &pair.access).await, Err(Refused::Revoked));
    assert!(!protocol.is_active(&system, &pair.access).await);
    system.notes_come_to_refuse(&pair.access).await;

    assert!(system.notes_accept(&other.access).await, "another session of the same person goes on");
    protocol.refresh(&system, &other.refresh).await.unwrap();
}

async fn a_disabled_account_is_refused_on_every_path(protocol: Protocol, database: Database) {
    let system = System::start(database).await;
    let pair = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    let disabled = system.cli(&["user", "disable", USER]);
    assert_eq!(disabled["sessions_ended"], 1);

    assert_eq!(protocol.obtain(&system, USER, PASSWORD).await, Err(Refused::Credentials));
    assert_eq!(protocol.refresh(&system, &pair.refresh).await, Err(Refused::Inactive));
    eventually("the authority hears what the command line did", || async {
        (protocol.verify(&system, &pair.access).await == Err(Refused::Revoked)).then_some(())
    })
    .await;
    assert!(!protocol.is_active(&system, &pair.access).await);
    system.notes_come_to_refuse(&pair.access).await;
}

async fn a_changed_password_ends_the_sessions_of_the_old_one(protocol: Protocol, database: Database) {
    let system = System::start(database).await;
    let pair = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    let changed = system.cli(&["user", "passwd", USER]);
    let new_password = changed["password"].as_str().unwrap();

    assert_eq!(protocol.refresh(&system, &pair.refresh).await, Err(Refused::Revoked));
    assert_eq!(protocol.obtain(&system, USER, PASSWORD).await, Err(Refused::Credentials));
    system.notes_come_to_refuse(&pair.access).await;
    let new = protocol.obtain(&system, USER, new_password).await.unwrap();
    assert!(system.notes_accept(&new.access).await);
}

async fn a_session_ends_when_it_is_idle_and_when_it_is_old(protocol: Protocol, database: Database) {
    let settings = [("AUTH__TOKENS__REFRESH_IDLE_TTL", "2s"), ("AUTH__TOKENS__REFRESH_ABSOLUTE_TTL", "3s")];
    let system = System::with(database, &settings).await;
    let idle = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    let mut kept = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    let end = unverified_claims(&kept.refresh)["iat"].as_u64().unwrap() + 3;

    let mut refused = None;
    while refused.is_none() {
        match protocol.refresh(&system, &kept.refresh).await {
            Ok(next) => {
                let claims = unverified_claims(&next.refresh);
                assert!(claims["exp"].as_u64().unwrap() <= end, "no token outlives the session");
                kept = next;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            Err(cause) => refused = Some(cause),
        }
    }
    assert_eq!(refused, Some(Refused::Expired));
    assert_eq!(protocol.refresh(&system, &idle.refresh).await, Err(Refused::Expired));
}

async fn each_kind_of_token_is_refused_where_the_other_belongs(protocol: Protocol, database: Database) {
    let system = System::start(database).await;
    let pair = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    assert_eq!(protocol.refresh(&system, &pair.access).await, Err(Refused::WrongType));
    assert!(!system.notes_accept(&pair.refresh).await);

    let altered = format!("{}A", &pair.refresh[..pair.refresh.len() - 1]);
    if altered != pair.refresh {
        assert_eq!(protocol.refresh(&system, &altered).await, Err(Refused::InvalidToken));
    }
    assert_eq!(protocol.refresh(&system, "garbage").await, Err(Refused::InvalidToken));
    assert_eq!(protocol.verify(&system, "a.b.c").await, Err(Refused::InvalidToken));
    protocol.refresh(&system, &pair.refresh).await.unwrap();
}

async fn wrong_credentials_have_one_face(protocol: Protocol, database: Database) {
    let system = System::start(database).await;
    protocol.obtain(&system, "ALICE", PASSWORD).await.expect("one name in every spelling");
    for (username, password) in [(USER, "wrong"), ("nobody", PASSWORD), (USER, "x\u{301}")] {
        assert_eq!(
            protocol.obtain(&system, username, password).await,
            Err(Refused::Credentials),
            "{username}"
        );
    }
    let long = "x".repeat(2000);
    assert_eq!(protocol.obtain(&system, USER, &long).await, Err(Refused::Credentials));
}

/// The command line may run with other settings than the service: what it revokes must be needed for as
/// long as the tokens of the service live.
#[tokio::test]
async fn a_revocation_outlives_the_tokens_of_a_longer_setting() {
    let system = System::with(Database::Sqlite, &[("AUTH__TOKENS__ACCESS_TTL", "2h")]).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let exp = unverified_claims(&pair.access)["exp"].as_u64().unwrap();
    let mut elsewhere = system.auth_env.clone();
    elsewhere.insert("AUTH__TOKENS__ACCESS_TTL".to_owned(), "1m".to_owned());
    let _ = system_tests::system::cli(system.folder.path(), &elsewhere, &["user", "disable", USER], "");
    let published = eventually("the revocation is published", || async {
        let answer = system.http.get(system.auth_url("/revocations")).send().await.ok()?;
        let entries = unverified_claims(&answer.text().await.ok()?)["revocations"].clone();
        entries.as_array().filter(|entries| !entries.is_empty()).cloned()
    })
    .await;
    assert!(published[0]["exp"].as_u64().unwrap() > exp, "{published:?}");
}
