//! What passes unread: routing by model in JSON and in forms, usage, and the bounds of bodies.

use super::*;
use crate::exchange::passing::usage_of;
use crate::testing::test;
use crate::usage::Usage;
use serde_json::json;

const CONFIG: &str = r#"
version: 1
max_body: 4KiB
providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
  anthropic: {api_key: "${ANTHROPIC_API_KEY}"}
  house: {kind: openai-compatible, url: "http://127.0.0.1:8000/base/v1"}
aliases:
  ears: [anthropic/claude-sonnet-4-5, house/whisper, openai/whisper-1]
  mouth: [house/tts, openai/tts-1]
  words: [anthropic/claude-sonnet-4-5]
"#;

fn plan() -> Arc<Plan> {
    let env = |name: &str| Some(format!("secret-of-{name}"));
    Arc::new(load(CONFIG, &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
}

fn posted(path: &str, content_type: &str) -> Headers {
    headers(&[(":method", "POST"), (":path", path), ("content-type", content_type)])
}

fn passed(path: &str, content_type: &str, body: &str) -> (Rc<RefCell<Exchange>>, Step) {
    let (mut exchange, step) = Exchange::begin(plan(), "7".into(), posted(path, content_type), false, T0);
    assert_eq!(step, Step::Wait);
    let step = exchange.body(body.as_bytes());
    (Rc::new(RefCell::new(exchange)), step)
}

const FORM: &str = "multipart/form-data; boundary=b";

fn form(model: &str) -> String {
    let model = format!("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n");
    let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n\
                RIFF\0\r\n\r\n\r\n";
    format!("{file}{model}--b--\r\n")
}

fn targets(exchange: &Rc<RefCell<Exchange>>) -> Vec<String> {
    let exchange = exchange.borrow();
    exchange.decision().map(|d| d.targets.iter().map(|t| t.name.clone()).collect()).unwrap_or_default()
}

#[test]
fn what_passes_is_routed_by_model_alias_and_chain() {
    for (path, content_type, body, want) in [
        (
            "/v1/images/generations",
            "application/json",
            r#"{"model":"openai/gpt-image-1","prompt":"x"}"#,
            "openai/gpt-image-1",
        ),
        (
            "/v1/audio/speech",
            "application/json; charset=utf-8",
            r#"{"model":"mouth","input":"x"}"#,
            "house/tts openai/tts-1",
        ),
        // A name that nobody knows is for the default provider to judge, and so is none.
        ("/v1/images/generations", "application/json", r#"{"model":"paint-9","prompt":"x"}"#, "openai/paint-9"),
        ("/v1/moderations", "application/json", r#"{"input":"x"}"#, "openai/"),
        ("/v1/moderations", "application/json", "not json", "openai/"),
        ("/v1/rerank", "application/json", r#"{"model":"house/rank","query":"q","documents":["d"]}"#, "house/rank"),
        ("/v1/audio/transcriptions", FORM, &form("ears"), "house/whisper openai/whisper-1"),
        ("/v1/audio/translations", FORM, &form("whisper-1"), "openai/whisper-1"),
        ("/v1/images/edits", FORM, "--b--", "openai/"),
    ] {
        let (exchange, step) = passed(path, content_type, body);
        assert!(matches!(step, Step::Forward(_)), "{path}: {step:?}");
        assert_eq!(targets(&exchange).join(" "), want, "{path} {body}");
    }
    let (_, step) = passed("/v1/images/generations", "application/json", r#"{"model":"words","prompt":"x"}"#);
    let (status, error) = reply_of(step);
    let message = error["error"]["message"].as_str().unwrap();
    assert_eq!((status, message), (404, "anthropic serves no images; name a model of another provider"));
}

#[test]
fn a_forms_model_is_renamed_in_place() {
    let body = form("ears");
    let (exchange, _) = passed("/v1/audio/transcriptions", FORM, &body);
    for (number, provider, model) in [(1, "house", "whisper"), (2, "openai", "whisper-1")] {
        let head = posted("/v1/audio/transcriptions", FORM);
        let (attempt, edits, wants) = Attempt::begin(&exchange, number, Some(provider), &head, T0).unwrap();
        assert!(wants);
        assert_eq!(set(&edits, "content-type"), None, "the boundary stands in it");
        let sent = attempt.request_body(body.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(sent).unwrap(), body.replace("ears", model));
    }
    let (exchange, _) = passed("/v1/audio/translations", FORM, &form("whisper-1"));
    let head = posted("/v1/audio/translations", FORM);
    let (_, edits, wants) = Attempt::begin(&exchange, 1, Some("openai"), &head, T0).unwrap();
    assert!(!wants, "nothing changes");
    assert_eq!(set(&edits, "authorization"), Some("Bearer secret-of-OPENAI_API_KEY"));
    assert_eq!(set(&edits, ":path"), Some("/v1/audio/translations"));
}

#[test]
fn a_streamed_completion_reports_its_usage_and_hides_it_from_who_did_not_ask() {
    let run = |asked: bool| {
        let options = if asked { r#","stream_options":{"include_usage":true}"# } else { "" };
        let body = format!(r#"{{"model":"house/small","prompt":"a","stream":true{options}}}"#);
        let (exchange, _) = passed("/v1/completions", "application/json", &body);
        let head = posted("/v1/completions", "application/json");
        let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("house"), &head, T0).unwrap();
        let sent: Value = serde_json::from_slice(&attempt.request_body(body.as_bytes()).unwrap()).unwrap();
        assert_eq!((&sent["model"], &sent["stream_options"]["include_usage"]), (&json!("small"), &json!(true)));
        attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(5));
        let chunks = concat!(
            "data: {\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[{\"text\":\"b\",\"index\":0,\"finish_reason\":null}],\"usage\":null}\n\n",
            "data: {\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[{\"text\":\"\",\"index\":0,\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
            "data: {\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n",
            "data: [DONE]\n\n",
        );
        let mut seen = Vec::new();
        for piece in chunks.as_bytes().chunks(7) {
            seen.extend(attempt.answer_piece(piece, false).unwrap_or_else(|| piece.to_vec()));
        }
        seen.extend(attempt.answer_piece(&[], true).unwrap_or_default());
        let usage = exchange.borrow().ledger().usage.clone();
        assert_eq!((usage.input, usage.output), (Some(Tokens(1)), Some(Tokens(2))));
        let mut exchange = exchange.borrow_mut();
        exchange.answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "1")]), false, ms(6));
        exchange.answer_body(9, true, ms(7));
        let record = exchange.finish("via_upstream", ms(8));
        assert_eq!((record.stream, record.outcome, record.endpoint), (true, Outcome::Ok, "completions"));
        (String::from_utf8(seen).unwrap(), chunks)
    };
    let (seen, chunks) = run(true);
    assert_eq!(seen, chunks, "every byte as it came");
    let (seen, _) = run(false);
    assert!(
        !seen.contains("usage") && seen.matches("data: ").count() == 3 && seen.ends_with("data: [DONE]\n\n"),
        "{seen}"
    );
}

#[test]
fn usage_is_read_in_every_shape_that_has_tokens() {
    for (answer, want) in [
        (
            json!({"created": 1, "data": [], "usage": {"total_tokens": 100, "input_tokens": 50, "output_tokens": 50,
                "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}}}),
            Usage {
                input: Some(Tokens(50)),
                image_input: Some(Tokens(40)),
                output: Some(Tokens(50)),
                ..Usage::default()
            },
        ),
        (
            json!({"text": "x", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59,
                "input_token_details": {"text_tokens": 4, "audio_tokens": 10}}}),
            Usage {
                input: Some(Tokens(14)),
                output: Some(Tokens(45)),
                audio_input: Some(Tokens(10)),
                ..Usage::default()
            },
        ),
        (
            json!({"choices": [{"text": "x"}], "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}),
            Usage { input: Some(Tokens(5)), output: Some(Tokens(7)), ..Usage::default() },
        ),
        (
            json!({"model": "jina-reranker", "results": [], "usage": {"total_tokens": 815}}),
            Usage { input: Some(Tokens(815)), ..Usage::default() },
        ),
        (
            json!({"embeddings": {}, "meta": {"billed_units": {"input_tokens": 4, "image_tokens": 0}}}),
            Usage { input: Some(Tokens(4)), ..Usage::default() },
        ),
    ] {
        assert_eq!(usage_of(&answer), Some(want), "{answer}");
    }
    for unknown in [
        json!({"text": "x", "usage": {"type": "duration", "seconds": 27}}),
        json!({"results": [], "meta": {"billed_units": {"search_units": 1}}}),
        json!({"id": "modr-1", "results": []}),
        json!({"usage": null}),
        json!({"usage": 5, "meta": "x"}),
    ] {
        assert_eq!(usage_of(&unknown), None, "{unknown}");
    }
}

#[test]
fn a_transcripts_last_event_is_metered() {
    let (exchange, _) = passed("/v1/audio/transcriptions", FORM, &form("whisper-1"));
    let head = posted("/v1/audio/transcriptions", FORM);
    let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("openai"), &head, T0).unwrap();
    attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(5));
    let event = "data: {\"type\":\"transcript.text.done\",\"text\":\"x\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,\"output_tokens\":3}}\n\n";
    for piece in event.as_bytes().chunks(5) {
        assert_eq!(attempt.answer_piece(piece, false), None, "it passes as it came");
    }
    assert_eq!(exchange.borrow().ledger().usage.output, Some(Tokens(3)));
}

#[test]
fn a_body_that_is_not_waited_for_is_bounded_too() {
    let head = posted("/v1/files", "application/octet-stream");
    let (mut exchange, step) = Exchange::begin(plan(), "7".into(), head, false, T0);
    assert!(matches!(step, Step::Forward(_)));
    assert_eq!(exchange.body_passes(4000), None);
    assert_eq!(exchange.body_passes(96), None);
    let (status, error) = reply_of(exchange.body_passes(1).unwrap());
    assert_eq!(status, 413);
    assert!(error["error"]["message"].as_str().unwrap().contains("max_body"), "{error}");
    assert_eq!(exchange.body_passes(1), None, "one reply only");
    assert_eq!(exchange.finish("", ms(3)).outcome, Outcome::Refused);
}

#[test]
fn a_compressed_body_that_would_have_to_be_read_is_refused_as_such() {
    let begin = |path: &str, content_type: &str, coding: &str| {
        let head = [(":method", "POST"), (":path", path), ("content-type", content_type), ("content-encoding", coding)];
        Exchange::begin(plan(), "7".into(), headers(&head), false, T0).1
    };
    for (path, content_type) in [
        ("/v1/chat/completions", "application/json"),
        ("/v1/messages", "application/json"),
        ("/v1/embeddings", "application/json"),
        ("/v1/images/generations", "application/json"),
        ("/v1/audio/transcriptions", FORM),
    ] {
        let step = begin(path, content_type, "gzip");
        let Step::Reply(reply) = &step else { panic!("{step:?}") };
        assert!(reply.headers.contains(&("accept-encoding".to_owned(), "identity".to_owned())));
        let (status, error) = reply_of(step);
        assert_eq!(status, 415, "{path}");
        assert!(error["error"]["message"].as_str().unwrap().contains("found `gzip`"), "{error}");
        assert_eq!(begin(path, content_type, "identity"), Step::Wait, "{path}");
    }
    assert!(matches!(begin("/v1/files", "application/octet-stream", "gzip"), Step::Forward(_)), "it is not read");
}
