//! Ways around budgets and limits: what clients try, what providers leave out, what comes late.

use super::admission::{Bench, answer, chat, end, forwarded, refusal};
use super::*;
use crate::admit::accounts::{self, Gauge, Standing};
use crate::cost::Usd;
use crate::host::{Shared, Table, Version, World};
use crate::testing::test;
use serde_json::json;
use std::cell::Cell;

const CHAT: &str = "/v1/chat/completions";
const USD: u128 = 1_000_000_000_000;

/// How the first budget's only account stands.
fn stands(bench: &Bench) -> Standing {
    stands_at(bench, T0)
}

fn stands_at(bench: &Bench, now: Time) -> Standing {
    let budget = bench.plan.budgets.first().unwrap();
    accounts::standing(&*bench.table, &budget.account(""), budget.gauge(now), now)
}

fn day(usd: u64) -> Bench {
    Bench::new(&format!("budgets: [{{name: day, per: all, period: day, usd: {usd}}}]"))
}

fn begun(exchange: &Rc<RefCell<Exchange>>, number: usize, provider: &str) -> Attempt {
    Attempt::begin(exchange, number, Some(provider), &post(CHAT), T0).unwrap().0
}

/// The client leaves in the middle.
fn left(exchange: &Rc<RefCell<Exchange>>) -> Value {
    serde_json::from_str(&exchange.borrow_mut().finish("downstream_remote_disconnect", ms(10)).line()).unwrap()
}

#[test]
fn a_parameter_for_one_provider_raises_nothing_that_was_reckoned_with() {
    for (kind, own) in [
        ("openai", json!({"max_tokens": 100_000})),
        ("openai", json!({"top_p": 1, "max_completion_tokens": 100_000})),
        ("openai", json!({"n": 50})),
        ("openai", json!({"service_tier": "priority"})),
        ("gemini", json!({"generationConfig": {"maxOutputTokens": 100_000}})),
        ("gemini", json!({"generation_config": {}})),
    ] {
        let mut body = chat("openai/gpt-4o", 5);
        body[kind] = own.clone();
        let (status, error, _) = refusal(day(1_000).ask(&body).1);
        assert_eq!((status, error["error"]["param"].as_str().unwrap().split('.').next()), (400, Some(kind)), "{own}");
    }
    // What may be added to the prompt is reserved for as bytes.
    let bench = day(10_000);
    let mut body = chat("openai/gpt-4o", 5);
    body["openai"] = json!({"metadata": {"note": "x".repeat(1_000)}});
    forwarded(bench.ask(&body).1);
    assert!(stands(&bench).reserved > 1_000 * USD, "{:?}", stands(&bench));
    // Another model is another price, and may be one that its consumer may not use.
    for (path, mut body) in
        [(CHAT, chat("openai/gpt-4o", 5)), ("/v1/embeddings", json!({"model": "openai/e", "input": "x"}))]
    {
        body["openai"] = json!({"model": "o1-pro"});
        let (status, error, _) = refusal(Bench::new("").ask_at(path, &body, T0).1);
        assert_eq!((status, &error["error"]["param"]), (400, &json!("openai.model")), "{path}");
    }
}

#[test]
fn a_body_that_comes_after_the_windows_end_is_of_the_next_window() {
    let bench = Bench::new("budgets: [{name: hour, per: all, period: hour, usd: 100}]");
    // T0 is 22:13:20.
    let second = |n: u64| Time(T0.0 + n * 1_000_000_000);
    let late = || bench.ask_slowly(CHAT, &chat("openai/gpt-4o", 92), second(2_799), second(2_866));
    // What was used is of the new window, whenever that is known.
    let (first, step) = late();
    forwarded(step);
    answer(&first, 1, "openai", 200, 8, 92);
    first.borrow_mut().finish("via_upstream", second(2_870));
    assert_eq!(refusal(late().1).0, 429);
}

#[test]
fn what_passes_unread_is_reckoned_with_as_often_as_it_is_answered() {
    for (path, body, output) in [
        ("/v1/completions", json!({"max_tokens": 10, "prompt": "a"}), 10),
        ("/v1/completions", json!({"max_tokens": 10, "prompt": [1, 2, 3]}), 10),
        ("/v1/completions", json!({"max_tokens": 10, "prompt": ["a", "b", "c"]}), 30),
        ("/v1/completions", json!({"max_tokens": 10, "prompt": [[1], [2, 3]], "n": 2}), 40),
        ("/v1/completions", json!({"max_tokens": 10, "prompt": "a", "n": 2.0, "best_of": 3.0}), 30),
        ("/v1/completions", json!({"max_tokens": 10, "prompt": "a", "n": "4"}), 40),
    ] {
        let bench = day(1_000_000);
        let mut body = body;
        body["model"] = json!("openai/gpt-4o");
        forwarded(bench.ask_at(path, &body, T0).1);
        let want = body.to_string().len() as u128 + output;
        assert_eq!(stands(&bench).reserved, want * USD, "{body}");
    }
    // What the provider adds is not in the body.
    let bench = day(1_000_000);
    let body = json!({"model": "openai/gpt-4o", "max_tokens": 10, "previous_response_id": "r"});
    forwarded(bench.ask_at("/v1/responses/compact", &body, T0).1);
    assert!(stands(&bench).reserved > 100_000 * USD, "{:?}", stands(&bench));
    let bench = day(1_000_000).with("content-type", "multipart/form-data; boundary=b");
    let field =
        |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let form = format!("{}{}--b--\r\n", field("model", "openai/gpt-4o-mini"), field("n", "10"));
    let world = World::of(Table::default());
    let mut head: Vec<(String, String)> = post("/v1/images/edits").iter().map(|(n, v)| (n.into(), v.into())).collect();
    head.retain(|(name, _)| name != "content-type");
    head.push(("content-type".into(), "multipart/form-data; boundary=b".into()));
    let (mut exchange, _) =
        Exchange::begin_in(world, Arc::clone(&bench.plan), "7".into(), Headers::new(head), false, T0);
    forwarded(exchange.body(form.as_bytes()));
    assert_eq!(exchange.passing_limits.1, 10);
}

#[test]
fn answers_and_predictions_are_reserved_for_however_they_are_written() {
    for (more, output) in [
        (json!({}), 10),
        (json!({"n": 3}), 30),
        (json!({"n": 3.0}), 30),
        (json!({"n": "3"}), 30),
        (json!({"best_of": 2}), 20),
        // Tokens of it that the answer does not take are billed as output; what stands around it is not known.
        (json!({"prediction": {"type": "content", "content": "abc"}}), 10 + 34 + 48),
    ] {
        let bench = day(1_000_000);
        let mut body = chat("openai/gpt-4o", 10);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        forwarded(bench.ask(&body).1);
        assert_eq!(stands(&bench).reserved, (8 + output) * USD, "{more}");
    }
}

#[test]
fn a_service_tier_in_amazons_words_is_reserved_for() {
    // 2026-11-18, when the tier has a price.
    let now = Time(1_795_000_000_000_000_000);
    let reserved = |tier: Value| {
        let bench = day(1_000_000);
        let mut body = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}],
            "inferenceConfig": {"maxTokens": 1000}});
        body["serviceTier"] = tier;
        forwarded(bench.ask_at("/model/openai%2Fgpt-5/converse", &body, now).1);
        stands_at(&bench, now).reserved
    };
    assert!(reserved(json!({"type": "priority"})) > reserved(Value::Null));
}

#[test]
fn what_nobody_can_see_is_refused_where_a_budget_must_hold() {
    let ask = |rules: &str, method: &str, path: &str, media: &str| {
        let bench = Bench::new(rules);
        let head = headers(&[(":method", method), (":path", path), ("content-type", media)]);
        let world = World::of(Table::default());
        let (mut exchange, step) = Exchange::begin_in(world, bench.plan, "7".into(), head, method == "GET", T0);
        if step == Step::Wait { exchange.body(b"{}") } else { step }
    };
    let budget = "budgets: [{name: day, per: all, period: day, usd: 50}]";
    let allows = "budgets: [{name: day, per: all, period: day, usd: 50, unpriced: allow}]";
    for (method, path, media, refused) in [
        ("POST", "/v1/completions", "text/plain", true),
        ("POST", "/v1/realtime/calls", "application/sdp", true),
        ("POST", "/v1/batches", "application/json", true),
        ("POST", "/v1/threads/t/runs", "application/json", true),
        ("GET", "/v1/batches", "application/json", false),
        ("POST", "/v1/vector_stores", "application/json", true),
        ("POST", "/v1/files", "multipart/form-data; boundary=b", false),
        ("DELETE", "/v1/files/f", "text/plain", false),
    ] {
        let step = ask(budget, method, path, media);
        if refused {
            let (status, body, _) = refusal(step);
            assert_eq!((status, &body["error"]["code"]), (403, &json!("model_unpriced")), "{path}");
        } else {
            forwarded(step);
        }
        forwarded(ask(allows, method, path, media));
        forwarded(ask("", method, path, media));
    }
}

#[test]
fn a_client_that_hangs_up_pays_for_what_came_after_the_last_report() {
    let bench = day(1_000);
    let mut body = chat("openai/gpt-4o", 50);
    body["stream"] = json!(true);
    let (exchange, step) = bench.ask(&body);
    forwarded(step);
    let mut attempt = begun(&exchange, 1, "openai");
    attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(1));
    let delta = |text: &str| json!({"index": 0, "delta": {"content": text}});
    let first = json!({"id": "c", "model": "m", "choices": [delta("")],
        "usage": {"prompt_tokens": 8, "completion_tokens": 0}});
    let more = json!({"id": "c", "model": "m", "choices": [delta("one two three four five")]});
    attempt.answer_piece(format!("data: {first}\n\ndata: {more}\n\n").as_bytes(), false);
    exchange.borrow_mut().answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "1")]), false, ms(9));
    let record = left(&exchange);
    assert_eq!((&record["usage"]["completion_tokens"], &record["usage"]["known"]), (&json!(5), &json!("estimated")));
    assert_eq!(record["cost_usd"], "13");
    assert_eq!((stands(&bench).spent, stands(&bench).reserved), (13 * USD, 0));
}

#[test]
fn half_a_report_is_completed_by_our_own_count() {
    for (usage, cost) in [
        (json!({"prompt_tokens": 8}), "11"),
        (json!({"completion_tokens": 4}), "12"),
        (json!({"prompt_tokens": 8, "completion_tokens": 4}), "12"),
        (Value::Null, "11"),
    ] {
        let bench = day(1_000);
        let (exchange, step) = bench.ask(&chat("openai/gpt-4o", 92));
        forwarded(step);
        let mut attempt = begun(&exchange, 1, "openai");
        attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "application/json")]), false, ms(5));
        let body = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "one two three"},
            "finish_reason": "stop"}]});
        attempt.answer_whole(body.to_string().as_bytes());
        assert_eq!(end(&exchange)["cost_usd"], cost, "{usage}");
        assert_eq!(stands(&bench).reserved, 0);
        assert_eq!(Usd(stands(&bench).spent).to_string(), cost, "{usage}");
    }
}

#[test]
fn a_client_that_does_not_wait_pays_for_what_was_sent() {
    // Vectors are their prompt.
    let bench = day(1_000);
    let (exchange, step) = bench.ask_at("/v1/embeddings", &json!({"model": "openai/gpt-4o", "input": "hi"}), T0);
    forwarded(step);
    begun(&exchange, 1, "openai");
    let record = left(&exchange);
    assert_eq!((&record["cost_usd"], &record["usage"]["known"]), (&json!("1"), &json!("estimated")));
    assert_eq!((stands(&bench).spent, stands(&bench).reserved), (USD, 0));
    // What passes unread may have cost all that was reserved.
    let bench = day(1_000);
    let body = json!({"model": "openai/gpt-4o", "max_tokens": 10, "prompt": "a"});
    let (exchange, step) = bench.ask_at("/v1/completions", &body, T0);
    forwarded(step);
    begun(&exchange, 1, "openai");
    let record = left(&exchange);
    assert_eq!(record["cost_usd"], Value::Null);
    assert_eq!(stands(&bench).spent, (body.to_string().len() as u128 + 10) * USD);
    // The record says so: totals are rebuilt from it.
    assert_eq!(record["held_picodollars"].as_u64().map(u128::from), Some(stands(&bench).spent));
    // What was never sent costs nothing.
    let bench = day(1_000);
    let (exchange, step) = bench.ask_at("/v1/completions", &body, T0);
    forwarded(step);
    left(&exchange);
    assert_eq!((stands(&bench).spent, stands(&bench).reserved), (0, 0));
}

#[test]
fn a_limit_alone_cuts_no_stream() {
    for (rules, cut) in [
        ("limits: [{name: l, per: all, requests_per_minute: 60}]", false),
        ("budgets: [{name: b, per: all, period: day, usd: 9, on_exceed: warn}]", false),
        ("budgets: [{name: b, per: all, period: day, usd: 90, on_exceed: warn}]", true),
        ("budgets: [{name: b, per: all, period: day, usd: 90}]", true),
    ] {
        let bench = Bench::new(rules);
        let mut body = chat("openai/gpt-4o", 5);
        body["stream"] = json!(true);
        let (exchange, step) = bench.ask(&body);
        forwarded(step);
        let mut attempt = begun(&exchange, 1, "openai");
        attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(1));
        let text = "one two three four five six seven eight nine";
        let delta = json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]});
        let seen = attempt.answer_piece(format!("data: {delta}\n\n").as_bytes(), false).unwrap();
        assert_eq!(String::from_utf8(seen).unwrap().contains("[DONE]"), cut, "{rules}");
    }
}

#[test]
fn what_earlier_attempts_were_billed_leaves_less_for_the_next() {
    // 100 USD at OpenAI, more at Anthropic.
    let bench = day(1_000);
    forwarded(bench.ask(&chat("smart", 92)).1);
    let most = stands(&bench).reserved / USD;
    let bench = day(u64::try_from(most).unwrap() + 99);
    let (exchange, step) = bench.ask(&chat("smart", 92));
    forwarded(step);
    answer(&exchange, 1, "openai", 500, 8, 92);
    let Err(refused) = Attempt::begin(&exchange, 2, Some("anthropic"), &post(CHAT), T0) else {
        panic!("the budget would be exceeded")
    };
    let body: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!((refused.status, &body["error"]["code"]), (429, &json!("budget_exceeded")));
    let record = end(&exchange);
    assert_eq!((&record["cost_usd"], &record["exceeded"]), (&json!("100"), &json!("day")));
    assert_eq!((stands(&bench).spent, stands(&bench).reserved), (100 * USD, 0));
    // Where there is room it is taken, and given back.
    let bench = day(1_000);
    let (exchange, step) = bench.ask(&chat("smart", 92));
    forwarded(step);
    let before = stands(&bench).reserved;
    answer(&exchange, 1, "openai", 500, 8, 92);
    answer(&exchange, 2, "anthropic", 200, 9, 1);
    assert_eq!(stands(&bench).reserved, before + 100 * USD);
    assert_eq!(end(&exchange)["cost_usd"], "120");
    assert_eq!((stands(&bench).spent, stands(&bench).reserved), (120 * USD, 0));
}

#[test]
fn tokens_that_nobody_reported_stay_taken() {
    let bench = Bench::new("limits: [{name: l, per: all, tokens_per_minute: 300}]");
    let body = json!({"model": "openai/gpt-4o", "max_tokens": 92, "prompt": "a"});
    let (exchange, step) = bench.ask_at("/v1/completions", &body, T0);
    forwarded(step);
    let mut attempt = begun(&exchange, 1, "openai");
    attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "application/json")]), false, T0);
    attempt.answer_whole(b"{\"choices\": []}");
    let mut over = exchange.borrow_mut();
    over.answer_body(1, true, T0);
    let limit = bench.plan.limits.first().unwrap();
    let standing = accounts::standing(&*bench.table, &limit.account("tokens", ""), Gauge::Bucket { capacity: 300 }, T0);
    assert_eq!(standing.spent, 92);
}

#[test]
fn a_lowered_limit_is_the_only_one_that_is_sent() {
    let rules = "budgets: [{name: day, per: all, period: day, usd: 50, clamp: true}]";
    let bench = Bench::new(rules);
    let mut body = chat("openai/gpt-4o", 92);
    body["max_completion_tokens"] = json!(92);
    let sent = |bench: &Bench, path: &str, body: &Value, provider: &str| -> Value {
        let (exchange, step) = bench.ask_at(path, body, T0);
        forwarded(step);
        let attempt = begun(&exchange, 1, provider);
        serde_json::from_slice(&attempt.request_body(body.to_string().as_bytes()).unwrap()).unwrap()
    };
    let written = sent(&bench, CHAT, &body, "openai");
    assert_eq!((&written["max_tokens"], &written["max_completion_tokens"]), (&json!(42), &json!(42)));
    let bench = Bench::new(&rules.replace("usd: 50", "usd: 0.001"));
    let body = json!({"contents": [{"parts": [{"text": "hi"}]}], "generation_config": {"max_output_tokens": 60_000}});
    let written = sent(&bench, "/v1beta/models/gemini-2.5-flash:generateContent", &body, "gemini");
    assert!(written["generation_config"]["max_output_tokens"].as_u64().unwrap() < 1_000, "{written}");
    assert_eq!(written.get("generationConfig"), None);
}

#[test]
fn no_more_is_asked_for_than_the_file_says_that_a_model_writes() {
    let env = |name: &str| Some(format!("secret-of-{name}"));
    let text = "version: 1\nproviders:\n  anthropic: {api_key: \"${K}\"}\nmodels:\n  anthropic/claude-sonnet-4-5: \
                {max_output: 50}\n";
    let plan = load(text, &env).unwrap();
    let body = r#"{"model":"anthropic/claude-sonnet-4-5","messages":[{"role":"user","content":"hi"}]}"#;
    let (mut exchange, _) = Exchange::begin(Arc::new(plan), "7".into(), post(CHAT), false, T0);
    forwarded(exchange.body(body.as_bytes()));
    let exchange = Rc::new(RefCell::new(exchange));
    let sent = begun(&exchange, 1, "anthropic").request_body(body.as_bytes()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&sent).unwrap()["max_tokens"], 50);
}

/// The pieces of a stream of that provider's, one word each.
fn pieces(provider: &str, tool: bool) -> Vec<String> {
    let words = (0..200).map(|_| "\\u00e4 word ");
    let sse = |name: &str, data: &str| match name {
        "" => format!("data: {data}\n\n"),
        name => format!("event: {name}\ndata: {data}\n\n"),
    };
    let mut all = Vec::new();
    match (provider, tool) {
        ("openai", false) => all.extend(words.map(|word| {
            sse("", &format!(r#"{{"id":"c","model":"m","choices":[{{"index":0,"delta":{{"content":"{word}"}}}}]}}"#))
        })),
        ("openai", true) => {
            let call = |more: &str| {
                let delta = format!(r#"{{"tool_calls":[{{"index":0,{more}}}]}}"#);
                sse("", &format!(r#"{{"id":"c","model":"m","choices":[{{"index":0,"delta":{delta}}}]}}"#))
            };
            all.push(call(r#""id":"t","type":"function","function":{"name":"f","arguments":"{\"a\":\""}"#));
            all.extend(words.map(|word| call(&format!(r#""function":{{"arguments":"{word}"}}"#))));
        }
        ("anthropic", _) => {
            let begins = r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}"#;
            all.push(sse("message_start", begins));
            let (block, kind, member) = match tool {
                true => (r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#, "input_json_delta", "partial_json"),
                false => (r#"{"type":"text","text":""}"#, "text_delta", "text"),
            };
            let start = format!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#);
            all.push(sse("content_block_start", &start));
            all.extend(words.map(|word| {
                let delta = format!(r#"{{"type":"{kind}","{member}":"{word}"}}"#);
                sse("content_block_delta", &format!(r#"{{"type":"content_block_delta","index":0,"delta":{delta}}}"#))
            }));
        }
        ("responses", _) => {
            let of = |kind: &str, more: &str| sse(kind, &format!(r#"{{"type":"{kind}",{more}}}"#));
            let item = r#"{"type":"message","id":"i","role":"assistant","status":"in_progress","content":[]}"#;
            let part = r#"{"type":"output_text","text":"","annotations":[]}"#;
            let begun =
                r#"{"id":"r","object":"response","created_at":1,"model":"m","status":"in_progress","output":[]}"#;
            let place = r#""item_id":"i","output_index":0,"content_index":0"#;
            all.push(of("response.created", &format!(r#""sequence_number":0,"response":{begun}"#)));
            all.push(of("response.output_item.added", &format!(r#""output_index":0,"item":{item}"#)));
            all.push(of("response.content_part.added", &format!(r#"{place},"part":{part}"#)));
            all.extend(words.map(|word| of("response.output_text.delta", &format!(r#"{place},"delta":"{word}""#))));
        }
        _ => all.extend(words.map(|word| {
            let parts = format!(r#"[{{"text":"{word}"}}]"#);
            sse("", &format!(r#"{{"candidates":[{{"content":{{"role":"model","parts":{parts}}},"index":0}}]}}"#))
        })),
    }
    all
}

#[test]
fn a_stream_that_says_too_much_is_whole_in_every_format() {
    use crate::exchange::frames::{Frames, Framing};
    use crate::formats::canonical::{StopReason, StreamEvent};
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    for (model, provider) in [
        ("openai/gpt-4o", "openai"),
        ("anthropic/claude-sonnet-4-5", "anthropic"),
        ("gemini/gemini-2.5-flash", "gemini"),
    ] {
        let escaped = model.replace('/', "%2F");
        for (path, tool) in [
            (CHAT.to_owned(), false),
            (CHAT.to_owned(), true),
            ("/v1/messages".to_owned(), false),
            ("/v1/responses".to_owned(), false),
            (format!("/v1beta/models/{escaped}:streamGenerateContent?alt=sse"), false),
            (format!("/model/{escaped}/converse-stream"), false),
        ] {
            if tool && provider == "gemini" {
                continue;
            }
            let said = format!("{path} {provider} {tool}");
            let body = if path.contains("generateContent") || path.contains("GenerateContent") {
                json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}],
                    "generationConfig": {"maxOutputTokens": 16}})
            } else if path.contains("converse") {
                json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}],
                    "inferenceConfig": {"maxTokens": 16}})
            } else if path == "/v1/responses" {
                json!({"model": model, "input": "hi", "max_output_tokens": 16, "stream": true, "store": false})
            } else {
                let mut body = chat(model, 16);
                body["stream"] = json!(true);
                if tool {
                    body["tools"] = tools.clone();
                }
                body
            };
            let bench = day(100_000);
            let (exchange, step) = bench.ask_at(&path, &body, T0);
            forwarded(step);
            let mut attempt = begun(&exchange, 1, provider);
            attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(1));
            let mut seen = Vec::new();
            let speaks = if path == "/v1/responses" && provider == "openai" { "responses" } else { provider };
            for piece in pieces(speaks, tool) {
                seen.extend(attempt.answer_piece(piece.as_bytes(), false).unwrap());
            }
            let client = exchange.borrow().format();
            let framing = if path.contains("converse") { Framing::EventStream } else { Framing::Sse };
            let (mut frames, mut reader) = (Frames::new(framing, 1 << 20), client.stream_reader());
            let mut events = Vec::new();
            let parsed = frames.push(&seen, &mut |event| reader.event(&event, &mut events));
            assert!(parsed.is_ok(), "{said}");
            reader.finish(&mut events);
            let stops = |event: &&StreamEvent| matches!(event, StreamEvent::Finish { stop: StopReason::Length, .. });
            assert_eq!(events.iter().filter(stops).count(), 1, "{said}: {}", String::from_utf8_lossy(&seen));
            assert!(!events.iter().any(|event| matches!(event, StreamEvent::Error(_))), "{said}: {events:?}");
            let text = events.iter().filter(|event| matches!(event, StreamEvent::Text { .. })).count();
            assert!(tool || text > 3 && text < 190, "{said}: {text}");
            assert!(events.iter().any(|event| matches!(event, StreamEvent::End)), "{said}");
        }
    }
}

/// Counts what is asked of it.
#[derive(Default)]
struct Counting {
    table: Table,
    reads: Cell<u32>,
    writes: Cell<u32>,
}

impl Shared for Counting {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.reads.set(self.reads.get() + 1);
        self.table.read(key)
    }
    fn swap(&self, key: &str, value: &[u8], version: Option<Version>) -> bool {
        self.writes.set(self.writes.get() + 1);
        self.table.swap(key, value, version)
    }
    fn set(&self, key: &str, value: &[u8]) {
        self.writes.set(self.writes.get() + 1);
        self.table.set(key, value);
    }
}

#[test]
fn without_budgets_and_limits_only_cool_downs_are_looked_for() {
    let bench = Bench::new("");
    let shared = Rc::new(Counting::default());
    let world = World { shared: shared.clone(), peer: Default::default() };
    let (mut exchange, _) = Exchange::begin_in(world, Arc::clone(&bench.plan), "7".into(), post(CHAT), false, T0);
    forwarded(exchange.body(chat("openai/gpt-4o", 9).to_string().as_bytes()));
    let exchange = Rc::new(RefCell::new(exchange));
    answer(&exchange, 1, "openai", 200, 8, 2);
    exchange.borrow_mut().renew(ms(8));
    end(&exchange);
    assert_eq!((shared.reads.get(), shared.writes.get()), (1, 0));
}
