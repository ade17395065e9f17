//! Each failure is logged once, where it leaves the use cases.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use service_kit::refusal::Refusal;

use super::{Error, ErrorKind};

impl Error {
    /// Logs a failure of a request, once, where it leaves the use cases: as ERROR or WARN if the server caused it. If the
    /// caller did, it is returned, for the line of the request.
    #[must_use]
    pub fn log_or_refuse(&self) -> Option<Refusal> {
        match self.kind {
            ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::Overloaded => {
                self.log();
                None
            }
            ErrorKind::InvalidRequest(_)
            | ErrorKind::TooManyAttempts(_)
            | ErrorKind::OAuth(_)
            | ErrorKind::SignIn(_)
            | ErrorKind::Token(_)
            | ErrorKind::Account(_)
            | ErrorKind::Admin(_) => {
                Some(Refusal { error: format!("{:?}", self.kind), cause: self.cause.clone() })
            }
        }
    }

    /// Logs a failure: as ERROR or WARN if the server caused it, else as INFO.
    pub fn log(&self) {
        match self.kind {
            ErrorKind::Internal => tracing::error!(kind = ?self.kind, cause = self.cause, "request failed"),
            ErrorKind::Unavailable => {
                if let Some(others) = UNAVAILABLE.take() {
                    tracing::error!(kind = ?self.kind, cause = self.cause, others, "request failed");
                }
            }
            ErrorKind::Overloaded => {
                if let Some(others) = OVERLOADED.take() {
                    tracing::warn!(cause = self.cause, others, "request refused for load");
                }
            }
            ErrorKind::InvalidRequest(_)
            | ErrorKind::TooManyAttempts(_)
            | ErrorKind::OAuth(_)
            | ErrorKind::SignIn(_)
            | ErrorKind::Token(_)
            | ErrorKind::Account(_)
            | ErrorKind::Admin(_) => {
                tracing::info!(kind = ?self.kind, cause = self.cause, "request refused");
            }
        }
    }
}

/// In a flood, or while the database is down, at most one line a second is logged, with the number of suppressed ones.
/// The metrics count all of them.
static OVERLOADED: Throttle = Throttle::new();
static UNAVAILABLE: Throttle = Throttle::new();

struct Throttle {
    last: Mutex<Option<Instant>>,
    suppressed: AtomicU64,
}

impl Throttle {
    const fn new() -> Self {
        Self { last: Mutex::new(None), suppressed: AtomicU64::new(0) }
    }

    /// The number of lines suppressed since the last one, when another line may be logged.
    fn take(&self) -> Option<u64> {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.duration_since(last) < Duration::from_secs(1)) {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *last = Some(now);
        Some(self.suppressed.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_in_a_second_one_is_logged_and_the_others_are_counted() {
        let throttle = Throttle::new();
        assert_eq!(throttle.take(), Some(0));
        assert_eq!([(); 3].map(|()| throttle.take()), [None; 3]);
        *throttle.last.lock().unwrap() = Instant::now().checked_sub(Duration::from_secs(1));
        assert_eq!(throttle.take(), Some(3));
    }
}
