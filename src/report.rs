//! What leaves an exchange besides the answer: one access-log record, and metrics.

pub mod metrics;
pub(crate) mod record;

pub use record::{Head, Outcome, Record};

/// Text as HTML, within elements and quoted attributes: what pages show comes from clients.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Line ends stand in tooltips.
            '\n' => out.push('\n'),
            // Invisible, and some turn the text around.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                out.push('\u{fffd}')
            }
            c => out.push(c),
        }
    }
    out
}
