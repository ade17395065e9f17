//! Every storage step, on both databases: one suite, two runs of it.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use auth_service::audit::{Action, Actor, Chain, Event, Position};
use auth_service::clients::{
    Audience, ClientId, ClientLogin, ClientMethod, GrantType, NewClient, TokenBinding,
};
use auth_service::clock::{CLOCK_DIFFERENCE, SystemClock, Timestamp};
use auth_service::context::RequestContext;
use auth_service::keys::{Algorithm, KeyRecord, MasterKey, Retirement, Secrets};
use auth_service::revocations::RevocationTarget;
use auth_service::secret::{HashedSecret, PlainSecret};
use auth_service::sessions::{EndReason, Presented, Rotation, Session};
use auth_service::storage::{
    ClientEnd, DatabaseUrl, Login, Rotate, SessionLimit, Start, Storage, StorageError,
};
use auth_service::users::{Attempt, AttemptPolicy, Attributes, CountKey, User, Username};
use auth_service::verifiers::{Changes, ConnectedVerifier};
use diesel::{Connection, RunQueryDsl};
use shared_claims::ScopeSet;
use system_tests::Database;
use system_tests::database::execute;
use tempfile::TempDir;

macro_rules! contract {
    ($($name:ident)*) => {$(
        mod $name {
            use system_tests::Database;

            #[test]
            fn sqlite() {
                super::$name(&super::Fixture::new(Database::Sqlite));
            }

            #[test]
            fn postgres() {
                super::$name(&super::Fixture::new(Database::Postgres));
            }
        }
    )*};
}

contract! {
    migrations_run_once_however_many_start
    replicas_that_start_and_stop_at_once_do_not_refuse_each_other
    a_name_is_taken_once_and_the_failed_step_leaves_nothing
    a_new_name_looks_like_no_other_and_old_rows_are_completed
    a_session_starts_only_for_the_account_as_it_was_read
    a_rotation_has_one_winner_and_a_retry_gets_the_same_session
    a_reuse_ends_the_session_and_revokes_its_tokens
    what_is_refused_spends_nothing
    many_at_once_move_a_session_by_one_generation
    a_session_ends_once
    failures_are_counted_once_each_and_old_counts_go
    every_step_that_matters_is_in_the_audit_log_and_the_chain_holds
    the_audit_log_is_gapless_under_concurrent_writers
    nothing_is_done_that_cannot_be_written_down
    expired_rows_are_swept_a_page_at_a_time_and_live_ones_stay
    one_replica_has_the_turn_to_sweep
    disabling_and_passwords_end_every_session_in_one_step
    revocations_are_numbered_without_gaps_under_concurrent_writers
    a_token_is_revoked_once_and_only_while_it_could_live
    clients_keep_what_they_were_given_and_change_the_counter
    disabling_a_client_ends_its_sessions_and_matches_its_tokens
    sessions_of_a_user_end_in_one_step_that_does_not_grow_with_them
    the_oldest_session_ends_when_a_user_has_more_than_the_limit
    audiences_keep_what_they_were_given
    keys_are_planned_under_a_lock
    a_revoked_key_stays_revoked
    connected_verifiers_are_known_to_everybody_and_go_with_their_replica
    on_postgres_others_are_notified_of_every_counted_write
}

const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// As many as there are.
const MIGRATIONS: usize = 20;
const GRACE: Duration = Duration::from_secs(10);

fn new_session(id: &str, user: &User) -> Session {
    Session {
        id: id.to_owned(),
        user_id: user.id.clone(),
        client_id: client_id("web"),
        scope: ScopeSet::parse("a b").unwrap(),
        audience: "notes".to_owned(),
        auth_time: NOW,
        amr: vec!["pwd".to_owned()],
        created_at: NOW,
        idle_expires_at: NOW.plus(Duration::from_secs(100)),
        expires_at: NOW.plus(Duration::from_secs(1000)),
        generation: 0,
        rotated_at: NOW,
        ended: None,
        device: None,
        browser: None,
    }
}

struct Fixture {
    storage: Arc<Storage>,
    url: DatabaseUrl,
    raw_url: String,
    _folder: TempDir,
}

impl Fixture {
    fn new(database: Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let raw_url = database.fresh(folder.path());
        let url = DatabaseUrl::parse(&raw_url).unwrap();
        assert_eq!(Storage::migrate(&url).unwrap().len(), MIGRATIONS);
        let storage = Arc::new(Storage::connect(&url, 8).unwrap());
        storage.audit_with(chain(folder.path()));
        Self { storage, url, raw_url, _folder: folder }
    }

    fn user(&self, name: &str) -> User {
        let user = User {
            id: format!("id-of-{name}"),
            username: Username::parse(name).unwrap(),
            password_hash: "hash".to_owned(),
            password_epoch: 0,
            attributes: Attributes::of_roles(vec!["admin".to_owned(), "staff".to_owned()]),
            created_at: NOW,
            disabled_at: None,
        };
        self.storage.create_user(&user, false).unwrap();
        user
    }

    fn session(&self, id: &str, user: &User) -> Session {
        let session = new_session(id, user);
        assert_eq!(self.storage.start_session(&session, user, Login::default()).unwrap(), Start::Done);
        session
    }

    fn revoked(&self) -> Vec<RevocationTarget> {
        self.storage.live_revocations(NOW).unwrap().into_iter().map(|entry| entry.target).collect()
    }
}

fn client_end(now: Timestamp, revoked_until: Timestamp) -> ClientEnd {
    ClientEnd { now, revoked_until }
}

fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn rotate(session: &str, generation: i64, at: Timestamp) -> Rotate {
    Rotate {
        presented: Presented {
            session_id: session.to_owned(),
            generation,
            client_id: client_id("web"),
            now: at,
            grace: GRACE,
        },
        idle_expires_at: at.plus(Duration::from_secs(100)),
        revoked_until: at.plus(Duration::from_secs(360)),
        context: RequestContext::default(),
    }
}

/// Runs the same work on several threads that start together.
fn together<T: Send + 'static>(
    threads: usize,
    storage: &Arc<Storage>,
    work: impl Fn(&Storage, usize) -> T + Send + Sync + 'static,
) -> Vec<T> {
    let (barrier, work) = (Arc::new(Barrier::new(threads)), Arc::new(work));
    let running: Vec<_> = (0..threads)
        .map(|number| {
            let (storage, barrier, work) = (Arc::clone(storage), Arc::clone(&barrier), Arc::clone(&work));
            thread::spawn(move || {
                barrier.wait();
                work(&storage, number)
            })
        })
        .collect();
    running.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn migrations_run_once_however_many_start(fixture: &Fixture) {
    assert!(Storage::migrate(&fixture.url).unwrap().is_empty());
    assert!(Storage::pending_migrations(&fixture.url).unwrap().is_empty());
    let database = match fixture.url {
        DatabaseUrl::Sqlite(_) => Database::Sqlite,
        DatabaseUrl::Postgres(_) => Database::Postgres,
    };
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::parse(&database.fresh(folder.path())).unwrap();
    let applied: usize =
        together(4, &fixture.storage, move |_, _| Storage::migrate(&url).unwrap().len()).iter().sum();
    assert_eq!(applied, MIGRATIONS, "one wins, the others find nothing to do");
}

fn replicas_that_start_and_stop_at_once_do_not_refuse_each_other(fixture: &Fixture) {
    let database = match fixture.url {
        DatabaseUrl::Sqlite(_) => Database::Sqlite,
        DatabaseUrl::Postgres(_) => Database::Postgres,
    };
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::parse(&database.fresh(folder.path())).unwrap();
        let started = together(6, &fixture.storage, move |_, _| {
            Storage::migrate(&url)?;
            Storage::connect(&url, 1)?.change_counters()
        });
        for outcome in started {
            outcome.unwrap();
        }
    }
}

fn a_name_is_taken_once_and_the_failed_step_leaves_nothing(fixture: &Fixture) {
    let user = fixture.user("alice");
    assert!(fixture.storage.has_had_users().unwrap());
    let again = User { id: "other".to_owned(), ..user.clone() };
    assert_eq!(fixture.storage.create_user(&again, false), Err(StorageError::Taken));
    assert!(fixture.storage.find_user_by_id("other").unwrap().is_none());
    let found = fixture.storage.find_user(&name("alice")).unwrap().unwrap();
    assert_eq!((&found.id, found.attributes), (&user.id, user.attributes.clone()));
    assert_eq!(fixture.storage.find_user(&name("ALICE")).unwrap().unwrap().id, found.id, "in any spelling");
    let twin = User { id: "twin".to_owned(), username: name("\u{ff21}lice"), ..user.clone() };
    assert_eq!(fixture.storage.create_user(&twin, false), Err(StorageError::Taken));
    assert!(fixture.storage.find_user(&name("alic")).unwrap().is_none());
    let outcomes = together(8, &fixture.storage, |storage, number| {
        let user = User {
            id: format!("racer-{number}"),
            username: Username::parse("racer").unwrap(),
            password_hash: String::new(),
            password_epoch: 0,
            attributes: Attributes::of_roles(vec![]),
            created_at: NOW,
            disabled_at: None,
        };
        storage.create_user(&user, false)
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(StorageError::Taken)).count(), 7);
}

fn a_new_name_looks_like_no_other_and_old_rows_are_completed(fixture: &Fixture) {
    let user = fixture.user("alice");
    let named = |id: &str, text: &str| User { id: id.to_owned(), username: name(text), ..user.clone() };
    let refused = Err(StorageError::Taken);
    assert_eq!(fixture.storage.create_user(&named("cyrillic", "\u{430}lice"), false), refused);
    assert_eq!(fixture.storage.create_user(&named("digit", "a1ice"), false), refused);
    let outcomes = together(8, &fixture.storage, {
        let user = user.clone();
        move |storage, number| {
            let text = if number % 2 == 0 { "oscar" } else { "\u{3bf}scar" };
            let user = User { id: format!("racer-{number}"), username: name(text), ..user.clone() };
            storage.create_user(&user, false)
        }
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");

    // Rows of an older version have neither; two of them that look alike both stay.
    fixture.storage.create_user(&named("twin", "modern"), false).unwrap();
    let clear = "UPDATE users SET name_key = NULL, name_skeleton = NULL";
    execute(&fixture.raw_url, clear).unwrap();
    let older = "INSERT INTO users (id, username, password_hash, password_epoch, roles, created_at) VALUES ";
    execute(&fixture.raw_url, &format!("{older}('old', 'rnodern', '', 0, '', 0)")).unwrap();
    fixture.storage.complete_users(false).unwrap();
    assert!(fixture.storage.complete_skeletons("").unwrap().is_some());
    assert_eq!(fixture.storage.find_user(&name("ALICE")).unwrap().unwrap().id, user.id);
    assert_eq!(fixture.storage.find_user(&name("modern")).unwrap().unwrap().id, "twin");
    assert_eq!(fixture.storage.find_user(&name("RNODERN")).unwrap().unwrap().id, "old", "in any spelling");
    assert_eq!(fixture.storage.create_user(&named("cyrillic", "\u{430}lice"), false), refused);
    assert_eq!(fixture.storage.create_user(&named("third", "modem"), false), refused);
    assert_eq!(fixture.storage.create_user(&named("fourth", "modest"), false), Ok(()));
    // An imported user keeps the name, whatever it looks like; a new one may not look like it.
    let import =
        "UPDATE users SET import_mark = '{}', name_skeleton = 'lvan', username = 'Ivan' WHERE id = 'fourth'";
    execute(&fixture.raw_url, import).unwrap();
    assert_eq!(fixture.storage.create_user(&named("fifth", "lvan"), false), refused);
}

fn a_session_starts_only_for_the_account_as_it_was_read(fixture: &Fixture) {
    let user = fixture.user("alice");
    let session = fixture.session("one", &user);
    let read = fixture.storage.find_session("one").unwrap().unwrap();
    assert_eq!((read.scope, read.amr, read.generation), (session.scope.clone(), session.amr.clone(), 0));

    let next = Session { id: "two".to_owned(), ..session };
    fixture.storage.set_password(&name("alice"), "new".to_owned(), NOW, later(360)).unwrap();
    assert_eq!(
        fixture.storage.start_session(&next, &user, Login::default()).unwrap(),
        Start::AccountChanged,
        "it was checked against the old password"
    );
    let user = fixture.storage.find_user(&name("alice")).unwrap().unwrap();
    fixture.storage.disable_user(&name("alice"), NOW, later(360)).unwrap();
    assert_eq!(
        fixture.storage.start_session(&next, &user, Login::default()).unwrap(),
        Start::AccountChanged,
        "the account was disabled meanwhile"
    );
    assert!(fixture.storage.find_session("two").unwrap().is_none());
}

fn a_rotation_has_one_winner_and_a_retry_gets_the_same_session(fixture: &Fixture) {
    let user = fixture.user("alice");
    fixture.session("s", &user);
    let Rotation::Holds { session: won, repeated: false, attributes } =
        fixture.storage.rotate_session(rotate("s", 0, later(5))).unwrap()
    else {
        panic!("the current generation wins");
    };
    assert_eq!((won.generation, won.rotated_at, attributes), (1, later(5), user.attributes));
    assert_eq!(won.idle_expires_at, later(105));
    let Rotation::Holds { session: again, repeated: true, .. } =
        fixture.storage.rotate_session(rotate("s", 0, later(15))).unwrap()
    else {
        panic!("a retry within the grace holds");
    };
    assert_eq!((again.generation, again.rotated_at), (won.generation, won.rotated_at), "no row was written");
    assert_eq!(again.refresh_expires_at(), won.refresh_expires_at());
}

fn a_reuse_ends_the_session_and_revokes_its_tokens(fixture: &Fixture) {
    let user = fixture.user("alice");
    fixture.session("s", &user);
    fixture.storage.rotate_session(rotate("s", 0, later(5))).unwrap();
    let reused = fixture.storage.rotate_session(rotate("s", 0, later(16))).unwrap();
    assert!(matches!(reused, Rotation::Reused { .. }), "{reused:?}");
    assert_eq!(fixture.revoked(), [RevocationTarget::Session("s".to_owned())]);
    for generation in [0, 1, 2] {
        let outcome = fixture.storage.rotate_session(rotate("s", generation, later(17))).unwrap();
        assert!(matches!(outcome, Rotation::Ended(Some(EndReason::Reuse))), "{outcome:?}");
    }
    assert_eq!(fixture.revoked().len(), 1, "it ends once");
}

fn what_is_refused_spends_nothing(fixture: &Fixture) {
    let user = fixture.user("alice");
    fixture.session("s", &user);
    let mut foreign = rotate("s", 0, later(5));
    foreign.presented.client_id = client_id("thief");
    assert!(matches!(fixture.storage.rotate_session(foreign).unwrap(), Rotation::Unknown));
    assert!(matches!(
        fixture.storage.rotate_session(rotate("none", 0, later(5))).unwrap(),
        Rotation::Unknown
    ));
    let mut foreign_reuse = rotate("s", 7, later(5));
    foreign_reuse.presented.client_id = client_id("thief");
    assert!(matches!(fixture.storage.rotate_session(foreign_reuse).unwrap(), Rotation::Unknown));
    assert!(matches!(fixture.storage.rotate_session(rotate("s", 0, later(100))).unwrap(), Rotation::Expired));
    assert_eq!(fixture.storage.find_session("s").unwrap().unwrap().generation, 0);
    assert!(matches!(
        fixture.storage.rotate_session(rotate("s", 0, later(99))).unwrap(),
        Rotation::Holds { .. }
    ));
    assert!(matches!(
        fixture.storage.rotate_session(rotate("s", 1, later(1000))).unwrap(),
        Rotation::Expired
    ));
}

fn many_at_once_move_a_session_by_one_generation(fixture: &Fixture) {
    let user = fixture.user("alice");
    fixture.session("s", &user);
    for generation in 0..5 {
        let outcomes = together(16, &fixture.storage, move |storage, _| {
            storage.rotate_session(rotate("s", generation, later(5))).unwrap()
        });
        let mut winners = 0;
        for outcome in outcomes {
            let Rotation::Holds { session, repeated, .. } = outcome else { panic!("{outcome:?}") };
            assert_eq!(session.generation, generation + 1);
            winners += usize::from(!repeated);
        }
        assert_eq!(winners, 1, "one winner; everybody else gets what it got");
    }
}

fn a_session_ends_once(fixture: &Fixture) {
    let user = fixture.user("alice");
    fixture.session("s", &user);
    let outcomes =
        together(8, &fixture.storage, |storage, _| storage.end_session("s", NOW, later(360)).unwrap());
    assert_eq!(outcomes.iter().filter(|ended| **ended).count(), 1);
    assert_eq!(fixture.revoked().len(), 1);
    assert!(!fixture.storage.end_session("none", NOW, later(360)).unwrap());
    let ended = fixture.storage.find_session("s").unwrap().unwrap().ended.unwrap();
    assert_eq!((ended.at, ended.reason), (NOW, EndReason::Revoked));
}

fn disabling_and_passwords_end_every_session_in_one_step(fixture: &Fixture) {
    let (alice, bob) = (fixture.user("alice"), fixture.user("bob"));
    for (id, user) in [("a1", &alice), ("a2", &alice), ("b1", &bob)] {
        fixture.session(id, user);
    }
    fixture.storage.end_session("a1", NOW, later(360)).unwrap();
    let ended = fixture.storage.set_password(&name("alice"), "new".to_owned(), NOW, later(360)).unwrap();
    assert_eq!(ended, Some(1), "the one that was still alive");
    let changed = fixture.storage.find_user(&name("alice")).unwrap().unwrap();
    assert_eq!((changed.password_hash.as_str(), changed.password_epoch), ("new", 1));
    assert_eq!(fixture.storage.disable_user(&name("bob"), NOW, later(360)).unwrap(), Some(1));
    assert!(!fixture.storage.find_user(&name("bob")).unwrap().unwrap().is_active());
    let hit = fixture.revoked();
    assert_eq!(hit.len(), 3, "a session each for the password, and the account that was disabled");
    let not_before = NOW.plus(CLOCK_DIFFERENCE);
    assert_eq!(hit[2], RevocationTarget::Subject { sub: "id-of-bob".to_owned(), not_before });
    assert_eq!(fixture.storage.disable_user(&name("nobody"), NOW, NOW).unwrap(), None);
    assert_eq!(fixture.storage.set_password(&name("nobody"), String::new(), NOW, NOW).unwrap(), None);
}

fn revocations_are_numbered_without_gaps_under_concurrent_writers(fixture: &Fixture) {
    let user = fixture.user("alice");
    for thread in 0..8 {
        for number in 0..5 {
            fixture.session(&format!("s-{thread}-{number}"), &user);
        }
    }
    let reader = {
        let storage = Arc::clone(&fixture.storage);
        // As the state sync of a replica does it, while the writers are at work.
        thread::spawn(move || {
            let mut seen = 0;
            while seen < 80 {
                for entry in storage.revocations_after(seen).unwrap() {
                    assert_eq!(entry.seq, seen + 1, "a number was seen before the one before it");
                    seen = entry.seq;
                }
            }
        })
    };
    together(8, &fixture.storage, |storage, thread| {
        for number in 0..5 {
            storage.end_session(&format!("s-{thread}-{number}"), NOW, later(360)).unwrap();
            storage.revoke_token(&format!("t-{thread}-{number}"), &client_id("web"), later(60)).unwrap();
        }
    });
    reader.join().unwrap();
    let count = i64::try_from(fixture.revoked().len()).unwrap();
    assert_eq!(count, 80);
    assert_eq!(
        fixture.storage.change_counters().unwrap().revocations,
        count,
        "a number for each, and no other"
    );
}

fn a_token_is_revoked_once_and_only_while_it_could_live(fixture: &Fixture) {
    for _ in 0..3 {
        fixture.storage.revoke_token("jti", &client_id("web"), later(60)).unwrap();
    }
    assert_eq!(fixture.revoked(), [RevocationTarget::Token("jti".to_owned())]);
    assert!(fixture.storage.live_revocations(later(60)).unwrap().is_empty(), "nothing grows for ever");
}

fn client(id: &str) -> NewClient {
    NewClient {
        id: client_id(id),
        scope: ScopeSet::parse("a b").unwrap(),
        audiences: vec!["notes".to_owned(), "https://x.test/a".to_owned()],
        grants: vec![GrantType::ClientCredentials, GrantType::Password],
        introspects: vec!["https://x.test/b".to_owned()],
        cors_origins: vec!["https://app.x.test".to_owned()],
        login: ClientLogin::default(),
        method: ClientMethod::Secret,
        token_binding: TokenBinding::Optional,
    }
}

fn clients_keep_what_they_were_given_and_change_the_counter(fixture: &Fixture) {
    let counter = || fixture.storage.change_counters().unwrap().clients;
    let (old, new) = (PlainSecret::generate().unwrap(), PlainSecret::generate().unwrap());
    let before = counter();
    fixture.storage.create_client(&client("c"), Some(&HashedSecret::of(&old)), NOW).unwrap();
    assert!(counter() > before);
    let taken = fixture.storage.create_client(&client("c"), Some(&HashedSecret::of(&new)), NOW);
    assert_eq!(taken, Err(StorageError::Taken));

    let read = |_: ()| fixture.storage.all_clients().unwrap().remove(0);
    let stored = read(());
    assert_eq!(
        (stored.audiences.clone(), stored.grants.clone()),
        (client("c").audiences, client("c").grants)
    );
    assert!(stored.credentials.accept_secret(&old, NOW) && !stored.credentials.accept_secret(&new, NOW));

    let before = counter();
    assert!(fixture.storage.set_client_secret(&client_id("c"), &HashedSecret::of(&new), later(60)).unwrap());
    assert!(counter() > before);
    let changed = read(());
    assert!(
        changed.credentials.accept_secret(&new, NOW) && changed.credentials.accept_secret(&old, later(59)),
        "both, during the overlap"
    );
    assert!(!changed.credentials.accept_secret(&old, later(60)), "and then the new one only");
    assert!(!fixture.storage.set_client_secret(&client_id("none"), &HashedSecret::of(&new), NOW).unwrap());
}

fn disabling_a_client_ends_its_sessions_and_matches_its_tokens(fixture: &Fixture) {
    let secret = HashedSecret::of(&PlainSecret::generate().unwrap());
    fixture.storage.create_client(&client("web"), Some(&secret), NOW).unwrap();
    let user = fixture.user("alice");
    fixture.session("s", &user);
    assert_eq!(
        fixture.storage.disable_client(&client_id("web"), client_end(NOW, later(360))).unwrap(),
        Some(1)
    );
    assert!(fixture.storage.all_clients().unwrap()[0].disabled_at.is_some());
    // Every token, also one that a replica issues which does not know of it yet.
    let not_before = later(360);
    assert_eq!(fixture.revoked(), [RevocationTarget::Client { id: "web".to_owned(), not_before }]);
    assert_eq!(fixture.storage.disable_client(&client_id("none"), client_end(NOW, NOW)).unwrap(), None);
}

fn sessions_of_a_user_end_in_one_step_that_does_not_grow_with_them(fixture: &Fixture) {
    let (few, many) = (fixture.user("few"), fixture.user("many"));
    for (user, count) in [(&few, 1000), (&many, 1001)] {
        (0..count).for_each(|number| drop(fixture.session(&format!("{}-{number:04}", user.id), user)));
    }
    let position = || fixture.storage.change_counters().unwrap().revocations;
    let before = position();
    let set = |user: &User| fixture.storage.set_password(&user.username, "!".to_owned(), NOW, later(360));
    assert_eq!(set(&few).unwrap(), Some(1000));
    assert_eq!(position(), before + 1000, "one entry a session, numbered without gaps");
    assert_eq!(set(&many).unwrap(), Some(1001));
    assert_eq!(position(), before + 1001, "one for all of them");
    let revoked = fixture.storage.live_revocations(NOW).unwrap();
    let numbers: Vec<i64> = revoked.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (before + 1..=before + 1001).collect::<Vec<_>>());
    let subject = RevocationTarget::Subject { sub: many.id.clone(), not_before: later(5) };
    assert_eq!(revoked.last().unwrap().target, subject);
    assert!(revoked.iter().take(1000).all(|entry| matches!(entry.target, RevocationTarget::Session(_))));
}

fn the_oldest_session_ends_when_a_user_has_more_than_the_limit(fixture: &Fixture) {
    let user = fixture.user("alice");
    let start = |number: i64, most: u32| {
        let created_at = NOW.plus(Duration::from_secs(number.unsigned_abs()));
        let session = Session { created_at, ..new_session(&format!("s{number}"), &user) };
        let limit = Some(SessionLimit { most, revoked_until: later(360) });
        let login = Login { limit, ..Login::default() };
        assert_eq!(fixture.storage.start_session(&session, &user, login).unwrap(), Start::Done);
    };
    let is_alive =
        |number: i64| fixture.storage.find_session(&format!("s{number}")).unwrap().unwrap().ended.is_none();
    let alive = |most: i64| (1..=most).filter(|number| is_alive(*number)).collect::<Vec<_>>();
    (1..=3).for_each(|number| start(number, 3));
    assert_eq!(alive(3), [1, 2, 3]);
    start(4, 3);
    assert_eq!(alive(4), [2, 3, 4]);
    assert_eq!(fixture.revoked(), [RevocationTarget::Session("s1".to_owned())]);
    fixture.storage.end_session("s3", NOW, later(360)).unwrap();
    start(5, 3);
    assert_eq!(alive(5), [2, 4, 5], "an ended one takes no place");
    start(6, 1);
    assert_eq!(alive(6), [6], "also after the limit was lowered");
}

#[test]
fn a_database_that_cannot_store_every_name_is_refused_at_the_start() {
    let name = format!("latin_{}", uuid::Uuid::new_v4().simple());
    let encoding = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    system_tests::database::admin(&format!("CREATE DATABASE {name} {encoding}"));
    let cluster = system_tests::database::cluster_url();
    let (server, _) = cluster.rsplit_once('/').unwrap();
    let url = DatabaseUrl::parse(&format!("{server}/{name}")).unwrap();
    let refused = Storage::connect(&url, 1).map(drop).unwrap_err().to_string();
    assert!(refused.contains("LATIN1") && refused.contains("UTF8"), "{refused}");
}

#[test]
fn a_server_that_takes_no_writes_any_more_is_noticed_and_left() {
    let fixture = Fixture::new(Database::Postgres);
    let name = match &fixture.url {
        DatabaseUrl::Postgres(url) => system_tests::database::name_of(url).to_owned(),
        DatabaseUrl::Sqlite(_) => unreachable!("it is PostgreSQL"),
    };
    let user = fixture.user("alice");
    fixture.session("s", &user);
    fixture.storage.change_counters().unwrap();
    let set = |value: &str| {
        let statement = format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
        system_tests::database::admin(&statement);
    };
    // Connections that are open do not see it; those that are opened again lead elsewhere, or nowhere.
    set("on");
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    );
    system_tests::database::admin(&end);
    let read_only = |outcome: Result<(), StorageError>| outcome.is_err_and(|error| error.is_outage());
    let patience = Instant::now() + Duration::from_secs(10);
    while !read_only(fixture.storage.change_counters().map(drop)) {
        assert!(Instant::now() < patience, "a poll of a read-only server succeeds");
    }
    assert!(read_only(fixture.storage.probe_writes()));
    assert!(read_only(fixture.storage.end_session("s", NOW, later(360)).map(drop)));
    set("off");
    let patience = Instant::now() + Duration::from_secs(10);
    while fixture.storage.end_session("s", NOW, later(360)).is_err() {
        assert!(Instant::now() < patience, "it does not come back");
    }
    fixture.storage.probe_writes().unwrap();
}

fn audiences_keep_what_they_were_given(fixture: &Fixture) {
    let notes = Audience::named("notes");
    let legacy = Audience { algorithm: Some(Algorithm::Rs256), ..Audience::named("legacy") };
    let sealed = Audience { encryption_jwks: Some("{}".to_owned()), ..Audience::named("sealed") };
    for audience in [&notes, &legacy, &sealed] {
        fixture.storage.create_audience(audience, NOW).unwrap();
    }
    assert_eq!(fixture.storage.create_audience(&notes, NOW), Err(StorageError::Taken));
    assert_eq!(fixture.storage.all_audiences().unwrap(), [legacy.clone(), notes.clone(), sealed]);
    assert!(fixture.storage.set_audience_encryption("sealed", None).unwrap());
    assert!(!fixture.storage.set_audience_encryption("none", None).unwrap());
    assert_eq!(fixture.storage.all_audiences().unwrap(), [legacy, notes, Audience::named("sealed")]);
}

fn key(kid: &str) -> KeyRecord {
    KeyRecord {
        kid: kid.to_owned(),
        algorithm: Algorithm::Es256,
        sealed_private_key: vec![0, 1, 255],
        public_jwk: "{}".to_owned(),
        created_at: NOW,
        published_at: NOW,
        activates_at: later(300),
        retires_at: None,
        removed_at: None,
        revoked_at: None,
    }
}

fn keys_are_planned_under_a_lock(fixture: &Fixture) {
    let outcomes = together(8, &fixture.storage, |storage, number| {
        storage
            .add_key(move |existing| existing.is_empty().then(|| (key(&format!("k{number}")), vec![])))
            .unwrap()
    });
    assert_eq!(outcomes.iter().filter(|added| **added).count(), 1, "one replica acts");
    let first = fixture.storage.all_keys().unwrap().remove(0);
    assert_eq!(first.sealed_private_key, [0, 1, 255]);

    let retirement = Retirement { kid: first.kid.clone(), retires_at: later(1), removed_at: later(2) };
    assert!(fixture.storage.add_key(move |_| Some((key("next"), vec![retirement]))).unwrap());
    let keys = fixture.storage.all_keys().unwrap();
    let old = keys.iter().find(|key| key.kid == first.kid).unwrap();
    assert_eq!((old.retires_at, old.removed_at), (Some(later(1)), Some(later(2))));
    let taken = fixture.storage.add_key(|_| Some((key("next"), vec![])));
    assert_eq!(taken, Err(StorageError::Taken));
}

fn a_revoked_key_stays_revoked(fixture: &Fixture) {
    fixture.storage.add_key(|_| Some((key("k"), vec![]))).unwrap();
    assert!(fixture.storage.revoke_key("k", NOW, |_| None).unwrap());
    assert!(!fixture.storage.revoke_key("k", later(1), |_| None).unwrap());
    assert!(!fixture.storage.revoke_key("none", NOW, |_| None).unwrap());
    assert_eq!(fixture.storage.all_keys().unwrap()[0].revoked_at, Some(NOW));
}

fn connected_verifiers_are_known_to_everybody_and_go_with_their_replica(fixture: &Fixture) {
    let verifier = |id: &str, kids: &[&str]| ConnectedVerifier {
        id: id.to_owned(),
        client_id: "notes".to_owned(),
        address: "127.0.0.1:1".to_owned(),
        kids: kids.iter().map(|kid| (*kid).to_owned()).collect(),
    };
    let save = |replica: &str, present: Vec<ConnectedVerifier>, gone: &[&str], now| {
        let gone = gone.iter().map(|id| (*id).to_owned()).collect();
        fixture.storage.save_verifiers(replica, Changes { present, gone }, now).unwrap();
    };
    let connected = |now| {
        let mut all = fixture.storage.connected_verifiers(now).unwrap();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    };
    save("one", vec![verifier("a", &["k1"]), verifier("b", &[])], &[], NOW);
    save("two", vec![verifier("c", &["k1", "k2"])], &[], NOW);
    save("one", vec![verifier("a", &["k1", "k2"])], &["b"], NOW);
    let expected = [verifier("a", &["k1", "k2"]), verifier("c", &["k1", "k2"])];
    assert_eq!(connected(later(10)), expected);
    save("one", vec![], &[], later(10));
    assert_eq!(connected(later(20)), expected[..1], "the other replica has died");
    save("one", vec![], &[], later(20));
    fixture.storage.forget_dead_replicas(later(20)).unwrap();
    let again = fixture.storage.save_verifiers("two", Changes::default(), later(20)).unwrap();
    assert!(!again, "it is told that what it has not written anew is not there");
    assert_eq!(connected(later(20)), expected[..1], "its verifiers were forgotten with it");
    assert!(fixture.storage.save_verifiers("two", Changes::default(), later(21)).unwrap());
}

fn on_postgres_others_are_notified_of_every_counted_write(fixture: &Fixture) {
    let (tell, heard) = std::sync::mpsc::sync_channel(100);
    let other = Storage::connect(&fixture.url, 2).unwrap();
    other.audit_with(chain(tempfile::tempdir().unwrap().path()));
    let heard_one = move || {
        // More than a hundred that nobody took tell nothing more.
        let _ = tell.try_send(());
    };
    let listener = other.listen(heard_one).unwrap();
    if matches!(fixture.url, DatabaseUrl::Sqlite(_)) {
        assert!(listener.is_none(), "SQLite tells nobody");
        return;
    }
    let hears = || heard.recv_timeout(Duration::from_secs(10)).is_ok();
    assert!(hears(), "it looks once when it begins to listen");
    fixture.storage.revoke_token("jti", &client_id("web"), later(60)).unwrap();
    assert!(hears(), "a revocation");
    fixture.storage.create_audience(&Audience::named("notes"), NOW).unwrap();
    assert!(hears(), "an audience");
    fixture.storage.add_key(|_| Some((key("k"), vec![]))).unwrap();
    assert!(hears(), "a key");
    // A listener that has lost its connection is back by itself, and looks once then.
    let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE query LIKE 'LISTEN%' AND datname = current_database()";
    let DatabaseUrl::Postgres(url) = &fixture.url else { unreachable!("not SQLite") };
    let mut admin = diesel::PgConnection::establish(url).unwrap();
    diesel::sql_query(terminate).execute(&mut admin).unwrap();
    assert!(hears(), "after the connection was cut");
}

fn expired_rows_are_swept_a_page_at_a_time_and_live_ones_stay(fixture: &Fixture) {
    let user = fixture.user("alice");
    for number in 0..600 {
        fixture.session(&format!("s-{number:03}"), &user);
    }
    fixture.storage.end_session("s-001", NOW, later(50)).unwrap();
    fixture.storage.end_session("s-002", NOW, later(500)).unwrap();
    // One that lives on, for it was refreshed.
    fixture.storage.rotate_session(rotate("s-500", 0, later(99))).unwrap();

    let nothing = fixture.storage.sweep_sessions("", later(100)).unwrap();
    assert_eq!(nothing.deleted, 0, "an instant that has not passed has expired nothing");
    let first = fixture.storage.sweep_sessions("", later(101)).unwrap();
    assert_eq!((first.deleted, first.next.as_deref()), (500, Some("s-499")), "live or ended");
    let second = fixture.storage.sweep_sessions("s-499", later(101)).unwrap();
    assert_eq!((second.deleted, second.next), (99, None));
    assert!(fixture.storage.find_session("s-500").unwrap().is_some());
    assert!(fixture.storage.find_session("s-501").unwrap().is_none());

    assert_eq!(fixture.storage.sweep_revocations(0, later(101)).unwrap().deleted, 1);
    assert_eq!(fixture.revoked(), [RevocationTarget::Session("s-002".to_owned())]);
    let position = fixture.storage.change_counters().unwrap().revocations_position();
    assert_eq!(position.seq, 2, "numbers that were given stay given");
}

fn one_replica_has_the_turn_to_sweep(fixture: &Fixture) {
    let interval = Duration::from_secs(60);
    let turn = |now: Timestamp| {
        let asked = together(8, &fixture.storage, move |storage, _| {
            storage.take_sweeping_turn(now, interval).unwrap()
        });
        asked.into_iter().filter(|taken| *taken).count()
    };
    assert_eq!(turn(NOW), 1);
    assert_eq!(turn(later(59)), 0);
    assert_eq!(turn(later(60)), 1);
    // Taken by a clock that had jumped ahead by a day.
    assert_eq!(turn(later(86_400)), 1);
    assert_eq!(turn(later(61)), 1, "it does not stay taken for a day");
}

fn chain(folder: &std::path::Path) -> Chain {
    let master = MasterKey::create(&folder.join("master.key")).unwrap();
    Chain::new(&Secrets::derived(&master), Arc::new(SystemClock), Actor::Authority)
}

/// The actions of the log, each link of which is checked.
fn audited(storage: &Storage) -> Vec<String> {
    let links = storage.audit_entries(0, 10_000).unwrap();
    let mut before: Option<Position> = None;
    for link in &links {
        assert_eq!(storage.audit_chain().unwrap().check(before.as_ref(), link), Ok(()));
        before = Some(link.position());
    }
    assert_eq!(storage.audit_length().unwrap(), i64::try_from(links.len()).unwrap());
    links
        .iter()
        .map(|link| format!("{} {} {}", link.entry.action, link.entry.outcome, link.entry.actor))
        .collect()
}

fn every_step_that_matters_is_in_the_audit_log_and_the_chain_holds(fixture: &Fixture) {
    let storage = &fixture.storage;
    let user = fixture.user("alice");
    fixture.session("s", &user);
    fixture.session("t", &user);
    storage.rotate_session(rotate("s", 0, later(1))).unwrap();
    storage.rotate_session(rotate("s", 0, later(50))).unwrap();
    assert!(storage.end_session("t", NOW, later(360)).unwrap());
    assert!(!storage.end_session("t", NOW, later(360)).unwrap());
    storage.revoke_token("jti", &client_id("web"), later(60)).unwrap();
    storage.revoke_token("jti", &client_id("web"), later(60)).unwrap();
    assert_eq!(
        storage.create_user(&User { id: "other".to_owned(), ..user.clone() }, false),
        Err(StorageError::Taken)
    );
    storage.set_password(&name("alice"), "new".to_owned(), NOW, later(360)).unwrap();
    storage.disable_user(&name("alice"), NOW, later(360)).unwrap();
    storage.disable_user(&name("nobody"), NOW, later(360)).unwrap();
    note_refusal(storage);
    assert_eq!(
        audited(storage),
        [
            "user.created done authority",
            "login done user:id-of-alice",
            "login done user:id-of-alice",
            "session.ended done authority",
            "session.ended done client:web",
            "token.revoked done client:web",
            "user.password_set done authority",
            "user.disabled done authority",
            "login refused: wrong password authority",
        ],
        "what was done is there once; what was not done, or done before, is not"
    );
}

fn note_refusal(storage: &Storage) {
    let refused = Event::of(Action::Login).refused("wrong password");
    storage.note(refused).unwrap();
}

fn the_audit_log_is_gapless_under_concurrent_writers(fixture: &Fixture) {
    let user = fixture.user("alice");
    for number in 0..40 {
        fixture.session(&format!("s-{number}"), &user);
    }
    together(8, &fixture.storage, |storage, thread| {
        for number in 0..5 {
            let id = format!("s-{}", thread * 5 + number);
            assert!(storage.end_session(&id, NOW, later(360)).unwrap());
            note_refusal(storage);
        }
    });
    assert_eq!(audited(&fixture.storage).len(), 1 + 40 + 80);
}

fn nothing_is_done_that_cannot_be_written_down(fixture: &Fixture) {
    let user = fixture.user("alice");
    fixture.session("s", &user);
    // Another handle on the same database, to which no chain was given.
    let storage = Storage::connect(&fixture.url, 2).unwrap();
    assert!(storage.end_session("s", NOW, later(360)).is_err());
    assert!(storage.set_password(&name("alice"), "new".to_owned(), NOW, later(360)).is_err());
    storage.rotate_session(rotate("s", 0, later(1))).unwrap();
    assert!(storage.rotate_session(rotate("s", 0, later(60))).is_err(), "its reuse is");
    assert!(fixture.storage.find_session("s").unwrap().unwrap().ended.is_none());
    assert_eq!(fixture.revoked(), []);
    assert_eq!(fixture.storage.find_user(&name("alice")).unwrap().unwrap().password_hash, "hash");
}

fn failures_are_counted_once_each_and_old_counts_go(fixture: &Fixture) {
    let policy = AttemptPolicy {
        realm: "login",
        pair: 100,
        account: 100,
        client_ip: 100,
        window: Duration::from_secs(100),
    };
    let key = CountKey::new(&[7; 32]);
    let attempt =
        Attempt::new(&key, &policy, "alice", Some("192.0.2.1".parse::<std::net::IpAddr>().unwrap().into()));
    let counted = attempt.clone();
    // The first of all of them too: a guess that is made eight times at once is eight guesses.
    together(8, &fixture.storage, move |storage, _| {
        assert_eq!(storage.begin_attempt(&counted, NOW).unwrap(), None);
    });
    let stands = fixture.storage.failures_of(&attempt).unwrap();
    assert_eq!(stands.len(), 3);
    assert!(stands.iter().all(|(_, until)| *until == later(8)), "eight steps of a second: {stands:?}");
    fixture.storage.give_back(&attempt).unwrap();
    let stands = fixture.storage.failures_of(&attempt).unwrap();
    assert!(stands.iter().all(|(_, until)| *until == later(7)), "one was none: {stands:?}");
    assert_eq!(fixture.storage.begin_attempt(&attempt, NOW).unwrap(), None);
    assert_eq!(fixture.storage.sweep_failures(later(8)).unwrap(), 0);
    assert_eq!(fixture.storage.sweep_failures(later(9)).unwrap(), 3);
    assert!(fixture.storage.failures_of(&attempt).unwrap().is_empty());

    // What is allowed five times is allowed five times, however many ask at one moment.
    let policy = AttemptPolicy { realm: "letters", pair: 0, account: 5, client_ip: 0, ..policy };
    let letter = Attempt::new(&key, &policy, "alice", None);
    let waits = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&waits);
    together(16, &fixture.storage, move |storage, _| {
        let wait = storage.begin_attempt(&letter, NOW).unwrap();
        told.lock().unwrap().push(wait);
    });
    let waits = waits.lock().unwrap();
    assert_eq!(waits.iter().filter(|wait| wait.is_none()).count(), 5, "{waits:?}");
    assert!(waits.iter().flatten().all(|limited| limited.wait == Duration::from_secs(20)), "{waits:?}");
}

/// What is refused for its count writes nothing, also not for addresses that were never seen.
#[test]
fn a_refused_attempt_writes_no_row() {
    let fixture = Fixture::new(Database::Sqlite);
    let policy = AttemptPolicy {
        realm: "e-mails",
        pair: 0,
        account: 5,
        client_ip: 2,
        window: Duration::from_secs(100),
    };
    let key = CountKey::new(&[7; 32]);
    let attempt = |name: &str| {
        Attempt::new(&key, &policy, name, Some("192.0.2.1".parse::<std::net::IpAddr>().unwrap().into()))
    };
    let begin = |name: &str| fixture.storage.begin_attempt(&attempt(name), NOW).unwrap();
    assert_eq!((begin("a"), begin("b")), (None, None));
    let rows = || {
        let DatabaseUrl::Sqlite(path) = &fixture.url else { unreachable!("it is a file") };
        system_tests::database::count(&format!("sqlite://{}", path.display()), "login_failures")
    };
    let before = rows();
    assert!((0..50).all(|number| begin(&format!("c{number}")).is_some()));
    assert_eq!(rows(), before);
}

#[test]
fn sqlite_prepares_a_statement_once() {
    use diesel::{Connection, RunQueryDsl};

    let mut connection = diesel::SqliteConnection::establish(":memory:").unwrap();
    let asked =
        diesel::dsl::sql::<diesel::sql_types::Bool>("SELECT sqlite_compileoption_used('ENABLE_QPSG')");
    let keeps_plans: bool = asked.get_result(&mut connection).unwrap();
    assert!(keeps_plans, "built without .cargo/config.toml: each use of a statement prepares it again");
}
