//! What goes to stdout: the same data as a table, JSON, YAML or names, so that every read verb offers all of them.

use std::io::{self, Write};

use serde::Serialize;

use super::{error::CliError, for_each, table::Table};
use crate::sys;

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// The columns that are wanted most.
    Table,
    /// All columns.
    Wide,
    /// JSON with stable keys.
    Json,
    /// YAML with the same keys.
    Yaml,
    /// One name a line.
    Name,
}

/// `-o` of a verb that lists.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Output {
    /// How to print it.
    #[arg(short = 'o', long = "output", value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub(super) format: Format,
}

/// `-o` of a verb that shows everything about objects.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct InspectOutput {
    /// How to print it.
    #[arg(short = 'o', long = "output", value_name = "FORMAT", value_enum, default_value_t = Format::Json)]
    pub(super) format: Format,
}

/// Something with columns and a name.
pub(super) trait Listed: Serialize {
    /// Headers of the table.
    const COLUMNS: &'static [&'static str];
    /// Headers that a wide table has after those.
    const WIDE: &'static [&'static str] = &[];

    /// One cell a header, those of the wide table included.
    fn cells(&self) -> Vec<String>;

    /// What `-o name` prints.
    fn name(&self) -> String;
}

/// Prints a list.
pub(super) fn list<T: Listed>(items: &[T], format: Format) -> Result<(), CliError> {
    match format {
        Format::Table => print(table(items, T::COLUMNS)),
        Format::Wide => print(table(items, &[T::COLUMNS, T::WIDE].concat())),
        Format::Json => json(&items),
        Format::Yaml => yaml(&items),
        Format::Name => print(items.iter().map(|item| item.name() + "\n").collect::<String>()),
    }
}

/// Prints one object: as [`list`] does, but JSON and YAML without a list around it.
pub(super) fn one<T: Listed>(item: &T, format: Format) -> Result<(), CliError> {
    match format {
        Format::Json => json(item),
        Format::Yaml => yaml(item),
        Format::Table | Format::Wide | Format::Name => list(std::slice::from_ref(item), format),
    }
}

/// Prints those of several objects that could be had as a list.
///
/// # Errors
/// Those of the others.
pub(super) fn found<T: Listed>(
    names: &[String],
    mut get: impl FnMut(&str) -> Result<T, CliError>,
    format: Format,
) -> Result<(), CliError> {
    let mut items = Vec::new();
    let got = for_each(names, |name| {
        items.push(get(name)?);
        Ok(())
    });
    if !items.is_empty() {
        list(&items, format)?;
    }
    got
}

/// Prints text as it is. A reader that has gone away (`| head`) is no failure.
pub(super) fn print(text: impl AsRef<[u8]>) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Output(error)),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// Waits until whoever reads stdout has gone away; for ever where that cannot be seen, as with a file.
pub(super) async fn reader_gone() {
    if sys::reader::gone(io::stdout()).await.is_err() {
        std::future::pending().await
    }
}

/// Prints a line.
pub(super) fn line(text: impl Into<String>) -> Result<(), CliError> {
    print(text.into() + "\n")
}

/// Prints one value as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), CliError> {
    line(serde_json::to_string_pretty(value).map_err(|source| CliError::Output(source.into()))?)
}

/// Prints one value as YAML.
pub(super) fn yaml(value: &impl Serialize) -> Result<(), CliError> {
    print(serde_saphyr::to_string(value).map_err(|source| CliError::Output(io::Error::other(source)))?)
}

/// Says something that is no data: a line on stderr. Nobody left to hear it is no failure.
pub(super) fn say(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
}

fn table<T: Listed>(items: &[T], headers: &[&'static str]) -> String {
    let mut table = Table::new(headers);
    for item in items {
        table.row(item.cells().into_iter().take(headers.len()));
    }
    table.to_string()
}

/// Several values in one cell.
pub(super) fn joined<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}

/// A size for people, in powers of 1,024.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = "B";
    for next in UNITS {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1_024;
        unit = next;
    }
    if unit == "B" { format!("{bytes}B") } else { format!("{}.{}{unit}", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_keeps_them_short() {
        for (bytes, text) in
            [(0, "0B"), (1_023, "1023B"), (1_024, "1.0KiB"), (1_572_864, "1.5MiB"), (1 << 40, "1.0TiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
