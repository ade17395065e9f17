//! Sends logout notices to clients, many at a time, so that one that is away keeps none of the others waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, redirect};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::authority::{Attempt, Authority};
use crate::error::{Error, ErrorKind, Result};
use crate::metrics;
use crate::storage::LogoutNotice;

/// How often it is looked for notices that are due, unless a logout says that there are some.
const INTERVAL: Duration = Duration::from_millis(500);

/// Notices to one client at one time: one that takes its time must not take all places.
const MOST_AT_ONE_CLIENT: usize = 16;

/// Notices that are sent at one time.
const MOST_AT_ONCE: usize = 256;

const FORM: &str = "application/x-www-form-urlencoded";

/// Rounds between two looks at what waits.
const ROUNDS_BETWEEN_COUNTS: u32 = 20;

/// Room for what is around the attempt itself, until another replica may try.
const LEASE_SLACK: Duration = Duration::from_secs(1);

/// What is needed to send.
#[derive(Clone)]
struct Sender {
    authority: Arc<Authority>,
    client: Client,
    places: Arc<Semaphore>,
    /// How many are under way at each client.
    under_way: Arc<Mutex<HashMap<String, usize>>>,
    lease: Duration,
}

/// Sends notices until `stopping`.
///
/// # Errors
/// In one line: no HTTP client can be made.
pub fn start(
    authority: Arc<Authority>,
    timeout: Duration,
    stopping: CancellationToken,
) -> std::result::Result<(), String> {
    let client = Client::builder().timeout(timeout).redirect(redirect::Policy::none()).no_proxy();
    let client = client.build().map_err(|error| error.to_string())?;
    let places = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let under_way = Arc::default();
    let sender = Sender { authority, client, places, under_way, lease: timeout + LEASE_SLACK };
    tokio::spawn(async move {
        let (mut failing, mut round) = (false, 0_u32);
        while !stopping.is_cancelled() {
            let outcome = sender.send_due().await;
            if round.is_multiple_of(ROUNDS_BETWEEN_COUNTS) {
                // The gauge keeps what it had where the database does not answer.
                let _ = sender.blocking(Authority::count_logout_notices).await;
            }
            round = round.wrapping_add(1);
            if let Err(error) = &outcome
                && !failing
            {
                error.log();
            }
            failing = outcome.is_err();
            // Not more than there is room for; what is left is due still.
            let more = matches!(outcome, Ok(true));
            let pause = if more { Duration::from_millis(10) } else { INTERVAL };
            tokio::select! {
                () = stopping.cancelled() => {}
                () = sender.authority.sync.feeds.logout_notices_stored() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    });
    Ok(())
}

/// One notice that is under way; over when it is dropped.
struct Turn {
    under_way: Arc<Mutex<HashMap<String, usize>>>,
    client_id: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = under_way.get_mut(&self.client_id) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.client_id);
            }
        }
    }
}

impl Sender {
    /// Begins to send what is due: whether there may be more.
    async fn send_due(&self) -> Result<bool> {
        if self.places.available_permits() < MOST_AT_ONCE / 2 {
            return Ok(true);
        }
        let lease = self.lease;
        let taken = self.blocking(move |authority| authority.take_logout_notices(lease)).await?;
        let any = !taken.is_empty();
        for notice in taken {
            // The others of that client are due again when their lease ends.
            let Some(turn) = self.turn_at(&notice.client_id) else { continue };
            let sender = self.clone();
            tokio::spawn(async move {
                let _turn = turn;
                let Ok(_place) = sender.places.acquire().await else { return };
                if let Err(error) = sender.send(notice).await {
                    error.log();
                }
            });
        }
        Ok(any)
    }

    /// `None` when as many as may are under way at a client.
    fn turn_at(&self, client_id: &str) -> Option<Turn> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(client_id.to_owned()).or_default();
        if *count >= MOST_AT_ONE_CLIENT {
            return None;
        }
        *count += 1;
        Some(Turn { under_way: Arc::clone(&self.under_way), client_id: client_id.to_owned() })
    }

    async fn send(&self, notice: LogoutNotice) -> Result<()> {
        let attempt = match self.authority.outgoing(&notice)? {
            None => Attempt::Told,
            Some(outgoing) => {
                // A JWT needs no encoding in a form.
                let body = format!("logout_token={}", outgoing.logout_token);
                let request = self.client.post(&outgoing.url).header(CONTENT_TYPE, FORM).body(body);
                let sent = request.send().await;
                let told = sent.as_ref().is_ok_and(|answer| answer.status().is_success());
                metrics::logout_notice(told);
                if !told && notice.attempts == 1 {
                    // The URL is the operator's own; what comes back is not.
                    let status = sent.map(|answer| answer.status().as_u16()).unwrap_or_default();
                    tracing::warn!(
                        client = notice.client_id,
                        status,
                        "a client was not told of a logout; it is tried again"
                    );
                }
                if told { Attempt::Told } else { Attempt::Failed }
            }
        };
        self.blocking(move |authority| authority.settle_logout_notice(notice, attempt)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Authority) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let authority = Arc::clone(&self.authority);
        let done = tokio::task::spawn_blocking(move || work(&authority)).await;
        done.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "sending logout notices panicked")))
    }
}
