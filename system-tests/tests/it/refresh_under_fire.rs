//! Refresh where it hurts: many at once over two replicas, raced with every way to end a session, killed
//! in the middle, replayed after restarts and jumps of the clock. Nothing is lost and nothing is forked.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use system_tests::database::{integrity, sessions};
use system_tests::drill::{figure, scale};
use system_tests::fake_clock::FakeClock;
use system_tests::processes::Service;
use system_tests::protocol::unverified_claims;
use system_tests::replicas::{Refreshed, Replicas};
use system_tests::system::{PASSWORD, USER, cli};
use system_tests::{Database, eventually, on_both_databases};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

on_both_databases! {
    f02_a_hundred_at_once_over_two_replicas_get_one_successor
    f03_nothing_of_a_session_works_after_its_end_was_acknowledged
    f01_a_kill_in_the_middle_of_a_refresh_loses_nothing_and_forks_nothing
    reuse_is_noticed_after_a_restart_in_one_second_and_over_replicas
    f13_reuse_is_noticed_whatever_the_clock_does
}

const HERD: usize = 100;
const HERD_ROUNDS: usize = 200;
const END_ROUNDS: usize = 500;

async fn f02_a_hundred_at_once_over_two_replicas_get_one_successor(database: Database) {
    let replicas = Arc::new(Replicas::start(database, &[]).await);
    let (_, mut token) = replicas.obtain(0, USER, PASSWORD).await;
    let (mut slowest, began) = (Duration::ZERO, Instant::now());
    for round in 0..HERD_ROUNDS {
        let barrier = Arc::new(Barrier::new(HERD));
        let mut herd = JoinSet::new();
        for place in 0..HERD {
            let (replicas, barrier, token) = (Arc::clone(&replicas), Arc::clone(&barrier), token.clone());
            herd.spawn(async move {
                barrier.wait().await;
                let asked = Instant::now();
                (replicas.refresh(place, &token).await, asked.elapsed())
            });
        }
        let mut successors = HashSet::new();
        let mut access_tokens = Vec::new();
        for (answer, took) in herd.join_all().await {
            slowest = slowest.max(took);
            // Within the grace each of them gets the successor; a 5xx, a 401 or no answer is a failure.
            let (access, refresh) = answer.pair();
            access_tokens.push(access);
            successors.insert(refresh);
        }
        assert_eq!(successors.len(), 1, "round {round}: the session forked");
        assert!(replicas.holds(round, &access_tokens[round % HERD]).await);
        let successor = successors.into_iter().next().unwrap();
        assert_ne!(successor, token);
        // That it works shows in the next round.
        token = successor;
    }
    assert_eq!(unverified_claims(&token)["gen"], HERD_ROUNDS);
    let pace = began.elapsed() / u32::try_from(HERD_ROUNDS).unwrap();
    figure(format!(
        "{HERD_ROUNDS} rounds of {HERD}: 1 successor each, no 5xx; a round {pace:.0?}, slowest answer {slowest:.0?}"
    ));
}

/// The ways to end a session, and what acknowledges each.
#[derive(Debug, Clone, Copy)]
enum End {
    Blacklist,
    Disable,
    Password,
}

async fn f03_nothing_of_a_session_works_after_its_end_was_acknowledged(database: Database) {
    let replicas = Arc::new(Replicas::start(database, &[]).await);
    for round in 0..END_ROUNDS {
        // The command line costs a process each time: fewer of these.
        let end = match round % 10 {
            0 => End::Disable,
            5 => End::Password,
            _ => End::Blacklist,
        };
        end_in_a_race(&replicas, end, round).await;
    }
    figure(format!("{END_ROUNDS} races, nothing worked after the end was acknowledged"));
}

/// A client refreshes, one generation after the other and at both replicas at once, while the session is
/// ended from another side.
async fn end_in_a_race(replicas: &Arc<Replicas>, end: End, round: usize) {
    let user = match end {
        End::Disable => format!("user-{round}"),
        End::Blacklist | End::Password => USER.to_owned(),
    };
    if matches!(end, End::Disable) {
        run_cli(replicas, &["user", "create", &user, "--password-stdin"], PASSWORD).await;
    }
    let (_, first) = replicas.obtain(round, &user, PASSWORD).await;
    let barrier = Arc::new(Barrier::new(2));
    let client =
        tokio::spawn(refresh_until_refused(Arc::clone(replicas), first.clone(), Arc::clone(&barrier)));
    barrier.wait().await;
    // At another moment in each round.
    tokio::time::sleep(Duration::from_micros((round as u64 * 137) % 8000)).await;
    match end {
        // The first token is used up by now, or will be: anyone who holds any of the family may end it.
        End::Blacklist => assert_eq!(replicas.blacklist(round + 1, &first).await, Some(200)),
        End::Disable => run_cli(replicas, &["user", "disable", &user], "").await,
        End::Password => run_cli(replicas, &["user", "passwd", USER, "--password-stdin"], PASSWORD).await,
    }
    for token in &client.await.unwrap() {
        let is_refresh = unverified_claims(token)["token_type"] == "refresh";
        for replica in 0..2 {
            if is_refresh {
                let answer = replicas.refresh(replica, token).await;
                assert!(matches!(answer, Refreshed::Refused(401, _)), "{end:?}, round {round}: {answer:?}");
            } else {
                // A replica that did not write it learns of it within the second.
                eventually("the access token of an ended session is refused", || async {
                    (!replicas.holds(replica, token).await).then_some(())
                })
                .await;
            }
        }
    }
}

/// Everything that the client got hold of.
async fn refresh_until_refused(
    replicas: Arc<Replicas>,
    mut token: String,
    barrier: Arc<Barrier>,
) -> HashSet<String> {
    let mut seen = HashSet::from([token.clone()]);
    barrier.wait().await;
    loop {
        let (one, other) = tokio::join!(replicas.refresh(0, &token), replicas.refresh(1, &token));
        let mut successors = HashSet::new();
        for answer in [one, other] {
            match answer {
                Refreshed::Pair { access, refresh } => {
                    seen.extend([access, refresh.clone()]);
                    successors.insert(refresh);
                }
                Refreshed::Refused(401, _) => {}
                Refreshed::Refused(..) | Refreshed::Lost => panic!("{answer:?}"),
            }
        }
        assert!(successors.len() < 2, "the session forked");
        match successors.into_iter().next() {
            Some(successor) => token = successor,
            None => return seen,
        }
    }
}

async fn run_cli(replicas: &Arc<Replicas>, arguments: &[&str], stdin: &str) {
    let replicas = Arc::clone(replicas);
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let stdin = stdin.to_owned();
    tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        cli(replicas.folder.path(), &replicas.env, &arguments, &stdin)
    })
    .await
    .unwrap();
}

async fn f01_a_kill_in_the_middle_of_a_refresh_loses_nothing_and_forks_nothing(database: Database) {
    let mut replicas = Replicas::start(database, &[]).await;
    let (_, mut token) = replicas.obtain(0, USER, PASSWORD).await;
    let session = unverified_claims(&token)["sid"].as_str().unwrap().to_owned();
    let (mut answered, mut lost) = (0, 0);
    let rounds = scale(200, 500);
    for round in 0..rounds {
        let (http, url) = (replicas.http.clone(), replicas.url(0, "/api/token/refresh/"));
        let body = serde_json::json!({"refresh": token});
        let under_way = tokio::spawn(async move {
            let answer = http.post(url).json(&body).send().await.ok()?;
            let body: serde_json::Value = answer.json().await.ok()?;
            Some(body["refresh"].as_str().expect("a refresh that is answered at all succeeds").to_owned())
        });
        tokio::time::sleep(Duration::from_micros((round as u64 * 311) % 6000)).await;
        replicas.restart(0, Signal::KILL).await;
        let before = under_way.await.unwrap();
        // The client does not know whether the first try counted, and presents the same token again.
        let (access, after) = replicas.refresh(round, &token).await.pair();
        match before {
            Some(before) => {
                assert_eq!(before, after, "round {round}: two successors");
                answered += 1;
            }
            None => lost += 1,
        }
        assert!(replicas.holds(0, &access).await, "round {round}");
        token = after;
    }
    assert!(answered > 0 && lost > 0, "the kills all came at one moment: {answered} answered, {lost} lost");
    assert_eq!(unverified_claims(&token)["gen"], rounds, "one generation a round, whatever was killed");
    assert_eq!(rows(&replicas), [(session, i64::try_from(rounds).unwrap())]);
    figure(format!("{rounds} kills ({lost} before the answer): 0 sessions lost, 0 forked"));
    assert_intact(&replicas);
}

async fn reuse_is_noticed_after_a_restart_in_one_second_and_over_replicas(database: Database) {
    let mut replicas = Replicas::start(database, &[]).await;

    // Three rotations within one second, all tokens of the same `iat`: the first is not the predecessor
    // any more, also within the grace.
    let (_, first) = replicas.obtain(0, USER, PASSWORD).await;
    let (_, second) = replicas.refresh(0, &first).await.pair();
    let (_, third) = replicas.refresh(1, &second).await.pair();
    let (access, fourth) = replicas.refresh(0, &third).await.pair();
    assert_ended_by(&replicas, 1, &first, &[&second, &third, &fourth], &access).await;

    // Spent at one replica, presented at the other after both were killed.
    let (_, first) = replicas.obtain(0, USER, PASSWORD).await;
    let (_, second) = replicas.refresh(0, &first).await.pair();
    let (access, third) = replicas.refresh(0, &second).await.pair();
    replicas.restart(0, Signal::KILL).await;
    replicas.restart(1, Signal::KILL).await;
    assert_ended_by(&replicas, 1, &first, &[&second, &third], &access).await;

    // An ended session stays ended after a restart.
    replicas.restart(0, Signal::KILL).await;
    assert!(matches!(replicas.refresh(0, &third).await, Refreshed::Refused(401, _)));
}

/// Presenting `reused` is refused and takes everything else of the session with it, everywhere.
async fn assert_ended_by(replicas: &Replicas, at: usize, reused: &str, others: &[&str], access: &str) {
    let blacklisted =
        |answer| matches!(answer, Refreshed::Refused(401, text) if text == "Token is blacklisted");
    assert!(blacklisted(replicas.refresh(at, reused).await), "the reuse is refused");
    for token in others {
        for replica in 0..2 {
            assert!(blacklisted(replicas.refresh(replica, token).await), "the session is over");
        }
    }
    for replica in 0..2 {
        eventually("the access token goes with its session", || async {
            (!replicas.holds(replica, access).await).then_some(())
        })
        .await;
    }
}

async fn f13_reuse_is_noticed_whatever_the_clock_does(database: Database) {
    let mut replicas = Replicas::start(database, &[]).await;
    let clock = FakeClock::new(&replicas.folder.path().join("offset"));
    let env = clock.over(&replicas.env);
    replicas.services[0] = Service::start("auth-service", replicas.folder.path(), &env).await;
    for jump in ["+1h", "-2h"] {
        clock.set("+0");
        let (_, first) = replicas.obtain(0, USER, PASSWORD).await;
        let (access, second) = replicas.refresh(0, &first).await.pair();
        // Within the grace by a clock that stands still, beyond it by one that jumped.
        clock.set(jump);
        let answer = replicas.refresh(0, &first).await;
        assert!(matches!(answer, Refreshed::Refused(401, _)), "{jump}: {answer:?}");
        for replica in 0..2 {
            let answer = replicas.refresh(replica, &second).await;
            assert!(matches!(answer, Refreshed::Refused(401, _)), "{jump}, replica {replica}: {answer:?}");
        }

        // What was revoked stays so when the clock has jumped past its end and come back.
        clock.set("+0");
        eventually("the access token of the ended session is refused", || async {
            (!replicas.holds(0, &access).await).then_some(())
        })
        .await;

        // Two generations old: refused under any clock. And what is spent stays spent when it jumps back.
        clock.set("+0");
        let (_, first) = replicas.obtain(0, USER, PASSWORD).await;
        let (_, second) = replicas.refresh(0, &first).await.pair();
        clock.set(jump);
        let (_, third) = replicas.refresh(0, &second).await.pair();
        clock.set("+0");
        for token in [&first, &second, &third] {
            let answer = replicas.refresh(0, token).await;
            assert!(matches!(answer, Refreshed::Refused(401, _)), "{jump}: {answer:?}");
        }
    }
    assert!(!replicas.services[0].log().contains("panicked"));
    figure("+1 h and -2 h while running: nothing spent came back");
}

/// The live sessions as they stand in the database.
fn rows(replicas: &Replicas) -> Vec<(String, i64)> {
    let live = sessions(&replicas.env["AUTH__DATABASE__URL"]).into_iter().filter(|row| !row.ended);
    live.map(|row| (row.id, row.generation)).collect()
}

fn assert_intact(replicas: &Replicas) {
    let Some(path) = replicas.env["AUTH__DATABASE__URL"].strip_prefix("sqlite://") else { return };
    assert_eq!(integrity(Path::new(path)), "ok");
}
