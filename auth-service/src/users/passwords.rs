use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use rustix::process::setpriority_process;

use crate::measures;
use crate::secret::PlainSecret;

/// argon2id with 19 MiB, two passes, one lane (OWASP Password Storage): 12.7 ms of one core.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Most hashes that wait for a core; a login that finds the queue full is shed at once, so that a
/// flood of logins takes neither the memory nor the cores of everything else.
const MAX_WAITING: usize = 32;

type Job = Box<dyn FnOnce(&Argon2<'static>) + Send>;

/// How much the hashing threads stand back (nice, 0 to 19): a hash takes as long as two thousand machine
/// tokens, and everybody who waits for one of these would wait for it.
const NICENESS: i32 = 19;

/// Verified when the name is unknown, so that the answer takes as long (CWE-208). Nobody knows a password
/// for it: salt and hash are digits that were made up.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2lnbmV0LWR1bW15LXNhbHQ$MzE0MTU5MjY1MzU4OTc5MzIzODQ2MjY0MzM4MzI3OTU";

/// The only place where passwords are hashed: a thread a core, and a short queue.
pub struct PasswordHasher {
    jobs: SyncSender<Job>,
    free_places: AtomicUsize,
}

/// A place in the queue: taken before anything is looked up, so that a login which is shed costs nothing.
pub struct Place<'a>(&'a PasswordHasher);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.free_places.fetch_add(1, Ordering::Relaxed);
    }
}

/// The queue is full.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("too many passwords are waiting to be hashed")]
pub struct HasherBusy;

impl PasswordHasher {
    /// Starts `threads` threads, which end when the hasher is dropped.
    ///
    /// # Errors
    /// What the system refused, in words.
    pub fn start(threads: usize) -> Result<Self, String> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| error.to_string())?;
        let places = threads.max(1) + MAX_WAITING;
        let (jobs, waiting) = sync_channel::<Job>(places);
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads.max(1) {
            let waiting = Arc::clone(&waiting);
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
            thread::Builder::new()
                .name(format!("argon2-{number}"))
                .spawn(move || {
                    // On Linux a priority is a thread's. Where it is refused, hashing competes as before.
                    if let Err(error) = setpriority_process(None, NICENESS) {
                        tracing::warn!(%error, "password hashing keeps its priority");
                    }
                    loop {
                        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok(job) = next else { return };
                        job(&argon2);
                    }
                })
                .map_err(|error| error.to_string())?;
        }
        Ok(Self { jobs, free_places: AtomicUsize::new(places) })
    }

    /// # Errors
    /// [`HasherBusy`].
    pub fn take_place(&self) -> Result<Place<'_>, HasherBusy> {
        let taken =
            self.free_places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(1));
        taken.map(|_| Place(self)).map_err(|_| {
            measures::hash_shed();
            HasherBusy
        })
    }

    /// A new hash in PHC form, with a salt of its own.
    ///
    /// # Errors
    /// [`HasherBusy`].
    pub fn hash(&self, password: &PlainSecret) -> Result<String, HasherBusy> {
        let password = password.clone();
        self.take_place()?
            .run(move |argon2| {
                argon2.hash_password(password.expose().as_bytes()).map(|hash| hash.to_string())
            })?
            .map_err(|_| HasherBusy)
    }
}

impl Place<'_> {
    /// Whether the password fits the stored hash. `None` stands for an account that does not exist:
    /// it takes as long and never fits.
    ///
    /// # Errors
    /// [`HasherBusy`].
    pub fn verify(self, password: &PlainSecret, stored: Option<&str>) -> Result<bool, HasherBusy> {
        let exists = stored.is_some();
        let stored = stored.unwrap_or(DUMMY_HASH).to_owned();
        let password = password.clone();
        let fits = self.run(move |argon2| {
            PasswordHash::new(&stored)
                .is_ok_and(|hash| argon2.verify_password(password.expose().as_bytes(), &hash).is_ok())
        })?;
        Ok(fits && exists)
    }

    fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, HasherBusy> {
        let _span = tracing::trace_span!(target: "traces", "hash password").entered();
        let (reply, answer) = sync_channel(1);
        let queued = Instant::now();
        let job: Job = Box::new(move |argon2| {
            measures::hash_begun(queued.elapsed());
            drop(reply.send(work(argon2)));
        });
        measures::hash_queued();
        // Whoever has a place finds room in the channel.
        self.0.jobs.try_send(job).map_err(|_| HasherBusy)?;
        answer.recv().map_err(|_| HasherBusy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_hash_and_an_absent_account_never_fits() {
        let hasher = PasswordHasher::start(1).unwrap();
        let verify = |password: &PlainSecret, stored: Option<&str>| {
            hasher.take_place().unwrap().verify(password, stored)
        };
        let password = PlainSecret::new("correct horse".to_owned());
        let hash = hasher.hash(&password).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify(&password, Some(&hash)).unwrap());
        assert!(!verify(&PlainSecret::new("wrong".to_owned()), Some(&hash)).unwrap());
        assert!(!verify(&password, None).unwrap());
        assert_ne!(hash, hasher.hash(&password).unwrap());
    }

    #[test]
    fn a_place_is_refused_when_all_are_taken_and_free_again_when_one_is_left() {
        let hasher = PasswordHasher::start(1).unwrap();
        let mut places: Vec<_> = (0..=MAX_WAITING).map(|_| hasher.take_place().unwrap()).collect();
        assert!(hasher.take_place().is_err());
        drop(places.pop());
        assert!(hasher.take_place().is_ok());
    }

    #[test]
    fn the_dummy_hash_costs_what_a_real_one_does() {
        let hash = PasswordHash::new(DUMMY_HASH).unwrap();
        let params = Params::try_from(&hash).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        assert_eq!(hash.hash.unwrap().len(), 32);
    }
}
