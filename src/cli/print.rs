//! Output: sentences on standard error, results on standard output. A closed pipe is no error, so nothing here panics.

use std::io::{IsTerminal, Write};

/// How a piece of a line is shown on a terminal.
#[derive(Clone, Copy)]
pub(super) enum Ink {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
}

/// Wraps `text` in colour where standard output is a terminal and `NO_COLOR` (<https://no-color.org>) is not set.
pub(super) fn ink(ink: Ink, text: &str) -> String {
    if std::io::stdout().is_terminal() { colour(ink, text) } else { text.to_owned() }
}

fn colour(ink: Ink, text: &str) -> String {
    if std::env::var("NO_COLOR").is_ok_and(|v| !v.is_empty()) {
        return text.to_owned();
    }
    let code = match ink {
        Ink::Bold => "1",
        Ink::Dim => "2",
        Ink::Red => "31",
        Ink::Green => "32",
        Ink::Yellow => "33",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// A line of results.
pub(super) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Results as they are.
pub(super) fn raw(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// A line about what is wrong, without a prefix.
pub(super) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The sentence that explains why the command fails.
pub(super) fn error(text: &str) {
    let prefix = if std::io::stderr().is_terminal() { colour(Ink::Red, "error:") } else { "error:".to_owned() };
    complain(&format!("{prefix} {text}"));
}

/// `text` without control characters, so that what a client sent cannot steer the terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(super::clean("a\u{1b}[2Jb\nc\u{9b}é"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}é");
    }
}
