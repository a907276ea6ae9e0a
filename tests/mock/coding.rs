//! Compressed bodies, asked for or not.

use crate::client::Mock;
use serde_json::json;
use std::io::Read;

const KEY: &[(&str, &str)] = &[("authorization", "Bearer k")];

fn read(coding: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut plain = Vec::new();
    match coding {
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).map(drop).unwrap(),
        "deflate" => flate2::read::ZlibDecoder::new(bytes).read_to_string(&mut text).map(drop).unwrap(),
        "br" => brotli::BrotliDecompress(&mut &*bytes, &mut plain).unwrap(),
        _ => zstd::stream::copy_decode(bytes, &mut plain).unwrap(),
    }
    text + &String::from_utf8(plain).unwrap()
}

#[test]
fn bodies_are_compressed_whole_and_in_pieces() {
    let mock = Mock::new();
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let ask = |fault: &str, stream: bool| {
            let model = format!("gpt-4o+{coding}{fault}");
            let body = json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]});
            mock.post("/v1/chat/completions", KEY, &body)
        };
        let whole = ask("", false);
        assert_eq!((whole.status, whole.header("content-encoding")), (200, coding));
        assert!(read(coding, &whole.bytes).contains("You said: Hello"), "{coding}");
        let streamed = read(coding, &ask("", true).bytes);
        assert!(streamed.starts_with("data: ") && streamed.ends_with("data: [DONE]\n\n"), "{coding}: {streamed}");
        let refused = ask("+status=503", false);
        assert_eq!((refused.status, refused.header("content-encoding")), (503, coding));
        assert!(read(coding, &refused.bytes).contains("server_error"), "{coding}");
        let cut = ask("+cut=40", true);
        assert!(!cut.whole && cut.bytes.len() == 40, "{coding}: {cut:?}");
    }
}

/// What came so far can be read before the rest is there.
#[test]
fn a_piece_can_be_read_as_soon_as_it_came() {
    let mock = Mock::new();
    let body =
        json!({"model": "gpt-4o+gzip", "stream": true, "messages": [{"role": "user", "content": "word ".repeat(30)}]});
    let whole = mock.post("/v1/chat/completions", KEY, &body);
    let plain = read("gzip", &whole.bytes);
    let half = whole.bytes.len() / 2;
    let mut text = Vec::new();
    let _ = flate2::read::GzDecoder::new(&whole.bytes[..half]).read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("\n\n") && plain.starts_with(&text), "{text}");
}
