//! Tables as kubectl prints them: upper-case headers, columns as wide as their longest cell, no borders.

use std::fmt;

/// Between two columns.
const GAP: &str = "   ";
/// What an empty cell shows, so that columns stay countable.
const EMPTY: &str = "-";

/// Rows of cells below headers.
pub(super) struct Table {
    headers: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(super) fn new(headers: &[&'static str]) -> Self {
        Self { headers: headers.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, one cell a header.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let empty_as_dash = |cell: String| if cell.is_empty() { EMPTY.to_owned() } else { cell };
        self.rows.push(cells.into_iter().map(empty_as_dash).collect());
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(self.headers.get(column).map(|header| header.len())).max().unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.headers.len()).map(|column| self.width(column)).collect();
        let headers = self.headers.iter().map(|header| (*header).to_owned()).collect();
        for row in std::iter::once(&headers).chain(&self.rows) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:width$}{GAP}"));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Lines of a key and its value, the values below each other.
pub(super) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let line = |(key, value): &(&str, String)| {
        format!("{key:width$}{GAP}{}\n", if value.is_empty() { EMPTY } else { value })
    };
    pairs.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_longest_cell_and_lines_end_without_blanks() {
        let mut table = Table::new(&["NAME", "MTU", "UP"]);
        table.row(["a-long-name".into(), "1500".into(), "yes".into()]);
        table.row(["b".into(), String::new(), "no".into()]);
        assert_eq!(
            table.to_string(),
            "NAME          MTU    UP\na-long-name   1500   yes\nb             -      no\n"
        );
    }

    #[test]
    fn values_of_pairs_stand_below_each_other() {
        assert_eq!(
            pairs(&[("MAC", "02:00".into()), ("NETWORK", String::new())]),
            "MAC       02:00\nNETWORK   -\n"
        );
    }

    #[test]
    fn a_table_without_rows_is_its_headers() {
        assert_eq!(Table::new(&["NAME", "MTU"]).to_string(), "NAME   MTU\n");
    }
}
