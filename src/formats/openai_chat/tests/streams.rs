use super::super::super::Incoming;
use super::super::super::canonical::*;
use super::{incoming, read_stream, write_stream};
use crate::testing::test;
use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};

/// A stream of these chunks; strings go in as they are.
fn bytes(chunks: &[Value]) -> Vec<u8> {
    let line = |chunk: &Value| chunk.as_str().map_or_else(|| format!("data: {chunk}\n\n"), str::to_owned);
    chunks.iter().map(line).collect::<String>().into_bytes()
}

fn delta(delta: Value) -> Value {
    json!({"id": "c1", "model": "m", "created": 5, "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn finish(word: &str) -> Value {
    json!({"id": "c1", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": word}]})
}

fn done() -> Value {
    json!("data: [DONE]\n\n")
}

fn start() -> StreamEvent {
    StreamEvent::Start { id: Some("c1".into()), model: Some("m".into()), created: Some(5), usage: Usage::default() }
}

fn text(text: &str) -> StreamEvent {
    StreamEvent::Text { choice: 0, text: text.into() }
}

fn tool(index: u64, id: &str, name: &str) -> StreamEvent {
    StreamEvent::ToolStart { choice: 0, index, id: id.into(), name: name.into(), signature: None }
}

fn args(index: u64, json: &str) -> StreamEvent {
    StreamEvent::ToolArguments { choice: 0, index, json: json.into() }
}

fn end(stop: StopReason) -> [StreamEvent; 2] {
    [StreamEvent::Finish { choice: 0, stop, stop_sequence: None }, StreamEvent::End]
}

#[test]
fn streams_are_read_the_same_however_they_are_cut() {
    let usage = json!({"id": "c1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}, "service_tier": "flex"});
    let stream = bytes(&[
        json!({"id": "", "model": "", "choices": [], "prompt_filter_results": []}),
        delta(json!({"role": "assistant", "content": "", "refusal": null})),
        json!(": ping\n\n"),
        delta(json!({"content": "Olá ♥"})),
        delta(
            json!({"content": "", "tool_calls": [{"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
        ),
        delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"é\":1}"}}]})),
        finish("tool_calls"),
        usage,
        done(),
        delta(json!({"content": "too late"})),
    ]);
    let want = [
        start(),
        text("Olá ♥"),
        tool(0, "t", "f"),
        args(0, "{\"é\":1}"),
        StreamEvent::Finish { choice: 0, stop: StopReason::ToolCalls, stop_sequence: None },
        StreamEvent::Usage(Usage {
            input: Some(Tokens(3)),
            output: Some(Tokens(2)),
            service_tier: Some("flex".into()),
            ..Usage::default()
        }),
        StreamEvent::End,
    ];
    assert_eq!(read_stream(&[&stream]), want);
    assert_eq!(read_stream(&stream.chunks(1).collect::<Vec<_>>()), want);
    for at in 0..stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(read_stream(&[head, tail]), want, "cut at {at}");
    }
}

#[test]
fn deltas_of_every_kind_are_read() {
    let call = |call: Value| json!({"tool_calls": [call]});
    let think = |text: &str| StreamEvent::Thinking { choice: 0, text: text.into() };
    for (deltas, want) in [
        (
            vec![json!({"reasoning_content": "r", "content": null}), json!({"content": "a"})],
            vec![think("r"), text("a")],
        ),
        (vec![json!({"reasoning": "r", "reasoning_details": [{"text": "r"}], "content": ""})], vec![think("r")]),
        (
            vec![
                json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}, {"type": "text", "text": "a"}]}),
            ],
            vec![think("r"), text("a")],
        ),
        (
            vec![
                json!({"content": "a", "refusal": "", "function_call": {"name": "", "arguments": ""}, "tool_calls": null}),
            ],
            vec![text("a")],
        ),
        (vec![json!({"refusal": "no"})], vec![StreamEvent::Refusal { choice: 0, text: "no".into() }]),
        // Whole calls, numbered.
        (
            vec![
                call(json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}})),
                call(json!({"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}})),
            ],
            vec![tool(0, "a", "f"), args(0, "{}"), tool(1, "b", "g"), args(1, "{}")],
        ),
        // Numbers that start elsewhere and pieces that alternate.
        (
            vec![
                call(json!({"index": 3, "id": "a", "function": {"name": "f", "arguments": "{"}})),
                call(json!({"index": 5, "id": "b", "function": {"name": "g", "arguments": "["}})),
                call(json!({"index": 3, "function": {"arguments": "}"}})),
                call(json!({"index": 5, "id": "b", "function": {"name": "g", "arguments": "]"}})),
            ],
            vec![tool(0, "a", "f"), args(0, "{"), tool(1, "b", "g"), args(1, "["), args(0, "}"), args(1, "]")],
        ),
        // One number for all of them.
        (
            vec![
                call(json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}})),
                call(json!({"index": 0, "id": "b", "function": {"name": "f", "arguments": "{}"}})),
            ],
            vec![tool(0, "a", "f"), args(0, "{}"), tool(1, "b", "f"), args(1, "{}")],
        ),
        // No number.
        (
            vec![
                call(json!({"id": "a", "function": {"name": "f", "arguments": "{"}})),
                call(json!({"function": {"arguments": "}"}})),
                call(json!({"id": "b", "function": {"name": "g", "arguments": {"x": 1}}})),
            ],
            vec![tool(0, "a", "f"), args(0, "{"), args(0, "}"), tool(1, "b", "g"), args(1, "{\"x\":1}")],
        ),
        // Neither number nor id.
        (
            vec![
                call(json!({"function": {"name": "f", "arguments": "{}"}})),
                call(json!({"function": {"name": "f", "arguments": "{}"}})),
            ],
            vec![tool(0, "call_c1_0_0", "f"), args(0, "{}"), tool(1, "call_c1_0_1", "f"), args(1, "{}")],
        ),
        // Another id for each piece of one call.
        (
            vec![
                call(json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}})),
                call(json!({"index": 0, "id": "x", "function": {"arguments": "}"}})),
            ],
            vec![tool(0, "a", "f"), args(0, "{"), args(0, "}")],
        ),
        // A name in pieces, and a call without arguments.
        (
            vec![
                call(json!({"index": 0, "id": "a", "function": {"name": "get_"}})),
                call(json!({"index": 0, "id": "a", "function": {"name": "time", "arguments": ""}})),
            ],
            vec![tool(0, "a", "get_time"), args(0, "{}")],
        ),
        // A name and id that come with every piece.
        (
            vec![
                call(json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}})),
                call(json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}})),
                call(json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "}"}})),
            ],
            vec![tool(0, "a", "f"), args(0, "{"), args(0, "}")],
        ),
        (
            vec![
                json!({"content": null, "function_call": {"name": "f", "arguments": ""}}),
                json!({"function_call": {"arguments": "{}"}}),
            ],
            vec![tool(0, "call_c1_0_0", "f"), args(0, "{}")],
        ),
    ] {
        let calls = want.iter().any(|event| matches!(event, StreamEvent::ToolStart { .. }));
        let mut chunks: Vec<Value> = deltas.iter().cloned().map(delta).collect();
        chunks.extend([finish("stop"), finish("stop"), done()]);
        let stop = if calls { StopReason::ToolCalls } else { StopReason::End };
        let want: Vec<StreamEvent> = [start()].into_iter().chain(want).chain(end(stop)).collect();
        assert_eq!(read_stream(&[&bytes(&chunks)]), want, "{deltas:?}");
    }
}

#[test]
fn a_stream_ends_once_and_says_how() {
    let complete = [start(), text("a")].into_iter().chain(end(StopReason::End)).collect::<Vec<_>>();
    // Without `[DONE]`, with a message instead of deltas, without a reason but with `[DONE]`.
    assert_eq!(read_stream(&[&bytes(&[delta(json!({"content": "a"})), finish("stop")])]), complete);
    assert_eq!(read_stream(&[&bytes(&[delta(json!({"content": "a"})), done()])]), complete);
    let whole = json!({"id": "c1", "model": "m", "created": 5, "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]});
    assert_eq!(read_stream(&[&bytes(&[whole, done()])]), complete);

    let other = json!({"choices": [{"index": 1, "delta": {"content": "b"}}]});
    for (chunks, status, words) in [
        (vec![], 502, "ended before its end"),
        (vec![done()], 502, "without an answer"),
        (vec![delta(json!({"content": "a"}))], 502, "ended before its end"),
        (vec![delta(json!({"content": "a"})), other, finish("stop")], 502, "ended before its end"),
        (vec![delta(json!({"content": "a"})), json!("data: {\"id\":\"c1\",\"cho")], 502, "no JSON object"),
        (vec![json!("data: [1]\n\n"), done()], 502, "no JSON object"),
        (vec![json!("data: sk-1234567890 oops\n\n"), done()], 502, "*** oops"),
        (vec![json!({"error": {"message": "full", "code": 529}}), done()], 529, "full"),
        (vec![delta(json!({"content": "a"})), json!("event: error\ndata: {\"message\":\"bad\"}\n\n")], 502, "bad"),
        (vec![json!("event: error\ndata: plain words\n\n"), done()], 502, "plain words"),
    ] {
        let events = read_stream(&[&bytes(&chunks)]);
        assert!(matches!(events.first(), Some(StreamEvent::Start { .. })), "{chunks:?}");
        let starts = events.iter().filter(|event| matches!(event, StreamEvent::Start { .. })).count();
        let ends = events.iter().filter(|event| matches!(event, StreamEvent::End)).count();
        assert_eq!((starts, ends), (1, 1), "{chunks:?}");
        let [.., StreamEvent::Error(error), StreamEvent::End] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(error.status, status, "{chunks:?}");
        assert!(error.message.contains(words), "{error:?}");
    }
}

#[test]
fn streams_are_written_as_openai_does() {
    let events = [
        StreamEvent::Start {
            id: None,
            model: None,
            created: None,
            usage: Usage { input: Some(Tokens(3)), ..Usage::default() },
        },
        StreamEvent::Thinking { choice: 0, text: "r".into() },
        StreamEvent::Signature { choice: 0, signature: "s".into() },
        StreamEvent::Ping,
        text("hi"),
        tool(0, "a", "f"),
        args(0, "{\"x\":1}"),
        tool(1, "b", "g"),
        StreamEvent::Finish { choice: 0, stop: StopReason::ToolCalls, stop_sequence: None },
        StreamEvent::Usage(Usage { output: Some(Tokens(2)), ..Usage::default() }),
        StreamEvent::End,
        text("too late"),
    ];
    let base = |choices: Value| json!({"id": "chatcmpl-ex1", "object": "chat.completion.chunk", "created": 7, "model": "asked", "choices": choices});
    let chunk = |delta: Value, finish: Value| {
        base(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]))
    };
    let mut usage = base(json!([]));
    usage["usage"] = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
    let begin = |index: u64, id: &str, name: &str| json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]});
    let more = |index: u64, json: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": json}}]});
    let null = Value::Null;
    let mut want = vec![
        chunk(json!({"role": "assistant", "content": ""}), null.clone()),
        chunk(json!({"reasoning_content": "r"}), null.clone()),
        chunk(
            json!({"thinking_blocks": [{"index": 0, "type": "thinking", "thinking": "r", "signature": "s"}]}),
            null.clone(),
        ),
        json!(": ping\n\n"),
        chunk(json!({"content": "hi"}), null.clone()),
        chunk(begin(0, "a", "f"), null.clone()),
        chunk(more(0, "{\"x\":1}"), null.clone()),
        chunk(begin(1, "b", "g"), null.clone()),
        chunk(more(1, "{}"), null),
        chunk(json!({}), json!("tool_calls")),
        usage,
        done(),
    ];
    assert_eq!(
        String::from_utf8(write_stream(&events, &incoming())).unwrap(),
        String::from_utf8(bytes(&want)).unwrap()
    );
    want.remove(10);
    let quiet = Incoming { include_usage: false, ..incoming() };
    assert_eq!(write_stream(&events, &quiet), bytes(&want));
}

#[test]
fn an_error_in_mid_stream_is_written_and_read_back() {
    let error = ApiError::new(502, "gone");
    let events = [start(), text("a"), StreamEvent::Error(error), StreamEvent::End];
    let out = write_stream(&events, &incoming());
    let tail = "data: {\"error\":{\"message\":\"gone\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\ndata: [DONE]\n\n";
    assert!(String::from_utf8_lossy(&out).ends_with(tail));
    let again = read_stream(&[&out]);
    assert!(matches!(again.as_slice(), [_, _, StreamEvent::Error(error), StreamEvent::End] if error.message == "gone"));
}

#[test]
fn several_choices_keep_apart() {
    let chunk = |choice: u64, delta: Value, finish: Value| json!({"id": "c1", "model": "m", "created": 5, "choices": [{"index": choice, "delta": delta, "finish_reason": finish}]});
    let call = json!({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": "{}"}}]});
    let stream = bytes(&[
        chunk(0, json!({"content": "a"}), json!(null)),
        chunk(1, call, json!(null)),
        chunk(0, json!({}), json!("length")),
        chunk(1, json!({}), json!("tool_calls")),
        done(),
    ]);
    let events = read_stream(&[&stream]);
    let finish = |choice, stop| StreamEvent::Finish { choice, stop, stop_sequence: None };
    assert_eq!(
        events,
        [
            start(),
            text("a"),
            StreamEvent::ToolStart { choice: 1, index: 0, id: "t".into(), name: "f".into(), signature: None },
            StreamEvent::ToolArguments { choice: 1, index: 0, json: "{}".into() },
            finish(0, StopReason::Length),
            finish(1, StopReason::ToolCalls),
            StreamEvent::End,
        ]
    );
    assert_eq!(read_stream(&[&write_stream(&events, &incoming())]), events);
}

#[test]
fn sources_and_probabilities_are_streamed() {
    let page = |url: &str| Citation { url: Some(url.into()), ..Citation::default() };
    let chunk = |delta: Value, more: Value| {
        let mut chunk = json!({"id": "i", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
        chunk.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        chunk
    };
    let end = json!({"id": "i", "citations": ["https://a", "https://b"], "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let events =
        read_stream(&[&bytes(&[chunk(json!({"content": "x"}), json!({"citations": ["https://a"]})), end.clone()])]);
    let cited = |events: &[StreamEvent]| -> Vec<Citation> {
        let each = events.iter().filter_map(|event| match event {
            StreamEvent::Citation { choice: 0, citation } => Some(citation.clone()),
            _ => None,
        });
        each.collect()
    };
    // A list that is repeated is told once, at the end; where text is annotated it says nothing new.
    assert_eq!(cited(&events), [page("https://a"), page("https://b")]);
    let annotation = json!({"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 1, "url": "https://c", "title": "C"}});
    let events = read_stream(&[&bytes(&[chunk(json!({"content": "x", "annotations": [annotation]}), json!({})), end])]);
    let found = cited(&events);
    assert_eq!((found.len(), found[0].span, found[0].url.as_deref()), (1, Some((0, 1)), Some("https://c")));
    let again = read_stream(&[&write_stream(&events, &incoming())]);
    assert_eq!(cited(&again), found);

    let logprobs =
        json!({"content": [{"token": "x", "logprob": -0.5, "bytes": [120], "top_logprobs": []}], "refusal": null});
    let mut said = chunk(json!({"content": "x"}), json!({}));
    said["choices"][0]["logprobs"] = logprobs.clone();
    let events = read_stream(&[&bytes(&[said])]);
    assert!(events.contains(&StreamEvent::Logprobs { choice: 0, logprobs: logprobs.clone() }));
    let written = String::from_utf8(write_stream(&events, &incoming())).unwrap();
    assert!(written.contains(&format!(r#""delta":{{}},"logprobs":{logprobs}"#)), "{written}");
}
