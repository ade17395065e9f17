//! Opening tokens with an RSA key apart from the threads that serve requests. Anyone can send a token that has to be
//! opened before anything is known about it; with RSA that takes milliseconds, in which an event loop would serve no other request.

use std::future::Future;
use std::num::NonZero;
use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

use crate::bearer::Rejection;

/// Requests that may wait, for each thread that opens tokens: with 3072 bits a wait of about 150 ms.
const QUEUE_PER_THREAD: usize = 64;

/// Bounds how many tokens are opened at once and how many requests wait for it.
pub(crate) struct Decryptions {
    threads: Arc<Semaphore>,
    slots: Arc<Semaphore>,
}

impl Decryptions {
    /// On half of the processors: the other half goes on with requests that need no such key.
    pub(crate) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self::on((processors / 2).max(1))
    }

    fn on(threads: usize) -> Self {
        let slots = threads * (QUEUE_PER_THREAD + 1);
        Self { threads: Arc::new(Semaphore::new(threads)), slots: Arc::new(Semaphore::new(slots)) }
    }

    /// Runs `work` on another thread, once one is free.
    ///
    /// # Errors
    /// Those of `work`; [`Rejection::Overloaded`] at once when too many wait.
    pub(crate) fn run<T, W>(&self, work: W) -> impl Future<Output = Result<T, Rejection>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce() -> Result<T, Rejection> + Send + 'static,
    {
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        let threads = Arc::clone(&self.threads);
        async move {
            let slot = slot.map_err(|_| Rejection::Overloaded)?;
            let thread = threads.acquire_owned().await.map_err(|_| Rejection::Overloaded)?;
            let outcome = tokio::task::spawn_blocking(move || {
                // Held until the work is done, also when the caller has hung up meanwhile.
                let _held = (slot, thread);
                work()
            });
            outcome.await.unwrap_or(Err(Rejection::Overloaded))
        }
    }

    /// Runs `work` on this thread, while the runtime moves this thread's tasks elsewhere. Never waits.
    ///
    /// # Errors
    /// Those of `work`; [`Rejection::Overloaded`] when no thread is free for it, or the runtime has only this one.
    pub(crate) fn run_here<T>(&self, work: impl FnOnce() -> Result<T, Rejection>) -> Result<T, Rejection> {
        let several = Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() != RuntimeFlavor::CurrentThread);
        if !several {
            return Err(Rejection::Overloaded);
        }
        let _thread = self.threads.try_acquire().map_err(|_| Rejection::Overloaded)?;
        tokio::task::block_in_place(work)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Condvar, Mutex};

    use super::*;

    #[tokio::test]
    async fn work_is_done_elsewhere_a_few_at_a_time_and_what_is_too_much_is_refused_at_once() {
        let decryptions = Decryptions::on(2);
        let here = std::thread::current().id();
        let elsewhere = decryptions.run(move || Ok(std::thread::current().id() != here));
        assert_eq!(elsewhere.await, Ok(true));

        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
        let slots = 2 * (QUEUE_PER_THREAD + 1);
        let waiting: Vec<_> = (0..slots)
            .map(|_| {
                let (gate, running, most) = (Arc::clone(&gate), Arc::clone(&running), Arc::clone(&most));
                let started = started.clone();
                tokio::spawn(decryptions.run(move || {
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    started.send(()).unwrap();
                    let (open, opened) = &*gate;
                    let _open = opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap();
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                }))
            })
            .collect();
        assert_eq!(decryptions.run(|| Ok(())).await, Err(Rejection::Overloaded));
        for _ in 0..2 {
            starts.recv().await.expect("two threads are at work");
        }
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        for outcome in waiting {
            assert_eq!(outcome.await.unwrap(), Ok(()));
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
        assert_eq!(decryptions.run(|| Ok(())).await, Ok(()), "there is room again");
    }

    /// Interceptors run on the runtime's own threads: were one to wait for another thread, as many as there are could wait
    /// for each other for ever.
    #[test]
    fn more_callers_than_threads_never_wait_for_one_another() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let decryptions = Arc::new(Decryptions::on(1));
        let done = runtime.block_on(async {
            let callers = (0..200).map(|_| {
                let decryptions = Arc::clone(&decryptions);
                tokio::spawn(async move { decryptions.run_here(|| Ok(())) })
            });
            let mut done = 0;
            for caller in callers.collect::<Vec<_>>() {
                match caller.await.unwrap() {
                    Ok(()) => done += 1,
                    Err(refused) => assert_eq!(refused, Rejection::Overloaded),
                }
            }
            done
        });
        assert!(done > 0);
        let alone = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let refused = alone.block_on(async { decryptions.run_here(|| Ok(())) });
        assert_eq!(refused, Err(Rejection::Overloaded), "nothing else would run meanwhile");
    }
}
