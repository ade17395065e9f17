use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Longest wait for a permit: the logins before it take milliseconds.
const LONGEST: Duration = Duration::from_millis(500);

/// How many logins may ask the database at one time. A flood of them comes as fast as it likes, and anyone who refreshes
/// needs a connection too; more at a time would only wait for a core to hash on.
pub struct LoginLimiter {
    free: Mutex<u32>,
    given_back: Condvar,
}

/// A permit, returned when it is dropped.
pub struct LoginPermit<'a>(&'a LoginLimiter);

impl LoginLimiter {
    /// Half of the connections, but one at least.
    #[must_use]
    pub fn among(connections: u32) -> Self {
        Self { free: Mutex::new((connections / 2).max(1)), given_back: Condvar::new() }
    }

    /// `None` when it would take too long.
    pub fn take(&self) -> Option<LoginPermit<'_>> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.given_back.wait_timeout_while(free, LONGEST, |free| *free == 0);
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        Some(LoginPermit(self))
    }
}

impl Drop for LoginPermit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_waited_for_and_refused_when_none_comes() {
        let limiter = LoginLimiter::among(4);
        let (first, _second) = (limiter.take().unwrap(), limiter.take().unwrap());
        assert!(limiter.take().is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| limiter.take().is_some());
            drop(first);
            assert!(waiting.join().unwrap());
        });
        assert!(LoginLimiter::among(1).take().is_some(), "there is one always");
    }
}
