//! How many streams are open, in all and of each client: one client must not keep the others out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clients::ClientId;

/// Of all streams one client may have one half; of the last tenth only clients that have few.
#[derive(Clone)]
pub struct OpenStreams {
    most: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_client: HashMap<ClientId, usize>,
}

/// One of them; closed when it is dropped.
pub struct OpenStream {
    streams: OpenStreams,
    client: ClientId,
}

/// Streams that a client may have while the reserve is being used: those of four verifiers.
const FEW: usize = 8;

impl OpenStreams {
    pub fn new(most: usize) -> Self {
        Self { most, open: Arc::default() }
    }

    /// `None` when there are too many already.
    pub fn enter(&self, client: &ClientId) -> Option<OpenStream> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_client = open.by_client.get(client).copied().unwrap_or(0);
        let most_of_one = (self.most / 2).max(1);
        let reserve_begins = self.most - self.most / 10;
        let in_reserve = open.all >= reserve_begins;
        if open.all >= self.most || of_client >= most_of_one || (in_reserve && of_client >= FEW) {
            return None;
        }
        open.all += 1;
        open.by_client.insert(client.clone(), of_client + 1);
        Some(OpenStream { streams: self.clone(), client: client.clone() })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        match open.by_client.get_mut(&self.client) {
            Some(1) | None => drop(open.by_client.remove(&self.client)),
            Some(count) => *count -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_takes_all_and_the_last_ones_are_for_those_who_have_few() {
        let streams = OpenStreams::new(100);
        let [greedy, second, third] = ["greedy", "second", "third"].map(|id| ClientId::parse(id).unwrap());
        let take = |client: &ClientId, most: usize| -> Vec<OpenStream> {
            (0..most).map_while(|_| streams.enter(client)).collect()
        };
        let first = take(&greedy, 1000);
        assert_eq!(first.len(), 50);
        let others = take(&second, 1000);
        assert_eq!(others.len(), 40, "up to the reserve");
        let few = take(&third, 1000);
        assert_eq!(few.len(), FEW, "of which a client gets a few");
        drop(first);
        assert_eq!(take(&third, 1000).len(), 100 / 2 - FEW);
        drop((others, few));
        assert_eq!(streams.open.lock().unwrap().all, 0);
        assert!(OpenStreams::new(1).enter(&greedy).is_some());
    }
}
