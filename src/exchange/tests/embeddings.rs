//! Embeddings along the path: routing, counting, translation there and back, usage, errors.

use super::*;
use crate::testing::test;
use base64::Engine as _;
use serde_json::json;

const CONFIG: &str = r#"
version: 1
providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
  anthropic: {api_key: "${ANTHROPIC_API_KEY}"}
  house: {kind: openai-compatible, url: "http://127.0.0.1:8000/v1"}
  gemini: {api_key: "${GEMINI_API_KEY}"}
  bedrock: {region: eu-west-1, api_key: "${BEDROCK_KEY}"}
models:
  gemini/gemini-embedding-001: {price: {input: 0.10, output: 9}}
aliases:
  vectors: [gemini/gemini-embedding-001, openai/text-embedding-3-small]
  mixed: [anthropic/claude-sonnet-4-5, openai/text-embedding-3-small]
  words: [anthropic/claude-sonnet-4-5]
routing:
  default: words
  apply: always
  rules:
    - {name: team, when: {all: [{field: project, op: "=", value: ml}, {field: endpoint, op: "=", value: embeddings}]}, target: openai/text-embedding-3-large}
"#;

fn plan() -> Arc<Plan> {
    let env = |name: &str| Some(format!("secret-of-{name}"));
    Arc::new(load(CONFIG, &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
}

fn routed_in(head: Headers, body: &Value) -> (Rc<RefCell<Exchange>>, Step) {
    let (mut exchange, step) = Exchange::begin(plan(), "7".into(), head, false, T0);
    assert_eq!(step, Step::Wait);
    let step = exchange.body(body.to_string().as_bytes());
    (Rc::new(RefCell::new(exchange)), step)
}

fn asking(body: &Value) -> (Rc<RefCell<Exchange>>, Step) {
    routed_in(post("/v1/embeddings"), body)
}

fn attempt(exchange: &Rc<RefCell<Exchange>>, number: usize, provider: &str) -> (Attempt, HeaderEdits) {
    let (attempt, edits, wants) =
        Attempt::begin(exchange, number, Some(provider), &post("/v1/embeddings"), ms(1)).unwrap();
    assert!(wants);
    (attempt, edits)
}

fn answered(attempt: &mut Attempt, head: &[(&str, &str)], body: &str) -> (Option<String>, Value) {
    assert_eq!(attempt.answer_head(&headers(head), false, ms(5)), AnswerHead::Hold);
    let (edits, instead) = attempt.answer_whole(body.as_bytes());
    let json = instead.map_or(Value::Null, |body| serde_json::from_slice(&body).unwrap());
    (set(&edits, ":status").map(str::to_owned), json)
}

fn finished(exchange: &Rc<RefCell<Exchange>>) -> (HeaderEdits, Value) {
    let mut exchange = exchange.borrow_mut();
    let edits = exchange.answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "1")]), false, ms(6));
    assert_eq!(edits.body, None);
    exchange.answer_body(9, true, ms(7));
    (edits.headers, serde_json::to_value(exchange.finish("via_upstream", ms(8))).unwrap())
}

const OK: (&str, &str) = (":status", "200");
const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn embeddings_are_routed_by_the_model_that_they_name_whatever_chats_are_made_to_do() {
    let target = |model: &str, project: &str| {
        let head = headers(&[(":method", "POST"), (":path", "/v1/embeddings"), ("x-conduit-project", project)]);
        let (exchange, step) = routed_in(head, &json!({"model": model, "input": "a"}));
        let exchange = exchange.borrow();
        match exchange.decision() {
            Some(decision) => {
                let names: Vec<&str> = decision.targets.iter().map(|target| target.name.as_str()).collect();
                format!("{}: {}", reason_word(&decision.reason), names.join(" "))
            }
            None => reply_of(step).1["error"]["message"].as_str().unwrap().to_owned(),
        }
    };
    for (model, project, want) in [
        ("text-embedding-3-small", "", "model: openai/text-embedding-3-small"),
        ("house/e", "", "explicit: house/e"),
        ("vectors", "", "alias: gemini/gemini-embedding-001 openai/text-embedding-3-small"),
        ("house/e", "ml", "rule: openai/text-embedding-3-large"),
        // What the first cannot be asked the next one can.
        ("mixed", "", "alias: openai/text-embedding-3-small"),
        ("words", "", "anthropic serves no embeddings; name a model of another provider"),
        (
            "text-embeding-3-smal",
            "",
            "no configured provider serves the model `text-embeding-3-smal`; READY: openai/text-embedding-3-small, openai/text-embedding-3-large",
        ),
    ] {
        let found = target(model, project);
        assert!(found.starts_with(want), "{model}: {found}");
    }
}

#[test]
fn inputs_are_counted_without_a_chats_overhead() {
    for (model, input, want) in [
        ("openai/text-embedding-3-small", json!("Hello, world!"), ("4", "exact")),
        ("openai/text-embedding-3-small", json!(["Hello, world!", "Hello, world!"]), ("8", "exact")),
        ("openai/text-embedding-3-small", json!([[1, 2, 3], [4]]), ("4", "exact")),
        ("house/e", json!("Hello, world!"), ("4", "estimated")),
        ("house/e", json!([1, 2, 3]), ("3", "exact")),
        ("house/e", json!([{"text": "Hello, world!", "image": "xxxxxxxxxx"}]), ("4", "estimated")),
    ] {
        let (exchange, _) = asking(&json!({"model": model, "input": input}));
        let mut exchange = exchange.borrow_mut();
        let edits = exchange.answer_head(&headers(&[OK, (ANSWERED_HEADER, "1")]), false, ms(2)).headers;
        let told = (set(&edits, "x-conduit-tokens").unwrap(), set(&edits, "x-conduit-tokens-known").unwrap());
        assert_eq!(told, want, "{model} {input}");
    }
}

#[test]
fn embeddings_in_the_clients_format_pass_and_are_priced() {
    let body = json!({"model": "openai/text-embedding-3-small", "input": ["a"], "encoding_format": "base64"});
    let (exchange, _) = asking(&body);
    let (mut attempt, edits) = attempt(&exchange, 1, "openai");
    assert_eq!(set(&edits, ":path"), Some("/v1/embeddings"));
    let sent = attempt.request_body(body.to_string().as_bytes()).unwrap();
    assert_eq!(String::from_utf8(sent).unwrap(), body.to_string().replace("openai/", ""));
    let answer = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAQA=="}],"model":"text-embedding-3-small","usage":{"prompt_tokens":1000,"total_tokens":1000}}"#;
    assert_eq!(answered(&mut attempt, &[OK, JSON], answer), (None, Value::Null));
    let (edits, record) = finished(&exchange);
    // 0.02 USD per million.
    assert_eq!(set(&edits, "x-conduit-cost-usd"), Some("0.00002"));
    assert_eq!((&record["endpoint"], &record["cost_usd"]), (&json!("embeddings"), &json!("0.00002")));
    assert_eq!(record["usage"]["prompt_tokens"], 1000);
    assert_eq!((&record["usage"]["known"], &record["usage"]["completion_tokens"]), (&json!("reported"), &Value::Null));
}

#[test]
fn a_server_that_ignores_the_encoding_still_answers_in_it() {
    let (exchange, _) = asking(&json!({"model": "house/e", "input": "a", "encoding_format": "base64"}));
    let (mut attempt, _) = attempt(&exchange, 1, "house");
    let answer = r#"{"data":[{"index":0,"embedding":[2.0]}],"usage":{"total_tokens":3}}"#;
    let (_, sent) = answered(&mut attempt, &[OK, JSON], answer);
    assert_eq!(sent["data"][0]["embedding"], "AAAAQA==");
    assert_eq!(exchange.borrow().ledger().usage.input, Some(Tokens(3)));
}

#[test]
fn a_chain_of_embeddings_falls_over_across_formats() {
    let body = json!({"model": "vectors", "input": ["a", "b"], "dimensions": 8, "user": "u", "gemini": {"x": 1}});
    let (exchange, step) = asking(&body);
    let Step::Forward(edits) = step else { panic!("{step:?}") };
    assert_eq!(set(&edits, "x-envoy-max-retries"), Some("1"));
    let (mut first, edits) = attempt(&exchange, 1, "gemini");
    assert_eq!(set(&edits, ":path"), Some("/v1beta/models/gemini-embedding-001:batchEmbedContents"));
    assert_eq!(set(&edits, "x-goog-api-key"), Some("secret-of-GEMINI_API_KEY"));
    let sent: Value = serde_json::from_slice(&first.request_body(body.to_string().as_bytes()).unwrap()).unwrap();
    assert_eq!(sent["requests"][1]["content"]["parts"][0]["text"], "b");
    assert_eq!((&sent["requests"][0]["outputDimensionality"], &sent["x"]), (&json!(8), &json!(1)));
    assert_eq!(first.dropped(), ["user"]);
    let overloaded = r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#;
    let (status, error) = answered(&mut first, &[(":status", "503"), JSON], overloaded);
    assert_eq!((status, &error["error"]["message"]), (None, &json!("busy")), "the provider's own error, in ours");
    let (second, _) = attempt(&exchange, 2, "openai");
    let sent: Value = serde_json::from_slice(&second.request_body(body.to_string().as_bytes()).unwrap()).unwrap();
    let want = json!({"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 8, "user": "u"});
    assert_eq!(sent, want);
}

#[test]
fn what_a_provider_does_not_report_is_our_count_and_said_to_be_estimated() {
    let (exchange, _) = asking(&json!({"model": "gemini/gemini-embedding-001", "input": "Hello, world!"}));
    let (mut attempt, _) = attempt(&exchange, 1, "gemini");
    let (_, sent) = answered(&mut attempt, &[OK, JSON], r#"{"embeddings":[{"values":[0.1]}]}"#);
    assert_eq!(sent["usage"], json!({"prompt_tokens": 4, "total_tokens": 4}));
    assert_eq!(sent["data"], json!([{"object": "embedding", "index": 0, "embedding": [0.1]}]));
    let (edits, record) = finished(&exchange);
    // 0.10 USD per million; that the price names an output does not make the cost unknown.
    assert_eq!(set(&edits, "x-conduit-cost-usd"), Some("0.0000004"));
    assert_eq!(record["usage"]["prompt_tokens"], 4);
    assert_eq!(record["usage"]["known"], "estimated");
}

#[test]
fn what_stands_in_the_head_of_bedrocks_answer_is_reported() {
    let (exchange, _) =
        asking(&json!({"model": "bedrock/cohere.embed-v4:0", "input": "x", "encoding_format": "base64"}));
    let (mut attempt, edits) = attempt(&exchange, 1, "bedrock");
    assert_eq!(set(&edits, ":path"), Some("/model/cohere.embed-v4%3A0/invoke"));
    let head = [OK, JSON, ("x-amzn-bedrock-input-token-count", "7")];
    let (_, sent) = answered(&mut attempt, &head, r#"{"embeddings":{"float":[[2.0,-1]]}}"#);
    assert_eq!(sent["usage"]["prompt_tokens"], 7);
    let bytes = base64::engine::general_purpose::STANDARD.decode(sent["data"][0]["embedding"].as_str().unwrap());
    assert_eq!(bytes.unwrap(), [2.0_f32.to_le_bytes(), (-1.0_f32).to_le_bytes()].concat());
    let (_, record) = finished(&exchange);
    assert_eq!((&record["usage"]["known"], &record["usage"]["prompt_tokens"]), (&json!("reported"), &json!(7)));
}

#[test]
fn what_cannot_be_asked_is_refused_before_anything_is_sent() {
    let (_, step) = asking(&json!({"model": "bedrock/amazon.titan-embed-text-v2:0", "input": ["a", "b"]}));
    let (status, error) = reply_of(step);
    assert_eq!((status, &error["error"]["param"]), (400, &json!("input")));
    let (_, step) = asking(&json!({"model": "gemini/gemini-embedding-001", "input": [[1, 2]]}));
    let (status, error) = reply_of(step);
    assert_eq!((status, &error["error"]["param"]), (400, &json!("input[0]")));
    let (exchange, step) = asking(&json!({"model": "x", "input": 5}));
    let (status, error) = reply_of(step);
    assert_eq!((status, &error["error"]["param"]), (400, &json!("input")));
    let record = exchange.borrow_mut().finish("", ms(3));
    assert_eq!((record.outcome, record.model.as_deref()), (Outcome::Refused, Some("x")));
}

#[test]
fn what_is_no_answer_is_the_providers_error() {
    for (model, head, body, want) in [
        ("gemini/gemini-embedding-001", [OK, JSON], r#"{"embeddings":[]}"#, "0 vectors for 1 inputs"),
        ("gemini/gemini-embedding-001", [OK, JSON], r#"{"embeddings":[{"values":["x"]}]}"#, "vector 0"),
        ("gemini/gemini-embedding-001", [OK, JSON], "", "no embeddings that can be read"),
        ("gemini/gemini-embedding-001", [OK, ("content-encoding", "compress")], "\u{1f}", "`compress`"),
        ("gemini/gemini-embedding-001", [OK, ("content-encoding", "gzip")], "\u{1f}", "gzip data is cut"),
        ("house/e", [OK, ("content-encoding", "gzip")], "\u{1f}", "gzip data is cut"),
        ("gemini/gemini-embedding-001", [(":status", "302"), JSON], "", "status 302"),
        ("house/e", [OK, JSON], "<html>", "no JSON object"),
        ("house/e", [(":status", "302"), JSON], "{}", "status 302"),
    ] {
        let (exchange, _) = asking(&json!({"model": model, "input": "a"}));
        let (mut attempt, _) = attempt(&exchange, 1, model.split('/').next().unwrap());
        let (status, error) = answered(&mut attempt, &head, body);
        assert_eq!(status.as_deref(), Some("502"), "{body}");
        assert!(error["error"]["message"].as_str().unwrap().contains(want), "{error}");
    }
    // What is compressed in a way unknown here is for a client of the same format to read.
    let (exchange, _) = asking(&json!({"model": "house/e", "input": "a"}));
    let (mut attempt, _) = attempt(&exchange, 1, "house");
    assert_eq!(answered(&mut attempt, &[OK, ("content-encoding", "compress")], "\u{1f}"), (None, Value::Null));
}
