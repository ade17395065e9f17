use std::fmt::Display;
use std::fs;
use std::path::Path;

use super::Failure;

/// Reads a file with public keys.
pub(super) fn read<T, E: Display>(
    path: &Path,
    parse: impl FnOnce(String) -> Result<T, E>,
) -> Result<T, Failure> {
    let usage = |cause: String| Failure::Usage(format!("{}: {cause}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| usage(error.to_string()))?;
    parse(text).map_err(|error| usage(error.to_string()))
}
