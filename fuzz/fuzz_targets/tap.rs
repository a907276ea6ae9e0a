//! The tap: what it adds ends the framing, however the bytes came.
#![no_main]

use conduit::tap::Tap;
use libfuzzer_sys::fuzz_target;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const AMAZONS: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n";

fn closed(pieces: &[&[u8]]) -> Vec<u8> {
    let mut tap = Tap::default();
    pieces.iter().for_each(|piece| tap.seen(piece));
    tap.close()
}

/// Whether `bytes` are whole answers and nothing else, by another parser of HTTP; `None` where it refuses a head or
/// a chunk size, as Envoy may too.
fn is_whole(mut rest: &[u8]) -> Option<bool> {
    while !rest.is_empty() {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(rest).ok()? else { return Some(false) };
        // The other parser takes bare line feeds, which the tap leaves to Envoy.
        let ends = |end: &[u8]| rest[..length].windows(end.len()).filter(|bytes| *bytes == end).count();
        if ends(b"\n") != ends(b"\r\n") {
            return None;
        }
        let header = |name: &str| {
            let found = head.headers.iter().rev().find(|header| header.name.eq_ignore_ascii_case(name));
            found.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
        };
        let chunked = header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        let length_said = header("content-length").and_then(|length| length.parse::<usize>().ok());
        let bodiless = matches!(head.code, Some(100..=199 | 204 | 304));
        rest = &rest[length..];
        if bodiless {
            continue;
        }
        let after = if chunked { after_chunks(rest).ok()? } else { rest.get(length_said.unwrap_or(usize::MAX)..) };
        let Some(after) = after else { return Some(false) };
        rest = after;
    }
    Some(true)
}

/// What follows a chunked body, if it ends; `Err` where the other parser refuses a size.
fn after_chunks(mut rest: &[u8]) -> Result<Option<&[u8]>, httparse::InvalidChunkSize> {
    loop {
        let httparse::Status::Complete((start, size)) = httparse::parse_chunk_size(rest)? else { return Ok(None) };
        rest = &rest[start..];
        while size == 0 {
            let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
            rest = &rest[end + 2..];
            if end == 0 {
                return Ok(Some(rest));
            }
        }
        let after = usize::try_from(size).ok().and_then(|size| rest.get(size..)?.strip_prefix(b"\r\n"));
        let Some(after) = after else { return Ok(None) };
        rest = after;
    }
}

fuzz_target!(|data: &[u8]| {
    for data in [data.to_vec(), [HEAD, data].concat(), [AMAZONS, data].concat()] {
        let added = closed(&[&data]);
        for pieces in conduit_fuzz::pieces(&data) {
            assert_eq!(closed(&pieces), added);
        }
        if !added.is_empty() {
            let repaired = [data, added].concat();
            assert_ne!(is_whole(&repaired), Some(false), "{:?}", String::from_utf8_lossy(&repaired));
            assert_eq!(closed(&[&repaired]), b"", "nothing is missing any more");
        }
    }
});
