use super::super::super::canonical::*;
use super::super::{read_answer, read_error, read_usage, write_answer, write_error};
use super::incoming;
use crate::testing::test;
use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};

fn read(body: Value) -> Answer {
    read_answer(body.to_string().as_bytes()).unwrap()
}

/// An answer of one candidate with these members.
fn candidate(parts: Value, more: Value) -> Choice {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}});
    candidate.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    read(json!({"responseId": "r-1", "candidates": [candidate]})).choices.remove(0)
}

#[test]
fn usage_counts_tools_as_input_and_thoughts_as_output() {
    let usage = |input: u64, output: Option<u64>| Usage {
        input: Some(Tokens(input)),
        output: output.map(Tokens),
        ..Usage::default()
    };
    let thought = |usage: Usage, thoughts: u64| Usage { reasoning: Some(Tokens(thoughts)), ..usage };
    for (given, expected) in [
        (json!({"promptTokenCount": 8, "candidatesTokenCount": 6, "totalTokenCount": 14}), usage(8, Some(6))),
        (
            json!({"promptTokenCount": 75, "candidatesTokenCount": 414, "toolUsePromptTokenCount": 573, "thoughtsTokenCount": 117, "totalTokenCount": 1179}),
            thought(usage(648, Some(531)), 117),
        ),
        // Where the candidates' count holds the thoughts already.
        (
            json!({"promptTokenCount": 10, "candidatesTokenCount": 30, "thoughtsTokenCount": 20, "totalTokenCount": 40}),
            thought(usage(10, Some(30)), 20),
        ),
        // Counts that are left out.
        (json!({"promptTokenCount": 7, "totalTokenCount": 7}), usage(7, Some(0))),
        (json!({"promptTokenCount": 7, "thoughtsTokenCount": 5, "totalTokenCount": 12}), thought(usage(7, Some(5)), 5)),
        (json!({"promptTokenCount": 7}), usage(7, None)),
        (json!({"candidatesTokenCount": 5, "totalTokenCount": 12}), usage(7, Some(5))),
        (json!({"promptTokenCount": "7", "totalTokenCount": 3}), usage(7, None)),
    ] {
        assert_eq!(read_usage(&given), expected, "{given}");
    }
    let rich = read_usage(
        &json!({"promptTokenCount": 9, "candidatesTokenCount": 1, "cachedContentTokenCount": 4, "trafficType": "ON_DEMAND_FLEX",
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2}, {"modality": "AUDIO", "tokenCount": 7}],
        "candidatesTokensDetails": [{"modality": 4, "tokenCount": 1}]}),
    );
    assert_eq!(
        (rich.cached_input, rich.audio_input, rich.audio_output),
        (Some(Tokens(4)), Some(Tokens(7)), Some(Tokens(1)))
    );
    assert_eq!(rich.service_tier.as_deref(), Some("flex"));
    for (traffic, tier) in [
        ("ON_DEMAND", "standard"),
        ("ON_DEMAND_PRIORITY", "priority"),
        ("PROVISIONED_THROUGHPUT", "provisioned_throughput"),
    ] {
        assert_eq!(read_usage(&json!({"trafficType": traffic})).service_tier.as_deref(), Some(tier));
    }
    assert!(read_usage(&json!({"trafficType": 1})).is_empty());
}

#[test]
fn reasons_are_understood() {
    for (word, stop) in [
        (json!("STOP"), Some(StopReason::End)),
        (json!(1), Some(StopReason::End)),
        (json!("MAX_TOKENS"), Some(StopReason::Length)),
        (json!("SAFETY"), Some(StopReason::ContentFilter)),
        (json!("IMAGE_SAFETY"), Some(StopReason::ContentFilter)),
        (json!("PROHIBITED_CONTENT"), Some(StopReason::ContentFilter)),
        (json!("MALFORMED_FUNCTION_CALL"), Some(StopReason::Other("MALFORMED_FUNCTION_CALL".into()))),
        (json!(99), Some(StopReason::Other("99".into()))),
        (json!(null), None),
    ] {
        assert_eq!(candidate(json!([{"text": "x"}]), json!({"finishReason": word})).stop, stop, "{word}");
    }
    let call = json!([{"functionCall": {"name": "f"}}]);
    assert_eq!(candidate(call.clone(), json!({"finishReason": "STOP"})).stop, Some(StopReason::ToolCalls));
    assert_eq!(candidate(call, json!({"finishReason": "MAX_TOKENS"})).stop, Some(StopReason::Length));
    let cut = json!({"finishReason": "SAFETY", "finishMessage": "Blocked."});
    assert_eq!(candidate(json!([]), cut.clone()).parts, [Part::Refusal("Blocked.".into())]);
    assert!(!candidate(json!([{"text": "x"}]), cut).parts.contains(&Part::Refusal("Blocked.".into())));
}

#[test]
fn a_blocked_prompt_is_an_answer_that_says_so() {
    for (feedback, message) in [
        (json!({"blockReason": "SAFETY", "blockReasonMessage": "No."}), "No."),
        (json!({"blockReason": "PROHIBITED_CONTENT"}), "The provider blocked the prompt (PROHIBITED_CONTENT)."),
    ] {
        let answer =
            read(json!({"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4}}));
        assert_eq!(answer.choices[0].parts, [Part::Refusal(message.into())]);
        assert_eq!(answer.choices[0].stop, Some(StopReason::ContentFilter));
        assert_eq!(answer.usage.output, Some(Tokens(0)));
    }
}

#[test]
fn calls_without_ids_get_their_own() {
    let call = |name: &str| json!({"functionCall": {"name": name, "args": {"b": 1, "a": 2}}});
    let two = json!({"content": {"parts": [call("f"), {"functionCall": {"id": "own", "name": "f"}}, call("g")]}});
    let answer = read(json!({"responseId": "r-1/ü", "candidates": [two, two]}));
    let calls = |choice: &Choice| -> Vec<(String, String)> {
        let call = |part: &Part| {
            if let Part::ToolCall(call) = part { Some((call.id.clone(), call.arguments.clone())) } else { None }
        };
        choice.parts.iter().filter_map(call).collect()
    };
    let pair = |id: &str, arguments: &str| (id.to_owned(), arguments.to_owned());
    let args = r#"{"b":1,"a":2}"#;
    assert_eq!(calls(&answer.choices[0]), [pair("call_r-1_0", args), pair("own", "{}"), pair("call_r-1_1", args)]);
    assert_eq!(calls(&answer.choices[1]), [pair("call_r-1_1_0", args), pair("own", "{}"), pair("call_r-1_1_1", args)]);
}

#[test]
fn every_kind_of_part_is_read() {
    let choice = candidate(
        json!([{"text": "hm", "thought": true}, {"text": "m", "thought": true}, {"text": "Hi", "thoughtSignature": "S"}, {"text": ""},
            {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "AAA="}}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
            {"executableCode": {"language": "PYTHON", "code": "1"}}, {"functionCall": {"name": "f"}, "thoughtSignature": "T"}]),
        json!({}),
    );
    let [thought, text, audio, image, code, call] = choice.parts.as_slice() else { panic!("{:?}", choice.parts) };
    assert_eq!(*thought, Part::Thinking { text: "hmm".into(), signature: Some("gemini:S".into()) });
    assert!(matches!(text, Part::Text { text, .. } if text == "Hi"));
    assert!(matches!(audio, Part::Audio { format, .. } if format == "L16;codec=pcm;rate=24000"));
    assert!(matches!(image, Part::Image { source: Source::Base64 { .. }, .. }));
    assert!(matches!(code, Part::Unknown { .. }));
    assert!(matches!(call, Part::ToolCall(call) if call.signature.as_deref() == Some("gemini:T")));
}

#[test]
fn citations_count_in_characters() {
    let text = "é 日本. Ja.";
    let grounding = json!({
        "groundingChunks": [{"web": {"uri": "https://a", "title": "a"}}, {"retrievedContext": {"title": "b", "text": "words"}}, {}],
        "groundingSupports": [{"segment": {"startIndex": 3, "endIndex": 10, "partIndex": 1}, "groundingChunkIndices": [0, 1, 2, 9]},
            {"segment": {"endIndex": 2, "partIndex": 1}, "groundingChunkIndices": [0]},
            {"segment": {"startIndex": 5, "endIndex": 5000}, "groundingChunkIndices": [0]}]});
    let choice = candidate(
        json!([{"text": "ab"}, {"text": text}]),
        json!({"groundingMetadata": grounding, "citationMetadata": {"citations": [{"startIndex": 2, "endIndex": 4, "uri": "https://c"}]}}),
    );
    let cited = |part: &Part| match part {
        Part::Text { citations, .. } => citations.iter().map(|c| (c.url.clone(), c.span)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let (a, c) = (Some("https://a".to_owned()), Some("https://c".to_owned()));
    assert_eq!(cited(&choice.parts[0]), []);
    let expected =
        [(a.clone(), Some((4, 7))), (None, Some((4, 7))), (a.clone(), Some((2, 3))), (a, None), (c, Some((2, 3)))];
    assert_eq!(cited(&choice.parts[1]), expected);
    let answer = Answer { choices: vec![choice], ..Answer::default() };
    let written: Value = serde_json::from_slice(&write_answer(&answer, &incoming())).unwrap();
    let places: Vec<Value> = written["candidates"][0]["citationMetadata"]["citations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| json!([c["startIndex"], c["endIndex"]]))
        .collect();
    assert_eq!(places, [json!([5, 12]), json!([5, 12]), json!([2, 4]), json!([null, null]), json!([2, 4])]);
    let loose = candidate(
        json!([{"text": "x"}]),
        json!({"groundingMetadata": {"groundingChunks": [{"web": {"uri": "https://a"}}]}}),
    );
    assert!(
        matches!(&loose.parts[0], Part::Text { citations, .. } if citations.len() == 1 && citations[0].span.is_none())
    );
}

#[test]
fn log_probabilities_take_openais_form_and_come_back() {
    let result = json!({"chosenCandidates": [{"token": "é", "tokenId": 5, "logProbability": -0.5}, {"token": "!"}],
        "topCandidates": [{"candidates": [{"token": "é", "logProbability": -0.5}, {"token": "e", "logProbability": -1.5}]}]});
    let choice = candidate(json!([{"text": "é!"}]), json!({"logprobsResult": result}));
    let token = |token: &str, logprob: f64| json!({"token": token, "logprob": logprob, "bytes": token.as_bytes()});
    let mut first = token("é", -0.5);
    first["top_logprobs"] = json!([token("é", -0.5), token("e", -1.5)]);
    let mut second = token("!", 0.0);
    second["top_logprobs"] = json!([]);
    assert_eq!(choice.logprobs, Some(json!({"content": [first, second], "refusal": null})));
    let answer = Answer { choices: vec![choice.clone()], ..Answer::default() };
    let again = read_answer(&write_answer(&answer, &incoming())).unwrap();
    assert_eq!(again.choices[0].logprobs, choice.logprobs);
}

#[test]
fn bodies_that_are_no_answer_are_errors() {
    for (body, status, what) in [
        ("<html>", 502, "not JSON"),
        ("[]", 502, "an array"),
        ("{}", 502, "candidates"),
        (r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}"#, 429, "slow"),
        (r#"[{"error":{"message":"gone","status":"UNAVAILABLE"}}]"#, 503, "gone"),
        (r#"{"error":{"code":7}}"#, 502, "7"),
    ] {
        let error = read_answer(body.as_bytes()).unwrap_err();
        assert!(error.status == status && error.message.contains(what), "{body}: {error:?}");
    }
}

#[test]
fn errors_are_read_and_written() {
    let detailed = json!([{"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "Bad.", "details": [
        {"reason": "API_KEY_INVALID"}, {"fieldViolations": [{"field": "contents[0]", "description": "too odd"}]}, {"retryDelay": "34s"}]}}]);
    let error = read_error(400, detailed.to_string().as_bytes());
    assert_eq!((error.status, error.kind), (400, ErrorKind::Authentication));
    assert_eq!((error.code.as_deref(), error.param.as_deref()), (Some("API_KEY_INVALID"), Some("contents[0]")));
    assert_eq!(error.message, "Bad. (too odd) Please retry in 34s.");
    for (status, word, kind) in [
        (429, "RESOURCE_EXHAUSTED", ErrorKind::RateLimit),
        (400, "FAILED_PRECONDITION", ErrorKind::InvalidRequest),
        (403, "PERMISSION_DENIED", ErrorKind::Permission),
        (503, "UNAVAILABLE", ErrorKind::Overloaded),
        (504, "DEADLINE_EXCEEDED", ErrorKind::Timeout),
        (500, "INTERNAL", ErrorKind::Server),
        (418, "NEW_WORD", ErrorKind::InvalidRequest),
    ] {
        let body = json!({"error": {"code": status, "message": "m", "status": word}});
        let error = read_error(status, body.to_string().as_bytes());
        assert_eq!((error.kind, error.provider_type.as_deref()), (kind, Some(word)));
        let again: Value = serde_json::from_slice(&write_error(&error)).unwrap();
        let expected = if word == "NEW_WORD" { "INVALID_ARGUMENT" } else { word };
        assert_eq!(again["error"], json!({"code": status, "message": "m", "status": expected}));
    }
    let long = read_error(
        400,
        br#"{"error":{"message":"The input token count (9) exceeds the maximum number of tokens allowed (8)."}}"#,
    );
    assert_eq!(long.code.as_deref(), Some("context_length_exceeded"));
    for (body, message) in [
        (&b""[..], "the provider answered with status 500 and no message"),
        (b"<title>Error 502</title>", "Error 502"),
        (b"upstream  died", "upstream died"),
        (b"\"text\"", "text"),
        (br#"{"error":"plain"}"#, "plain"),
        (br#"{"error":{"message":"key AIzaSyA0123456789abcdefghij"}}"#, "key ***"),
    ] {
        assert_eq!(read_error(500, body).message, message);
    }
    let own: Value = serde_json::from_slice(&write_error(&ApiError::new(401, "No key.").with_param("key"))).unwrap();
    assert_eq!((&own["error"]["code"], &own["error"]["status"]), (&json!(401), &json!("UNAUTHENTICATED")));
    assert_eq!(own["error"]["details"][0]["fieldViolations"][0]["field"], "key");
}
