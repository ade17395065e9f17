//! Rows with aligned columns.

use serde_json::Value;

/// An item of a list.
pub(super) struct Row {
    /// With `--json`, a line of its own.
    pub document: Value,
    /// The first one names the item for `--after`.
    pub cells: Vec<String>,
}

/// Columns as wide as their widest cell; the last one has no spaces behind it.
pub(super) fn table(header: &[&str], rows: &[Row]) -> String {
    let lines = (!header.is_empty()).then(|| header.iter().map(|name| (*name).to_owned()).collect());
    let lines: Vec<Vec<String>> = lines.into_iter().chain(rows.iter().map(|row| row.cells.clone())).collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| Row { document: Value::Null, cells: cells.map(str::to_owned).to_vec() };
        let rows = [row(["al", "x"]), row(["élodie", ""])];
        assert_eq!(table(&["NAME", "STATE"], &rows), "NAME    STATE\nal      x\nélodie\n");
        assert_eq!(table(&[], &[]), "");
    }
}
