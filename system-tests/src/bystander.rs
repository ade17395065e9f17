//! Someone who asks again and again while something else goes on, and must be served.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// Time between two questions: enough of them to tell, too few to be a load of their own.
const PACE: Duration = Duration::from_millis(10);

pub struct Bystander {
    over: Arc<AtomicBool>,
    asking: JoinHandle<Times>,
}

/// How long the answers took, in order.
pub struct Times(Vec<Duration>);

impl Bystander {
    /// Begins to ask. A question that is not answered as it should be panics, which ends the test in [`Self::end`].
    pub fn start<F: Future<Output = ()> + Send + 'static>(ask: impl Fn() -> F + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let asking = tokio::spawn(async move {
            let mut times = Vec::new();
            let mut pace = interval(PACE);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !told.load(Ordering::Relaxed) {
                pace.tick().await;
                let asked = Instant::now();
                ask().await;
                times.push(asked.elapsed());
            }
            times.sort_unstable();
            Times(times)
        });
        Self { over, asking }
    }

    /// How it fared.
    ///
    /// # Panics
    /// When it was not served.
    pub async fn end(self) -> Times {
        self.over.store(true, Ordering::Relaxed);
        self.asking.await.expect("a bystander is served")
    }
}

impl Times {
    /// Of anything that was measured.
    #[must_use]
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The time within which so many of a hundred were answered.
    ///
    /// # Panics
    /// When nothing was asked.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)]
    }
}

impl Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |percent| self.percentile(percent).as_secs_f64() * 1000.0;
        write!(f, "{} served, p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms", self.len(), ms(50), ms(99), ms(100))
    }
}
