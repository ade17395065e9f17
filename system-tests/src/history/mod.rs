//! What many clients did and what they were answered, while things broke around them; and whether all of it can
//! have happened in a world that keeps its promises.

mod check;

pub use check::{Broken, check, longest_acceptance};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Something that a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A refresh token of this generation was presented.
    Refresh { session: String, generation: u64 },
    /// The session was blacklisted.
    End { session: String },
    /// An access token was presented to a verifier.
    Use { verifier: usize, session: String, kid: String, audience: Audience },
    /// The operator took a key back.
    RevokeKey { kid: String },
}

/// Whom a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Own,
    Foreign,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The successor, and its generation.
    Pair { refresh: String, generation: u64 },
    /// Done, or accepted.
    Yes,
    /// Refused as not valid.
    No,
    /// No answer, or one that says to come again: whether anything happened is not known.
    Unknown,
}

#[derive(Debug, Clone)]
pub struct Event {
    pub begun: Duration,
    pub ended: Duration,
    pub act: Act,
    pub outcome: Outcome,
}

/// A time in which a verifier had no contact.
#[derive(Debug, Clone)]
pub struct Cut {
    pub verifier: usize,
    pub begun: Duration,
    pub ended: Duration,
}

#[derive(Debug, Clone, Default)]
pub struct History {
    pub events: Vec<Event>,
    pub cuts: Vec<Cut>,
}

/// Writes a history down as it happens.
#[derive(Clone)]
pub struct Recorder {
    origin: Instant,
    history: Arc<Mutex<History>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { origin: Instant::now(), history: Arc::default() }
    }
}

impl Recorder {
    #[must_use]
    pub fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Notes what was asked at `begun` and has been answered now.
    pub fn answered(&self, begun: Duration, act: Act, outcome: Outcome) {
        let event = Event { begun, ended: self.now(), act, outcome };
        self.history.lock().unwrap_or_else(PoisonError::into_inner).events.push(event);
    }

    /// Notes that a verifier has contact again.
    pub fn heals(&self, verifier: usize, begun: Duration) {
        let cut = Cut { verifier, begun, ended: self.now() };
        self.history.lock().unwrap_or_else(PoisonError::into_inner).cuts.push(cut);
    }

    #[must_use]
    pub fn history(&self) -> History {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
