//! Streams, event by event.

use super::{read_stream, write_stream};
use crate::formats::canonical::*;
use crate::testing::test;
use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};

fn sse(events: &[Value]) -> String {
    events.iter().map(|data| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap())).collect()
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-x", "usage": {"input_tokens": 5, "cache_read_input_tokens": 20, "output_tokens": 1}}})
}

fn started() -> StreamEvent {
    let usage = Usage { input: Some(Tokens(25)), cached_input: Some(Tokens(20)), ..Usage::default() };
    StreamEvent::Start { id: Some("msg_1".into()), model: Some("claude-x".into()), created: None, usage }
}

fn text(text: &str) -> StreamEvent {
    StreamEvent::Text { choice: 0, text: text.into() }
}

fn thinking(text: &str) -> StreamEvent {
    StreamEvent::Thinking { choice: 0, text: text.into() }
}

fn signature(signature: &str) -> StreamEvent {
    StreamEvent::Signature { choice: 0, signature: signature.into() }
}

fn tool(index: u64, id: &str) -> StreamEvent {
    StreamEvent::ToolStart { choice: 0, index, id: id.into(), name: "f".into(), signature: None }
}

fn arguments(index: u64, json: &str) -> StreamEvent {
    StreamEvent::ToolArguments { choice: 0, index, json: json.into() }
}

fn finish(stop: StopReason) -> StreamEvent {
    StreamEvent::Finish { choice: 0, stop, stop_sequence: None }
}

fn block(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

#[test]
fn every_kind_of_block_is_read() {
    let events = read_stream(&sse(&[
        start(),
        json!({"type": "ping"}),
        block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
        delta(0, json!({"type": "signature_delta", "signature": "s"})),
        stop(0),
        block(1, json!({"type": "redacted_thinking", "data": "x"})),
        stop(1),
        block(2, json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "{\"q\":1}"})),
        stop(2),
        block(3, json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": []})),
        stop(3),
        block(4, json!({"type": "text", "text": "A"})),
        delta(4, json!({"type": "text_delta", "text": ""})),
        delta(4, json!({"type": "text_delta", "text": "b"})),
        delta(4, json!({"type": "citations_delta", "citation": {}})),
        stop(4),
        block(5, json!({"type": "tool_use", "id": "t0", "name": "f", "input": {}})),
        delta(5, json!({"type": "input_json_delta", "partial_json": ""})),
        delta(5, json!({"type": "input_json_delta", "partial_json": "{\"a\":"})),
        delta(5, json!({"type": "input_json_delta", "partial_json": "1}"})),
        stop(5),
        block(6, json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}})),
        stop(6),
        block(7, json!({"type": "tool_use", "id": "t2", "name": "f", "input": {"z": 1}})),
        json!({"type": "novel_event"}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
        json!({"type": "ping"}),
    ]));
    let usage =
        Usage { input: Some(Tokens(25)), cached_input: Some(Tokens(20)), output: Some(Tokens(9)), ..Usage::default() };
    let expected = [
        started(),
        StreamEvent::Ping,
        thinking("hm"),
        signature("s"),
        StreamEvent::RedactedThinking { choice: 0, data: "x".into() },
        text("A"),
        text("b"),
        tool(0, "t0"),
        arguments(0, "{\"a\":"),
        arguments(0, "1}"),
        tool(1, "t1"),
        arguments(1, "{}"),
        tool(2, "t2"),
        arguments(2, "{\"z\":1}"),
        finish(StopReason::ToolCalls),
        StreamEvent::Usage(usage),
        StreamEvent::End,
    ];
    assert_eq!(events, expected);
}

#[test]
fn arguments_that_came_with_a_calls_start_are_said_before_another_block_goes_on() {
    let call = json!({"type": "tool_use", "id": "a", "name": "f", "input": {"b": 2}});
    let sent = sse(&[
        start(),
        block(1, call),
        delta(0, json!({"type": "thinking_delta", "thinking": "t"})),
        stop(1),
        json!({"type": "message_stop"}),
    ]);
    assert_eq!(
        read_stream(&sent),
        [
            started(),
            tool(0, "a"),
            arguments(0, r#"{"b":2}"#),
            thinking("t"),
            finish(StopReason::ToolCalls),
            StreamEvent::End
        ]
    );
}

#[test]
fn endings() {
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}});
    let end = StreamEvent::Finish { choice: 0, stop: StopReason::StopSequence, stop_sequence: Some("END".into()) };
    let nobody = StreamEvent::Start { id: None, model: None, created: None, usage: Usage::default() };
    let early = || StreamEvent::Error(ApiError::new(502, "the provider's stream ended before its end"));
    let busy = ApiError { provider_type: Some("overloaded_error".into()), ..ApiError::new(529, "Overloaded") };
    let cases = [
        (sse(&[start(), delta.clone()]), vec![started(), end.clone(), StreamEvent::End]),
        (sse(&[start(), delta, json!({"type": "message_stop"})]), vec![started(), end, StreamEvent::End]),
        (sse(&[start(), json!({"type": "message_stop"})]), vec![started(), finish(StopReason::End), StreamEvent::End]),
        (sse(&[start()]), vec![started(), early(), StreamEvent::End]),
        (String::new(), vec![nobody.clone(), early(), StreamEvent::End]),
        (
            sse(&[
                start(),
                json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
                start(),
            ]),
            vec![started(), StreamEvent::Error(busy), StreamEvent::End],
        ),
    ];
    for (stream, expected) in cases {
        assert_eq!(read_stream(&stream), expected, "{stream}");
    }
    let garbage = read_stream("data: {\"type\"\n\n");
    assert!(matches!(&garbage[..], [s, StreamEvent::Error(e), StreamEvent::End] if *s == nobody && e.status == 502));
}

#[test]
fn later_usage_without_caches_keeps_them_in_the_sum() {
    let events = read_stream(&sse(&[
        start(),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"input_tokens": 6, "output_tokens": 2}}),
    ]));
    let Some(StreamEvent::Usage(usage)) = events.get(2) else { panic!("{events:?}") };
    assert_eq!((usage.input, usage.cached_input), (Some(Tokens(26)), Some(Tokens(20))));
}

#[test]
fn blocks_are_written_one_after_the_other() {
    let written = write_stream(&[
        started(),
        StreamEvent::Ping,
        thinking("hm"),
        signature("s"),
        thinking("more"),
        StreamEvent::RedactedThinking { choice: 0, data: "x".into() },
        text("A"),
        text("b"),
        StreamEvent::Text { choice: 1, text: "another choice".into() },
        tool(0, "c0"),
        arguments(0, "{}"),
        text("after"),
        finish(StopReason::End),
        StreamEvent::Usage(Usage { output: Some(Tokens(9)), ..Usage::default() }),
        StreamEvent::End,
        text("too late"),
    ]);
    let start = json!({"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [], "stop_reason": null,
        "stop_sequence": null, "usage": {"input_tokens": 5, "cache_read_input_tokens": 20, "output_tokens": 0}}});
    let blank = || json!({"type": "thinking", "thinking": "", "signature": ""});
    let expected = [
        start,
        json!({"type": "ping"}),
        block(0, blank()),
        delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
        delta(0, json!({"type": "signature_delta", "signature": "s"})),
        stop(0),
        block(1, blank()),
        delta(1, json!({"type": "thinking_delta", "thinking": "more"})),
        stop(1),
        block(2, json!({"type": "redacted_thinking", "data": "x"})),
        stop(2),
        block(3, json!({"type": "text", "text": ""})),
        delta(3, json!({"type": "text_delta", "text": "A"})),
        delta(3, json!({"type": "text_delta", "text": "b"})),
        stop(3),
        block(4, json!({"type": "tool_use", "id": "c0", "name": "f", "input": {}})),
        delta(4, json!({"type": "input_json_delta", "partial_json": "{}"})),
        stop(4),
        block(5, json!({"type": "text", "text": ""})),
        delta(5, json!({"type": "text_delta", "text": "after"})),
        stop(5),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null},
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 20, "output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ];
    assert_eq!(written, expected);
}

/// Each call's id and its arguments, with every block checked to be closed before the next begins.
fn calls(written: &[Value]) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    let mut open: Option<u64> = None;
    let mut next = 0;
    for data in written {
        let index = data["index"].as_u64();
        match data["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!((open, index), (None, Some(next)));
                open = index;
                next += 1;
                calls.push((data["content_block"]["id"].as_str().unwrap_or("text").to_owned(), String::new()));
            }
            "content_block_delta" => {
                assert_eq!(open, index);
                let piece = data["delta"]["partial_json"].as_str().or(data["delta"]["text"].as_str()).unwrap();
                calls.last_mut().unwrap().1.push_str(piece);
            }
            "content_block_stop" => {
                assert_eq!(open, index);
                open = None;
            }
            _ => {}
        }
    }
    assert_eq!(open, None);
    calls
}

#[test]
fn interleaved_calls_are_put_in_order() {
    let cases = [
        // One after the other.
        vec![tool(0, "a"), arguments(0, "{\"x\":"), arguments(0, "1}"), tool(1, "b"), arguments(1, "{\"y\":2}")],
        // All begin first.
        vec![tool(0, "a"), tool(1, "b"), arguments(0, "{\"x\":1}"), arguments(1, "{\"y\":2}")],
        // Piece by piece in turn, the second ending first, brackets in strings.
        vec![
            tool(0, "a"),
            arguments(0, "{\"x\""),
            tool(1, "b"),
            arguments(1, "{\"y\":"),
            arguments(0, ":"),
            arguments(1, "2}"),
            arguments(0, "1}"),
        ],
    ];
    let expected = [("a".to_owned(), "{\"x\":1}".to_owned()), ("b".to_owned(), "{\"y\":2}".to_owned())];
    for case in cases {
        let mut events = vec![started()];
        events.extend(case);
        events.extend([finish(StopReason::ToolCalls), StreamEvent::End]);
        assert_eq!(calls(&write_stream(&events)), expected);
    }
    let tricky = "{\"x\":\"}\\\"]\"}";
    for cut in 0..tricky.len() {
        let (head, tail) = tricky.split_at(cut);
        let events = [
            tool(0, "a"),
            arguments(0, head),
            tool(1, "b"),
            text("t"),
            arguments(0, tail),
            finish(StopReason::ToolCalls),
            StreamEvent::End,
        ];
        let found = calls(&write_stream(&events));
        assert_eq!(
            found,
            [("a".to_owned(), tricky.to_owned()), ("b".to_owned(), String::new()), ("text".to_owned(), "t".to_owned())]
        );
    }
}

#[test]
fn pieces_of_the_open_block_pass_at_once() {
    let so_far = write_stream(&[started(), tool(0, "a"), arguments(0, "{\"x")]);
    assert_eq!(so_far.last().unwrap()["delta"]["partial_json"], "{\"x");
    let so_far = write_stream(&[started(), tool(0, "a"), arguments(0, "{}"), tool(1, "b"), arguments(1, "{\"y")]);
    assert_eq!(so_far.last().unwrap()["delta"]["partial_json"], "{\"y");
}

#[test]
fn an_error_ends_the_stream() {
    let error = StreamEvent::Error(ApiError::new(529, "busy"));
    let written = write_stream(&[started(), text("A"), error, StreamEvent::End]);
    let last = json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}});
    assert_eq!(written.last(), Some(&last));
    assert_eq!(written.iter().filter(|data| data["type"] == "message_stop").count(), 0);
}

#[test]
fn reasons_to_stop() {
    let refusal = StreamEvent::Refusal { choice: 0, text: "No".into() };
    let cases = [
        (vec![finish(StopReason::End)], "end_turn"),
        (vec![], "end_turn"),
        (vec![finish(StopReason::Length)], "max_tokens"),
        (vec![tool(0, "a"), finish(StopReason::End)], "tool_use"),
        (vec![refusal, finish(StopReason::End)], "refusal"),
        (vec![finish(StopReason::ContentFilter)], "refusal"),
        (vec![finish(StopReason::Other("odd".into()))], "end_turn"),
    ];
    for (mut events, reason) in cases {
        events.push(StreamEvent::End);
        let written = write_stream(&events);
        assert_eq!(written[0]["type"], "message_start");
        let delta = written.iter().find(|data| data["type"] == "message_delta").unwrap();
        assert_eq!(delta["delta"]["stop_reason"], reason);
        assert_eq!(delta["usage"], json!({"input_tokens": 0, "output_tokens": 0}));
    }
}

#[test]
fn what_waits_behind_an_unfinished_call_is_told_before_an_error() {
    let cut = StreamEvent::Error(ApiError::new(502, "cut"));
    let events = [started(), tool(0, "a"), arguments(0, "{\"a\":"), text("late"), cut, StreamEvent::End];
    let written = write_stream(&events);
    let kinds: Vec<&str> = written.iter().filter_map(|data| data["type"].as_str()).collect();
    let [head, tail] = [&kinds[..4], &kinds[4..]];
    assert_eq!(head, ["message_start", "content_block_start", "content_block_delta", "content_block_stop"]);
    assert_eq!(tail, ["content_block_start", "content_block_delta", "error"]);
    assert_eq!(written[5]["delta"]["text"], "late");
}

#[test]
fn blocks_after_the_stop_reason_are_ignored() {
    let late = [
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "a", "name": "f", "input": {"a": 1}}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "late"}}),
        json!({"type": "content_block_stop", "index": 0}),
    ];
    let stop = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}});
    let over = json!({"type": "message_stop"});
    let without = read_stream(&sse(&[start(), stop.clone(), over.clone()]));
    let [block, delta, end] = late;
    assert_eq!(read_stream(&sse(&[start(), stop, block, delta, end, over])), without);
}

#[test]
fn sources_follow_the_text_that_rests_on_them() {
    let page = json!({"type": "web_search_result_location", "url": "https://e", "title": "E", "cited_text": "c", "encrypted_index": "i"});
    let events = read_stream(&sse(&[
        start(),
        block(0, json!({"type": "text", "text": ""})),
        delta(0, json!({"type": "text_delta", "text": "é "})),
        stop(0),
        block(1, json!({"type": "text", "text": "", "citations": []})),
        delta(1, json!({"type": "citations_delta", "citation": page})),
        delta(1, json!({"type": "text_delta", "text": "abc"})),
        stop(1),
        block(2, json!({"type": "text", "text": "."})),
        stop(2),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}}),
        json!({"type": "message_stop"}),
    ]));
    let citation = Citation {
        url: Some("https://e".into()),
        title: Some("E".into()),
        cited_text: Some("c".into()),
        span: Some((2, 5)),
        verbatim: Some((crate::formats::Format::AnthropicMessages, page.clone())),
    };
    let cited = StreamEvent::Citation { choice: 0, citation };
    let end = StreamEvent::Finish { choice: 0, stop: StopReason::End, stop_sequence: None };
    assert_eq!(events, [started(), text("é "), text("abc"), cited.clone(), text("."), end.clone(), StreamEvent::End]);
    // Written, the source stands in the block that it follows, and what comes after in another.
    let written = write_stream(&[started(), text("abc"), cited, text("."), end, StreamEvent::End]);
    let deltas: Vec<(u64, &str)> = written
        .iter()
        .filter(|event| event["type"] == "content_block_delta")
        .map(|event| (event["index"].as_u64().unwrap(), event["delta"]["type"].as_str().unwrap()))
        .collect();
    assert_eq!(deltas, [(0, "text_delta"), (0, "citations_delta"), (1, "text_delta")]);
}

#[test]
fn a_sign_of_life_before_the_start_is_a_comment() {
    let mut writer = crate::formats::anthropic_messages::StreamWriter::new(&super::INCOMING);
    let mut out = Vec::new();
    for event in [StreamEvent::Ping, started(), StreamEvent::Ping] {
        crate::formats::WriteStream::write(&mut writer, &event, &mut out);
    }
    let out = String::from_utf8(out).unwrap();
    assert!(out.starts_with(": ping\n\nevent: message_start\n"), "{out}");
    assert!(out.ends_with("event: ping\ndata: {\"type\":\"ping\"}\n\n"), "{out}");
}
