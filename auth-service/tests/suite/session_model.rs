//! Sessions against a model: whatever is issued, used, replayed, retried, revoked and restarted, in
//! whichever order and at whatever time, the storage says what twenty lines of model say.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use auth_service::audit::{Actor, Chain};
use auth_service::clients::ClientId;
use auth_service::clock::{SystemClock, Timestamp};
use auth_service::context::RequestContext;
use auth_service::keys::{MasterKey, Secrets};
use auth_service::revocations::RevocationTarget;
use auth_service::sessions::{EndReason, Presented, Rotation, Session};
use auth_service::storage::{DatabaseUrl, Login, Rotate, Start, Storage};
use auth_service::tokens::{RefreshTokens, UserId};
use auth_service::users::{Attributes, User, Username};
use proptest::prelude::*;
use shared_claims::ScopeSet;
use system_tests::Database;

const START: i64 = 1_800_000_000_000;
const GRACE: i64 = 10_000;
const IDLE: i64 = 60_000;
const ABSOLUTE: i64 = 100_000;
const SESSIONS: usize = 3;

/// What may happen next.
#[derive(Debug, Clone)]
enum Step {
    /// Presents a token of a session, so many generations behind the newest, by the right client or not.
    Present {
        session: usize,
        behind: i64,
        thief: bool,
    },
    Revoke {
        session: usize,
    },
    ChangePassword,
    Disable,
    Restart,
    /// Milliseconds, also backwards.
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let present = (
        0..SESSIONS,
        prop_oneof![20 => Just(0), 5 => Just(1), 1 => 2..5_i64, 1 => Just(-1)],
        prop::bool::weighted(0.05),
    )
        .prop_map(|(session, behind, thief)| Step::Present { session, behind, thief });
    let step = prop_oneof![
        40 => present,
        1 => (0..SESSIONS).prop_map(|session| Step::Revoke { session }),
        1 => Just(Step::ChangePassword),
        1 => Just(Step::Disable),
        2 => Just(Step::Restart),
        14 => prop_oneof![
            6 => 0..3_000_i64,
            3 => prop_oneof![Just(GRACE), Just(GRACE + 1)],
            5 => Just(IDLE - 1),
            1 => prop_oneof![Just(IDLE), Just(-7_200_000), Just(3_600_000)],
        ]
            .prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

/// What the model knows of a session.
#[derive(Debug, Clone)]
struct Model {
    generation: i64,
    rotated_at: i64,
    idle_end: i64,
    ended: Option<EndReason>,
    /// The one refresh token of each generation, byte for byte.
    tokens: HashMap<i64, String>,
}

/// What a presentation must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Rotates,
    Repeats,
    EndsByReuse,
    Expired,
    Ended(EndReason),
    Unknown,
}

impl Model {
    fn new() -> Self {
        Self { generation: 0, rotated_at: START, idle_end: START + IDLE, ended: None, tokens: HashMap::new() }
    }

    fn present(&mut self, generation: i64, thief: bool, now: i64) -> Expected {
        if thief {
            return Expected::Unknown;
        }
        if let Some(reason) = self.ended {
            return Expected::Ended(reason);
        }
        if now >= self.idle_end.min(START + ABSOLUTE) {
            return Expected::Expired;
        }
        if generation == self.generation {
            (self.generation, self.rotated_at, self.idle_end) = (generation + 1, now, now + IDLE);
            return Expected::Rotates;
        }
        if generation + 1 == self.generation && (now - self.rotated_at).abs() <= GRACE {
            return Expected::Repeats;
        }
        self.ended = Some(EndReason::Reuse);
        Expected::EndsByReuse
    }

    fn end(&mut self, reason: EndReason) {
        self.ended = self.ended.or(Some(reason));
    }
}

/// The real thing beside the model.
struct World {
    url: DatabaseUrl,
    storage: Storage,
    tokens: RefreshTokens,
    secrets: Secrets,
    user: User,
    models: Vec<Model>,
    now: i64,
    _folder: tempfile::TempDir,
}

fn session(number: usize, user: &User) -> Session {
    Session {
        id: format!("session-{number}"),
        user_id: user.id.clone(),
        client_id: client("web"),
        scope: ScopeSet::parse("a b").unwrap(),
        audience: "notes".to_owned(),
        auth_time: Timestamp(START),
        amr: vec!["pwd".to_owned()],
        created_at: Timestamp(START),
        idle_expires_at: Timestamp(START + IDLE),
        expires_at: Timestamp(START + ABSOLUTE),
        generation: 0,
        rotated_at: Timestamp(START),
        ended: None,
        device: None,
        browser: None,
    }
}

fn client(id: &str) -> ClientId {
    ClientId::parse(id).unwrap()
}

fn connect(url: &DatabaseUrl, secrets: &Secrets) -> Storage {
    let storage = Storage::connect(url, 2).unwrap();
    storage.audit_with(Chain::new(secrets, Arc::new(SystemClock), Actor::Authority));
    storage
}

impl World {
    fn new(database: Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::parse(&database.fresh(folder.path())).unwrap();
        Storage::migrate(&url).unwrap();
        let master = MasterKey::create(&folder.path().join("master.key")).unwrap();
        let secrets = Secrets::derived(&master);
        let storage = connect(&url, &secrets);
        let user = User {
            id: "alice-id".to_owned(),
            username: Username::parse("alice").unwrap(),
            password_hash: "hash".to_owned(),
            password_epoch: 0,
            attributes: Attributes::of_roles(vec!["staff".to_owned()]),
            created_at: Timestamp(START),
            disabled_at: None,
        };
        storage.create_user(&user, false).unwrap();
        for number in 0..SESSIONS {
            let started = storage.start_session(&session(number, &user), &user, Login::default());
            assert_eq!(started.unwrap(), Start::Done);
        }
        let tokens = RefreshTokens::new("https://auth.test".to_owned(), &secrets, Duration::ZERO);
        let models = vec![Model::new(); SESSIONS];
        Self { url, storage, tokens, secrets, user, models, now: START, _folder: folder }
    }

    fn step(&mut self, step: &Step) {
        let (now, until) = (Timestamp(self.now), Timestamp(self.now + 360_000));
        let name = Username::parse("alice").unwrap();
        match step {
            Step::Present { session, behind, thief } => self.present(*session, *behind, *thief),
            Step::Revoke { session } => {
                self.storage.end_session(&format!("session-{session}"), now, until).unwrap();
                self.models[*session].end(EndReason::Revoked);
            }
            Step::ChangePassword => {
                self.storage.set_password(&name, "other".to_owned(), now, until).unwrap();
                self.models.iter_mut().for_each(|model| model.end(EndReason::PasswordChanged));
            }
            Step::Disable => {
                self.storage.disable_user(&name, now, until).unwrap();
                self.models.iter_mut().for_each(|model| model.end(EndReason::UserDisabled));
            }
            Step::Restart => self.storage = connect(&self.url, &self.secrets),
            Step::Wait(milliseconds) => self.now += milliseconds,
        }
    }

    fn present(&mut self, number: usize, behind: i64, thief: bool) {
        let model = &mut self.models[number];
        let generation = (model.generation - behind).max(0);
        let rotate = Rotate {
            presented: Presented {
                session_id: format!("session-{number}"),
                generation,
                client_id: client(if thief { "thief" } else { "web" }),
                now: Timestamp(self.now),
                grace: Duration::from_millis(10_000),
            },
            idle_expires_at: Timestamp(self.now + IDLE),
            revoked_until: Timestamp(self.now + 360_000),
            context: RequestContext::default(),
        };
        let expected = model.present(generation, thief, self.now);
        let outcome = self.storage.rotate_session(rotate).unwrap();
        let got = match &outcome {
            Rotation::Holds { repeated: false, .. } => Expected::Rotates,
            Rotation::Holds { repeated: true, .. } => Expected::Repeats,
            Rotation::Reused { .. } => Expected::EndsByReuse,
            Rotation::Expired => Expected::Expired,
            Rotation::Ended(reason) => Expected::Ended(reason.unwrap()),
            Rotation::Unknown => Expected::Unknown,
        };
        assert_eq!(got, expected, "generation {generation} at {}", self.now - START);
        if let Rotation::Holds { session, attributes, .. } = outcome {
            assert_eq!((session.generation, attributes), (model.generation, self.user.attributes.clone()));
            let token = self.tokens.mint(&session, UserId::Text(&session.user_id), None).unwrap();
            let first = model.tokens.entry(session.generation).or_insert_with(|| token.clone());
            assert_eq!(*first, token, "one generation has one token");
        }
    }

    /// What ended is published as revoked, once each, and nothing else is.
    /// One entry a session that ended, but for those that ended with their account: one for all of them.
    fn check_revocations(&self) {
        let entries = self.storage.live_revocations(Timestamp(i64::MIN)).unwrap();
        let (accounts, mut sessions): (Vec<_>, Vec<_>) =
            entries.into_iter().map(|entry| entry.target).partition(
                |target| matches!(target, RevocationTarget::Subject { sub, .. } if *sub == self.user.id),
            );
        sessions.sort_by_key(|thing| format!("{thing:?}"));
        let with_account = |model: &Model| model.ended == Some(EndReason::UserDisabled);
        let alone = self.models.iter().enumerate().filter(|(_, model)| model.ended.is_some());
        let alone = alone.filter(|(_, model)| !with_account(model));
        let alone: Vec<_> =
            alone.map(|(number, _)| RevocationTarget::Session(format!("session-{number}"))).collect();
        assert_eq!(sessions, alone);
        assert!(!accounts.is_empty() || !self.models.iter().any(with_account));
    }
}

fn run(database: Database, steps: &[Step]) {
    let mut world = World::new(database);
    for step in steps {
        world.step(step);
    }
    world.check_revocations();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_storage_does_what_the_model_says_on_sqlite(steps in steps()) {
        run(Database::Sqlite, &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_storage_does_what_the_model_says_on_postgres(steps in steps()) {
        run(Database::Postgres, &steps);
    }
}
