use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clients::ClientId;
use crate::clock::Timestamp;

/// Tokens that one client may revoke at once, and one more each [`INTERVAL`]: what it adds to the log, which every
/// verifier holds, stays below ten thousand entries.
const BURST: u32 = 2000;
const INTERVAL: Duration = Duration::from_millis(50);

/// Most clients that are counted; none is worth more memory.
const MAX_CLIENTS: usize = 10_000;

/// Bounds how fast each client revokes its own access tokens, one by one (the generic cell rate algorithm). Sessions are
/// bounded by the logins that began them.
#[derive(Default)]
pub struct ClientLimiter {
    /// For each client the time up to which its revocations are paid for.
    paid_until: Mutex<HashMap<ClientId, Timestamp>>,
}

impl ClientLimiter {
    /// Counts one more; how long to wait when there were too many, which counts nothing.
    ///
    /// # Errors
    /// The time until another one is allowed.
    pub fn take(&self, client: &ClientId, now: Timestamp) -> Result<(), Duration> {
        let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        if paid_until.len() >= MAX_CLIENTS {
            paid_until.retain(|_, until| *until > now);
        }
        let latest = now.plus(INTERVAL * BURST);
        // What lies further ahead was counted by a clock that has been set back since.
        let paid = paid_until.get(client).copied().filter(|until| *until <= latest);
        let until = paid.unwrap_or(now).max(now).plus(INTERVAL);
        if until > latest {
            return Err(latest.distance(until));
        }
        paid_until.insert(client.clone(), until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_then_a_rate_and_each_client_is_counted_apart() {
        let (limiter, now) = (ClientLimiter::default(), Timestamp(1_000_000));
        let (one, other) = (ClientId::parse("one").unwrap(), ClientId::parse("other").unwrap());
        let allowed = (0..3000).take_while(|_| limiter.take(&one, now).is_ok()).count();
        assert_eq!(allowed, BURST as usize);
        assert_eq!(limiter.take(&one, now), Err(INTERVAL));
        assert_eq!(limiter.take(&other, now), Ok(()));
        let later = now.plus(INTERVAL * 3);
        assert_eq!((0..10).take_while(|_| limiter.take(&one, later).is_ok()).count(), 3);
        let much_later = now.plus(INTERVAL * (BURST * 2));
        assert_eq!((0..3000).take_while(|_| limiter.take(&one, much_later).is_ok()).count(), BURST as usize);
        assert_eq!(limiter.take(&one, now), Ok(()), "a clock that was set back locks nobody out");
    }
}
