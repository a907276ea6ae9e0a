//! Server-sent events: the same ones, however the bytes are cut, under a large and a small limit.
#![no_main]

use conduit::formats::sse::{Event, Parser, SseError};
use libfuzzer_sys::fuzz_target;

type Got = (Vec<(String, String)>, Result<(), SseError>);

fn parse(pieces: &[&[u8]], limit: usize) -> Got {
    let mut parser = Parser::new(limit);
    let mut events = Vec::new();
    let mut each = |event: Event<'_>| events.push((event.name.to_owned(), event.data.to_owned()));
    let mut result = Ok(());
    for piece in pieces {
        result = result.and(parser.push(piece, &mut each));
    }
    result = result.and(parser.finish(&mut each));
    (events, result)
}

fuzz_target!(|data: &[u8]| {
    for limit in [16, 1 << 20] {
        let whole = parse(&[data], limit);
        for pieces in conduit_fuzz::pieces(data) {
            assert_eq!(parse(&pieces, limit), whole);
        }
    }
});
