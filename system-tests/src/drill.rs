//! What a test of a fault tells `scripts/drill`. A test that drills fault F07 bears `f07_` in its name; it runs in
//! `scripts/test` at the short scale, and at the whole one where a report is asked for.

use std::fmt::Display;
use std::fs::{File, create_dir_all};
use std::io::Write;
use std::path::PathBuf;
use std::thread;

use crate::database::setting;

/// The folder in which figures are left: where `scripts/drill` looks for them.
const REPORT: &str = "SIGNET_DRILL_REPORT";

/// How often something is tried: `short` in `scripts/test`, `whole` in `scripts/drill`.
#[must_use]
pub fn scale<T>(short: T, whole: T) -> T {
    if setting(REPORT).is_some() { whole } else { short }
}

/// Leaves what was measured, for the line of this test in the report.
///
/// # Panics
/// When the report cannot be written.
pub fn figure(text: impl Display) {
    let Some(folder) = setting(REPORT).map(PathBuf::from) else { return };
    create_dir_all(&folder).expect("the folder of the report");
    let test = thread::current().name().expect("the thread of a test bears its name").replace("::", ".");
    let mut file =
        File::options().create(true).append(true).open(folder.join(test)).expect("the report opens");
    writeln!(file, "{text}").expect("the report is written");
}
