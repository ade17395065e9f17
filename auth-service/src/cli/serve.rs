use super::{Done, Failure};
use crate::audit::Actor;
use crate::settings::Settings;
use crate::startup;

pub(super) fn run(settings: &Settings) -> Done {
    // First: what is counted before is lost.
    let recorded = service_kit::metrics::install()?;
    startup::check_last_seen(settings)?;
    let authority = super::authority_as(settings, Actor::Authority)?;
    startup::create_first_administrator(settings, &authority)?;
    startup::serve(settings, &authority, recorded).map_err(Failure::Failed)
}
