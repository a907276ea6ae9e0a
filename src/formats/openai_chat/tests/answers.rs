use super::super::super::canonical::*;
use super::super::{read_answer, read_usage, write_answer};
use super::incoming;
use crate::testing::test;
use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};

fn answer(message: Value, finish: &str) -> Answer {
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}]});
    read_answer(body.to_string().as_bytes()).unwrap()
}

fn text(text: &str) -> Part {
    Part::Text { text: text.into(), cache: None, citations: Vec::new() }
}

fn thinking(text: &str) -> Part {
    Part::Thinking { text: text.into(), signature: None }
}

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        cache: None,
        signature: None,
    })
}

#[test]
fn answers_of_every_kind_are_read() {
    let f = |arguments: Value| json!({"name": "f", "arguments": arguments});
    for (message, finish, parts, stop) in [
        (json!({"content": "hi"}), "stop", vec![text("hi")], Some(StopReason::End)),
        (json!({"content": "hi"}), "length", vec![text("hi")], Some(StopReason::Length)),
        (json!({"content": ""}), "content_filter", vec![], Some(StopReason::ContentFilter)),
        (json!({"content": "x"}), "weird", vec![text("x")], Some(StopReason::Other("weird".into()))),
        (json!({"content": "x"}), "", vec![text("x")], None),
        (json!({"content": null, "refusal": "no"}), "stop", vec![Part::Refusal("no".into())], Some(StopReason::End)),
        (
            json!({"content": "a", "reasoning_content": "r", "reasoning": "r"}),
            "stop",
            vec![thinking("r"), text("a")],
            Some(StopReason::End),
        ),
        (
            json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}, {"type": "text", "text": "a"}]}),
            "stop",
            vec![thinking("r"), text("a")],
            Some(StopReason::End),
        ),
        (
            json!({"content": null, "tool_calls": [
                {"id": "a", "type": "function", "function": f("{\"x\":1}".into())}, {"id": "b", "function": f("".into())}]}),
            "tool_calls",
            vec![call("a", "{\"x\":1}"), call("b", "{}")],
            Some(StopReason::ToolCalls),
        ),
        // A forced call ends with `stop`, and is a call all the same.
        (
            json!({"content": null, "tool_calls": [{"id": "a", "function": f(json!({"x": 1}))}]}),
            "stop",
            vec![call("a", "{\"x\":1}")],
            Some(StopReason::ToolCalls),
        ),
        // Every member there, the unused ones empty.
        (
            json!({"content": "x", "refusal": "", "tool_calls": null, "function_call": {"name": "", "arguments": ""},
                "audio": {"id": "", "data": ""}}),
            "stop",
            vec![text("x")],
            Some(StopReason::End),
        ),
        (
            json!({"content": null, "function_call": f("{}".into())}),
            "function_call",
            vec![call("call_0", "{}")],
            Some(StopReason::ToolCalls),
        ),
    ] {
        let got = answer(message.clone(), finish);
        assert_eq!(got.choices.len(), 1);
        assert_eq!((&got.choices[0].parts, &got.choices[0].stop), (&parts, &stop), "{message} {finish}");
    }
    let body = json!({"choices": [{"message": {"content": "x"}, "finish_reason": "stop", "stop_reason": "END"}]});
    let got = read_answer(body.to_string().as_bytes()).unwrap();
    assert_eq!(got.choices[0].stop, Some(StopReason::StopSequence));
    assert_eq!(got.choices[0].stop_sequence.as_deref(), Some("END"));
}

#[test]
fn what_is_no_answer_is_an_error() {
    for (body, status, words) in [
        ("", 502, "not JSON"),
        ("<html>busy</html>", 502, "not JSON"),
        ("[]", 502, "no `choices`"),
        ("{}", 502, "no `choices`"),
        (r#"{"choices":5}"#, 502, "no `choices`"),
        (r#"{"choices":[{"message":{"content":5}}]}"#, 502, "cannot be read"),
        (r#"{"error":{"message":"full","code":503}}"#, 503, "full"),
        (r#"{"error":"sk-1234567890 is bad","choices":null}"#, 502, "*** is bad"),
    ] {
        let error = read_answer(body.as_bytes()).unwrap_err();
        assert_eq!(error.status, status, "{body}");
        assert!(error.message.contains(words), "{body}: {error:?}");
    }
}

#[test]
fn answers_are_written_as_openai_does() {
    let answer = Answer {
        choices: vec![
            Choice { parts: vec![text("a"), text("b")], stop: Some(StopReason::StopSequence), ..Choice::default() },
            Choice {
                parts: vec![thinking("r"), call("a", "{}")],
                stop: Some(StopReason::ToolCalls),
                logprobs: Some(json!({"content": []})),
                ..Choice::default()
            },
            Choice { parts: vec![Part::Refusal("no".into())], stop: Some(StopReason::Refusal), ..Choice::default() },
            Choice::default(),
        ],
        usage: Usage {
            input: Some(Tokens(10)),
            cached_input: Some(Tokens(4)),
            output: Some(Tokens(3)),
            reasoning: Some(Tokens(1)),
            ..Usage::default()
        },
        extra: json!({"system_fingerprint": "fp", "container": {}}).as_object().cloned().unwrap(),
        ..Answer::default()
    };
    let body: Value = serde_json::from_slice(&write_answer(&answer, &incoming())).unwrap();
    let choice = |i: u64, message: Value, logprobs: Value, finish: &str| json!({"index": i, "message": message, "logprobs": logprobs, "finish_reason": finish});
    assert_eq!(
        body,
        json!({"id": "chatcmpl-ex1", "object": "chat.completion", "created": 7, "model": "asked", "choices": [
            choice(0, json!({"role": "assistant", "content": "ab", "refusal": null}), json!(null), "stop"),
            choice(1, json!({"role": "assistant", "content": null, "refusal": null, "reasoning_content": "r", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}), json!({"content": []}), "tool_calls"),
            choice(2, json!({"role": "assistant", "content": null, "refusal": "no"}), json!(null), "content_filter"),
            choice(3, json!({"role": "assistant", "content": "", "refusal": null}), json!(null), "stop"),
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 1}},
        "system_fingerprint": "fp"})
    );
    let nothing: Value = serde_json::from_slice(&write_answer(&Answer::default(), &incoming())).unwrap();
    assert_eq!(nothing.get("usage"), None);
}

#[test]
fn usage_is_read_in_one_convention() {
    let t = |n| Some(Tokens(n));
    let plain = Usage { input: t(10), output: t(5), ..Usage::default() };
    for (usage, want) in [
        (json!(null), Usage::default()),
        (json!({}), Usage::default()),
        (json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}), plain.clone()),
        (json!({"prompt_tokens": 10, "total_tokens": 10}), Usage { input: t(10), ..Usage::default() }),
        (json!({"prompt_tokens": "10", "completion_tokens": -5}), Usage::default()),
        (json!({"prompt_tokens": 10.0, "completion_tokens": 5}), plain.clone()),
        (json!({"prompt_tokens": 10, "completion_tokens": 0}), Usage { output: t(0), ..plain.clone() }),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
                "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 2, "cache_write_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 1}}),
            Usage {
                cached_input: t(4),
                cache_write: t(1),
                audio_input: t(2),
                reasoning: t(3),
                audio_output: t(1),
                ..plain.clone()
            },
        ),
        // xAI: the total shows that reasoning comes on top.
        (
            json!({"prompt_tokens": 165, "completion_tokens": 2, "total_tokens": 292,
                "completion_tokens_details": {"reasoning_tokens": 125}}),
            Usage { input: t(165), output: t(127), reasoning: t(125), ..Usage::default() },
        ),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 3}}),
            Usage { reasoning: t(3), ..plain.clone() },
        ),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2}),
            Usage { cached_input: t(8), ..plain.clone() },
        ),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 5, "num_cached_tokens": 8}),
            Usage { cached_input: t(8), ..plain.clone() },
        ),
        (
            json!({"input_tokens": 10, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 1},
                "output_tokens_details": {"reasoning_tokens": 2}, "service_tier": "flex"}),
            Usage { cached_input: t(1), reasoning: t(2), service_tier: Some("flex".into()), ..plain.clone() },
        ),
    ] {
        assert_eq!(read_usage(&usage), want, "{usage}");
    }
    let groq = json!({"choices": [], "x_groq": {"usage": {"prompt_tokens": 10, "completion_tokens": 5}}, "service_tier": "on_demand"});
    let got = read_answer(groq.to_string().as_bytes()).unwrap().usage;
    assert_eq!(got, Usage { service_tier: Some("on_demand".into()), ..plain });
}
