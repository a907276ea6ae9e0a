//! Budgets and limits, from the request to the settled account.

use super::*;
use crate::host::{Peer, Table, World};
use crate::testing::test;
use serde_json::json;

/// Prices in whole dollars per token, so that sums can be read: 1 USD per million tokens is 10⁻⁶ USD.
const BASE: &str = r#"
version: 1
providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
  anthropic: {api_key: "${ANTHROPIC_API_KEY}"}
  gemini: {api_key: "${GEMINI_API_KEY}"}
  house: {kind: openai-compatible, url: "http://127.0.0.1:8000/base/v1"}
models:
  openai/gpt-4o: {price: {input: 1000000, output: 1000000}}
  openai/gpt-4o-mini: {price: {input: 100000, output: 100000}}
  anthropic/claude-sonnet-4-5: {price: {input: 2000000, output: 2000000}}
aliases:
  smart: [openai/gpt-4o, anthropic/claude-sonnet-4-5]
  fast: openai/gpt-4o-mini
"#;

pub(super) struct Bench {
    pub(super) plan: Arc<Plan>,
    pub(super) table: Rc<Table>,
    headers: Vec<(String, String)>,
}

impl Bench {
    pub(super) fn new(rules: &str) -> Self {
        let env = |name: &str| Some(format!("secret-of-{name}"));
        let plan = load(&format!("{BASE}{rules}"), &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        Self { plan: Arc::new(plan), table: Rc::default(), headers: Vec::new() }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(super) fn ask_at(&self, path: &str, body: &Value, now: Time) -> (Rc<RefCell<Exchange>>, Step) {
        self.ask_slowly(path, body, now, now)
    }

    /// Headers at one time, the body at a later one.
    pub(super) fn ask_slowly(&self, path: &str, body: &Value, now: Time, came: Time) -> (Rc<RefCell<Exchange>>, Step) {
        let peer = Peer { address: Some("10.0.0.9".into()), principals: Vec::new() };
        let world = World { shared: self.table.clone(), peer };
        let mut pairs: Vec<(String, String)> = post(path).iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        pairs.retain(|(name, _)| !self.headers.iter().any(|(own, _)| own == name));
        pairs.extend(self.headers.clone());
        let (mut exchange, step) =
            Exchange::begin_in(world, Arc::clone(&self.plan), "7".into(), Headers::new(pairs), false, now);
        exchange.at(came);
        let step = if step == Step::Wait { exchange.body(body.to_string().as_bytes()) } else { step };
        (Rc::new(RefCell::new(exchange)), step)
    }

    pub(super) fn ask(&self, body: &Value) -> (Rc<RefCell<Exchange>>, Step) {
        self.ask_at("/v1/chat/completions", body, T0)
    }
}

pub(super) fn chat(model: &str, most: u64) -> Value {
    // Eight tokens of prompt in OpenAI's vocabularies.
    json!({"model": model, "max_tokens": most, "messages": [{"role": "user", "content": "hi"}]})
}

/// An answer of `provider` with that usage.
pub(super) fn answer(
    exchange: &Rc<RefCell<Exchange>>,
    number: usize,
    provider: &str,
    status: u16,
    input: u64,
    output: u64,
) {
    let (mut attempt, ..) =
        Attempt::begin(exchange, number, Some(provider), &post("/v1/chat/completions"), T0).unwrap();
    let head = headers(&[(":status", &status.to_string()), ("content-type", "application/json")]);
    assert_eq!(attempt.answer_head(&head, false, ms(5)), AnswerHead::Hold);
    let body = match (provider, status) {
        (_, 400..) => {
            json!({"error": {"message": "no"}, "usage": {"prompt_tokens": input, "completion_tokens": output}})
        }
        ("anthropic", _) => json!({"id": "m", "type": "message", "role": "assistant", "model": "c",
            "content": [{"type": "text", "text": "yes"}], "stop_reason": "end_turn",
            "usage": {"input_tokens": input, "output_tokens": output}}),
        _ => json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output}}),
    };
    attempt.answer_whole(body.to_string().as_bytes());
}

/// The end of an exchange, and its record.
pub(super) fn end(exchange: &Rc<RefCell<Exchange>>) -> Value {
    let mut exchange = exchange.borrow_mut();
    exchange.answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "1")]), false, ms(9));
    exchange.answer_body(10, true, ms(9));
    serde_json::from_str(&exchange.finish("via_upstream", ms(10)).line()).unwrap()
}

pub(super) fn forwarded(step: Step) -> HeaderEdits {
    match step {
        Step::Forward(edits) => edits,
        Step::Reply(reply) => panic!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)),
        Step::Wait => panic!("waits"),
    }
}

pub(super) fn refusal(step: Step) -> (u16, Value, Vec<(String, String)>) {
    let Step::Reply(reply) = step else { panic!("not a reply: {step:?}") };
    (reply.status, serde_json::from_slice(&reply.body).unwrap(), reply.headers)
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

#[test]
fn the_worst_case_is_reserved_and_the_truth_settled() {
    // A request of 8 + 92 tokens at 1 USD each.
    let bench = Bench::new("budgets: [{name: day, per: all, period: day, usd: 250}]");
    let (first, step) = bench.ask(&chat("openai/gpt-4o", 92));
    forwarded(step);
    let (second, step) = bench.ask(&chat("openai/gpt-4o", 92));
    forwarded(step);
    let (_, step) = bench.ask(&chat("openai/gpt-4o", 92));
    let (status, body, headers) = refusal(step);
    assert_eq!(status, 429);
    let message = body["error"]["message"].as_str().unwrap();
    assert_eq!(
        message,
        "budget day is used up: 0 USD spent, 200 USD reserved by requests under way, limit 250 USD per day, this \
         request may cost up to 100 USD; it resets at 2023-11-15T00:00:00.000Z"
    );
    assert_eq!(body["error"]["code"], "budget_exceeded");
    assert_eq!(body["error"]["type"], "insufficient_quota");
    // From 22:13:20 to midnight.
    assert_eq!(header(&headers, "retry-after"), Some("6400"));
    assert_eq!(header(&headers, "x-should-retry"), Some("false"));
    // Both use a tenth of it.
    for exchange in [&first, &second] {
        answer(exchange, 1, "openai", 200, 8, 2);
        assert_eq!(end(exchange)["cost_usd"], "10");
    }
    // 20 are spent, so that two more fit.
    forwarded(bench.ask(&chat("openai/gpt-4o", 92)).1);
    forwarded(bench.ask(&chat("openai/gpt-4o", 92)).1);
    assert_eq!(refusal(bench.ask(&chat("openai/gpt-4o", 92)).1).0, 429);
    // What is left is 30: a small one still fits.
    forwarded(bench.ask(&chat("openai/gpt-4o", 22)).1);
}

#[test]
fn a_lost_exchange_gives_back_what_it_reserved() {
    let bench = Bench::new("budgets: [{name: month, per: all, period: month, usd: 100}]");
    let (mut kept, step) = bench.ask(&chat("openai/gpt-4o", 92));
    forwarded(step);
    let minute = |n: u64| Time(T0.0 + n * 60_000_000_000);
    // Renewed, it holds; nobody renews it any more, and it is free again.
    for n in 0..8 {
        kept.borrow_mut().renew(Time(T0.0 + n * 15_000_000_000));
    }
    let at = |now| bench.ask_at("/v1/chat/completions", &chat("openai/gpt-4o", 92), now).1;
    assert_eq!(refusal(at(minute(2))).0, 429);
    kept = bench.ask_at("/v1/chat/completions", &chat("openai/gpt-4o", 92), minute(4)).0;
    assert!(kept.borrow().decision().is_some());
}

#[test]
fn a_dear_later_target_leaves_the_chain_before_the_request_is_refused() {
    let bench = Bench::new("budgets: [{name: day, per: all, period: day, usd: 120}]");
    let (exchange, step) = bench.ask(&chat("smart", 92));
    let edits = forwarded(step);
    assert_eq!(set(&edits, CLUSTER_HEADER), Some("conduit.provider.openai"));
    assert_eq!(set(&edits, "x-envoy-max-retries"), Some("0"));
    assert_eq!(exchange.borrow().decision().unwrap().rejected, ["anthropic/claude-sonnet-4-5: budget day"]);
}

#[test]
fn what_a_failed_attempt_was_billed_is_part_of_the_bill() {
    let bench = Bench::new("budgets: [{name: day, per: all, period: day, usd: 1000}]");
    let (exchange, step) = bench.ask(&chat("smart", 92));
    forwarded(step);
    answer(&exchange, 1, "openai", 500, 8, 3);
    answer(&exchange, 2, "anthropic", 200, 9, 1);
    let record = end(&exchange);
    assert_eq!(record["cost_usd"], "31");
    assert_eq!(record["attempts"][0]["billed"]["usage"]["completion_tokens"], 3);
    assert_eq!(record["attempts"][0]["billed"]["cost_picodollars"], 11_000_000_000_000_u64);
    assert_eq!(record["usage"]["prompt_tokens"], 9);
}

#[test]
fn budgets_of_providers_and_models_are_charged_by_who_answers() {
    let rules =
        "budgets: [{name: p, per: provider, period: day, usd: 300}, {name: m, per: model, period: day, usd: 300}]";
    let bench = Bench::new(rules);
    let (exchange, step) = bench.ask(&chat("smart", 92));
    forwarded(step);
    answer(&exchange, 1, "openai", 503, 0, 0);
    answer(&exchange, 2, "anthropic", 200, 9, 41);
    end(&exchange);
    // 100 are spent at Anthropic, where a request may cost 218 (with the room of an estimate): the next goes to OpenAI
    // alone, which has 300 left.
    let (next, step) = bench.ask(&chat("smart", 92));
    forwarded(step);
    let names: Vec<String> = next.borrow().decision().unwrap().targets.iter().map(|t| t.name.clone()).collect();
    assert_eq!(names, ["openai/gpt-4o"]);
}

#[test]
fn a_budget_may_send_elsewhere_or_only_warn() {
    let rules = "budgets: [{name: day, per: project, period: day, usd: 50, on_exceed: {downgrade: fast}}]";
    let bench = Bench::new(rules);
    let (exchange, step) = bench.ask(&chat("smart", 92));
    forwarded(step);
    assert_eq!(exchange.borrow().decision().unwrap().targets[0].name, "openai/gpt-4o-mini");
    answer(&exchange, 1, "openai", 200, 8, 2);
    let record = end(&exchange);
    assert_eq!(record["cost_usd"], "1");
    assert_eq!(record["exceeded"], "day");
    let rules = "budgets: [{name: day, per: project, period: day, usd: 50, warn_at: [0.5], on_exceed: warn}]";
    let bench = Bench::new(rules);
    let (exchange, step) = bench.ask(&chat("openai/gpt-4o", 92));
    forwarded(step);
    answer(&exchange, 1, "openai", 200, 8, 92);
    let edits =
        exchange.borrow_mut().answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "1")]), false, ms(9));
    assert_eq!(set(&edits.headers, "x-conduit-budget-warning"), Some("day 0.5: 100 of 50 USD, day exceeded"));
}

#[test]
fn the_output_limit_is_lowered_to_what_the_budget_affords() {
    let rules = "budgets: [{name: day, per: all, period: day, usd: 50, clamp: true}]";
    let formats = [
        ("/v1/chat/completions", chat("openai/gpt-4o", 92), "openai", "/max_tokens"),
        (
            "/v1/chat/completions",
            json!({"model": "openai/gpt-4o", "max_completion_tokens": 92,
            "messages": [{"role": "user", "content": "hi"}]}),
            "openai",
            "/max_completion_tokens",
        ),
        (
            "/v1/chat/completions",
            json!({"model": "openai/gpt-4o",
            "messages": [{"role": "user", "content": "hi"}]}),
            "openai",
            "/max_completion_tokens",
        ),
        (
            "/v1/responses",
            json!({"model": "openai/gpt-4o", "input": "hi", "store": false}),
            "openai",
            "/max_output_tokens",
        ),
        ("/v1/messages", chat("openai/gpt-4o", 92), "openai", "/max_tokens"),
    ];
    for (path, body, provider, place) in formats {
        let bench = Bench::new(rules);
        let (exchange, step) = bench.ask_at(path, &body, T0);
        forwarded(step);
        let (attempt, ..) = Attempt::begin(&exchange, 1, Some(provider), &post(path), T0).unwrap();
        let sent: Value = serde_json::from_slice(&attempt.request_body(body.to_string().as_bytes()).unwrap()).unwrap();
        // 50 USD less 8 of the prompt.
        assert_eq!(sent.pointer(place), Some(&json!(42)), "{path} {body}: {sent}");
    }
    // Nothing worth its prompt is left.
    let bench = Bench::new("budgets: [{name: day, per: all, period: day, usd: 20, clamp: true}]");
    assert_eq!(refusal(bench.ask(&chat("openai/gpt-4o", 92)).1).0, 429);
}

#[test]
fn what_has_no_price_is_refused_by_a_budget_that_does_not_say_otherwise() {
    let bench = Bench::new("budgets: [{name: day, per: all, period: day, usd: 50}]");
    let (status, body, _) = refusal(bench.ask(&chat("house/small", 5)).1);
    assert_eq!(status, 403);
    assert!(body["error"]["message"].as_str().unwrap().contains("house/small has no price"), "{body}");
    let bench = Bench::new("budgets: [{name: day, per: all, period: day, usd: 50, unpriced: allow}]");
    forwarded(bench.ask(&chat("house/small", 5)).1);
}

#[test]
fn limits_hold_all_at_once_and_their_headers_are_true() {
    let rules = r#"
limits:
  - {name: users, per: key, requests_per_minute: 60, tokens_per_minute: 500, concurrent: 2}
  - {name: net, per: ip, requests_per_minute: 1000}
"#;
    let bench = Bench::new(rules);
    let (first, step) = bench.ask(&chat("openai/gpt-4o", 92));
    forwarded(step);
    answer(&first, 1, "openai", 200, 8, 2);
    let edits = first.borrow_mut().answer_head(
        &headers(&[
            (":status", "200"),
            (ANSWERED_HEADER, "1"),
            ("x-ratelimit-remaining-tokens", "9"),
            ("x-ratelimit-limit-project-tokens", "9"),
        ]),
        false,
        T0,
    );
    let edits = edits.headers;
    assert_eq!(set(&edits, "x-ratelimit-limit-requests"), Some("60"));
    assert_eq!(set(&edits, "x-ratelimit-remaining-requests"), Some("59"));
    assert_eq!(set(&edits, "x-ratelimit-reset-requests"), Some("1s"));
    assert_eq!(set(&edits, "x-ratelimit-remaining-tokens"), Some("490"));
    assert_eq!(edits.remove.iter().filter(|name| name.starts_with("x-ratelimit")).count(), 1);
    // Two are under way.
    let (second, step) = bench.ask(&chat("openai/gpt-4o", 92));
    forwarded(step);
    let (_third, step) = bench.ask(&chat("openai/gpt-4o", 92));
    forwarded(step);
    let (status, body, said) = refusal(bench.ask(&chat("openai/gpt-4o", 92)).1);
    assert_eq!((status, &body["error"]["code"]), (429, &json!("rate_limit_exceeded")));
    assert!(body["error"]["message"].as_str().unwrap().contains("2 requests at the same time"), "{body}");
    assert_eq!(header(&said, "retry-after"), Some("1"));
    // The second is over too: 10 and 10 were used, the third reserves 100, so that 380 are left.
    answer(&second, 1, "openai", 200, 8, 2);
    second.borrow_mut().answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "1")]), false, T0);
    forwarded(bench.ask(&chat("openai/gpt-4o", 372)).1);
    let other = Bench {
        plan: bench.plan.clone(),
        table: bench.table.clone(),
        headers: vec![("authorization".into(), "Bearer other".into())],
    };
    forwarded(other.ask(&chat("openai/gpt-4o", 92)).1);
}

#[test]
fn a_prompt_that_no_bucket_holds_is_told_so() {
    let bench = Bench::new("limits: [{name: small, per: all, tokens_per_minute: 5}]");
    let (status, body, said) = refusal(bench.ask(&chat("openai/gpt-4o", 92)).1);
    assert_eq!(status, 429);
    assert!(body["error"]["message"].as_str().unwrap().contains("larger than limit small ever allows"), "{body}");
    assert_eq!(header(&said, "retry-after"), None);
    assert_eq!(header(&said, "x-should-retry"), Some("false"));
    // A large output limit is no reason to refuse a prompt that fits.
    let bench = Bench::new("limits: [{name: small, per: all, tokens_per_minute: 50}]");
    forwarded(bench.ask(&chat("openai/gpt-4o", 4_000)).1);
}

#[test]
fn anthropics_clients_read_their_own_words() {
    let bench = Bench::new("limits: [{name: small, per: all, requests_per_minute: 1}]");
    forwarded(bench.ask_at("/v1/messages", &chat("openai/gpt-4o", 5), T0).1);
    let (exchange, step) = bench.ask_at("/v1/messages", &chat("openai/gpt-4o", 5), T0);
    let (status, body, said) = refusal(step);
    assert_eq!((status, &body["type"], &body["error"]["type"]), (429, &json!("error"), &json!("rate_limit_error")));
    assert_eq!(header(&said, "retry-after"), Some("60"));
    let edits = exchange.borrow_mut().answer_head(&headers(&[(":status", "429")]), false, T0).headers;
    assert_eq!(set(&edits, "anthropic-ratelimit-requests-limit"), Some("1"));
    assert_eq!(set(&edits, "anthropic-ratelimit-requests-remaining"), Some("0"));
    assert_eq!(set(&edits, "anthropic-ratelimit-requests-reset"), Some("2023-11-14T22:14:20Z"));
}

#[test]
fn a_stream_ends_as_its_format_says_where_the_provider_passes_what_is_reserved() {
    let delta = |text: &str| json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]});
    for (path, ends) in [
        ("/v1/chat/completions", "data: [DONE]\n\n"),
        ("/v1/messages", "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
    ] {
        let bench = Bench::new("budgets: [{name: day, per: all, period: day, usd: 50}]");
        let mut body = chat("openai/gpt-4o", 5);
        body["stream"] = json!(true);
        let (exchange, step) = bench.ask_at(path, &body, T0);
        forwarded(step);
        let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("openai"), &post(path), T0).unwrap();
        attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(1));
        let mut seen = Vec::new();
        for word in ["one", " two", " three", " four", " five", " six", " seven", " eight"] {
            seen.extend(attempt.answer_piece(format!("data: {}\n\n", delta(word)).as_bytes(), false).unwrap());
        }
        let seen = String::from_utf8(seen).unwrap();
        assert!(seen.contains("six") && !seen.contains("seven"), "{seen}");
        assert!(seen.contains("\"length\"") || seen.contains("\"max_tokens\""), "{seen}");
        assert!(seen.ends_with(ends), "{seen}");
        // What the provider bills it still says.
        let usage =
            json!({"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 8}});
        let more = attempt.answer_piece(format!("data: {usage}\n\ndata: [DONE]\n\n").as_bytes(), true).unwrap();
        assert!(more.is_empty());
        assert_eq!(end(&exchange)["cost_usd"], "16");
    }
}

#[test]
fn consumers_have_models_and_budgets_of_their_own() {
    // The SHA-256 of `client-key`.
    let rules = r#"
consumers:
  alice:
    sha256: "SHA"
    models: [fast]
    project: red
    budgets: [{period: day, usd: 20}]
"#;
    let digest = <sha2::Sha256 as sha2::Digest>::digest(b"client-key");
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let bench = Bench::new(&rules.replace("SHA", &digest));
    let (status, body, _) = refusal(bench.ask(&chat("openai/gpt-4o", 5)).1);
    assert_eq!((status, &body["error"]["code"]), (403, &json!("model_not_allowed")));
    let (exchange, step) = bench.ask(&chat("fast", 92));
    forwarded(step);
    answer(&exchange, 1, "openai", 200, 8, 92);
    let record = end(&exchange);
    assert_eq!((&record["consumer"], &record["project"]), (&json!("alice"), &json!("red")));
    let (status, body, _) = refusal(bench.ask(&chat("fast", 100)).1);
    assert_eq!(status, 429);
    assert!(body["error"]["message"].as_str().unwrap().starts_with("budget alice.day of consumer alice"), "{body}");
    let stranger = bench.with("authorization", "Bearer wrong");
    assert_eq!(refusal(stranger.ask(&chat("fast", 5)).1).0, 401);
}
