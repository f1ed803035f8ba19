//! Colour, for terminals only.

use std::{
    env,
    io::{self, IsTerminal},
};

const RED: &str = "\x1b[1;31m";
const GREEN: &str = "\x1b[32m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// `text` as something that went wrong, on stderr.
pub(super) fn error(text: &str) -> String {
    paint(RED, text, io::stderr().is_terminal())
}

/// `text` as something that went well, on stdout.
pub(super) fn good(text: &str) -> String {
    paint(GREEN, text, io::stdout().is_terminal())
}

/// `text` as something that went wrong, on stdout.
pub(super) fn bad(text: &str) -> String {
    paint(RED, text, io::stdout().is_terminal())
}

/// `text` as a heading, on stdout.
pub(super) fn heading(text: &str) -> String {
    paint(BOLD, text, io::stdout().is_terminal())
}

/// Colours unless the output is no terminal or the variable `NO_COLOR` has a value.
fn paint(colour: &str, text: &str, terminal: bool) -> String {
    let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if terminal && wanted { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
}
