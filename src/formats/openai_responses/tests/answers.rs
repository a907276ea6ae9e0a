//! Whole answers and errors.

use super::*;
use crate::formats::Format;
use crate::testing::test;
use crate::usage::{Tokens, Usage};

fn response(output: Value, more: Value) -> Value {
    let mut body = json!({"id": "resp_1", "object": "response", "created_at": 17.0, "status": "completed", "model": "m-1",
        "output": output, "error": null, "incomplete_details": null});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn read(body: &Value) -> Answer {
    read_answer(body.to_string().as_bytes()).unwrap()
}

fn write(answer: &Answer) -> Value {
    serde_json::from_slice(&write_answer(answer, &INCOMING)).unwrap()
}

fn rich() -> Value {
    let logprob = json!({"token": "é", "bytes": [195, 169], "logprob": -0.5, "top_logprobs": [{"token": "e", "bytes": [101], "logprob": -2.0}]});
    response(
        json!([
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "gAAA"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "é one", "logprobs": [logprob], "annotations": []},
                {"type": "output_text", "text": "two", "logprobs": [], "annotations": [
                    {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 3},
                    {"type": "file_citation", "file_id": "f", "filename": "n.pdf", "index": 2}
                ]}
            ]},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{\"a\": 1}", "status": "completed"},
            {"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "g", "arguments": "", "status": "completed"}
        ]),
        json!({"service_tier": "default", "temperature": 0.7, "usage": {"input_tokens": 30, "input_tokens_details": {"cached_tokens": 20},
            "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 39}}),
    )
}

#[test]
fn every_kind_of_item_is_read() {
    let answer = read(&rich());
    let citation = |url: Option<&str>, title: &str, span, verbatim: &Value| Citation {
        url: url.map(str::to_owned),
        title: Some(title.into()),
        cited_text: None,
        span,
        verbatim: Some((Format::OpenAiResponses, verbatim.clone())),
    };
    let annotations = &rich()["output"][2]["content"][1]["annotations"];
    let cited = vec![
        citation(Some("https://a"), "A", Some((5, 8)), &annotations[0]),
        citation(None, "n.pdf", None, &annotations[1]),
    ];
    let g = ToolCall { id: "c2".into(), name: "g".into(), arguments: "{}".into(), cache: None, signature: None };
    let expected = vec![
        thinking("Hm.", Some("openai:4:rs_1gAAA")),
        Part::Unknown { format: Format::OpenAiResponses, value: rich()["output"][1].clone() },
        plain("é one"),
        Part::Text { text: "two".into(), cache: None, citations: cited },
        call("c1", "{\"a\": 1}"),
        Part::ToolCall(g),
    ];
    assert_eq!(answer.choices[0].parts, expected);
    assert_eq!(answer.choices[0].stop, Some(StopReason::ToolCalls));
    assert_eq!(answer.choices[0].logprobs.as_ref().unwrap()["content"][0]["token"], "é");
    let head = (answer.id.as_deref(), answer.model.as_deref(), answer.created);
    assert_eq!(head, (Some("resp_1"), Some("m-1"), Some(17)));
    let usage = Usage {
        input: Some(Tokens(30)),
        cached_input: Some(Tokens(20)),
        output: Some(Tokens(9)),
        reasoning: Some(Tokens(4)),
        service_tier: Some("default".into()),
        ..Usage::default()
    };
    assert_eq!(answer.usage, usage);
}

#[test]
fn an_answer_written_in_its_own_format_is_the_same() {
    let body = write(&read(&rich()));
    let mut expected = rich()["output"].clone();
    // Ids of messages and calls have no place in between.
    expected[2]["id"] = json!("msg_1_2");
    expected[3]["id"] = json!("fc_1_3");
    expected[4]["id"] = json!("fc_1_4");
    expected[4]["arguments"] = json!("{}");
    assert_eq!(body["output"], expected);
    for name in ["id", "object", "created_at", "status", "model", "service_tier", "temperature", "error"] {
        assert_eq!(
            (name, body[name].as_f64(), body[name].as_str()),
            (name, rich()[name].as_f64(), rich()[name].as_str())
        );
    }
    let again = read(&body);
    assert_eq!(again.choices, read(&rich()).choices);
    assert_eq!(again.usage.input, Some(Tokens(30)));
}

#[test]
fn reasons_to_stop() {
    let said = json!([{"type": "message", "id": "m", "status": "completed", "role": "assistant", "content": [{"type": "output_text", "text": "A", "annotations": []}]}]);
    let cut = |reason: &str| json!({"status": "incomplete", "incomplete_details": {"reason": reason}});
    let cases = [
        (said.clone(), json!({}), Some(StopReason::End), "completed", Value::Null),
        (said.clone(), cut("max_output_tokens"), Some(StopReason::Length), "incomplete", json!("max_output_tokens")),
        (said.clone(), cut("content_filter"), Some(StopReason::ContentFilter), "incomplete", json!("content_filter")),
        (said.clone(), cut("steered"), Some(StopReason::Other("steered".into())), "completed", Value::Null),
        (json!([]), json!({"status": "queued"}), None, "completed", Value::Null),
    ];
    for (output, more, stop, status, reason) in cases {
        let answer = read(&response(output.clone(), more));
        assert_eq!(answer.choices[0].stop, stop);
        let body = write(&answer);
        assert_eq!((&body["status"], &body["incomplete_details"]["reason"]), (&json!(status), &reason));
        if output == said {
            assert_eq!(body["output"][0]["status"], status);
        }
    }
    let refusal = |parts| Choice { parts, stop: Some(StopReason::Refusal), ..Choice::default() };
    for (choice, status) in [(refusal(vec![]), "incomplete"), (refusal(vec![Part::Refusal("No.".into())]), "completed")]
    {
        assert_eq!(write(&Answer { choices: vec![choice], ..Answer::default() })["status"], status);
    }
}

#[test]
fn what_other_vendors_signed_can_be_kept() {
    let signed = ToolCall { signature: Some("gemini:g".into()), ..ToolCall::default() };
    let parts = vec![
        thinking("a", Some("EqQB")),
        thinking("b", Some("gemini:x")),
        thinking("c", None),
        Part::RedactedThinking { data: "d".into() },
        Part::ToolCall(ToolCall { id: "c".into(), name: "f".into(), arguments: "{}".into(), ..signed }),
    ];
    let choices = vec![Choice { parts: parts.clone(), ..Choice::default() }];
    let body = write(&Answer { choices, ..Answer::default() });
    let held: Vec<_> = (0..5).map(|i| body["output"][i]["encrypted_content"].as_str()).collect();
    assert_eq!(held, [Some("anthropic:EqQB"), Some("gemini:x"), None, Some("redacted:d"), Some("call:gemini:g")]);
    // A client sends them back as they came.
    let mut found = Vec::new();
    for message in read_request(&json!({"model": "m", "input": body["output"]})).unwrap().messages {
        found.extend(message.parts);
    }
    let mut expected = parts;
    expected[2] = thinking("c", Some("openai:7:rs_x1_2"));
    assert_eq!(found, expected);
}

#[test]
fn a_response_repeats_the_request() {
    let asked = json!({
        "model": "m", "instructions": "Be brief.", "input": "Hi", "temperature": 0.2, "top_p": 0.5, "max_output_tokens": 99,
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}], "tool_choice": "required",
        "parallel_tool_calls": false, "metadata": {"a": "b"}, "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"}, "truncation": "auto", "user": "u", "store": true, "max_tool_calls": 2,
        "prompt_cache_key": "k", "safety_identifier": "s", "top_logprobs": 2
    });
    let request = read_request(&asked).unwrap();
    let incoming = Incoming { request: Some(&request), ..INCOMING };
    let body: Value = serde_json::from_slice(&write_answer(&Answer::default(), &incoming)).unwrap();
    let mut expected = asked.clone();
    expected["tools"][0]["strict"] = json!(true);
    expected["store"] = json!(false);
    for (name, value) in expected.as_object().unwrap() {
        if !["model", "input"].contains(&name.as_str()) {
            assert_eq!(&body[name], value, "{name}");
        }
    }
    assert_eq!(
        (&body["id"], &body["model"], &body["created_at"]),
        (&json!("resp_x1"), &json!("asked-model"), &json!(1_700_000_000))
    );
    // Nothing known is nothing said.
    assert_eq!(write(&Answer::default())["usage"], Value::Null);
    // What another format's answer brings along means something else.
    let extra = json!({"prompt": [], "metadata": 1, "object": "chat.completion"}).as_object().unwrap().clone();
    let body = write(&Answer { extra, ..Answer::default() });
    assert_eq!((body.get("prompt"), &body["metadata"], &body["object"]), (None, &json!({}), &json!("response")));
}

#[test]
fn an_error_instead_of_an_answer() {
    let failed = |error: Value| response(json!([]), json!({"status": "failed", "error": error})).to_string();
    let cases = [
        (failed(json!({"code": "server_error", "message": "Oh."})), 500, "Oh."),
        (failed(json!({"code": "rate_limit_exceeded", "message": "Slow."})), 429, "Slow."),
        (failed(json!({"code": "invalid_prompt", "message": "Bad."})), 400, "Bad."),
        (failed(Value::Null), 502, "the provider's response failed and says no more"),
        (json!({"error": {"message": "No sk-abcdefgh1234.", "type": "server_error"}}).to_string(), 500, "No ***."),
        ("{}".to_owned(), 502, "the provider's answer has no `output`: {}"),
        ("<p>".to_owned(), 502, "the provider's answer is not JSON (expected value at line 1 column 1): <p>"),
    ];
    for (body, status, message) in cases {
        let error = read_answer(body.as_bytes()).unwrap_err();
        assert_eq!((error.status, error.message.as_str()), (status, message), "{body}");
    }
}

#[test]
fn errors_are_those_of_openai() {
    let body = json!({"error": {"message": "No.", "type": "invalid_request_error", "param": "input", "code": "bad"}});
    let error = read_error(400, body.to_string().as_bytes());
    assert_eq!((error.status, error.param.as_deref(), error.code.as_deref()), (400, Some("input"), Some("bad")));
    assert_eq!(serde_json::from_slice::<Value>(&write_error(&error)).unwrap(), body);
}
