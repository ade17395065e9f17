//! Long lists: as NDJSON, or as a table, a page at a time.

use clap::Args;

use super::Failure;
use super::output::Output;
use super::table::Row;

/// Items that are read at one time.
const PAGE: u32 = 200;

/// Which items of a long list are printed.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Print at most COUNT items.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Continue after this item: the first column of the last line.
    #[arg(
        long,
        value_name = "ITEM",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub after: String,
}

impl ListArguments {
    /// Prints the items that `page` returns for what comes after an item, and for how many.
    ///
    /// # Errors
    /// Those of `page`.
    pub(super) fn print(
        &self,
        output: &Output,
        header: &[&str],
        mut page: impl FnMut(&str, u32) -> Result<Vec<Row>, Failure>,
    ) -> Result<(), Failure> {
        let (mut after, mut left) = (self.after.clone(), self.limit.unwrap_or(u32::MAX));
        let mut is_first = true;
        while left > 0 {
            let count = PAGE.min(left);
            let rows = page(&after, count)?;
            // Nobody reads them any more: `| head`.
            if output.rows(if is_first { header } else { &[] }, &rows).is_err() {
                return Ok(());
            }
            is_first = false;
            let printed = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            left = left.saturating_sub(printed);
            match rows.last() {
                Some(last) if printed == count => after.clone_from(&last.cells[0]),
                _ => break,
            }
        }
        Ok(())
    }
}
