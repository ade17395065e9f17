//! A wall clock for processes under test, which the test sets.

use std::fs::write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::processes::Env;

/// What a process that runs under it takes for the time. Its monotonic clock is the true one.
pub struct FakeClock(PathBuf);

impl FakeClock {
    /// A clock that is right at first.
    ///
    /// # Panics
    /// Without libfaketime.
    #[must_use]
    pub fn new(file: &Path) -> Self {
        let clock = Self(file.to_owned());
        clock.set("+0");
        clock
    }

    /// `+90s`, `-2h` or `@2038-01-20 00:00:00`; holds for processes that run already.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn set(&self, time: &str) {
        write(&self.0, time).expect("the time is written");
    }

    /// Stands at an instant now, and goes on from there; the same for every process.
    ///
    /// # Panics
    /// For an instant in the past.
    #[expect(
        clippy::disallowed_methods,
        reason = "the distance from the true time is what the library takes"
    )]
    pub fn set_to(&self, since_1970: Duration) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set");
        let ahead = since_1970.checked_sub(now).expect("an instant to come");
        self.set(&format!("+{}s", ahead.as_secs()));
    }

    /// The environment of a process under this clock.
    ///
    /// # Panics
    /// Without libfaketime.
    #[must_use]
    pub fn over(&self, env: &Env) -> Env {
        let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
        assert!(Path::new(&library).is_file(), "no libfaketime: apt-get install faketime");
        let mut env = env.clone();
        for (name, value) in [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", self.0.to_str().expect("a path in UTF-8")),
            ("FAKETIME_NO_CACHE", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ] {
            env.insert(name.to_owned(), value.to_owned());
        }
        env
    }
}
