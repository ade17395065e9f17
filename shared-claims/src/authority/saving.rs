use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::shared::SharedState;
use super::{AuthoritySettings, saved_state};

/// How often is looked whether there is anything to save.
const LOOK: Duration = Duration::from_secs(1);

/// How often the time of the last word is saved when nothing else has changed.
const TIME_ONLY: Duration = Duration::from_secs(5);

/// Saving takes at most this share of the time, one in so many.
const SHARE: u32 = 50;

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Keeps the file in step with the held state until the end, and saves once more then.
pub(super) async fn keep_saved(state: SharedState, settings: AuthoritySettings, stop: CancellationToken) {
    let Some(data_dir) = settings.data_dir.clone() else { return };
    let mut pause = LOOK;
    let mut saved: Option<Instant> = None;
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
        let content = {
            let mut held = state.held();
            if !held.unsaved && saved.is_some_and(|at| at.elapsed() < TIME_ONLY) {
                continue;
            }
            held.unsaved = false;
            saved_state::content(&held, &settings.issuer, state.authority.freshness().age())
        };
        let Some(content) = content else { continue };
        let (begun, folder) = (Instant::now(), data_dir.clone());
        let written = tokio::task::spawn_blocking(move || saved_state::save(&folder, content));
        if let Err(error) = written.await {
            tracing::warn!(%error, "the last good state was not saved");
        }
        saved = Some(Instant::now());
        pause = (begun.elapsed() * SHARE).clamp(LOOK, LONGEST_PAUSE);
    }
}
