//! The tap: a network filter between Envoy's HTTP client and the provider's socket. When a provider closes its
//! connection in the middle of a chunked event stream, the tap writes the framing that is missing, so that Envoy's
//! codec sees a clean end and the upstream role can still say, in the client's format, what went wrong.
//!
//! Only streams that the upstream role reads are repaired, chat ones: what passes it unread would look whole.
//!
//! Pure: bytes in, bytes out. `Tap::asked` for each piece that goes to the provider, `Tap::seen` for each that it sent,
//! `Tap::close` once when it closed.

/// Where in the provider's answers the connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// In a head: the bytes of it so far.
    Head(Vec<u8>),
    /// In a line with a chunk's size: its value so far, whether a digit came, whether digits are over, whether CR came.
    Size { value: u64, digits: bool, extension: bool, cr: bool },
    /// In a chunk's data: what is missing of it.
    Data(u64),
    /// In the CR LF after a chunk's data: how many of the two came.
    DataEnd(u8),
    /// In trailers: whether the line so far is empty, and whether CR came.
    Trailer { empty: bool, cr: bool },
    /// In a body of known length: what is missing of it.
    Length(u64),
    /// Not understood, or nothing to repair (a body that ends with the connection): hands off until it closes.
    Blind,
}

/// Ends of the paths of chats, in the formats of all providers: those whose streams the upstream role reads.
const READ: &[&str] = &[
    "/chat/completions",
    "/messages",
    "/responses",
    ":streamGenerateContent",
    ":streamRawPredict",
    "/converse-stream",
    "/invoke-with-response-stream",
];

/// Media types of event streams.
const STREAMS: &[&str] = &["text/event-stream", "application/vnd.amazon.eventstream"];

/// The longest head that is looked at; a longer one is left alone.
const MAX_HEAD: usize = 64 * 1024;

/// Follows the answers of one provider connection.
#[derive(Clone, Debug)]
pub struct Tap {
    state: State,
    /// Whether the answer at hand is an event stream of which something came already.
    stream: bool,
    body: bool,
    /// Whether the request at hand is one whose answer the upstream role reads.
    repairs: bool,
    /// Whether the last answer was not a final one.
    interim: bool,
    /// Whether the next piece that goes to the provider begins a request.
    fresh: bool,
}

impl Default for Tap {
    fn default() -> Self {
        Self { state: State::Head(Vec::new()), stream: false, body: false, repairs: true, interim: false, fresh: true }
    }
}

impl Tap {
    /// Takes note of what is sent to the provider. One request at a time is on a connection, and Envoy writes its head
    /// in one piece, so the first piece after an answer begins with the request line.
    pub fn asked(&mut self, bytes: &[u8]) {
        if !std::mem::take(&mut self.fresh) {
            return;
        }
        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let mut words = line.split(|byte| *byte == b' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        self.repairs = method == b"POST" && READ.iter().any(|end| path.ends_with(end.as_bytes()));
    }

    /// Takes note of what the provider sent.
    pub fn seen(&mut self, bytes: &[u8]) {
        self.follow(bytes);
        let over = matches!(&self.state, State::Head(head) if head.is_empty());
        // What is no final answer (100 and the like) is followed by one to the same request.
        self.fresh |= over && !self.interim && !bytes.is_empty();
    }

    fn follow(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            match &mut self.state {
                State::Blind => return,
                State::Data(left) | State::Length(left) => {
                    self.body = true;
                    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left = left.saturating_sub(u64::try_from(take).unwrap_or(u64::MAX));
                    bytes = bytes.get(take..).unwrap_or_default();
                    if *left == 0 {
                        self.state = match self.state {
                            State::Data(_) => State::DataEnd(0),
                            _ => State::Head(Vec::new()),
                        };
                    }
                }
                State::Head(head) => {
                    head.push(first);
                    bytes = rest;
                    if head.ends_with(b"\r\n\r\n") {
                        let head = std::mem::take(head);
                        self.begin(&head);
                    } else if head.len() > MAX_HEAD {
                        self.state = State::Blind;
                    }
                }
                _ => {
                    self.state = self.step(first);
                    bytes = rest;
                }
            }
        }
    }

    /// What to add when the provider closed the connection now: nothing where the answer was whole, was no event
    /// stream, or had not begun (then Envoy may still try the next target).
    pub fn close(&mut self) -> Vec<u8> {
        let state = std::mem::replace(&mut self.state, State::Blind);
        if !self.stream || !self.body || !self.repairs {
            return Vec::new();
        }
        // Filler belongs to an event that never ends, which readers of event streams drop; in Amazon's framing it
        // belongs to a message whose checksum it makes wrong.
        let filler = |missing: u64| vec![b' '; usize::try_from(missing).unwrap_or(0).min(MAX_FILLER)];
        let mut out = Vec::new();
        match state {
            State::Head(_) | State::Length(_) | State::Blind => return out,
            State::Size { digits: false, .. } => {}
            State::Size { value: 0, cr, .. } => {
                out.extend_from_slice(if cr { b"\n\r\n" } else { b"\r\n\r\n" });
                return out;
            }
            State::Size { value, cr, .. } => {
                out.extend_from_slice(if cr { b"\n" } else { b"\r\n" });
                if value > MAX_FILLER_LEN {
                    return Vec::new();
                }
                out.extend(filler(value));
                out.extend_from_slice(b"\r\n");
            }
            State::Data(missing) => {
                if missing > MAX_FILLER_LEN {
                    return Vec::new();
                }
                out.extend(filler(missing));
                out.extend_from_slice(b"\r\n");
            }
            State::DataEnd(0) => out.extend_from_slice(b"\r\n"),
            State::DataEnd(_) => out.extend_from_slice(b"\n"),
            State::Trailer { empty, cr } => {
                out.extend_from_slice(match (empty, cr) {
                    (true, false) => b"\r\n".as_slice(),
                    (true, true) => b"\n",
                    (false, false) => b":\r\n\r\n",
                    (false, true) => b"\n\r\n",
                });
                return out;
            }
        }
        out.extend_from_slice(b"0\r\n\r\n");
        out
    }

    fn begin(&mut self, head: &[u8]) {
        self.body = false;
        self.stream = false;
        let text = String::from_utf8_lossy(head).to_ascii_lowercase();
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("http/1.1 ")).and_then(|line| line.get(..3));
        let Some(status) = status.and_then(|status| status.parse::<u16>().ok()) else {
            self.state = State::Blind;
            return;
        };
        self.interim = (100..=199).contains(&status);
        let (mut chunked, mut length) = (false, None);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name {
                "transfer-encoding" => chunked = value == "chunked",
                "content-length" => length = value.parse::<u64>().ok(),
                "content-type" => self.stream = STREAMS.iter().any(|kind| value.starts_with(kind)),
                _ => {}
            }
        }
        self.state = match (status, chunked, length) {
            (101, ..) => State::Blind,
            (100..=199 | 204 | 304, ..) | (_, false, Some(0)) => State::Head(Vec::new()),
            (_, true, _) => SIZE,
            (_, false, Some(length)) => State::Length(length),
            (_, false, None) => State::Blind,
        };
    }

    fn step(&self, byte: u8) -> State {
        match self.state {
            State::Size { value, digits, cr: true, .. } if byte == b'\n' && digits => match value {
                0 => State::Trailer { empty: true, cr: false },
                _ => State::Data(value),
            },
            State::Size { cr: true, .. } => State::Blind,
            State::Size { value, digits, extension, .. } => {
                let digit = char::from(byte).to_digit(16).filter(|_| !extension);
                match (byte, digit) {
                    (b'\r', _) => State::Size { value, digits, extension, cr: true },
                    (_, Some(digit)) => match value.checked_mul(16).and_then(|v| v.checked_add(u64::from(digit))) {
                        Some(value) => State::Size { value, digits: true, extension, cr: false },
                        None => State::Blind,
                    },
                    (b';' | b' ' | b'\t', None) => State::Size { value, digits, extension: true, cr: false },
                    _ if extension => State::Size { value, digits, extension, cr: false },
                    _ => State::Blind,
                }
            }
            State::DataEnd(0) if byte == b'\r' => State::DataEnd(1),
            State::DataEnd(1) if byte == b'\n' => SIZE,
            State::Trailer { empty: true, cr: true } if byte == b'\n' => State::Head(Vec::new()),
            State::Trailer { empty: false, cr: true } if byte == b'\n' => State::Trailer { empty: true, cr: false },
            State::Trailer { empty, cr: false } if byte == b'\r' => State::Trailer { empty, cr: true },
            State::Trailer { cr: false, .. } => State::Trailer { empty: false, cr: false },
            _ => State::Blind,
        }
    }
}

const SIZE: State = State::Size { value: 0, digits: false, extension: false, cr: false };

/// The longest filler: a provider that announces more than this in one chunk is left to Envoy's own error.
const MAX_FILLER: usize = 1 << 20;
const MAX_FILLER_LEN: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    const BODY: &str = "6\r\ndata: \r\n4;x=y\r\nabc\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";

    /// The body of a chunked answer, where it is framed to its end and nothing stands behind it.
    fn body(bytes: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut rest = text.split_once("\r\n\r\n")?.1;
        let mut out = Vec::new();
        loop {
            let (size, behind) = rest.split_once("\r\n")?;
            let size = usize::from_str_radix(size.split(';').next()?, 16).ok()?;
            if size == 0 {
                let trailers_end = behind.find("\r\n")?;
                return (behind.len() == trailers_end + 2 || behind.ends_with("\r\n\r\n")).then_some(out);
            }
            out.extend_from_slice(behind.get(..size)?.as_bytes());
            rest = behind.get(size..)?.strip_prefix("\r\n")?;
        }
    }

    #[test]
    fn a_stream_cut_anywhere_gets_its_framing_completed() {
        let whole = format!("{HEAD}{BODY}");
        for cut in HEAD.len() + 4..whole.len() {
            for piece in [1, 7, whole.len()] {
                let mut tap = Tap::default();
                let sent = &whole.as_bytes()[..cut];
                sent.chunks(piece).for_each(|bytes| tap.seen(bytes));
                let repaired = [sent, &tap.close()].concat();
                let got =
                    body(&repaired).unwrap_or_else(|| panic!("cut at {cut}: {:?}", String::from_utf8_lossy(&repaired)));
                let wanted = b"data: abc\n0123456789abcdef";
                assert_eq!(got.trim_ascii_end(), wanted[..got.trim_ascii_end().len()].trim_ascii_end(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn amazons_event_streams_are_streams() {
        let mut tap = Tap::default();
        tap.seen(HEAD.replace("text/event-stream", "application/vnd.amazon.eventstream").as_bytes());
        tap.seen(b"5\r\n\0\0");
        assert_eq!(tap.close(), b"   \r\n0\r\n\r\n");
    }

    #[test]
    fn what_is_whole_or_no_stream_or_has_not_begun_is_left_alone() {
        let whole = format!("{HEAD}{BODY}");
        for sent in [
            whole.as_str(),
            HEAD,
            &whole[..40],
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 10\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nab",
            "HTTP/1.0 200 OK\r\n\r\n",
            "no http at all",
            "",
        ] {
            let mut tap = Tap::default();
            tap.seen(sent.as_bytes());
            assert_eq!(tap.close(), b"", "{sent}");
        }
    }

    #[test]
    fn a_connection_carries_answer_after_answer() {
        let mut tap = Tap::default();
        let plain = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 204 No Content\r\n\r\n";
        let sent = format!("{plain}{HEAD}{BODY}HTTP/1.1 100 Continue\r\n\r\n{HEAD}5\r\nda");
        sent.bytes().for_each(|byte| tap.seen(&[byte]));
        assert_eq!(tap.close(), b"   \r\n0\r\n\r\n");
    }

    #[test]
    fn only_streams_that_are_read_are_repaired() {
        let torn = format!("{HEAD}5\r\nda");
        let whole = format!("{HEAD}{BODY}");
        let mut tap = Tap::default();
        for (request, repaired) in [
            ("POST /v1/chat/completions HTTP/1.1\r\n", true),
            ("POST /v1/responses HTTP/1.1\r\n", true),
            ("GET /v1/responses?stream=true HTTP/1.1\r\n", false),
            ("POST /openai/deployments/a/chat/completions?api-version=1 HTTP/1.1\r\n", true),
            ("POST /v1beta/models/a:streamGenerateContent?alt=sse HTTP/1.1\r\n", true),
            ("POST /v1beta/models/a:generateContent HTTP/1.1\r\n", false),
            ("POST /v1/projects/p/locations/l/publishers/anthropic/models/m:streamRawPredict HTTP/1.1\r\n", true),
            ("POST /model/a%3A0/converse-stream HTTP/1.1\r\n", true),
            ("POST /model/a/invoke-with-response-stream HTTP/1.1\r\n", true),
            ("POST /model/a/invoke HTTP/1.1\r\n", false),
            ("POST /base/v1/messages?beta=true HTTP/1.1\r\n", true),
            ("POST /v1/completions?x=/chat/completions HTTP/1.1\r\n", false),
        ] {
            tap.asked(request.as_bytes());
            tap.asked(b"POST /v1/chat/completions in the body");
            tap.seen(b"HTTP/1.1 100 Continue\r\n\r\n");
            tap.asked(b" /messages ");
            let mut cut = tap.clone();
            cut.seen(torn.as_bytes());
            assert_eq!(!cut.close().is_empty(), repaired, "{request}");
            whole.bytes().for_each(|byte| tap.seen(&[byte]));
        }
    }

    #[test]
    fn a_chunk_of_absurd_size_is_not_filled() {
        for size in ["fffffffffffffffff", "ffffffffffffffff", "7fffffff"] {
            let mut tap = Tap::default();
            tap.seen(format!("{HEAD}1\r\na\r\n{size}\r\nabc").as_bytes());
            assert_eq!(tap.close(), b"", "{size}");
        }
    }
}
