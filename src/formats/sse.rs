//! Server-sent events as a push parser (<https://html.spec.whatwg.org/multipage/server-sent-events.html>, 2026-11-21).
//! Bytes go in as they come, cut anywhere; whole events come out.
//!
//! Two differences from the letter of the standard, both on purpose: `id` and `retry` are ignored (nothing here
//! reconnects), and an event that the end of the stream cuts short of its blank line is still dispatched.

/// One whole event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event:` field; empty where there was none.
    pub name: &'a str,
    /// The `data:` lines, joined by `\n`. Empty only where the data lines themselves were: an event without any data
    /// line is not dispatched.
    pub data: &'a str,
}

/// What went wrong in a stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SseError {
    /// One event is larger than the parser may buffer. Nothing is read after it.
    TooLarge,
}

/// The parser. It keeps at most one unfinished event.
#[derive(Debug, Default)]
pub struct Parser {
    limit: usize,
    /// The bytes of the unfinished line: text is decoded only when its line is whole, so no character is cut.
    line: Vec<u8>,
    /// The unfinished line is none that counts: forget it up to its end.
    skipping: bool,
    /// The last byte was CR: an LF that follows belongs to it.
    after_cr: bool,
    /// The first line is behind us, and with it the place where a byte order mark may stand.
    started: bool,
    name: String,
    data: String,
    has_data: bool,
    commented: bool,
    failed: bool,
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A line of this many bytes shows whether it is a field that counts: `data:` and `event:` fit.
const TELLING: usize = 6;

impl Parser {
    /// A parser that refuses events above `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Takes `bytes` and calls `each` with every event that is whole now.
    pub fn push(&mut self, bytes: &[u8], each: &mut dyn FnMut(Event<'_>)) -> Result<(), SseError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.failed {
                return Err(SseError::TooLarge);
            }
            if self.after_cr {
                self.after_cr = false;
                if let Some(after) = rest.strip_prefix(b"\n") {
                    rest = after;
                    continue;
                }
            }
            let Some((line, end, after)) = split_line(rest) else {
                return self.keep(rest);
            };
            self.after_cr = end == b'\r';
            rest = after;
            self.end_line(line, each)?;
        }
        Ok(())
    }

    /// The bytes ended. An event without its closing blank line is dispatched too: providers that end a stream early
    /// leave it out, and what it says is still true.
    pub fn finish(&mut self, each: &mut dyn FnMut(Event<'_>)) -> Result<(), SseError> {
        if self.failed {
            return Err(SseError::TooLarge);
        }
        if !self.line.is_empty() || self.skipping {
            self.end_line(&[], each)?;
        }
        self.dispatch(each);
        Ok(())
    }

    /// Whether a comment came since this was last asked: servers send them as signs of life.
    pub fn commented(&mut self) -> bool {
        std::mem::take(&mut self.commented)
    }

    /// Keeps the beginning of an unfinished line.
    fn keep(&mut self, piece: &[u8]) -> Result<(), SseError> {
        if self.skipping {
            return Ok(());
        }
        self.line.extend_from_slice(piece);
        if !self.started && self.line.len() >= BOM.len() {
            self.started = true;
            if self.line.starts_with(BOM) {
                self.line.drain(..BOM.len());
            }
        }
        let counts = self.line.starts_with(b"data:") || self.line.starts_with(b"event:");
        if counts {
            self.check(self.line.len())?;
        } else if self.line.len() >= TELLING && self.started {
            self.commented |= self.line.starts_with(b":");
            self.line.clear();
            self.skipping = true;
        }
        Ok(())
    }

    /// Ends the line whose last piece is `piece`.
    fn end_line(&mut self, piece: &[u8], each: &mut dyn FnMut(Event<'_>)) -> Result<(), SseError> {
        if std::mem::take(&mut self.skipping) {
            return Ok(());
        }
        let mut kept = std::mem::take(&mut self.line);
        let whole = if kept.is_empty() {
            piece
        } else {
            kept.extend_from_slice(piece);
            kept.as_slice()
        };
        let line = if self.started { whole } else { whole.strip_prefix(BOM).unwrap_or(whole) };
        self.started = true;
        let result = self.take_line(line, each);
        // The buffer goes back, so that lines cut by chunk borders do not allocate each time.
        kept.clear();
        self.line = kept;
        result
    }

    fn take_line(&mut self, line: &[u8], each: &mut dyn FnMut(Event<'_>)) -> Result<(), SseError> {
        if line.is_empty() {
            self.dispatch(each);
            return Ok(());
        }
        self.commented |= line.starts_with(b":");
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let field = halves.next().unwrap_or_default();
        let value = halves.next().unwrap_or_default();
        let value = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value));
        match field {
            b"data" => {
                self.check(line.len())?;
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data.push_str(&value);
            }
            b"event" => {
                self.check(line.len())?;
                self.name.clear();
                self.name.push_str(&value);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a line of `line` bytes still fits into the event.
    fn check(&mut self, line: usize) -> Result<(), SseError> {
        if self.name.len().saturating_add(self.data.len()).saturating_add(line) <= self.limit {
            return Ok(());
        }
        self.failed = true;
        Err(SseError::TooLarge)
    }

    fn dispatch(&mut self, each: &mut dyn FnMut(Event<'_>)) {
        if self.has_data {
            each(Event { name: &self.name, data: &self.data });
        }
        self.name.clear();
        self.data.clear();
        self.has_data = false;
    }
}

/// The first line of `bytes` without its end, that end's first byte, and what follows.
fn split_line(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let at = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
    let (line, rest) = bytes.split_at_checked(at)?;
    let (end, after) = rest.split_first()?;
    Some((line, *end, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    type Case = (&'static [u8], &'static [(&'static str, &'static str)]);
    type Got = (Vec<(String, String)>, Result<(), SseError>);

    fn parse(chunks: &[&[u8]], limit: usize, finish: bool) -> Got {
        let mut parser = Parser::new(limit);
        let mut events = Vec::new();
        let mut each = |event: Event<'_>| events.push((event.name.to_owned(), event.data.to_owned()));
        let mut result = Ok(());
        for chunk in chunks {
            result = result.and(parser.push(chunk, &mut each));
        }
        if finish {
            result = result.and(parser.finish(&mut each));
        }
        (events, result)
    }

    /// The same whole, byte by byte, with empty chunks, and cut at every place.
    fn parse_every_way(bytes: &[u8], limit: usize, finish: bool) -> Got {
        let whole = parse(&[bytes], limit, finish);
        let single: Vec<&[u8]> = bytes.chunks(1).flat_map(|byte| [&b""[..], byte]).collect();
        assert_eq!(parse(&single, limit, finish), whole, "byte by byte");
        for at in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(parse(&[head, tail], limit, finish), whole, "cut at {at}");
        }
        whole
    }

    fn own(events: &[(&str, &str)]) -> Vec<(String, String)> {
        events.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect()
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        let cases: &[Case] = &[
            (b"data: a\n\ndata: b\r\rdata: c\r\n\r\n", &[("", "a"), ("", "b"), ("", "c")]),
            (b"data: a\r\ndata: b\rdata: c\n\n", &[("", "a\nb\nc")]),
            (b"\xEF\xBB\xBFdata: a\n\n", &[("", "a")]),
            (b"\xEF\xBB\xBF\xEF\xBB\xBFdata: a\n\ndata: b\n\n", &[("", "b")]),
            (b"data: a\n\n\xEF\xBB\xBFdata: b\n\n", &[("", "a")]),
            (b"data:  two spaces\n\ndata:none\n\n", &[("", " two spaces"), ("", "none")]),
            (b": ping\n\nevent: x\n\ndata: a\n\n", &[("", "a")]),
            (b"event: x\nevent: y\ndata: a\n\n", &[("y", "a")]),
            (b"id: 1\nretry: 5\ndata: a\nDATA: b\n data: c\ndata : d\n\n", &[("", "a")]),
            (b"data\n\n", &[("", "")]),
            (b"data\ndata\n\n", &[("", "\n")]),
            (b"data: \xE2\x99\xA5 \xF0\x9F\x98\x80\n\n", &[("", "♥ 😀")]),
            (b"data: \xE2\x99\n\ndata: \xFF!\n\n", &[("", "\u{FFFD}"), ("", "\u{FFFD}!")]),
            (b"data: {\"a\":\"b: c\"}\n\n", &[("", "{\"a\":\"b: c\"}")]),
            (b"\n\n\r\r\n", &[]),
            (b"datadata: a\n\nevents: x\n\n", &[]),
            (b"data: a\0b\n\n", &[("", "a\0b")]),
        ];
        for (bytes, want) in cases {
            assert_eq!(parse_every_way(bytes, 1000, true), (own(want), Ok(())), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn an_event_without_its_blank_line_comes_at_the_end() {
        let cases: &[Case] = &[
            (b"data: a", &[("", "a")]),
            (b"event: x\ndata: a\n", &[("x", "a")]),
            (b"data: a\r", &[("", "a")]),
            (b"data: a\n\n: bye", &[("", "a")]),
            (b"event: x\n", &[]),
            (b"\xEF\xBB\xBFdata", &[("", "")]),
            (b"", &[]),
        ];
        for (bytes, want) in cases {
            assert_eq!(parse_every_way(bytes, 1000, true), (own(want), Ok(())), "{:?}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(parse_every_way(b"data: a\n\ndata: b\n", 1000, false).0, own(&[("", "a")]));
    }

    #[test]
    fn an_event_above_the_limit_ends_the_stream_and_other_lines_do_not() {
        let long = "x".repeat(100);
        for (text, fits) in [
            (format!("data: {}\n\n", "x".repeat(14)), true),
            (format!("data: {}\n\n", "x".repeat(15)), false),
            (format!("data: {long}"), false),
            (format!("event: {long}\n\n"), false),
            ("data: 12345678\ndata: 12345678\n\n".to_owned(), false),
            ("data\n".repeat(30), false),
            (format!(": {long}\nunknown: {long}\nid: {long}\n{long}\ndata: a\n\n"), true),
            ("data: 12345678\n\n".repeat(5), true),
        ] {
            let (_, result) = parse_every_way(text.as_bytes(), 20, true);
            assert_eq!(result.is_ok(), fits, "{text:?}");
        }
        let mut parser = Parser::new(10);
        let mut none = |event: Event<'_>| panic!("{event:?}");
        assert_eq!(parser.push(b"data: 123456789", &mut none), Err(SseError::TooLarge));
        assert_eq!(parser.push(b"\n\ndata: a\n\n", &mut none), Err(SseError::TooLarge));
        assert_eq!(parser.finish(&mut none), Err(SseError::TooLarge));
    }

    #[cfg(not(target_family = "wasm"))]
    #[test]
    fn recorded_edge_cases_are_read_like_their_expectations() {
        use base64::Engine as _;
        let Ok(folder) = std::env::var("CONDUIT_VECTORS") else {
            println!("skipped: CONDUIT_VECTORS is not set");
            return;
        };
        let text = std::fs::read_to_string(format!("{folder}/hostile/sse_edge_cases.jsonl")).unwrap();
        let mut seen = 0;
        for case in text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()) {
            let name = case["case"].as_str().unwrap();
            // Cases about that parser's own buffer option need its numbers; the limit is tested above.
            if name.contains("overflow") {
                continue;
            }
            let bytes = match case["body_base64"].as_str() {
                Some(body) => base64::engine::general_purpose::STANDARD.decode(body).unwrap(),
                None => {
                    let chunks = case["chunks"].as_array().unwrap();
                    chunks.iter().map(|chunk| chunk.as_str().unwrap()).collect::<String>().into_bytes()
                }
            };
            let expected = case["expected_messages"].as_array().or(case["events"].as_array()).unwrap();
            let expected: Vec<(String, String)> = expected
                .iter()
                .filter_map(|event| {
                    let name = event["event"].as_str().unwrap_or_default();
                    Some((name.to_owned(), event["data"].as_str()?.to_owned()))
                })
                .collect();
            assert_eq!(parse_every_way(&bytes, 1 << 20, false), (expected, Ok(())), "{name}");
            seen += 1;
        }
        assert!(seen > 10, "only {seen} cases");
    }
}
