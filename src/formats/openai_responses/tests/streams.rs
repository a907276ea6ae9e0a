//! Streams, event by event.

use super::*;
use crate::testing::test;
use crate::usage::{Tokens, Usage};

fn head(status: &str) -> Value {
    json!({"id": "resp_1", "object": "response", "created_at": 17, "status": status, "model": "m-1", "output": []})
}

fn created() -> Value {
    json!({"type": "response.created", "sequence_number": 0, "response": head("in_progress")})
}

fn completed(output: Value) -> Value {
    let mut response = head("completed");
    response["output"] = output;
    response["usage"] = json!({"input_tokens": 5, "output_tokens": 2, "total_tokens": 7});
    json!({"type": "response.completed", "response": response})
}

fn added(place: u64, item: Value) -> Value {
    json!({"type": "response.output_item.added", "output_index": place, "item": item})
}

fn done(place: u64, item: Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": place, "item": item})
}

/// An event about an item's part.
fn at(name: &str, place: u64, rest: Value) -> Value {
    let mut event = json!({"type": format!("response.{name}"), "output_index": place, "content_index": 0});
    event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    event
}

fn message(content: Value) -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content})
}

fn called(id: &str, arguments: &str) -> Value {
    json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": "f", "arguments": arguments})
}

fn thought(texts: &[&str], encrypted: Value) -> Value {
    let summary: Vec<Value> = texts.iter().map(|text| json!({"type": "summary_text", "text": text})).collect();
    json!({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": encrypted})
}

fn output_text(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

fn start() -> StreamEvent {
    let (id, model) = (Some("resp_1".into()), Some("m-1".into()));
    StreamEvent::Start { id, model, created: Some(17), usage: Usage::default() }
}

fn ending(stop: StopReason) -> Vec<StreamEvent> {
    let usage = Usage { input: Some(Tokens(5)), output: Some(Tokens(2)), ..Usage::default() };
    vec![StreamEvent::Usage(usage), StreamEvent::Finish { choice: 0, stop, stop_sequence: None }, StreamEvent::End]
}

fn say(text: &str) -> StreamEvent {
    StreamEvent::Text { choice: 0, text: text.into() }
}

fn think(text: &str) -> StreamEvent {
    StreamEvent::Thinking { choice: 0, text: text.into() }
}

fn sign(signature: &str) -> StreamEvent {
    StreamEvent::Signature { choice: 0, signature: signature.into() }
}

fn tool(index: u64, id: &str) -> StreamEvent {
    StreamEvent::ToolStart { choice: 0, index, id: id.into(), name: "f".into(), signature: None }
}

fn arguments(index: u64, json: &str) -> StreamEvent {
    StreamEvent::ToolArguments { choice: 0, index, json: json.into() }
}

/// A stream in which everything comes in pieces, two calls at once.
fn rich() -> Vec<Value> {
    let summary = |name: &str, number: u64, text: &str| {
        at(name, 0, json!({"summary_index": number, "delta": text, "text": text}))
    };
    let whole = output_text("Hi é");
    let output = json!([
        thought(&["One", "Two"], json!("gAAA")),
        message(json!([whole])),
        called("a", "{\"x\":1}"),
        called("b", "{}")
    ]);
    vec![
        created(),
        json!({"type": "response.in_progress", "response": head("in_progress")}),
        added(0, thought(&[], Value::Null)),
        summary("reasoning_summary_part.added", 0, ""),
        summary("reasoning_summary_text.delta", 0, "On"),
        summary("reasoning_summary_text.delta", 0, "e"),
        summary("reasoning_summary_text.done", 0, "One"),
        summary("reasoning_summary_text.delta", 1, "Two"),
        done(0, output[0].clone()),
        json!({"type": "response.web_search_call.searching", "output_index": 9, "item_id": "ws"}),
        added(1, message(json!([]))),
        at("content_part.added", 1, json!({"part": output_text("")})),
        at("output_text.delta", 1, json!({"delta": "Hi ", "logprobs": []})),
        json!({"type": "keepalive"}),
        at("output_text.delta", 1, json!({"delta": "é", "logprobs": []})),
        at("output_text.done", 1, json!({"text": "Hi é"})),
        at("content_part.done", 1, json!({"part": whole})),
        done(1, output[1].clone()),
        added(2, called("a", "")),
        added(3, called("b", "")),
        at("function_call_arguments.delta", 2, json!({"delta": "{\"x\""})),
        at("function_call_arguments.delta", 3, json!({"delta": "{"})),
        at("function_call_arguments.delta", 2, json!({"delta": ":1}"})),
        at("function_call_arguments.delta", 3, json!({"delta": "}"})),
        at("function_call_arguments.done", 2, json!({"arguments": "{\"x\":1}"})),
        done(2, output[2].clone()),
        done(3, output[3].clone()),
        completed(output),
    ]
}

#[test]
fn every_piece_is_read_once() {
    let mut expected = vec![
        start(),
        think("On"),
        think("e"),
        think("\n\nTwo"),
        sign("openai:4:rs_1gAAA"),
        say("Hi "),
        say("é"),
        tool(0, "a"),
        tool(1, "b"),
        arguments(0, "{\"x\""),
        arguments(1, "{"),
        arguments(0, ":1}"),
        arguments(1, "}"),
    ];
    expected.extend(ending(StopReason::ToolCalls));
    let stream = sse_of(&rich());
    assert_eq!(read_stream(&stream), expected);
    // Cut anywhere, it says the same.
    for cut in 0..stream.len() {
        let (head, tail) = stream.as_bytes().split_at(cut);
        assert_eq!(read_chunks(&[head, tail]), expected, "cut at {cut}");
    }
}

#[test]
fn pieces_may_be_missing() {
    let all = rich();
    let keep = |names: &[&str]| -> Vec<Value> {
        let kept = |event: &&Value| names.iter().any(|name| event["type"].as_str().unwrap().ends_with(name));
        all.iter().filter(kept).cloned().collect()
    };
    let expected = said(&read_stream(&sse_of(&all)));
    for names in [
        &["created", "completed"][..],
        &["completed"],
        &["created", "output_item.done", "completed"],
        &["created", "output_item.added", "output_item.done", "completed"],
        &["created", "output_item.added", "arguments.done", "_text.done", "output_item.done", "completed"],
        &["created", "output_item.added", "content_part.done", "output_item.done", "completed"],
    ] {
        assert_eq!(said(&read_stream(&sse_of(&keep(names)))), expected, "{names:?}");
    }
    // A signature that comes when all is said would stand behind what came of the reasoning.
    let unsigned: Vec<String> = expected.iter().filter(|said| !said.starts_with("signature")).cloned().collect();
    let pieces = keep(&["created", "output_item.added", ".delta", "completed"]);
    assert_eq!(said(&read_stream(&sse_of(&pieces))), unsigned);
    // Without numbers, items are known by their id.
    let unnumbered = all.iter().cloned().map(|mut event| {
        let id = ["rs_1", "msg_1", "fc_a", "fc_b"];
        if let Some(place) = event["output_index"].as_u64() {
            let members = event.as_object_mut().unwrap();
            members.shift_remove("output_index");
            members.insert("item_id".into(), json!(id.get(place as usize).unwrap_or(&"ws")));
        }
        event
    });
    assert_eq!(said(&read_stream(&sse_of(&unnumbered.collect::<Vec<_>>()))), expected);
}

#[test]
fn the_last_event_may_list_other_items() {
    // Some servers leave items out at the end, or name them anew: what was streamed is not told again.
    let mut renamed = message(json!([output_text("Hi")]));
    renamed["id"] = json!("msg_other");
    for output in [json!([]), json!([message(json!([output_text("Hi")]))]), json!([renamed])] {
        let events = [
            created(),
            added(0, thought(&[], Value::Null)),
            done(0, thought(&[], json!("g"))),
            added(1, message(json!([]))),
            at("output_text.delta", 1, json!({"delta": "Hi"})),
            completed(output),
        ];
        let mut expected = vec![start(), sign("openai:4:rs_1g"), say("Hi")];
        expected.extend(ending(StopReason::End));
        assert_eq!(read_stream(&sse_of(&events)), expected);
    }
}

#[test]
fn other_kinds_of_content() {
    let annotation =
        json!({"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 2});
    let cited = json!({"type": "output_text", "text": "Yo", "annotations": [annotation], "logprobs": []});
    let logprobs = json!([{"token": "Yo", "logprob": -0.5, "top_logprobs": []}]);
    let refusal = json!({"type": "refusal", "refusal": "No."});
    let raw = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "S"}],
        "content": [{"type": "reasoning_text", "text": "Raw"}]});
    let cases: [(Vec<Value>, Vec<&str>); 6] = [
        (
            vec![
                at("output_text.delta", 0, json!({"delta": "é."})),
                at("output_text.delta", 1, json!({"delta": "Yo", "logprobs": logprobs})),
                at("output_text.annotation.added", 1, json!({"annotation_index": 0, "annotation": annotation})),
                done(1, message(json!([cited]))),
            ],
            vec![
                "text: é.Yo",
                "logprobs: [{\"token\":\"Yo\",\"logprob\":-0.5,\"top_logprobs\":[],\"bytes\":null}]",
                "citation: Some(\"https://a\") Some(\"A\") Some((2, 4))",
            ],
        ),
        (
            vec![
                at("refusal.delta", 0, json!({"delta": "N"})),
                at("refusal.done", 0, json!({"refusal": "No."})),
                done(0, message(json!([refusal]))),
            ],
            vec!["refusal: No."],
        ),
        (
            vec![at("reasoning_text.delta", 0, json!({"delta": "Ra"})), done(0, raw.clone())],
            vec!["thinking: Raw", "signature: openai:4:rs_1"],
        ),
        (vec![done(0, raw)], vec!["thinking: Raw", "signature: openai:4:rs_1"]),
        (vec![done(0, thought(&["x"], json!("redacted:d")))], vec!["redacted: d"]),
        (
            vec![done(0, thought(&[], json!("call:gemini:g"))), added(1, called("a", "")), done(1, called("a", ""))],
            vec!["call 0: a f Some(\"gemini:g\")", "arguments 0: {}"],
        ),
    ];
    for (events, expected) in cases {
        let mut all = vec![created()];
        all.extend(events);
        all.push(completed(json!([])));
        let found = said(&read_stream(&sse_of(&all)));
        assert_eq!(found[..found.len() - 2], expected);
    }
}

#[test]
fn endings_are_told() {
    let response = |status: &str, more: Value| {
        let mut response = head(status);
        response.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"type": format!("response.{status}"), "response": response})
    };
    let early = || ApiError::new(502, "the provider's stream ended before its end");
    let word = |status: u16, code: &str, message: &str| ApiError::new(status, message).with_code(code);
    let finished = |stop| vec![StreamEvent::Finish { choice: 0, stop, stop_sequence: None }, StreamEvent::End];
    let failed = |error| vec![StreamEvent::Error(error), StreamEvent::End];
    let cut = |reason: &str| response("incomplete", json!({"incomplete_details": {"reason": reason}}));
    let nested = json!({"type": "error", "error": {"type": "invalid_request_error", "code": "bad", "message": "Bad.", "param": "input"}});
    let bad = ApiError { provider_type: Some("invalid_request_error".into()), ..word(400, "bad", "Bad.") };
    let cases = [
        (vec![cut("max_output_tokens")], finished(StopReason::Length)),
        (vec![cut("content_filter")], finished(StopReason::ContentFilter)),
        (vec![response("incomplete", json!({}))], finished(StopReason::Length)),
        (vec![completed(json!([])), created(), json!({"type": "error", "message": "late"})], ending(StopReason::End)),
        (
            vec![response("failed", json!({"error": {"code": "server_error", "message": "Oh."}}))],
            failed(word(500, "server_error", "Oh.")),
        ),
        (
            vec![response("cancelled", json!({}))],
            failed(ApiError::new(502, "the provider's response failed and says no more")),
        ),
        (
            vec![json!({"type": "error", "code": "rate_limit_exceeded", "message": "Slow.", "param": null})],
            failed(word(429, "rate_limit_exceeded", "Slow.")),
        ),
        (vec![nested], failed(bad.with_param("input"))),
        (vec![], failed(early())),
    ];
    for (events, tail) in cases {
        let mut all = vec![created()];
        all.extend(events.clone());
        let mut expected = vec![start()];
        expected.extend(tail);
        assert_eq!(read_stream(&sse_of(&all)), expected, "{events:?}");
    }
    let nobody = StreamEvent::Start { id: None, model: None, created: None, usage: Usage::default() };
    let none = vec![nobody, StreamEvent::Error(early()), StreamEvent::End];
    assert_eq!(read_stream(""), none);
    assert_eq!(read_stream("data: [DONE]\n\n"), none);
    let said = read_stream("event: error\ndata: over capacity\n\n");
    assert!(matches!(&said[1], StreamEvent::Error(error) if error.message == "over capacity"));
    // Cut before the end, a stream always ends with an error.
    let all = rich();
    for count in 0..all.len() - 1 {
        let events = read_stream(&sse_of(&all[..count]));
        assert_eq!(events[events.len() - 2..], [StreamEvent::Error(early()), StreamEvent::End], "{count}");
    }
}

/// The names of the events, those of an item with its number.
fn names(events: &[Value]) -> Vec<String> {
    let name = |event: &Value| {
        let name = event["type"].as_str().unwrap().trim_start_matches("response.").to_owned();
        match event["output_index"].as_u64() {
            Some(place) => format!("{place} {name}"),
            None => name,
        }
    };
    events.iter().map(name).collect()
}

#[test]
fn a_whole_stream_is_written() {
    let cited = Citation { url: Some("https://a".into()), title: Some("A".into()), ..Citation::default() };
    let logprobs = json!({"content": [{"token": "Hi", "logprob": -1.0, "bytes": null, "top_logprobs": []}]});
    let mut stream = vec![
        start(),
        think("Hm"),
        think("."),
        sign("EqQB"),
        StreamEvent::RedactedThinking { choice: 0, data: "d".into() },
    ];
    stream.extend([
        say("Hi"),
        StreamEvent::Logprobs { choice: 0, logprobs },
        say(" é"),
        StreamEvent::Citation { choice: 0, citation: cited },
        StreamEvent::Refusal { choice: 0, text: "No.".into() },
        tool(0, "a"),
        tool(1, "b"),
        arguments(0, "{}"),
        arguments(1, "{\"x\":"),
        arguments(1, "1}"),
        say("Bye"),
        StreamEvent::ToolStart {
            choice: 0,
            index: 2,
            id: "c".into(),
            name: "f".into(),
            signature: Some("gemini:g".into()),
        },
        StreamEvent::Text { choice: 1, text: "of another choice".into() },
    ]);
    stream.extend(ending(StopReason::ToolCalls));
    let found = events(&write_stream(&stream, &INCOMING));
    let expected = [
        "created",
        "in_progress",
        "0 output_item.added",
        "0 reasoning_summary_part.added",
        "0 reasoning_summary_text.delta",
        "0 reasoning_summary_text.delta",
        "0 reasoning_summary_text.done",
        "0 reasoning_summary_part.done",
        "0 output_item.done",
        "1 output_item.added",
        "1 output_item.done",
        "2 output_item.added",
        "2 content_part.added",
        "2 output_text.delta",
        "2 output_text.delta",
        "2 output_text.delta",
        "2 output_text.annotation.added",
        "2 output_text.done",
        "2 content_part.done",
        "2 content_part.added",
        "2 refusal.delta",
        "2 refusal.done",
        "2 content_part.done",
        "2 output_item.done",
        "3 output_item.added",
        "4 output_item.added",
        "3 function_call_arguments.delta",
        "4 function_call_arguments.delta",
        "4 function_call_arguments.delta",
        "3 function_call_arguments.done",
        "3 output_item.done",
        "4 function_call_arguments.done",
        "4 output_item.done",
        "5 output_item.added",
        "5 content_part.added",
        "5 output_text.delta",
        "5 output_text.done",
        "5 content_part.done",
        "5 output_item.done",
        "6 output_item.added",
        "6 output_item.done",
        "7 output_item.added",
        "7 function_call_arguments.delta",
        "7 function_call_arguments.done",
        "7 output_item.done",
        "completed",
    ];
    assert_eq!(names(&found), expected);
    let response = &found.last().unwrap()["response"];
    let text = json!({"type": "output_text", "text": "Hi é",
        "annotations": [{"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 4}],
        "logprobs": [{"token": "Hi", "logprob": -1.0, "bytes": [72, 105], "top_logprobs": []}]});
    let call = |place: u64, id: &str, arguments: &str| json!({"type": "function_call", "id": format!("fc_1_{place}"), "call_id": id, "name": "f", "arguments": arguments, "status": "completed"});
    let said = |place: u64, content: Value| json!({"type": "message", "id": format!("msg_1_{place}"), "role": "assistant", "status": "completed", "content": content});
    let output = json!([
        {"type": "reasoning", "id": "rs_1_0", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "anthropic:EqQB"},
        {"type": "reasoning", "id": "rs_1_1", "summary": [], "encrypted_content": "redacted:d"},
        said(2, json!([text, {"type": "refusal", "refusal": "No."}])),
        call(3, "a", "{}"),
        call(4, "b", "{\"x\":1}"),
        said(5, json!([{"type": "output_text", "text": "Bye", "annotations": [], "logprobs": []}])),
        {"type": "reasoning", "id": "rs_1_6", "summary": [], "encrypted_content": "call:gemini:g"},
        call(7, "c", "{}"),
    ]);
    assert_eq!(response["output"], output);
    assert_eq!((&response["status"], &response["usage"]["total_tokens"]), (&json!("completed"), &json!(7)));
    // Items are said at last as they were said when they were done.
    for event in found.iter().filter(|event| event["type"] == "response.output_item.done") {
        let place = usize::try_from(event["output_index"].as_u64().unwrap()).unwrap();
        assert_eq!(event["item"], output[place]);
    }
}

#[test]
fn what_is_written_reads_the_same() {
    let streams = [
        rich(),
        vec![created(), completed(json!([]))],
        vec![
            created(),
            done(0, message(json!([output_text("a"), {"type": "refusal", "refusal": "b"}]))),
            completed(json!([])),
        ],
    ];
    for stream in streams {
        let first = read_stream(&sse_of(&stream));
        let again = read_stream(&write_stream(&first, &INCOMING));
        let differs = |said: &String| said.starts_with("Usage") || said.starts_with("signature");
        let kept = |events: &[StreamEvent]| said(events).into_iter().filter(|said| !differs(said)).collect::<Vec<_>>();
        assert_eq!(kept(&again), kept(&first));
    }
}

#[test]
fn a_stream_ends_whatever_happens() {
    let fail = StreamEvent::Error(ApiError::new(429, "Slow."));
    let finish = |stop| StreamEvent::Finish { choice: 0, stop, stop_sequence: None };
    let cases = [
        (vec![StreamEvent::End], vec!["completed"], json!([])),
        (vec![say("A"), finish(StopReason::Length), StreamEvent::End], vec!["incomplete"], json!(["incomplete"])),
        (vec![say("A"), fail.clone(), StreamEvent::End, say("B")], vec!["failed", "error"], json!(["incomplete"])),
        (
            vec![tool(0, "a"), arguments(0, "{}"), tool(1, "b"), arguments(1, "{\"x"), fail.clone(), StreamEvent::End],
            vec!["failed", "error"],
            json!(["completed", "incomplete"]),
        ),
        (vec![fail, StreamEvent::End], vec!["failed", "error"], json!([])),
    ];
    for (stream, last, statuses) in cases {
        let found = events(&write_stream(&stream, &INCOMING));
        let tail = names(&found)[found.len() - last.len()..].to_vec();
        assert_eq!(tail, last);
        let response = &found[found.len() - last.len()]["response"];
        let found_statuses: Vec<_> =
            response["output"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect();
        assert_eq!(Value::from(found_statuses), statuses);
        if last.len() == 2 {
            assert_eq!(response["error"], json!({"code": "rate_limit_exceeded", "message": "Slow."}));
            let error = found.last().unwrap();
            assert_eq!((&error["message"], &error["error"]["message"]), (&json!("Slow."), &json!("Slow.")));
        }
    }
}
