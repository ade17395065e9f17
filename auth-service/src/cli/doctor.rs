//! Checks everything that a start needs and prints what to do. Changes nothing.

mod database;
mod files;
mod findings;
mod settings;

use findings::Findings;

use super::Done;
use super::output::Output;
use crate::clock::{Clock, SystemClock};
use crate::mail;
use crate::settings::Settings;
use crate::startup;

pub(super) fn run(settings: &Settings, unknown: &[String], output: &Output) -> Done {
    let mut found = Findings::default();
    settings::check(settings, unknown, &mut found);
    let clock = SystemClock;
    found.note("clock", startup::check_clock(&clock).map(|()| clock.now().rfc3339()));
    settings::check_old_key(settings, &clock, &mut found);
    files::check(settings, &mut found);
    if let Some(policy) = startup::mail_policy(settings)? {
        found.note("mail", mail::reach(policy).map(|()| "the mail server answers".to_owned()));
    }
    database::check(settings, &clock, &mut found);
    files::check_backups(settings, &clock, &mut found);
    settings::check_listeners(settings, &mut found);
    found.report(output)
}
