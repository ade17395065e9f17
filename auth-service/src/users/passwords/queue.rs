use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Origin;

/// Work that waits for a thread: what comes from a known origin goes first.
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    changed: Condvar,
}

struct Waiting<T> {
    known: VecDeque<T>,
    unknown: VecDeque<T>,
    /// How many known ones were taken in a row while others waited.
    in_a_row: u32,
    closed: bool,
}

/// After this many known ones in a row an unknown one is next, so that none waits forever.
const MOST_IN_A_ROW: u32 = 8;

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let waiting =
            Waiting { known: VecDeque::new(), unknown: VecDeque::new(), in_a_row: 0, closed: false };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new() }
    }
}

impl<T> Queue<T> {
    pub(super) fn push(&self, origin: Origin, work: T) {
        let mut waiting = self.lock();
        match origin {
            Origin::Known => waiting.known.push_back(work),
            Origin::Unknown => waiting.unknown.push_back(work),
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Waits for the next one; `None` once the queue is closed.
    pub(super) fn next(&self) -> Option<T> {
        let mut waiting = self.lock();
        loop {
            if waiting.closed {
                return None;
            }
            if let Some(work) = waiting.take() {
                return Some(work);
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends all who wait. What is queued is dropped.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.known.clear();
        waiting.unknown.clear();
        drop(waiting);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    fn take(&mut self) -> Option<T> {
        let others_wait = !self.unknown.is_empty();
        if others_wait && self.in_a_row >= MOST_IN_A_ROW {
            self.in_a_row = 0;
            return self.unknown.pop_front();
        }
        if let Some(work) = self.known.pop_front() {
            self.in_a_row = if others_wait { self.in_a_row + 1 } else { 0 };
            return Some(work);
        }
        self.in_a_row = 0;
        self.unknown.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_origins_go_first_and_the_others_are_not_left_for_ever() {
        let queue = Queue::default();
        (0..3).for_each(|number| queue.push(Origin::Unknown, format!("u{number}")));
        (0..12).for_each(|number| queue.push(Origin::Known, format!("k{number}")));
        let order: Vec<String> = (0..15).map(|_| queue.next().unwrap()).collect();
        let expected =
            ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "u0", "k8", "k9", "k10", "k11", "u1", "u2"];
        assert_eq!(order, expected);
    }

    #[test]
    fn closing_ends_those_who_wait() {
        let queue = Queue::<u32>::default();
        std::thread::scope(|threads| {
            let waiting = threads.spawn(|| queue.next());
            queue.close();
            assert_eq!(waiting.join().unwrap(), None);
        });
    }
}
