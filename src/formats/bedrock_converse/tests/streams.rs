use super::{read_stream, write_stream};
use crate::formats::canonical::{ApiError, ErrorKind, StopReason, StreamEvent};
use crate::testing::test;
use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};

const START: StreamEvent = StreamEvent::Start { id: None, model: None, created: None, usage: EMPTY };
const EMPTY: Usage = Usage {
    input: None,
    cached_input: None,
    cache_write: None,
    cache_write_1h: None,
    output: None,
    reasoning: None,
    audio_input: None,
    image_input: None,
    audio_output: None,
    service_tier: None,
};

type Messages = Vec<(&'static str, Value)>;

fn text(text: &str) -> StreamEvent {
    StreamEvent::Text { choice: 0, text: text.to_owned() }
}

fn tool(index: u64, id: &str) -> StreamEvent {
    StreamEvent::ToolStart { choice: 0, index, id: id.to_owned(), name: "f".to_owned(), signature: None }
}

fn arguments(index: u64, json: &str) -> StreamEvent {
    StreamEvent::ToolArguments { choice: 0, index, json: json.to_owned() }
}

fn finish(stop: StopReason) -> StreamEvent {
    StreamEvent::Finish { choice: 0, stop, stop_sequence: None }
}

fn delta(index: u64, delta: Value) -> (&'static str, Value) {
    ("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta, "p": "abc"}))
}

fn start(index: u64, id: &str) -> (&'static str, Value) {
    ("contentBlockStart", json!({"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": id, "name": "f"}}}))
}

fn stop(index: u64) -> (&'static str, Value) {
    ("contentBlockStop", json!({"contentBlockIndex": index}))
}

#[test]
fn a_whole_stream_is_read() {
    let messages = [
        ("messageStart", json!({"role": "assistant"})),
        delta(0, json!({"reasoningContent": {"text": "T"}})),
        delta(0, json!({"reasoningContent": {"signature": "ErUB"}})),
        stop(0),
        delta(1, json!({"reasoningContent": {"redactedContent": "RXFRQg=="}})),
        stop(1),
        delta(2, json!({"text": "Hé"})),
        delta(2, json!({"text": ""})),
        delta(2, json!({"citation": {"title": "A", "location": {"web": {"url": "https://a"}}}})),
        stop(2),
        start(3, "t1"),
        delta(3, json!({"toolUse": {"input": ""}})),
        delta(3, json!({"toolUse": {"input": "{\"a\":"}})),
        delta(3, json!({"toolUse": {"input": "1}"}})),
        stop(3),
        start(4, "t2"),
        stop(4),
        ("novelty", json!({"x": 1})),
        ("messageStop", json!({"stopReason": "tool_use"})),
        (
            "metadata",
            json!({"usage": {"inputTokens": 3, "outputTokens": 4, "cacheReadInputTokens": 2}, "metrics": {"latencyMs": 1}, "serviceTier": {"type": "flex"}}),
        ),
    ];
    let found = read_stream(&messages);
    let StreamEvent::Citation { citation, .. } = &found[5] else { panic!("{found:?}") };
    assert_eq!(citation.url.as_deref(), Some("https://a"));
    let usage = Usage {
        input: Some(Tokens(5)),
        cached_input: Some(Tokens(2)),
        output: Some(Tokens(4)),
        service_tier: Some("flex".into()),
        ..Usage::default()
    };
    let expected = [
        START,
        StreamEvent::Thinking { choice: 0, text: "T".into() },
        StreamEvent::Signature { choice: 0, signature: "ErUB".into() },
        StreamEvent::RedactedThinking { choice: 0, data: "EqQB".into() },
        text("Hé"),
        found[5].clone(),
        tool(0, "t1"),
        arguments(0, "{\"a\":"),
        arguments(0, "1}"),
        tool(1, "t2"),
        arguments(1, "{}"),
        finish(StopReason::ToolCalls),
        StreamEvent::Usage(usage),
        StreamEvent::End,
    ];
    assert_eq!(found, expected);
}

#[test]
fn torn_and_odd_streams_end_as_they_should() {
    let begin = ("messageStart", json!({"role": "assistant"}));
    let done = ("messageStop", json!({"stopReason": "end_turn"}));
    let cases: Vec<(Messages, Vec<StreamEvent>)> = vec![
        // No metadata came: the answer is whole all the same.
        (vec![begin.clone(), done.clone()], vec![START, finish(StopReason::End), StreamEvent::End]),
        // No start, no reason.
        (
            vec![delta(0, json!({"text": "a"})), ("messageStop", json!({}))],
            vec![START, text("a"), finish(StopReason::End), StreamEvent::End],
        ),
        // A call whose block is not closed.
        (
            vec![start(0, "t"), done.clone()],
            vec![START, tool(0, "t"), arguments(0, "{}"), finish(StopReason::End), StreamEvent::End],
        ),
        // After the end nothing more is said.
        (
            vec![
                begin.clone(),
                done.clone(),
                delta(0, json!({"text": "late"})),
                done.clone(),
                ("metadata", json!({})),
                begin,
            ],
            vec![START, finish(StopReason::End), StreamEvent::End],
        ),
        // Calls of the provider's own tools are not the client's.
        (
            vec![
                (
                    "contentBlockStart",
                    json!({"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "x", "name": "g", "type": "server_tool_use"}}}),
                ),
                delta(0, json!({"toolUse": {"input": "{}"}})),
                stop(0),
                done,
            ],
            vec![START, finish(StopReason::End), StreamEvent::End],
        ),
    ];
    for (messages, expected) in cases {
        assert_eq!(read_stream(&messages), expected, "{messages:?}");
    }
}

#[test]
fn failures_in_the_stream_are_told_once() {
    use ErrorKind::*;
    let say = |message: &str| json!({ "message": message });
    let cases = [
        ("throttlingException", say("slow"), 429, RateLimit, "slow"),
        ("ThrottlingException", say("slow"), 429, RateLimit, "slow"),
        ("internalServerException", say("oops"), 500, Server, "oops"),
        ("serviceUnavailableException", say("later"), 503, Overloaded, "later"),
        (
            "validationException",
            say("Input is too long for requested model."),
            400,
            InvalidRequest,
            "Input is too long for requested model.",
        ),
        ("modelStreamErrorException", say("broke"), 502, Server, "broke"),
        (
            "modelStreamErrorException",
            json!({"message": "broke", "originalStatusCode": 503, "originalMessage": "busy"}),
            503,
            Server,
            "broke",
        ),
        ("InternalFailure", json!("try again"), 500, Server, "try again"),
        ("NewKindOfException", json!({}), 502, Server, "the provider answered with status 502 and no message"),
        ("unnamed", say("it failed"), 502, Server, "it failed"),
    ];
    for (name, payload, status, kind, message) in cases {
        let found = read_stream(&[delta(0, json!({"text": "a"})), (name, payload), delta(0, json!({"text": "b"}))]);
        let [first, said, StreamEvent::Error(error), StreamEvent::End] = &found[..] else { panic!("{found:?}") };
        assert_eq!((first, said), (&START, &text("a")));
        assert_eq!((error.status, error.kind, error.message.as_str()), (status, kind, message), "{name}");
    }
    // A connection that ends early is a failure too, and so is what is no JSON.
    for messages in [vec![], vec![delta(0, json!({"text": "a"}))]] {
        let found = read_stream(&messages);
        assert!(
            matches!(&found[found.len() - 2..], [StreamEvent::Error(error), StreamEvent::End] if error.status == 502)
        );
    }
}

#[test]
fn broken_json_is_an_error() {
    use crate::formats::{ReadStream, bedrock_converse::StreamReader, sse};
    let mut reader = StreamReader::default();
    let mut out = Vec::new();
    reader.event(&sse::Event { name: "contentBlockDelta", data: "{" }, &mut out);
    reader.event(&sse::Event { name: "messageStop", data: "{}" }, &mut out);
    reader.finish(&mut out);
    assert!(
        matches!(&out[..], [StreamEvent::Start { .. }, StreamEvent::Error(error), StreamEvent::End] if error.status == 502)
    );
}

fn sent(events: &[StreamEvent]) -> Vec<(String, Value)> {
    let messages = write_stream(events);
    assert!(messages.iter().all(|(_, failed, _)| !failed));
    messages.into_iter().map(|(name, _, payload)| (name, payload)).collect()
}

#[test]
fn a_stream_is_written_in_blocks() {
    let usage = Usage { input: Some(Tokens(5)), output: Some(Tokens(7)), ..Usage::default() };
    let events = [
        START,
        StreamEvent::Thinking { choice: 0, text: "T".into() },
        StreamEvent::Signature { choice: 0, signature: "ErUB".into() },
        StreamEvent::RedactedThinking { choice: 0, data: "EqQB".into() },
        text("Hi"),
        StreamEvent::Ping,
        StreamEvent::Text { choice: 1, text: "other choice".into() },
        tool(0, "a"),
        tool(1, "b"),
        arguments(1, "{\"x\":"),
        arguments(0, "{\"y\":\"}\"}"),
        arguments(1, "1}"),
        finish(StopReason::ToolCalls),
        StreamEvent::Usage(usage),
        StreamEvent::End,
    ];
    let delta = |index: u64, delta: Value| {
        ("contentBlockDelta".to_owned(), json!({"delta": delta, "contentBlockIndex": index}))
    };
    let start = |index: u64, id: &str| {
        let start = json!({"toolUse": {"toolUseId": id, "name": "f"}});
        ("contentBlockStart".to_owned(), json!({"start": start, "contentBlockIndex": index}))
    };
    let stop = |index: u64| ("contentBlockStop".to_owned(), json!({"contentBlockIndex": index}));
    let expected = vec![
        ("messageStart".to_owned(), json!({"role": "assistant"})),
        delta(0, json!({"reasoningContent": {"text": "T"}})),
        delta(0, json!({"reasoningContent": {"signature": "ErUB"}})),
        stop(0),
        delta(1, json!({"reasoningContent": {"redactedContent": "RXFRQg=="}})),
        stop(1),
        delta(2, json!({"text": "Hi"})),
        stop(2),
        start(3, "a"),
        delta(3, json!({"toolUse": {"input": "{\"y\":\"}\"}"}})),
        stop(3),
        start(4, "b"),
        delta(4, json!({"toolUse": {"input": "{\"x\":"}})),
        delta(4, json!({"toolUse": {"input": "1}"}})),
        stop(4),
        ("messageStop".to_owned(), json!({"stopReason": "tool_use"})),
        (
            "metadata".to_owned(),
            json!({"usage": {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12}, "metrics": {"latencyMs": 0}}),
        ),
    ];
    assert_eq!(sent(&events), expected);
    // What is written is read back as it was, but for the order of the calls' pieces.
    let back: Vec<(&str, Value)> = expected.iter().map(|(name, payload)| (name.as_str(), payload.clone())).collect();
    let back = read_stream(&back);
    assert_eq!(back.iter().filter(|event| matches!(event, StreamEvent::ToolStart { .. })).count(), 2);
    assert_eq!(back.last(), Some(&StreamEvent::End));
}

#[test]
fn an_error_ends_a_stream_with_an_exception() {
    let cases = [
        (429, "throttlingException"),
        (400, "validationException"),
        (401, "validationException"),
        (500, "internalServerException"),
        (503, "serviceUnavailableException"),
        (504, "serviceUnavailableException"),
    ];
    for (status, name) in cases {
        let events =
            [START, tool(0, "a"), text("waits"), StreamEvent::Error(ApiError::new(status, "why")), StreamEvent::End];
        let found = write_stream(&events);
        assert_eq!(found.last(), Some(&(name.to_owned(), true, json!({"message": "why"}))), "{status}");
        assert!(found.iter().any(|(_, _, payload)| payload["delta"]["text"] == "waits"), "{status}");
    }
    // An error before anything was said.
    let found = write_stream(&[StreamEvent::Error(ApiError::new(500, "why"))]);
    assert_eq!(found.len(), 1);
}
