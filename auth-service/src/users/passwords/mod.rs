//! Passwords: hashed in one place, whatever made the hash that they are compared with.

mod dummy;
mod queue;
mod read;
mod spelling;
mod stored;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use rustix::process::setpriority_process;
use zeroize::Zeroizing;

use crate::metrics;
use crate::secret::PlainSecret;

pub use dummy::{Dummies, SchemeInUse};
use queue::Queue;
pub use stored::{StoredHash, UnknownHash};

/// argon2id with 19 MiB, two passes, one lane (OWASP Password Storage): 12.7 ms of one core.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Most hashes that wait for a core; a login that finds the queue full is shed at once, so that a
/// flood of logins takes neither the memory nor the cores of everything else.
const MAX_WAITING: usize = 32;

type Job = Box<dyn FnOnce(&Argon2<'static>) + Send>;

/// Of the queue, what only logins may use that come from where their user has logged in before: a flood from elsewhere
/// must not keep the user out.
const RESERVED_FOR_KNOWN: usize = 8;

/// How much the hashing threads stand back (nice, 0 to 19). At 4 they get 29 % of a core beside other work of the
/// machine, so that logins go on, and leave 71 % to the threads that answer everything else.
const NICENESS: i32 = 4;

/// The only place where passwords are hashed: a thread a core, and a short queue.
pub struct PasswordHasher {
    queue: Arc<Queue<Job>>,
    free_slots: AtomicUsize,
    threads: usize,
    started: OnceLock<Result<(), String>>,
}

/// Whether a user has logged in from there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Known,
    Unknown,
}

/// A place in the queue: taken before anything is looked up, so that a login which is shed costs nothing.
pub struct QueueSlot<'a> {
    hasher: &'a PasswordHasher,
    origin: Origin,
}

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        self.hasher.free_slots.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for PasswordHasher {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The queue is full.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("too many passwords are waiting to be hashed")]
pub struct HasherBusy;

impl PasswordHasher {
    /// Of `threads` threads, at least one. They start with the first password, or with [`Self::start`], and end when the
    /// hasher is dropped.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let threads = threads.max(1);
        let free_slots = AtomicUsize::new(threads + MAX_WAITING);
        Self { queue: Arc::new(Queue::default()), free_slots, threads, started: OnceLock::new() }
    }

    /// Starts the threads, once.
    ///
    /// # Errors
    /// What the system refused, in words.
    pub fn start(&self) -> Result<(), String> {
        self.started.get_or_init(|| self.start_threads()).clone()
    }

    fn start_threads(&self) -> Result<(), String> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| error.to_string())?;
        for number in 0..self.threads {
            let waiting: Arc<Queue<Job>> = Arc::clone(&self.queue);
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
            thread::Builder::new()
                .name(format!("argon2-{number}"))
                .spawn(move || {
                    // On Linux a priority is a thread's. Where it is refused, hashing competes as before.
                    if let Err(error) = setpriority_process(None, NICENESS) {
                        tracing::info!(%error, "password hashing keeps its priority");
                    }
                    while let Some(job) = waiting.next() {
                        job(&argon2);
                    }
                })
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// # Errors
    /// [`HasherBusy`].
    pub fn acquire_slot(&self, origin: Origin) -> Result<QueueSlot<'_>, HasherBusy> {
        let kept = if origin == Origin::Known { 0 } else { RESERVED_FOR_KNOWN };
        let take = |free: usize| (free > kept).then(|| free - 1);
        let taken = self.free_slots.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(|_| QueueSlot { hasher: self, origin }).map_err(|_| {
            metrics::hash_shed();
            HasherBusy
        })
    }

    /// A new hash of the password's normal form, in PHC form and with a salt of its own.
    ///
    /// # Errors
    /// [`HasherBusy`].
    pub fn hash(&self, password: &PlainSecret) -> Result<String, HasherBusy> {
        let password = password.clone();
        self.acquire_slot(Origin::Unknown)?
            .run(move |argon2| {
                let normal = spelling::normal(password.expose());
                argon2.hash_password(normal.as_bytes()).map(|hash| hash.to_string())
            })?
            .map_err(|_| HasherBusy)
    }
}

/// Whether a stored hash is what would be made today; any other is replaced when its password is known.
#[must_use]
pub fn is_ours(stored: &str) -> bool {
    stored.starts_with("$argon2id$")
        && StoredHash::parse(stored)
            .is_ok_and(|hash| hash.scheme() == format!("argon2:m={MEMORY_KIB},t={PASSES},p={LANES}"))
}

impl QueueSlot<'_> {
    /// Whether the password, in one of the ways in which it may be spelt, fits the stored hash. One that nothing
    /// can fit is to be replaced by a dummy before: it would answer at once.
    ///
    /// # Errors
    /// [`HasherBusy`].
    pub fn verify(self, password: &PlainSecret, stored: &str) -> Result<bool, HasherBusy> {
        let (password, stored) = (password.clone(), stored.to_owned());
        self.run(move |_| {
            let forms = forms_to_try(password.expose(), &stored);
            let Ok(stored) = StoredHash::parse(&stored) else { return false };
            forms.iter().any(|form| stored.fits(form.as_bytes()))
        })
    }

    fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, HasherBusy> {
        let _span = tracing::trace_span!(target: "traces", "hash password").entered();
        if let Err(error) = self.hasher.start() {
            tracing::error!(error, "password hashing cannot start");
            return Err(HasherBusy);
        }
        let (reply, answer) = sync_channel(1);
        let queued = Instant::now();
        let job: Job = Box::new(move |argon2| {
            metrics::hash_begun(queued.elapsed());
            drop(reply.send(work(argon2)));
        });
        metrics::hash_queued();
        self.hasher.queue.push(self.origin, job);
        answer.recv().map_err(|_| HasherBusy)
    }
}

/// The forms of a password that a stored hash may be of, each of which costs a hash. Our own hashes are of the normal form
/// only; Django hashes the password as typed.
fn forms_to_try(password: &str, stored: &str) -> Vec<Zeroizing<String>> {
    match is_ours(stored) {
        true => vec![spelling::normal(password)],
        false => spelling::candidates(password),
    }
}

#[cfg(test)]
mod tests;
