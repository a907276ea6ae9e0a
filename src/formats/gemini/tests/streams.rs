use super::super::super::canonical::*;
use super::{incoming, read_stream, write_stream};
use crate::testing::test;
use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};

fn sse(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect()
}

fn read(chunks: &[Value]) -> Vec<StreamEvent> {
    read_stream(&[sse(chunks).as_bytes()])
}

/// A chunk of one candidate.
fn chunk(parts: Value, more: Value) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}});
    candidate.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r1"})
}

fn start() -> StreamEvent {
    StreamEvent::Start { id: Some("r1".into()), model: Some("gemini-x".into()), created: None, usage: Usage::default() }
}

fn finish(stop: StopReason) -> StreamEvent {
    StreamEvent::Finish { choice: 0, stop, stop_sequence: None }
}

fn text(text: &str) -> StreamEvent {
    StreamEvent::Text { choice: 0, text: text.into() }
}

#[test]
fn a_rich_stream_is_read_the_same_wherever_it_is_cut() {
    let mut last = chunk(json!([{"functionCall": {"id": "own", "name": "g"}}]), json!({"finishReason": "STOP"}));
    last["usageMetadata"] =
        json!({"promptTokenCount": 9, "candidatesTokenCount": 5, "thoughtsTokenCount": 2, "totalTokenCount": 16});
    let mut first = chunk(json!([{"text": "h\u{301}m 日", "thought": true}]), json!({}));
    first["usageMetadata"] = json!({"promptTokenCount": 9, "totalTokenCount": 9});
    let bytes = sse(&[
        first,
        chunk(json!([{"text": "Hé", "thoughtSignature": "S"}]), json!({})),
        chunk(
            json!([{"text": ""}, {"functionCall": {"name": "f", "args": {"b": "ü", "a": 1}}, "thoughtSignature": "T"}]),
            json!({}),
        ),
        last,
    ]);
    let usage = |output, reasoning: Option<u64>| {
        let (input, output) = (Some(Tokens(9)), Some(Tokens(output)));
        StreamEvent::Usage(Usage { input, output, reasoning: reasoning.map(Tokens), ..Usage::default() })
    };
    let call = |index, id: &str, name: &str, signature: Option<&str>, json: &str| {
        let signature = signature.map(str::to_owned);
        let begin = StreamEvent::ToolStart { choice: 0, index, id: id.into(), name: name.into(), signature };
        [begin, StreamEvent::ToolArguments { choice: 0, index, json: json.into() }]
    };
    let mut expected = vec![
        start(),
        StreamEvent::Thinking { choice: 0, text: "h\u{301}m 日".into() },
        usage(0, None),
        StreamEvent::Signature { choice: 0, signature: "gemini:S".into() },
        text("Hé"),
    ];
    expected.extend(call(0, "call_r1_0", "f", Some("gemini:T"), r#"{"b":"ü","a":1}"#));
    expected.extend(call(1, "own", "g", None, "{}"));
    expected.extend([usage(7, Some(2)), finish(StopReason::ToolCalls), StreamEvent::End]);
    assert_eq!(read_stream(&[bytes.as_bytes()]), expected);
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.as_bytes().split_at(cut);
        assert_eq!(read_stream(&[head, tail]), expected, "cut at {cut}");
    }
}

#[test]
fn a_reason_in_every_chunk_ends_nothing_before_its_time() {
    let stop = json!({"finishReason": "STOP"});
    let events = read(&[chunk(json!([{"text": "a"}]), stop.clone()), chunk(json!([{"text": "b"}]), stop)]);
    assert_eq!(events, [start(), text("a"), text("b"), finish(StopReason::End), StreamEvent::End]);
}

#[test]
fn what_goes_wrong_is_said() {
    let begun = chunk(json!([{"text": "a"}]), json!({}));
    for (second, status, what) in [
        (String::new(), 502, "ended before"),
        (sse(&[json!({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}})]), 503, "busy"),
        (sse(&[json!([{"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}])]), 429, "slow"),
        ("data: {\n\n".to_owned(), 502, "not JSON"),
        ("data: [1]\n\n".to_owned(), 502, "an array"),
    ] {
        let bytes = format!("{}{second}data: [DONE]\n\n", sse(std::slice::from_ref(&begun)));
        let events = read_stream(&[bytes.as_bytes()]);
        let [first, said, StreamEvent::Error(error), StreamEvent::End] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!((first, said), (&start(), &text("a")));
        assert!(error.status == status && error.message.contains(what), "{error:?}");
    }
    let nothing = read_stream(&[b""]);
    assert!(matches!(nothing.as_slice(), [StreamEvent::Start { .. }, StreamEvent::Error(_), StreamEvent::End]));
}

#[test]
fn blocks_are_said_in_words() {
    let refusal = |text: &str| StreamEvent::Refusal { choice: 0, text: text.into() };
    let feedback = json!({"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "gemini-x", "responseId": "r1"});
    let refused = refusal("The provider blocked the prompt (SAFETY).");
    assert_eq!(read(&[feedback]), [start(), refused, finish(StopReason::ContentFilter), StreamEvent::End]);
    let cut = json!({"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "Malformed."});
    let other = StopReason::Other("MALFORMED_FUNCTION_CALL".into());
    assert_eq!(read(&[chunk(json!([]), cut)]), [start(), refusal("Malformed."), finish(other), StreamEvent::End]);
}

#[test]
fn grounding_comes_with_the_end() {
    let grounding = json!({"groundingChunks": [{"web": {"uri": "https://a"}}],
        "groundingSupports": [{"segment": {"startIndex": 2, "endIndex": 5}, "groundingChunkIndices": [0]}]});
    let events = read(&[
        chunk(json!([{"text": "é"}]), json!({})),
        chunk(json!([{"text": "日本"}]), json!({"finishReason": "STOP", "groundingMetadata": grounding})),
    ]);
    let cited = Citation { url: Some("https://a".into()), span: Some((1, 2)), ..Citation::default() };
    assert_eq!(events[3], StreamEvent::Citation { choice: 0, citation: cited });
    let written = chunks(&events);
    let citation = &written.last().unwrap()["candidates"][0]["citationMetadata"]["citations"][0];
    assert_eq!(*citation, json!({"startIndex": 2, "endIndex": 5, "uri": "https://a"}));
}

/// What is written for these events.
fn chunks(events: &[StreamEvent]) -> Vec<Value> {
    let out = String::from_utf8(write_stream(events, &incoming())).unwrap();
    out.split_terminator("\n\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

#[test]
fn calls_are_written_whole_and_in_their_order() {
    let begin =
        |index, id: &str| StreamEvent::ToolStart { choice: 0, index, id: id.into(), name: "f".into(), signature: None };
    let piece = |index, json: &str| StreamEvent::ToolArguments { choice: 0, index, json: json.into() };
    let events = [
        text("a"),
        begin(0, "x"),
        piece(0, "{\"a\":"),
        begin(1, "y"),
        piece(1, "oops"),
        StreamEvent::Ping,
        piece(0, "1}"),
        begin(2, "z"),
        finish(StopReason::ToolCalls),
        StreamEvent::Usage(Usage { input: Some(Tokens(3)), output: Some(Tokens(4)), ..Usage::default() }),
        StreamEvent::End,
        text("never"),
    ];
    let written = chunks(&events);
    let part = |i: usize| written[i]["candidates"][0]["content"]["parts"][0].clone();
    let call = |id: &str, args: Value| json!({"functionCall": {"id": id, "name": "f", "args": args}});
    assert_eq!((part(0), part(1)), (json!({"text": "a"}), call("x", json!({"a": 1}))));
    assert_eq!((part(2), part(3)), (call("y", json!({"_raw": "oops"})), call("z", json!({}))));
    assert_eq!(written.len(), 5);
    assert_eq!(written[4]["candidates"][0]["finishReason"], "STOP");
    assert_eq!(
        written[4]["usageMetadata"],
        json!({"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7})
    );
    assert!(written.iter().all(|chunk| chunk["responseId"] == "ex1" && chunk["modelVersion"] == "asked"));
}

#[test]
fn a_call_too_large_to_wait_for_is_an_error() {
    let begin = StreamEvent::ToolStart { choice: 0, index: 0, id: "x".into(), name: "f".into(), signature: None };
    let piece = StreamEvent::ToolArguments { choice: 0, index: 0, json: "x".repeat(9 << 20) };
    let written = chunks(&[begin, piece.clone(), piece, StreamEvent::End]);
    assert_eq!((written.len(), &written[0]["error"]["code"]), (1, &json!(502)));
}

#[test]
fn an_error_ends_the_stream() {
    let written = chunks(&[start(), StreamEvent::Error(ApiError::new(503, "busy")), StreamEvent::End]);
    assert_eq!(written, [json!({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}})]);
}
