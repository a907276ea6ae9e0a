//! Golden vectors: what a request, answer, stream or error of one format is in the other. The cases are written by hand
//! in `tests/golden/KIND_FROM_to_TO.json`; each file is an array of
//!
//! ```json
//! {"name": "…", "from": "openai", "to": "anthropic", "kind": "request", "model": "…", "input": {}, "expected": {}, "dropped": []}
//! ```
//!
//! - `request`: `model` is what the provider calls its model; with `refused` (the parameter at fault) in place of
//!   `expected`, the request has no translation.
//! - `answer`: `input` is a provider's body, `expected` the client's.
//! - `stream`: both are arrays of events: the name (empty for none) and the data. The bytes are fed whole, and cut at
//!   every place, with the same result. `include_usage: false` is a client that did not ask for usage.
//! - `answer` and `stream` may give the client's own request as `client_request`, for formats whose answers repeat it.
//! - `error`: `status` is the HTTP status.
//!
//! JSON is compared by value: the order of an object's members has no meaning.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::string_slice
)]

use conduit::formats::canonical::ChatRequest;
use conduit::formats::{Format, Incoming, Outgoing, sse};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    from: String,
    to: String,
    kind: String,
    model: Option<String>,
    status: Option<u16>,
    include_usage: Option<bool>,
    client_request: Option<Value>,
    input: Value,
    expected: Option<Value>,
    refused: Option<String>,
    #[serde(default)]
    dropped: Vec<String>,
}

/// One test per file of `tests/golden`, named for it.
macro_rules! cells {
    ($($cell:ident)*) => {$(
        #[test]
        fn $cell() {
            run(stringify!($cell), include_str!(concat!("golden/", stringify!($cell), ".json")));
        }
    )*};
}

cells! {
    request_responses_to_gemini
    answer_gemini_to_responses
    stream_gemini_to_responses
    error_gemini_to_responses
    request_responses_to_bedrock
    answer_bedrock_to_responses
    stream_bedrock_to_responses
    error_bedrock_to_responses
    request_openai_to_anthropic
    request_anthropic_to_openai
    answer_openai_to_anthropic
    answer_anthropic_to_openai
    stream_openai_to_anthropic
    stream_anthropic_to_openai
    error_openai_to_anthropic
    error_anthropic_to_openai
    request_openai_to_gemini
    request_anthropic_to_gemini
    request_gemini_to_openai
    request_gemini_to_anthropic
    answer_gemini_to_openai
    answer_gemini_to_anthropic
    answer_openai_to_gemini
    answer_anthropic_to_gemini
    stream_gemini_to_openai
    stream_gemini_to_anthropic
    stream_openai_to_gemini
    stream_anthropic_to_gemini
    error_gemini_to_openai
    error_gemini_to_anthropic
    error_openai_to_gemini
    error_anthropic_to_gemini
    request_openai_to_bedrock
    request_anthropic_to_bedrock
    request_bedrock_to_openai
    request_bedrock_to_anthropic
    answer_openai_to_bedrock
    answer_anthropic_to_bedrock
    answer_bedrock_to_openai
    answer_bedrock_to_anthropic
    stream_bedrock_to_openai
    stream_bedrock_to_anthropic
    error_openai_to_bedrock
    error_anthropic_to_bedrock
    error_bedrock_to_openai
    error_bedrock_to_anthropic
    request_responses_to_openai
    request_responses_to_anthropic
    request_openai_to_responses
    request_anthropic_to_responses
    answer_responses_to_openai
    answer_responses_to_anthropic
    answer_openai_to_responses
    answer_anthropic_to_responses
    stream_responses_to_openai
    stream_responses_to_anthropic
    stream_openai_to_responses
    stream_anthropic_to_responses
    error_responses_to_openai
    error_responses_to_anthropic
    error_openai_to_responses
    error_anthropic_to_responses
}

fn run(cell: &str, text: &str) {
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    assert!(cases.len() > 1);
    let mut wrong = Vec::new();
    for case in &cases {
        assert_eq!(format!("{}_{}_to_{}", case.kind, case.from, case.to), cell, "{}", case.name);
        let found = match case.kind.as_str() {
            "request" => request(case),
            "answer" => answer(case),
            "stream" => stream(case),
            _ => error(case),
        };
        let expected = match &case.refused {
            Some(param) => json!({ "refused": param }),
            None if case.kind == "request" => json!({"body": case.expected, "dropped": case.dropped}),
            None => case.expected.clone().unwrap_or_default(),
        };
        if found != expected {
            wrong.push(format!("{}\n  expected {expected}\n  found    {found}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn format(name: &str) -> Format {
    match name {
        "openai" => Format::OpenAiChat,
        "responses" => Format::OpenAiResponses,
        "anthropic" => Format::AnthropicMessages,
        "gemini" => Format::Gemini,
        "bedrock" => Format::BedrockConverse,
        other => panic!("no format is called {other}"),
    }
}

fn client_request(case: &Case) -> Option<ChatRequest> {
    case.client_request.as_ref().map(|request| format(&case.to).read_request(request).unwrap())
}

fn incoming<'a>(case: &'a Case, request: Option<&'a ChatRequest>) -> Incoming<'a> {
    let include_usage = case.include_usage.unwrap_or(true);
    Incoming { model: "asked-model", id: "x1", created: 1_700_000_000, counted: None, include_usage, request }
}

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn request(case: &Case) -> Value {
    let request = format(&case.from).read_request(&case.input).unwrap();
    let model = case.model.as_deref().unwrap();
    let outgoing = Outgoing { model, default_max_tokens: 4096, rejects: &[] };
    match format(&case.to).write_request(&request, &outgoing) {
        Ok(written) => json!({"body": parse(&written.body), "dropped": written.dropped}),
        Err(error) => json!({"refused": error.param}),
    }
}

fn answer(case: &Case) -> Value {
    let answer = format(&case.from).read_answer(case.input.to_string().as_bytes()).unwrap();
    let request = client_request(case);
    parse(&format(&case.to).write_answer(&answer, &incoming(case, request.as_ref())))
}

fn error(case: &Case) -> Value {
    let body = case.input.as_str().map_or_else(|| case.input.to_string(), str::to_owned);
    let error = format(&case.from).read_error(case.status.unwrap(), body.as_bytes());
    assert_eq!(error.status, case.status.unwrap());
    parse(&format(&case.to).write_error(&error))
}

/// The bytes of `[[name, data], …]`.
fn bytes(events: &Value) -> Vec<u8> {
    let mut text = String::new();
    for event in events.as_array().unwrap() {
        let (name, data) = (event[0].as_str().unwrap(), &event[1]);
        if !name.is_empty() {
            text.push_str(&format!("event: {name}\n"));
        }
        let data = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
        text.push_str(&format!("data: {data}\n\n"));
    }
    text.into_bytes()
}

/// `[[name, data], …]` of bytes that were written.
fn events(bytes: &[u8]) -> Value {
    let mut all = Vec::new();
    for block in std::str::from_utf8(bytes).unwrap().split("\n\n") {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
        if let Some(data) = field("data:") {
            let data = serde_json::from_str(data).unwrap_or_else(|_| json!(data));
            all.push(json!([field("event:").unwrap_or_default(), data]));
        }
    }
    all.into()
}

fn stream(case: &Case) -> Value {
    let input = bytes(&case.input);
    let whole = events(&translate(case, &[&input]));
    for cut in 0..=input.len() {
        let (head, tail) = input.split_at(cut);
        assert_eq!(events(&translate(case, &[head, tail])), whole, "{} cut at {cut}", case.name);
    }
    whole
}

fn translate(case: &Case, chunks: &[&[u8]]) -> Vec<u8> {
    let mut parser = sse::Parser::new(1 << 20);
    let mut reader = format(&case.from).stream_reader();
    let request = client_request(case);
    let mut writer = format(&case.to).stream_writer(&incoming(case, request.as_ref()));
    let mut said = Vec::new();
    for chunk in chunks {
        parser.push(chunk, &mut |event| reader.event(&event, &mut said)).unwrap();
    }
    parser.finish(&mut |event| reader.event(&event, &mut said)).unwrap();
    reader.finish(&mut said);
    let mut out = Vec::new();
    for event in &said {
        writer.write(event, &mut out);
    }
    out
}
