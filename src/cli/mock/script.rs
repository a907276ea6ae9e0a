//! Scripted answers, from JSON Lines.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Answers prepared in advance; the first that fits a request is given.
#[derive(Clone, Debug, Default)]
pub struct Script {
    lines: Arc<Vec<(Line, AtomicU64)>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, rename = "match")]
    fits: Fits,
    /// How often it may be given; without it, always.
    times: Option<u64>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    sse: Option<Vec<Event>>,
}

/// What a request must have; all that is given must fit.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fits {
    model: Option<String>,
    text: Option<String>,
    path: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Event {
    /// Sent as it is.
    Raw(String),
    /// An event with its data as JSON.
    Made { event: Option<String>, data: Value },
}

fn ok() -> u16 {
    200
}

/// One scripted answer.
pub(super) struct Scripted {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub answer: Answer,
}

pub(super) enum Answer {
    Whole(Bytes),
    Stream(Vec<Bytes>),
}

impl Script {
    /// Reads JSON Lines; the error says which line, and why.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut lines = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let at = at.saturating_add(1);
            let line: Line = serde_json::from_str(line)
                .map_err(|e| format!("{at}:{}: not an answer of a script: {e}", e.column()))?;
            if line.body.is_some() && line.sse.is_some() {
                return Err(format!("{at}:1: has both `body` and `sse`; an answer is one of them"));
            }
            if !(200..600).contains(&line.status) {
                return Err(format!("{at}:1: `status` is {}, expected 200 to 599", line.status));
            }
            lines.push((line, AtomicU64::new(0)));
        }
        Ok(Self { lines: Arc::new(lines) })
    }

    /// The answer for a request to `path` for `model` whose body contains `text`.
    pub(super) fn answer(&self, path: &str, model: &str, text: &str) -> Option<Scripted> {
        let fits = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| found.contains(wanted));
        for (line, given) in self.lines.iter() {
            let matches = fits(&line.fits.path, path)
                && fits(&line.fits.text, text)
                && line.fits.model.as_deref().is_none_or(|m| m == model);
            if matches && given.fetch_add(1, Ordering::Relaxed) < line.times.unwrap_or(u64::MAX) {
                return Some(line.scripted());
            }
        }
        None
    }
}

impl Line {
    fn scripted(&self) -> Scripted {
        let answer = match (&self.sse, &self.body) {
            (Some(events), _) => Answer::Stream(events.iter().map(Event::bytes).collect()),
            (None, Some(Value::String(raw))) => Answer::Whole(Bytes::from(raw.clone())),
            (None, Some(json)) => Answer::Whole(Bytes::from(json.to_string())),
            (None, None) => Answer::Whole(Bytes::new()),
        };
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Scripted { status: self.status, headers, answer }
    }
}

impl Event {
    fn bytes(&self) -> Bytes {
        match self {
            Event::Raw(text) => Bytes::from(text.clone()),
            Event::Made { event: Some(event), data } => Bytes::from(format!("event: {event}\ndata: {data}\n\n")),
            Event::Made { event: None, data } => Bytes::from(format!("data: {data}\n\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_answers_as_often_as_it_may() {
        let script = Script::read(concat!(
            r#"{"match": {"model": "m"}, "times": 1, "status": 503, "body": "busy"}"#,
            "\n\n",
            r#"{"match": {"text": "hello"}, "body": {"a": 1}}"#
        ))
        .unwrap();
        let status = |model, text| script.answer("/v1/x", model, text).map(|s| s.status);
        assert_eq!(status("m", "hello"), Some(503));
        assert_eq!(status("m", "hello"), Some(200));
        assert_eq!(status("m", "bye"), None);
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, want) in [
            ("{}\n{\"stats\": 1}", "2:"),
            ("{\"body\": 1, \"sse\": []}", "1:1: has both"),
            ("{\"status\": 42}", "`status` is 42"),
        ] {
            let why = Script::read(text).unwrap_err();
            assert!(why.contains(want), "{why}");
        }
    }
}
