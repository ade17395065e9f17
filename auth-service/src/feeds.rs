//! Wakes anyone who waits for something new: streams and long polls. The one place where the synchronous
//! core reaches into the event loops, as `blocking.rs` is the one for the opposite direction.

use shared_claims::revocations::Position;
use tokio::sync::{Notify, watch};

/// What is new, as of the last poll.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    pub revocations: Position,
    /// The entity tag of the key set.
    pub key_set: String,
    /// This replica is about to stop: anyone who waits is to go elsewhere.
    pub closing: bool,
}

/// The last news, for any number of waiting readers.
pub struct Feeds {
    news: watch::Sender<News>,
    /// Number of the last poll of the database that was completed.
    polls: watch::Sender<u64>,
    /// For the one who sends logout notices.
    logout_notices: Notify,
}

impl Default for Feeds {
    fn default() -> Self {
        Self {
            news: watch::Sender::new(News::default()),
            polls: watch::Sender::new(0),
            logout_notices: Notify::new(),
        }
    }
}

impl Feeds {
    /// Starts with what is known now as seen.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<News> {
        self.news.subscribe()
    }

    /// Logout notices may have been stored.
    pub fn wake_logout_notices(&self) {
        self.logout_notices.notify_one();
    }

    /// Returns when logout notices may have been stored since the last time.
    pub async fn logout_notices_stored(&self) {
        self.logout_notices.notified().await;
    }

    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.news.borrow().closing
    }

    /// For waiting until a poll is completed, by its number.
    #[must_use]
    pub fn polls(&self) -> watch::Receiver<u64> {
        self.polls.subscribe()
    }

    pub(crate) fn polled(&self, poll: u64) {
        self.polls.send_replace(poll);
    }

    /// Wakes all streams and long polls if something has changed.
    pub(crate) fn publish(&self, revocations: Position, key_set: String) {
        self.news.send_if_modified(|last| {
            let news = News { revocations, key_set, closing: last.closing };
            let changed = *last != news;
            *last = news;
            changed
        });
    }

    pub fn close(&self) {
        self.news.send_modify(|news| news.closing = true);
    }
}
