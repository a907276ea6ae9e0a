//! What each step of the path costs, natively, in the order of the path. `make bench` prints the table.

#![allow(missing_docs, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use conduit::admit::Caller;
use conduit::config::{self, Plan};
use conduit::cost;
use conduit::exchange::{Attempt, Exchange, Headers};
use conduit::formats::canonical::ChatRequest;
use conduit::formats::splice::{self, Edit};
use conduit::formats::{Format, Outgoing};
use conduit::host::Time;
use conduit::route::{self, Facts};
use conduit::tokens::{self, Tokenizer};
use conduit::usage::{Tokens, Usage};
use divan::{Bencher, black_box};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

const SIZES: [usize; 3] = [1_000, 8_000, 200_000];
const NOW: Time = Time(1_795_000_000_000_000_000);

fn main() {
    tokens::warm(Tokenizer::O200k);
    divan::main();
}

/// A chat request of about `size` bytes: one tool, turns of prose of 700 bytes.
fn body(model: &str, size: usize, stream: bool) -> Vec<u8> {
    // Some ten thousand words, so that no table of whole words makes the counting look faster than it is.
    const SYLLABLES: [&str; 16] =
        ["re", "con", "ti", "on", "gate", "way", "ver", "al", "in", "ment", "er", "pro", "vi", "de", "un", "ly"];
    let mut dice: usize = 1;
    let mut prose = |bytes: usize| {
        let mut text = String::new();
        while text.len() < bytes {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            for place in 0..=(dice >> 60 & 3) {
                text.push_str(SYLLABLES.get(dice >> (32 + 4 * place) & 15).copied().unwrap_or_default());
            }
            text.push_str(if dice >> 52 & 15 == 0 { ".\n" } else { " " });
        }
        text
    };
    let mut messages = vec![json!({"role": "system", "content": "Be brief."})];
    let turn = 700.min(size / 2);
    for number in 0..size.saturating_sub(250).div_ceil(turn + 40) {
        let role = if number % 2 == 0 { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": prose(turn)}));
    }
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    let tool =
        json!({"type": "function", "function": {"name": "read", "description": "Reads a file.", "parameters": schema}});
    let request = json!({"model": model, "messages": messages, "tools": [tool], "stream": stream, "temperature": 0.2});
    request.to_string().into_bytes()
}

fn read(body: &[u8]) -> ChatRequest {
    let value: Value = serde_json::from_slice(body).expect("JSON");
    Format::OpenAiChat.read_request(&value).expect("a request")
}

/// A plan with 50 rules of which none applies to these requests.
fn plan() -> Arc<Plan> {
    let mut text = String::from(
        "version: 1\nproviders:\n  openai: {api_key: \"${K}\"}\n  anthropic: {api_key: \"${K}\"}\n\
         routing:\n  apply: always\n  default: openai/gpt-4o\n  rules:\n",
    );
    for number in 0..50 {
        let condition = match number % 5 {
            0 => format!("{{field: header.x-team, op: \"=\", value: team{number}}}"),
            1 => format!("{{field: message, op: contains, value: \"subject {number}\"}}"),
            2 => format!("{{field: tokens, op: \">\", value: {}}}", 500_000 + number),
            3 => format!("{{field: model, op: \"=\", value: model{number}}}"),
            _ => format!("{{field: message, op: matches, value: \"invoice [0-9]{{4}}-{number}\"}}"),
        };
        let rule =
            format!("    - {{name: r{number}, when: {{all: [{condition}]}}, target: anthropic/claude-sonnet-4-5}}\n");
        text.push_str(&rule);
    }
    let env = |_: &str| Some("key".to_owned());
    Arc::new(config::load(&text, &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
}

fn headers() -> Headers {
    let pairs = [
        (":method", "POST"),
        (":path", "/v1/chat/completions"),
        (":authority", "gateway"),
        ("content-type", "application/json"),
        ("authorization", "Bearer client"),
        ("user-agent", "bench"),
        ("x-request-id", "0b6b7b39-8d0e-4b8e-9d1b-0123456789ab"),
        ("x-team", "web"),
    ];
    Headers::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
}

/// A routed request and its attempt at `target`, as far as the answer's headers.
fn attempt(target: &str, stream: bool) -> (Rc<RefCell<Exchange>>, Attempt) {
    let env = |_: &str| Some("key".to_owned());
    let text = "version: 1\nproviders:\n  openai: {api_key: \"${K}\"}\n  anthropic: {api_key: \"${K}\"}\nrouting: {default: openai/gpt-4o}\n";
    let plan = Arc::new(config::load(text, &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}")));
    let (mut exchange, _) = Exchange::begin(plan, "1".to_owned(), headers(), false, NOW);
    exchange.body(&body(target, 1_000, stream));
    let exchange = Rc::new(RefCell::new(exchange));
    let begun = Attempt::begin(&exchange, 1, None, &headers(), NOW);
    let (mut attempt, ..) = begun.unwrap_or_else(|error| panic!("{error:?}"));
    let kind = if stream { "text/event-stream" } else { "application/json" };
    let answer = [(":status", "200"), ("content-type", kind)].map(|(n, v)| (n.to_owned(), v.to_owned()));
    attempt.answer_head(&Headers::new(answer.to_vec()), false, NOW);
    (exchange, attempt)
}

#[divan::bench(args = SIZES)]
fn a1_parse(bencher: Bencher<'_, '_>, size: usize) {
    let body = body("gpt-4o", size, false);
    bencher.bench(|| read(black_box(&body)));
}

#[divan::bench(args = SIZES)]
fn a2_count(bencher: Bencher<'_, '_>, size: usize) {
    let request = read(&body("gpt-4o", size, false));
    bencher.bench(|| tokens::count_request(Tokenizer::O200k, "gpt-4o", black_box(&request)));
}

#[divan::bench(args = SIZES)]
fn a4_route_50_rules(bencher: Bencher<'_, '_>, size: usize) {
    let (plan, request, headers, caller) = (plan(), read(&body("gpt-4o", size, false)), headers(), Caller::default());
    let header = |name: &str| headers.get(name).map(str::to_owned);
    let facts = Facts {
        request: &request,
        tokens: 200,
        content_read: true,
        endpoint: "chat",
        header: &header,
        caller: &caller,
    };
    bencher.bench_local(|| route::decide(&plan, black_box(&facts), false));
}

#[divan::bench(args = SIZES)]
fn a5_splice(bencher: Bencher<'_, '_>, size: usize) {
    let body = body("gpt-4o", size, true);
    let edits = [
        Edit::Set("model", "\"gpt-4.1\"".to_owned()),
        Edit::SetIn("stream_options", "include_usage", "true".to_owned()),
    ];
    bencher.bench(|| splice::edit(black_box(&body), &edits));
}

#[divan::bench(args = SIZES)]
fn a5_translate_request(bencher: Bencher<'_, '_>, size: usize) {
    let request = read(&body("gpt-4o", size, false));
    let outgoing = Outgoing { model: "claude-sonnet-4-5", default_max_tokens: 64_000, rejects: &[] };
    bencher.bench(|| Format::AnthropicMessages.write_request(black_box(&request), &outgoing));
}

#[divan::bench]
fn a7_chunk_same_format(bencher: Bencher<'_, '_>) {
    let (_, mut attempt) = attempt("openai/gpt-4o", true);
    let chunk = concat!(
        r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795000000,"model":"gpt-4o","#,
        r#""choices":[{"index":0,"delta":{"content":" gateway"},"logprobs":null,"finish_reason":null}]}"#,
        "\n\n"
    );
    assert!(attempt.answer_piece(chunk.as_bytes(), false).is_some_and(|out| !out.is_empty()));
    bencher.bench_local(|| attempt.answer_piece(black_box(chunk.as_bytes()), false));
}

#[divan::bench]
fn a7_chunk_translated(bencher: Bencher<'_, '_>) {
    let (_, mut attempt) = attempt("anthropic/claude-sonnet-4-5", true);
    let start = concat!(
        r#"data: {"type":"message_start","message":{"id":"msg_1","model":"claude-sonnet-4-5","usage":{"input_tokens":9}}}"#,
        "\n\n",
        r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        "\n\n"
    );
    let chunk = concat!(
        "event: content_block_delta\n",
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" gateway"}}"#,
        "\n\n"
    );
    attempt.answer_piece(start.as_bytes(), false);
    assert!(attempt.answer_piece(chunk.as_bytes(), false).is_some_and(|out| !out.is_empty()));
    bencher.bench_local(|| attempt.answer_piece(black_box(chunk.as_bytes()), false));
}

#[divan::bench]
fn a8_cost(bencher: Bencher<'_, '_>) {
    let price = cost::catalog_price(Some("anthropic"), "claude-sonnet-4-5").expect("a known price");
    let usage = Usage {
        input: Some(Tokens(12_000)),
        cached_input: Some(Tokens(10_000)),
        cache_write: Some(Tokens(500)),
        output: Some(Tokens(800)),
        ..Usage::default()
    };
    assert!(cost::cost_at(&price, &usage, NOW).is_some());
    bencher.bench(|| cost::cost_at(black_box(&price), black_box(&usage), NOW));
}

#[divan::bench]
fn a9_record_line(bencher: Bencher<'_, '_>) {
    let (exchange, mut attempt) = attempt("openai/gpt-4o", false);
    attempt.answer_whole(
        br#"{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant",
        "content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":200,"completion_tokens":2,"total_tokens":202}}"#,
    );
    let mut exchange = exchange.borrow_mut();
    assert!(exchange.finish("", NOW).line().contains("\"cost_usd\":\""));
    bencher.bench_local(|| exchange.finish("", NOW).line());
}

/// Steps 1 to 5 together: from a request's headers and body to the bytes for a provider of the other format.
#[divan::bench(args = SIZES)]
fn b_request_to_other_format(bencher: Bencher<'_, '_>, size: usize) {
    whole_request(bencher, "anthropic/claude-sonnet-4-5", size);
}

/// The same for a provider of the client's format.
#[divan::bench(args = SIZES)]
fn b_request_to_same_format(bencher: Bencher<'_, '_>, size: usize) {
    whole_request(bencher, "openai/gpt-4o", size);
}

fn whole_request(bencher: Bencher<'_, '_>, target: &str, size: usize) {
    let env = |_: &str| Some("key".to_owned());
    let text = "version: 1\nproviders:\n  openai: {api_key: \"${K}\"}\n  anthropic: {api_key: \"${K}\"}\nrouting: {default: openai/gpt-4o}\n";
    let plan = Arc::new(config::load(text, &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}")));
    let (headers, body) = (headers(), body(target, size, false));
    bencher.bench_local(|| {
        let (mut exchange, _) = Exchange::begin(Arc::clone(&plan), "1".to_owned(), headers.clone(), false, NOW);
        exchange.body(black_box(&body));
        let exchange = Rc::new(RefCell::new(exchange));
        let begun = Attempt::begin(&exchange, 1, None, &headers, NOW);
        begun.map(|(attempt, ..)| attempt.request_body(&body))
    });
}
