//! Answers that come compressed although none was asked for, as clients and records see them.

use super::*;
use crate::exchange::decoding::{Coding, Decoder, Fault};
use flate2::Compression;
use serde_json::json;
use std::io::Write;

const NAMES: [(&str, Coding); 5] = [
    ("gzip", Coding::Gzip),
    ("deflate", Coding::Deflate),
    ("deflate", Coding::Deflate),
    ("br", Coding::Brotli),
    ("zstd", Coding::Zstd),
];
/// Which of those is deflate without zlib's frame.
const RAW: usize = 2;

fn flushed<W: Write>(mut writer: W, pieces: &[&[u8]], take: impl Fn(&mut W) -> Vec<u8>) -> (Vec<Vec<u8>>, W) {
    let mut out = Vec::new();
    for piece in pieces {
        writer.write_all(piece).unwrap();
        writer.flush().unwrap();
        out.push(take(&mut writer));
    }
    (out, writer)
}

/// Each piece as its bytes can be read once they came, then the end.
fn packed(which: usize, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let level = Compression::default();
    let (mut out, end) = match (NAMES[which].1, which) {
        (Coding::Gzip, _) => {
            let writer = flate2::write::GzEncoder::new(Vec::new(), level);
            let (out, w) = flushed(writer, pieces, |w| std::mem::take(w.get_mut()));
            (out, w.finish().unwrap())
        }
        (Coding::Deflate, RAW) => {
            let writer = flate2::write::DeflateEncoder::new(Vec::new(), level);
            let (out, w) = flushed(writer, pieces, |w| std::mem::take(w.get_mut()));
            (out, w.finish().unwrap())
        }
        (Coding::Deflate, _) => {
            let writer = flate2::write::ZlibEncoder::new(Vec::new(), level);
            let (out, w) = flushed(writer, pieces, |w| std::mem::take(w.get_mut()));
            (out, w.finish().unwrap())
        }
        (Coding::Brotli, _) => {
            let writer = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
            let (out, w) = flushed(writer, pieces, |w| std::mem::take(w.get_mut()));
            (out, w.into_inner())
        }
        (Coding::Zstd, _) => {
            let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
            writer.include_checksum(true).unwrap();
            let (out, w) = flushed(writer, pieces, |w| std::mem::take(w.get_mut()));
            (out, w.finish().unwrap())
        }
    };
    out.push(end);
    out
}

fn one(which: usize, bytes: &[u8]) -> Vec<u8> {
    packed(which, &[bytes]).concat()
}

const CHATS: [(&str, &str); 2] = [("/v1/chat/completions", "same"), ("/v1/messages", "translated")];

fn chat(path: &str, stream: bool) -> (Rc<RefCell<Exchange>>, Attempt) {
    let body = json!({"model": "openai/gpt-4o", "max_tokens": 9, "stream": stream, "stream_options": {"include_usage": true},
                      "messages": [{"role": "user", "content": "hi"}]});
    let mut body = body;
    if path == "/v1/messages" || !stream {
        body.as_object_mut().unwrap().remove("stream_options");
    }
    let (exchange, step) = routed(path, &body.to_string());
    assert!(matches!(step, Step::Forward(_)), "{step:?}");
    let attempt = Attempt::begin(&exchange, 1, Some("openai"), &post(path), T0).unwrap().0;
    (exchange, attempt)
}

fn events() -> Vec<Vec<u8>> {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
                           "choices": choices, "usage": usage});
        format!("data: {chunk}\n\n").into_bytes()
    };
    let said = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    let mut all = vec![chunk(said(json!({"role": "assistant", "content": "one"}), Value::Null), Value::Null)];
    for word in [" two", " drei", " četiri", " 五"] {
        all.push(chunk(said(json!({"content": word}), Value::Null), Value::Null));
    }
    all.push(chunk(said(json!({}), json!("stop")), Value::Null));
    all.push(chunk(json!([]), json!({"prompt_tokens": 8, "completion_tokens": 5, "total_tokens": 13})));
    all.push(b"data: [DONE]\n\n".to_vec());
    all
}

/// What a client gets for the pieces of a stream, piece by piece, and whether it was cut.
fn streamed(path: &str, coding: Option<&str>, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let (exchange, mut attempt) = chat(path, true);
    let mut head = vec![(":status", "200"), ("content-type", "text/event-stream")];
    head.extend(coding.map(|coding| ("content-encoding", coding)));
    let AnswerHead::Stream(edits) = attempt.answer_head(&headers(&head), false, ms(1)) else { panic!("held") };
    assert!(edits.remove.contains(&"content-encoding".to_owned()));
    let mut out: Vec<Vec<u8>> = pieces.iter().map(|piece| attempt.answer_piece(piece, false).unwrap()).collect();
    out.push(attempt.answer_piece(&[], true).unwrap());
    let exchange = exchange.borrow();
    if pieces.concat().ends_with(b"[DONE]\n\n") {
        assert_eq!(exchange.ledger().usage.output, Some(Tokens(5)));
    }
    (out, exchange.ledger().cut)
}

#[test]
fn each_event_leaves_as_soon_as_it_came() {
    let events = events();
    let events: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
    for (path, name) in CHATS {
        let (want, cut) = streamed(path, None, &events);
        assert!(!cut);
        for (which, (coding, _)) in NAMES.iter().enumerate() {
            let mut pieces = packed(which, &events);
            let end = pieces.pop().unwrap();
            let mut pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let (got, _) = streamed(path, Some(coding), &pieces);
            assert_eq!(got[..events.len()], want[..events.len()], "{name} {coding}");
            pieces.push(&end);
            assert_eq!(streamed(path, Some(coding), &pieces).0.concat(), want.concat(), "{name} {coding}");
        }
    }
}

#[test]
fn a_stream_split_or_cut_anywhere_is_told_right() {
    let events = events();
    let refs: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
    for (path, name) in CHATS {
        let whole = streamed(path, None, &refs).0.concat();
        for (which, (coding, kind)) in NAMES.iter().enumerate() {
            let bytes = packed(which, &refs).concat();
            let mut cuts = 0;
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(streamed(path, Some(coding), &single).0.concat(), whole, "{name} {coding}");
            for at in 0..bytes.len() {
                let (got, cut) = streamed(path, Some(coding), &[&bytes[..at], &bytes[at..]]);
                assert!(got.concat() == whole && !cut, "{name} {coding} split at {at}");
                // What can be read of it is the provider's last word.
                let mut plain = Vec::new();
                Decoder::new(*kind).piece(&bytes[..at], &mut plain).unwrap();
                let got = streamed(path, Some(coding), &[&bytes[..at]]);
                let want = streamed(path, None, &[&plain]);
                assert_eq!((got.0.concat(), got.1), (want.0.concat(), want.1), "{name} {coding} cut at {at}");
                cuts += usize::from(got.1);
            }
            assert!(cuts > bytes.len() / 3, "{cuts}");
        }
    }
}

fn answer(status: &str) -> Vec<u8> {
    let body = match status {
        "200" => json!({"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4o",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello, hello, hello"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}}),
        _ => json!({"error": {"type": "server_error", "message": "too busy, secret-of-OPENAI_API_KEY", "param": null}}),
    };
    body.to_string().into_bytes()
}

/// The status, whether the encoding is taken off, and the body that a client gets.
fn whole(path: &str, head: &[(&str, &str)], body: &[u8]) -> (String, bool, Option<Vec<u8>>) {
    let (_, mut attempt) = chat(path, false);
    let held = attempt.answer_head(&headers(head), false, ms(1));
    assert_eq!(held, AnswerHead::Hold);
    let (edits, body) = attempt.answer_whole(body);
    let length = body.as_ref().map(|body| body.len().to_string());
    assert_eq!(set(&edits, "content-length"), length.as_deref());
    let status = set(&edits, ":status").unwrap_or(head[0].1).to_owned();
    (status, edits.remove.contains(&"content-encoding".to_owned()), body)
}

#[test]
fn whole_answers_and_errors_are_read() {
    for (path, name) in CHATS {
        for status in ["200", "503"] {
            let json = ("content-type", "application/json");
            let plain = answer(status);
            let (.., want) = whole(path, &[(":status", status), json], &plain);
            let want = want.unwrap_or(plain.clone());
            for (which, (coding, _)) in NAMES.iter().enumerate() {
                let bytes = one(which, &plain);
                let head = [(":status", status), json, ("content-encoding", *coding)];
                assert_eq!(whole(path, &head, &bytes), (status.into(), true, Some(want.clone())), "{name} {coding}");
                for at in 1..bytes.len() {
                    let (got, _, body) = whole(path, &head, &bytes[..at]);
                    let body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
                    assert_eq!(got, if status == "200" { "502" } else { status });
                    let message = body["error"]["message"].as_str().unwrap();
                    assert!(message.contains("data is cut") && !message.contains("secret"), "{coding} {at}: {body}");
                }
            }
        }
    }
}

/// All that bytes are read as.
fn decoded(coding: Coding, bytes: &[u8]) -> Result<Vec<u8>, crate::exchange::decoding::Unread> {
    let encoding = crate::exchange::decoding::Encoding::Coded(coding);
    encoding.read_whole(bytes, 1 << 26).map(Option::unwrap)
}

#[test]
fn what_is_corrupt_is_never_taken_for_something_else() {
    let plain = events().concat();
    for (which, (name, coding)) in NAMES.into_iter().enumerate() {
        let bytes = one(which, &plain);
        assert_eq!(decoded(coding, &bytes).as_ref(), Ok(&plain), "{name}");
        for at in 0..bytes.len() {
            for change in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut bytes = bytes.clone();
                bytes[at] ^= change;
                let read = decoded(coding, &bytes);
                // Brotli and deflate alone have no checksum.
                if which != RAW && coding != Coding::Brotli {
                    assert!(read.is_err() || read == Ok(plain.clone()), "{name} at {at} with {change}");
                }
            }
        }
        assert!(decoded(coding, &[&bytes[..], b"x"].concat()).is_err(), "{name} and more");
    }
    let head = [(":status", "200"), ("content-type", "application/json"), ("content-encoding", "br")];
    let (status, _, body) = whole("/v1/messages", &head, b"\x1f\x8b\x08\x00 no brotli");
    let body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
    assert_eq!((status.as_str(), &body["type"]), ("502", &json!("error")));
    assert_eq!(body["error"]["message"], "openai/gpt-4o answered with what cannot be read: its br data is corrupt");
    for (path, want) in [("/v1/chat/completions", "data: {\"error\""), ("/v1/messages", "event: error\n")] {
        for (coding, bytes) in [("gzip", "no gzip"), ("zstd", "no zstd"), ("br", "\u{1f}no brotli"), ("deflate", "no")]
        {
            let (out, cut) = streamed(path, Some(coding), &[bytes.as_bytes(), b"more"]);
            let said = String::from_utf8(out.concat()).unwrap();
            assert!(cut && said.contains(want) && said.contains("data is corrupt"), "{coding}: {said}");
            assert_eq!(said.matches("corrupt").count(), 1, "{said}");
        }
    }
}

#[test]
fn a_bomb_ends_with_an_error_and_within_bounds() {
    let zeros = vec![b' '; 60 << 20];
    for (which, (name, coding)) in NAMES.into_iter().enumerate() {
        let bytes = one(which, &zeros);
        assert!(bytes.len() < 100_000, "{name}: {}", bytes.len());
        let head = [(":status", "200"), ("content-type", "application/json"), ("content-encoding", name)];
        let (status, _, body) = whole("/v1/chat/completions", &head, &bytes);
        let said = String::from_utf8(body.unwrap()).unwrap();
        assert!(status == "502" && said.contains("becomes more bytes than this gateway takes"), "{name}: {said}");
        // Small pieces gain nothing.
        for size in [64, bytes.len()] {
            let (mut decoder, mut given, mut taken) = (Decoder::new(coding), 0, 0);
            let fault = bytes.chunks(size).find_map(|piece| {
                let mut out = Vec::new();
                let read = decoder.piece(piece, &mut out);
                (given, taken) = (given + out.len(), taken + piece.len());
                read.err()
            });
            assert_eq!(fault, Some(Fault::TooLarge), "{name} in pieces of {size}");
            assert!(given <= (16 << 20) + 256 * taken, "{name}: {given} of {taken}");
        }
    }
    let (out, cut) = streamed("/v1/chat/completions", Some("gzip"), &[&one(0, &zeros)]);
    let said = String::from_utf8(out.concat()).unwrap();
    assert!(cut && said.len() < 1000 && said.contains("than this gateway takes"), "{said}");
}

#[test]
fn an_encoding_that_is_not_known_is_named_and_not_quoted() {
    let json = ("content-type", "application/json");
    for coding in ["compress", "gzip, br", "\u{1}odd"] {
        let head = [(":status", "200"), json, ("content-encoding", coding)];
        let body = b"\x1f\x8b\xff secret binary";
        assert_eq!(whole("/v1/chat/completions", &head, body), ("200".into(), false, None), "as it came");
        let failed = [(":status", "503"), json, ("content-encoding", coding)];
        for (path, head, want) in
            [("/v1/messages", &head, "502"), ("/v1/messages", &failed, "503"), ("/v1/chat/completions", &failed, "503")]
        {
            let (status, removed, body) = whole(path, head, body);
            let said = String::from_utf8(body.unwrap()).unwrap();
            assert!(status == want && removed && !said.contains("binary"), "{said}");
            assert!(said.contains(&format!("content-encoding is `{}`", coding.replace('\u{1}', "?"))), "{said}");
        }
        for (path, _) in CHATS {
            let (_, mut attempt) = chat(path, true);
            let head = [(":status", "200"), ("content-type", "text/event-stream"), ("content-encoding", coding)];
            assert_eq!(attempt.answer_head(&headers(&head), false, ms(1)), AnswerHead::Hold);
            let (edits, said) = attempt.answer_whole(body);
            let said = String::from_utf8(said.unwrap()).unwrap();
            assert_eq!((set(&edits, ":status"), said.contains("binary")), (Some("502"), false), "{said}");
        }
    }
    let head = [(":status", "200"), json, ("content-encoding", "Identity")];
    assert_eq!(whole("/v1/chat/completions", &head, &answer("200")), ("200".into(), false, None));
    let bytes = one(0, &answer("200"));
    let head = [(":status", "200"), json, ("content-encoding", "X-GZIP")];
    assert_eq!(whole("/v1/chat/completions", &head, &bytes), ("200".into(), true, Some(answer("200"))));
}

#[test]
fn what_passes_stays_compressed_and_is_metered() {
    let usage = json!({"usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}});
    let event = format!("data: {usage}\n\n");
    for (which, (coding, _)) in NAMES.iter().enumerate() {
        for (content_type, plain) in [("application/json", usage.to_string()), ("text/event-stream", event.clone())] {
            let (exchange, _) = routed("/v1/rerank", r#"{"model":"house/r","query":"x"}"#);
            let mut attempt = Attempt::begin(&exchange, 1, Some("house"), &post("/v1/rerank"), T0).unwrap().0;
            let bytes = one(which, plain.as_bytes());
            let head = headers(&[(":status", "200"), ("content-type", content_type), ("content-encoding", coding)]);
            let edits = match attempt.answer_head(&head, false, ms(1)) {
                AnswerHead::Hold => {
                    let (edits, body) = attempt.answer_whole(&bytes);
                    assert_eq!(body, None);
                    edits
                }
                AnswerHead::Stream(edits) => {
                    assert!(bytes.chunks(3).all(|piece| attempt.answer_piece(piece, false).is_none()));
                    attempt.answer_piece(&[], true);
                    edits
                }
            };
            assert!(!edits.remove.contains(&"content-encoding".to_owned()), "{coding}");
            assert_eq!(exchange.borrow().ledger().usage.input, Some(Tokens(7)), "{coding} {content_type}");
        }
    }
}

/// Text that no window is long enough for.
fn long_text(bytes: usize) -> Vec<u8> {
    let mut seed = 7_u32;
    let mut text = Vec::new();
    while text.len() < bytes {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.extend_from_slice(format!("{{\"n\":{},\"word\":\"{}\"}} ", seed >> 24, seed % 977).as_bytes());
        if seed.is_multiple_of(5) && text.len() > 900 {
            let from = text.len() - 900;
            text.extend_from_within(from..from + 200);
        }
    }
    text
}

#[test]
fn windows_and_frames_of_any_size_are_read() {
    let text = long_text(3 << 20);
    for log in [10, 12, 17, 20, 23] {
        let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        writer.window_log(log).unwrap();
        writer.include_checksum(log % 2 == 0).unwrap();
        let pieces: Vec<&[u8]> = text.chunks(9_973).collect();
        let (packed, writer) = flushed(writer, &pieces, |w| std::mem::take(w.get_mut()));
        let bytes = [packed.concat(), writer.finish().unwrap()].concat();
        // A frame of no data stands between two of data, and one of nothing at the end.
        let skipped = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..]].concat();
        let bytes = [&bytes[..], &skipped, &zstd::encode_all(&b"end"[..], 1).unwrap(), &skipped].concat();
        assert!(decoded(Coding::Zstd, &bytes) == Ok([&text[..], b"end"].concat()), "window of 2^{log}");
    }
    let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    writer.window_log(24).unwrap();
    writer.write_all(&text).unwrap();
    let error = decoded(Coding::Zstd, &writer.finish().unwrap()).unwrap_err();
    assert_eq!(error, crate::exchange::decoding::Unread::Fault(Coding::Zstd, Fault::TooLarge));
    for window in [10, 16, 24] {
        let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 5, window);
        writer.write_all(&text).unwrap();
        assert!(decoded(Coding::Brotli, &writer.into_inner()) == Ok(text.clone()), "window of 2^{window}");
    }
    let members = [one(0, b"one, "), one(0, b"two")].concat();
    assert_eq!(decoded(Coding::Gzip, &members), Ok(b"one, two".to_vec()));
}
