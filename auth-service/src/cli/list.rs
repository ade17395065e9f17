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
        let mut after = self.after.clone();
        let next = |count| {
            let rows = page(&after, count)?;
            if let Some(last) = rows.last() {
                after.clone_from(&last.cells[0]);
            }
            Ok(rows)
        };
        print_pages(output, header, self.limit, next).map(drop)
    }
}

/// Prints pages of rows until one is not full, or `limit` rows are printed. `next` returns so many rows at most, those that
/// follow the ones before. `Ok(false)` when nothing reads them any more: `| head`.
///
/// # Errors
/// Those of `next`.
pub(super) fn print_pages(
    output: &Output,
    header: &[&str],
    limit: Option<u32>,
    mut next: impl FnMut(u32) -> Result<Vec<Row>, Failure>,
) -> Result<bool, Failure> {
    let (mut left, mut header) = (limit.unwrap_or(u32::MAX), header);
    while left > 0 {
        let count = PAGE.min(left);
        let rows = next(count)?;
        if output.rows(header, &rows).is_err() {
            return Ok(false);
        }
        header = &[];
        let printed = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        if printed < count {
            break;
        }
        left = left.saturating_sub(printed);
    }
    Ok(true)
}
