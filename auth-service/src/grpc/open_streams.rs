//! How many streams are open, in all and of each client: one client must not keep the others out.

use crate::clients::ClientId;
use crate::shares::{Share, Shares};

/// Of all streams one client may have one half; of the last tenth only clients that have few.
#[derive(Clone)]
pub(super) struct OpenStreams {
    most: usize,
    open: Shares<ClientId>,
}

/// One of them; closed when it is dropped.
pub(super) type OpenStream = Share<ClientId>;

/// Streams that a client may have while the reserve is being used: those of four verifiers.
const FEW: usize = 8;

impl OpenStreams {
    pub(super) fn new(most: usize) -> Self {
        Self { most, open: Shares::default() }
    }

    /// `None` when there are too many already.
    pub(super) fn enter(&self, client: &ClientId) -> Option<OpenStream> {
        let most_of_one = (self.most / 2).max(1);
        let reserve_begins = self.most - self.most / 10;
        self.open.take(client, |all, of_client| {
            all < self.most && of_client < most_of_one && (all < reserve_begins || of_client < FEW)
        })
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
        assert_eq!(streams.open.taken().0, 0);
        assert!(OpenStreams::new(1).enter(&greedy).is_some());
    }
}
