//! Amazon's event streams: the same messages, however the bytes are cut; what is written is read back.
#![no_main]

use conduit::formats::eventstream::{FrameError, Message, Parser, write, write_exception};
use libfuzzer_sys::fuzz_target;

type Got = (Vec<(String, bool, Vec<u8>)>, Result<(), FrameError>);

fn parse(pieces: &[&[u8]], limit: usize) -> Got {
    let mut parser = Parser::new(limit);
    let mut messages = Vec::new();
    let mut each = |m: Message<'_>| messages.push((m.name.to_owned(), m.failed, m.payload.to_vec()));
    let mut result = Ok(());
    for piece in pieces {
        result = result.and(parser.push(piece, &mut each));
    }
    if result.is_ok() {
        result = parser.finish();
    }
    (messages, result)
}

fuzz_target!(|data: &[u8]| {
    for limit in [64, 1 << 20] {
        let whole = parse(&[data], limit);
        for pieces in conduit_fuzz::pieces(data) {
            assert_eq!(parse(&pieces, limit), whole);
        }
    }
    let (head, tail) = data.split_at(data.len() / 2);
    let mut written = Vec::new();
    write("contentBlockDelta", head, &mut written);
    write_exception("throttlingException", tail, &mut written);
    let (read, result) = parse(&[&written], 1 << 20);
    assert_eq!(result, Ok(()));
    assert_eq!(read[0], ("contentBlockDelta".to_owned(), false, head.to_vec()));
    assert_eq!(read[1], ("throttlingException".to_owned(), true, tail.to_vec()));
});
