//! The access log, one readable line per record.

use crate::cli::print::{Ink, clean, ink};
use crate::cost::Usd;
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A record longer than this is not one of ours.
const LONGEST: usize = 1 << 20;
/// How much is read at once, so that a busy log cannot take the memory.
const MOST: u64 = 4 << 20;

/// The growing end of a file.
pub(super) struct Tail {
    path: PathBuf,
    offset: u64,
    rest: Vec<u8>,
}

impl Tail {
    /// Follows what is written from now on.
    pub fn at_end_of(path: &Path) -> Self {
        let offset = std::fs::metadata(path).map_or(0, |meta| meta.len());
        Self { path: path.to_path_buf(), offset, rest: Vec::new() }
    }

    /// The whole lines that came since the last call.
    pub fn lines(&mut self) -> Vec<String> {
        if self.fill().is_err() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if !line.trim().is_empty() {
                lines.push(line.trim().to_owned());
            }
        }
        if self.rest.len() > LONGEST {
            self.rest.clear();
        }
        lines
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        if length < self.offset {
            // Rotated or emptied: begin anew.
            self.offset = 0;
            self.rest.clear();
        }
        if length == self.offset {
            return Ok(());
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let read = file.take(MOST).read_to_end(&mut self.rest)?;
        self.offset = self.offset.saturating_add(u64::try_from(read).unwrap_or(0));
        Ok(())
    }
}

/// A record as a line: time, status, what was asked, where it went and why, tokens, cost, duration. What is no record
/// is shown as it is.
pub(super) fn readable(line: &str) -> String {
    let Ok(record) = serde_json::from_str::<Value>(line) else { return clean(line) };
    if !record.is_object() {
        return clean(line);
    }
    let text = |name: &str| record.get(name).and_then(Value::as_str).filter(|s| !s.is_empty()).map(clean);
    let number = |pointer: &str| record.pointer(pointer).and_then(Value::as_u64);
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());

    let time = or_unknown(text("time").map(|time| time.get(11..19).map(str::to_owned).unwrap_or(time)));
    let status = number("/status").map_or_else(|| "---".to_owned(), |status| status.to_string());
    let outcome = text("outcome").filter(|outcome| outcome != "ok");
    let colour = match number("/status") {
        Some(200..=299) if outcome.is_none() => Ink::Green,
        Some(400..=499) => Ink::Yellow,
        _ => Ink::Red,
    };
    let mut shown = format!("{} {}", ink(Ink::Dim, &time), ink(colour, &status));
    if let Some(outcome) = outcome {
        shown.push_str(&format!(" {outcome}"));
    }
    shown.push_str(&match (text("model"), text("target"), text("endpoint")) {
        // What names no model went nowhere: what was asked for says more.
        (None, None, Some(endpoint)) => format!("  {endpoint}"),
        (model, target, _) => format!("  {} → {}", or_unknown(model), or_unknown(target)),
    });
    let why: Vec<String> = [text("reason"), text("rule")].into_iter().flatten().collect();
    if !why.is_empty() {
        shown.push_str(&format!(" ({})", why.join(": ")));
    }
    let tokens = |name: &str| number(&format!("/usage/{name}")).map_or_else(|| "?".to_owned(), |n| n.to_string());
    if record.pointer("/usage/known").is_some_and(Value::is_string) {
        let estimated = record.pointer("/usage/known").and_then(Value::as_str) == Some("estimated");
        let about = if estimated { "~" } else { "" };
        shown.push_str(&format!("  {about}{} in {about}{} out", tokens("prompt_tokens"), tokens("completion_tokens")));
        if record.get("priced").and_then(Value::as_bool) == Some(false) {
            shown.push_str("  unpriced");
        }
    }
    if let Some(cost) = cost(&record) {
        shown.push_str(&format!("  ${cost}"));
    }
    if let Some(ms) = number("/duration_ms") {
        shown.push_str(&format!("  {ms} ms"));
        if let Some(first) = number("/ttft_ms") {
            shown.push_str(&format!(" (first token {first})"));
        }
    }
    let attempts = record.get("attempts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if attempts.len() > 1 {
        let each: Vec<String> = attempts.iter().map(attempt).collect();
        shown.push_str(&format!("  [{}]", each.join(", ")));
    }
    shown
}

fn attempt(attempt: &Value) -> String {
    let target = attempt.get("target").and_then(Value::as_str).map_or_else(|| "?".to_owned(), clean);
    match attempt.get("status") {
        None | Some(Value::Null) => format!("{target} no answer"),
        Some(status) => format!("{target} {}", clean(status.to_string().trim_matches('"'))),
    }
}

fn cost(record: &Value) -> Option<String> {
    let picodollars = match record.get("cost_picodollars") {
        Some(Value::Number(n)) => n.as_u64().map(u128::from),
        Some(Value::String(digits)) => digits.parse().ok(),
        _ => None,
    };
    let written = match record.get("cost_usd") {
        Some(Value::String(usd)) => Some(clean(usd)),
        Some(Value::Number(usd)) => Some(usd.to_string()),
        _ => None,
    };
    picodollars.map(|n| Usd(n).to_string()).or(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_record_reads_as_a_line() {
        for (record, want) in [
            (
                r#"{"time":"2026-11-21T01:24:58.123Z","model":"smart","target":"openai/gpt-4o","reason":"alias","rule":null,
                "status":200,"attempts":[{"target":"anthropic/x","status":503,"ms":3},{"target":"openai/gpt-4o","status":200,"ms":9}],
                "usage":{"prompt_tokens":12,"completion_tokens":3,"known":"reported"},"cost_picodollars":60000000,"priced":true,
                "ttft_ms":7,"duration_ms":14,"outcome":"ok"}"#,
                "01:24:58 200  smart → openai/gpt-4o (alias)  12 in 3 out  $0.00006  14 ms (first token 7)  [anthropic/x 503, openai/gpt-4o 200]",
            ),
            (
                r#"{"time":"2026-11-21T01:24:58.123Z","model":"m","status":499,"outcome":"client_gone","priced":false,
                "usage":{"prompt_tokens":12,"completion_tokens":null,"known":"estimated"},"attempts":[]}"#,
                "01:24:58 499 client_gone  m → -  ~12 in ~? out  unpriced",
            ),
            (r#"{}"#, "- ---  - → -"),
            (r#"{"endpoint":"models","model":null,"target":null,"status":200,"outcome":"ok"}"#, "- 200  models"),
            (r#"{"model":"a\u001b[2J"}"#, "- ---  a\u{fffd}[2J → -"),
            ("not json\u{7}", "not json\u{fffd}"),
        ] {
            assert_eq!(readable(record), want);
        }
    }

    #[test]
    fn a_tail_gives_whole_lines_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "old\n").unwrap();
        let mut tail = Tail::at_end_of(&path);
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(tail.lines(), ["one"]);
        assert_eq!(tail.lines(), Vec::<String>::new());
        file.write_all(b"o\n\nthree\n").unwrap();
        assert_eq!(tail.lines(), ["two", "three"]);
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(tail.lines(), ["new"]);
    }
}
