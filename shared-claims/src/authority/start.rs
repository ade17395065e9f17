use std::sync::Arc;

use tokio_util::sync::CancellationToken;

#[cfg(feature = "documents")]
use super::documents::Documents;
#[cfg(feature = "feed")]
use super::feed::Feed;
#[cfg(feature = "documents")]
use super::fetch::Fetcher;
use super::freshness::LastContact;
use super::held::Held;
use super::shared::SharedState;
use super::{Authority, AuthoritySettings, StartError, saved_state, saving};
use crate::revocations::{Fingerprints, RevocationsWriter};

impl Authority {
    /// Starts from the saved state, if there is one, and keeps it fresh until `stop` is cancelled.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] when the settings cannot work: a URL without TLS to another machine.
    pub fn start(settings: AuthoritySettings, stop: CancellationToken) -> Result<Arc<Self>, StartError> {
        let saved = saved_state::load(settings.data_dir.as_deref(), &settings.issuer);
        let fingerprints = match &saved {
            Some(saved) => saved.fingerprints(),
            None => Fingerprints::random()?,
        };
        let nothing = RevocationsWriter::new(fingerprints).readers();
        let last_contact = LastContact::at_age(saved.as_ref().and_then(saved_state::Saved::age));
        let authority = Self::new(last_contact, nothing, !settings.accept_without_revocations);
        let mut held = Held::new(Arc::clone(&authority), fingerprints);
        if let Some(saved) = saved {
            if saved.is_complete() {
                let _ = authority.is_complete();
            }
            saved.into_held(&mut held);
        }
        let state = SharedState::new(Arc::clone(&authority), held);
        follow(&state, &settings, &stop)?;
        tokio::spawn(saving::keep_saved(state, settings, stop));
        Ok(authority)
    }
}

/// By the feeds if the settings name them, by the published documents otherwise.
fn follow(
    state: &SharedState,
    settings: &AuthoritySettings,
    stop: &CancellationToken,
) -> Result<(), StartError> {
    #[cfg(feature = "feed")]
    if let Some(feed) = &settings.feed {
        tokio::spawn(Feed::new(state.clone(), feed, settings)?.run(stop.clone()));
        return Ok(());
    }
    #[cfg(feature = "documents")]
    {
        let fetcher = Fetcher::new(settings)?;
        tokio::spawn(Documents::new(state.clone(), fetcher, settings.clone()).run(stop.clone()));
        Ok(())
    }
    #[cfg(not(feature = "documents"))]
    Err(StartError::NoFeed)
}
