//! Chains of unlike providers: what each attempt's request holds of those before it, and of the client's.

use super::*;
use crate::formats::eventstream;
use crate::testing::test;

const CHAIN: &str = r#"
version: 1
providers:
  azure: {url: "https://me.openai.azure.com", api_key: "${AZURE}", api_version: "2025-04-01-preview"}
  entra: {kind: azure, url: "https://you.openai.azure.com", bearer: "${ENTRA}"}
  gemini: {api_key: "${GEMINI}"}
  vertex: {project: p}
  bedrock: {region: eu-west-1}
  keyed: {kind: bedrock, region: us-east-1, api_key: "${KEYED}"}
  anthropic: {api_key: "${ANTHROPIC}"}
  openai: {api_key: "${OPENAI}"}
  glm: {api_key: "${GLM}"}
  bare: {kind: openai-compatible, url: "http://127.0.0.1:8000/v1"}
models:
  bare/small: {tokenizer: llama3}
aliases:
  all:
    - azure/d
    - gemini/gemini-2.5-pro
    - bedrock/us.anthropic.claude-sonnet-4-5-v1:0
    - anthropic/claude-sonnet-4-5
    - bare/m
    - vertex/claude-sonnet-4-5
    - keyed/amazon.nova-lite-v1:0
    - entra/d
    - openai/gpt-4o
    - bare/m2
    - glm/glm-4.6
    - vertex/gemini-2.5-pro
    - bare/m3
  three: [openai/gpt-4o, bare/small, azure/gpt-4o]
  two: [bare/small, openai/gpt-4o]
  lossy: [openai/gpt-4o, anthropic/claude-sonnet-4-5]
routing:
  default: all
"#;

fn chain_plan() -> Arc<Plan> {
    let env = |name: &str| Some(format!("id-of-{name}.secret-of-{name}"));
    Arc::new(load(CHAIN, &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
}

/// What the host makes of edits.
fn apply(headers: &mut Vec<(String, String)>, edits: &HeaderEdits) {
    headers.retain(|(name, _)| !edits.remove.contains(name));
    for (name, value) in &edits.set {
        headers.retain(|(known, _)| known != name);
        headers.push((name.clone(), value.clone()));
    }
}

const FORGED: &[(&str, &str)] = &[
    ("x-api-key", "client-secret"),
    ("api-key", "client-secret"),
    ("x-goog-api-key", "client-secret"),
    ("cookie", "s=client-secret"),
    ("x-amz-security-token", "client-secret"),
    ("x-amz-date", "client-secret"),
    ("x-conduit-sign", "bedrock"),
    ("x-conduit-google", "1"),
    ("x-conduit-google-token", "client-secret"),
    ("proxy-authorization", "client-secret"),
];

fn asks(model: &str) -> [(String, String); 5] {
    let text = format!(r#""model":"{model}","messages":[{{"role":"user","content":"hi"}}]"#);
    [
        ("/v1/chat/completions?key=client-secret&a=1".into(), format!("{{{text}}}")),
        ("/v1/messages?beta=true&api_key=client-secret".into(), format!(r#"{{{text},"max_tokens":5}}"#)),
        ("/v1/responses".into(), format!(r#"{{"model":"{model}","store":false,"input":"hi"}}"#)),
        (
            format!("/v1beta/models/{}:generateContent?key=client-secret", model.replace('/', "%2F")),
            r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#.into(),
        ),
        (
            format!("/model/{}/converse", model.replace('/', "%2F")),
            r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#.into(),
        ),
    ]
}

#[test]
fn each_attempt_of_a_chain_carries_its_own_providers_credential_and_no_other() {
    let key = |name: &str| format!("id-of-{name}.secret-of-{name}");
    for (path, body) in asks("all") {
        let mut came: Vec<(String, String)> = post(&path).iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        came.extend(FORGED.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (mut exchange, _) = Exchange::begin(chain_plan(), "1".into(), Headers::new(came.clone()), false, T0);
        let step = exchange.body(body.as_bytes());
        let Step::Forward(edits) = step else { panic!("{path}: {step:?}") };
        apply(&mut came, &edits);
        assert!(!came.iter().any(|(name, _)| name == "x-conduit-google-token"), "{path}");
        assert_eq!(came.iter().filter(|(name, _)| name == "x-conduit-google").count(), 1);
        came.push(("x-conduit-google-token".into(), "ya29.of-envoy".into()));
        let targets = exchange.decision().unwrap().targets.clone();
        assert_eq!(targets.len(), 13, "{path}");
        let exchange = Rc::new(RefCell::new(exchange));
        for (at, target) in targets.iter().enumerate() {
            let provider = target.name.split('/').next().unwrap();
            let shared = Headers::new(came.clone());
            let (attempt, edits, wants) = Attempt::begin(&exchange, at + 1, Some(provider), &shared, T0).unwrap();
            assert_eq!(attempt.target_name(), target.name);
            apply(&mut came, &edits);
            let (header, value) = match provider {
                "azure" => ("api-key", key("AZURE")),
                "entra" => ("authorization", format!("Bearer {}", key("ENTRA"))),
                "gemini" => ("x-goog-api-key", key("GEMINI")),
                "vertex" => ("authorization", "Bearer ya29.of-envoy".into()),
                "bedrock" => ("x-conduit-sign", "bedrock".into()),
                "keyed" => ("authorization", format!("Bearer {}", key("KEYED"))),
                "anthropic" => ("x-api-key", key("ANTHROPIC")),
                "openai" => ("authorization", format!("Bearer {}", key("OPENAI"))),
                "glm" => ("authorization", "a JWT".into()),
                _ => ("", String::new()),
            };
            let secret = |(name, value): &&(String, String)| {
                ["secret", "ya29", "Bearer", "AWS4"].iter().any(|word| value.contains(word))
                    || name.starts_with("x-amz-")
                    || name.starts_with("x-conduit-")
                    || name == "cookie"
            };
            let carried: Vec<(String, String)> = came.iter().filter(secret).cloned().collect();
            let what = format!("{path} to {}: {carried:?}", target.name);
            match (header, provider) {
                ("", _) => assert!(carried.is_empty(), "{what}"),
                (_, "glm") => {
                    assert!(carried.len() == 1 && carried[0].0 == header, "{what}");
                    assert!(carried[0].1.starts_with("Bearer eyJ") && !carried[0].1.contains("secret-of"), "{what}");
                }
                _ => assert_eq!(carried, [(header.to_owned(), value)], "{what}"),
            }
            let url = came.iter().find(|(name, _)| name == ":path").unwrap().1.clone();
            assert!(!url.contains("client-secret"), "{url}");
            let sent = wants.then(|| attempt.request_body(body.as_bytes()));
            assert!(sent.is_some_and(|sent| sent.is_ok()), "{what}");
            if header == "x-conduit-sign" {
                // What Envoy does for it.
                came.retain(|(name, _)| name != "x-conduit-sign");
                for (name, value) in [
                    ("authorization", "AWS4-HMAC-SHA256 Credential=AKIA"),
                    ("x-amz-date", "20261121T000000Z"),
                    ("x-amz-security-token", "of-envoy"),
                    ("x-amz-content-sha256", "00"),
                ] {
                    came.push((name.into(), value.into()));
                }
            }
        }
    }
}

/// What a client's request becomes at a target: its path and its body.
fn sent(path: &str, more: &[(&str, &str)], body: &str, provider: &str) -> (String, Value) {
    let mut came: Vec<(String, String)> = post(path).iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    came.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let headers = Headers::new(came);
    let (mut exchange, _) = Exchange::begin(chain_plan(), "1".into(), headers.clone(), false, T0);
    let step = exchange.body(body.as_bytes());
    assert!(matches!(step, Step::Forward(_)), "{step:?}");
    let exchange = Rc::new(RefCell::new(exchange));
    let (attempt, edits, _) = Attempt::begin(&exchange, 1, Some(provider), &headers, T0).unwrap();
    let written = attempt.request_body(body.as_bytes()).unwrap();
    (set(&edits, ":path").unwrap().to_owned(), serde_json::from_slice(&written).unwrap())
}

#[test]
fn a_vendors_query_does_not_reach_a_clouds_path_around_its_format() {
    for (model, want) in [
        ("anthropic/claude-sonnet-4-5", "/v1/messages?beta=true"),
        (
            "vertex/claude-sonnet-4-5",
            "/v1/projects/p/locations/global/publishers/anthropic/models/claude-sonnet-4-5:rawPredict",
        ),
        ("keyed/anthropic.claude-x", "/model/anthropic.claude-x/invoke"),
    ] {
        let body = format!(r#"{{"model":"{model}","max_tokens":5,"messages":[{{"role":"user","content":"hi"}}]}}"#);
        let provider = model.split('/').next().unwrap();
        assert_eq!(sent("/v1/messages?beta=true", &[], &body, provider).0, want);
    }
}

#[test]
fn betas_in_several_lines_all_reach_bedrocks_body() {
    let body = r#"{"model":"keyed/anthropic.claude-x","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
    let lines = [("anthropic-beta", "a-1, b-2"), ("anthropic-beta", "c-3")];
    let (_, written) = sent("/v1/messages", &lines, body, "keyed");
    assert_eq!(written["anthropic_beta"], serde_json::json!(["a-1", "b-2", "c-3"]));
}

#[test]
fn a_prompt_with_anothers_reasoning_is_counted_without_a_limit_of_the_answers() {
    let body = r#"{"model":"anthropic/claude-sonnet-4-5","messages":[{"role":"user","content":"hi"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"gemini:abc"},{"type":"text","text":"yo"}]},
        {"role":"user","content":"so?"}]}"#;
    let (path, written) = sent("/v1/messages/count_tokens", &[], body, "anthropic");
    assert_eq!(path, "/v1/messages/count_tokens");
    assert!(written.get("max_tokens").is_none() && !written.to_string().contains("gemini:"), "{written}");
}

#[test]
fn no_models_name_leads_to_another_path() {
    for model in ["models/../../x", "..", "../x", "a/../b", r"a\\..\\b", "models/..", "."] {
        for provider in ["gemini", "azure", "keyed", "vertex", "openai"] {
            let name = format!("{provider}/{model}");
            let body = format!(r#"{{"model":"{name}","messages":[{{"role":"user","content":"hi"}}]}}"#);
            let head = post("/v1/chat/completions");
            let (mut exchange, _) = Exchange::begin(chain_plan(), "1".into(), head, false, T0);
            let (status, said) = reply_of(exchange.body(body.as_bytes()));
            assert_eq!((status, said["error"]["param"].as_str()), (400, Some("model")), "{name}: {said}");
        }
    }
    for model in ["models/a/b", "a?b#c", "a\\r\\nx: y", "a%2f..%2fb", "tunedModels/é"] {
        for provider in ["gemini", "azure", "keyed", "vertex"] {
            let body = format!(r#"{{"model":"{provider}/{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
            let (path, _) = sent("/v1/chat/completions", &[], &body, provider);
            let bare = path.split('?').next().unwrap();
            assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path}");
            assert!(!path.contains('#') && path.matches('?').count() <= 1 && !bare.contains("a/b"), "{path}");
        }
    }
}

#[test]
fn tokens_are_counted_in_the_vocabulary_of_whoever_answers() {
    let text = "Ünïcödé für 日本語のテキスト and some tokenization differences 🙂 ".repeat(20);
    let counted = |exchange: &Rc<RefCell<Exchange>>| exchange.borrow().counted.unwrap().tokens;
    let begun = |model: &str, more: &str| {
        let body = format!(r#"{{"model":"{model}"{more},"messages":[{{"role":"user","content":"{text}"}}]}}"#);
        let (mut exchange, _) = Exchange::begin(chain_plan(), "1".into(), post("/v1/chat/completions"), false, T0);
        assert!(matches!(exchange.body(body.as_bytes()), Step::Forward(_)));
        Rc::new(RefCell::new(exchange))
    };
    let attempt = |exchange: &Rc<RefCell<Exchange>>, number, provider| {
        Attempt::begin(exchange, number, Some(provider), &post("/v1/chat/completions"), T0).unwrap().0
    };
    let (openai, bare) = (counted(&begun("openai/gpt-4o", "")), counted(&begun("bare/small", "")));
    assert_ne!(openai, bare);
    let three = begun("three", "");
    for (number, provider, want) in [(1, "openai", openai), (2, "bare", bare), (3, "azure", openai)] {
        attempt(&three, number, provider);
        assert_eq!(counted(&three), want, "{provider}");
    }
}

#[test]
fn tokens_are_counted_anew_where_the_first_target_is_left_out() {
    let world = crate::host::World::of(crate::host::Table::default());
    let body = format!(
        r#"{{"model":"two","messages":[{{"role":"user","content":"{}"}}]}}"#,
        "日本語のテキスト und Ähnliches ".repeat(20)
    );
    let begun = |model: &str| {
        let head = post("/v1/chat/completions");
        let (mut exchange, _) = Exchange::begin_in(world.clone(), chain_plan(), "1".into(), head, false, T0);
        assert!(matches!(exchange.body(body.replace("two", model).as_bytes()), Step::Forward(_)));
        Rc::new(RefCell::new(exchange))
    };
    let want = begun("openai/gpt-4o").borrow().counted;
    let first = begun("two");
    assert_ne!(first.borrow().counted, want);
    let (mut attempt, ..) = Attempt::begin(&first, 1, Some("bare"), &post("/v1/chat/completions"), ms(1)).unwrap();
    attempt.answer_head(&headers(&[(":status", "429"), ("retry-after", "30")]), false, ms(2));
    let second = begun("two");
    assert_eq!(second.borrow().decision().unwrap().targets.len(), 1);
    assert_eq!(second.borrow().counted, want);
}

#[test]
fn one_that_rests_is_asked_where_the_others_cannot_be() {
    let world = crate::host::World::of(crate::host::Table::default());
    let begun = |more: &str| {
        let body = format!(r#"{{"model":"lossy"{more},"messages":[{{"role":"user","content":"hi"}}]}}"#);
        let head = post("/v1/chat/completions");
        let (mut exchange, _) = Exchange::begin_in(world.clone(), chain_plan(), "1".into(), head, false, T0);
        let step = exchange.body(body.as_bytes());
        assert!(matches!(step, Step::Forward(_)), "{step:?}");
        Rc::new(RefCell::new(exchange))
    };
    let names = |exchange: &Rc<RefCell<Exchange>>| {
        let exchange = exchange.borrow();
        exchange.decision().unwrap().targets.iter().map(|target| target.name.clone()).collect::<Vec<_>>()
    };
    let first = begun("");
    let (mut attempt, ..) = Attempt::begin(&first, 1, Some("openai"), &post("/v1/chat/completions"), ms(1)).unwrap();
    attempt.answer_head(&headers(&[(":status", "429"), ("retry-after", "3600")]), false, ms(2));
    assert_eq!(names(&begun("")), ["anthropic/claude-sonnet-4-5"]);
    assert_eq!(names(&begun(r#","n":2"#)), ["openai/gpt-4o"]);
}

/// An attempt of a client's own format.
pub(super) fn attempted(path: &str, body: &str, provider: &str) -> Attempt {
    let (mut exchange, _) = Exchange::begin(chain_plan(), "1".into(), post(path), false, T0);
    assert!(matches!(exchange.body(body.as_bytes()), Step::Forward(_)));
    let exchange = Rc::new(RefCell::new(exchange));
    Attempt::begin(&exchange, 1, Some(provider), &post(path), T0).unwrap().0
}

#[test]
fn an_error_in_a_200_of_the_clients_own_format_is_one_and_tells_no_key() {
    for (model, key, answer, want) in [
        ("openai/gpt-4o", "OPENAI", r#"{"error":{"message":"no KEY","type":"t","code":429}}"#, Some("429")),
        ("openai/gpt-4o", "OPENAI", r#"{"error":"no KEY"}"#, Some("502")),
        (
            "anthropic/claude-sonnet-4-5",
            "ANTHROPIC",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"no KEY"}}"#,
            Some("529"),
        ),
        (
            "gemini/gemini-2.5-pro",
            "GEMINI",
            r#"{"error":{"code":503,"message":"no KEY","status":"UNAVAILABLE"}}"#,
            Some("503"),
        ),
        ("keyed/amazon.nova-lite-v1:0", "KEYED", r#"{"__type":"ThrottlingException","message":"no KEY"}"#, Some("429")),
        (
            "openai/gpt-4o",
            "OPENAI",
            r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"a"}}],"n":1.50}"#,
            None,
        ),
        ("openai/gpt-4o", "OPENAI", r#"{"choices":[],"error":null}"#, None),
    ] {
        let provider = model.split('/').next().unwrap();
        let which = match provider {
            "anthropic" => 1,
            "gemini" => 3,
            "keyed" => 4,
            _ => 0,
        };
        let (path, body) = asks(model)[which].clone();
        let mut attempt = attempted(&path, &body, provider);
        attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "application/json")]), false, ms(1));
        let secret = format!("id-of-{key}.secret-of-{key}");
        let (edits, out) = attempt.answer_whole(answer.replace("KEY", &secret).as_bytes());
        assert_eq!(set(&edits, ":status"), want, "{model} {answer}");
        assert_eq!(out.is_some(), want.is_some(), "{model} {answer}");
        let out = String::from_utf8(out.unwrap_or_default()).unwrap();
        assert!(!out.contains("secret-of"), "{out}");
    }
}

#[test]
fn an_error_in_a_200_instead_of_vectors_is_one_and_tells_no_key() {
    for (model, key) in [("openai/text-embedding-3-small", "OPENAI"), ("gemini/gemini-embedding-001", "GEMINI")] {
        let body = format!(r#"{{"model":"{model}","input":"hi"}}"#);
        let mut attempt = attempted("/v1/embeddings", &body, model.split('/').next().unwrap());
        attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "application/json")]), false, ms(1));
        let answer = format!(r#"{{"error":{{"message":"no id-of-{key}.secret-of-{key}, try later"}}}}"#);
        let (edits, out) = attempt.answer_whole(answer.as_bytes());
        assert_eq!(set(&edits, ":status"), Some("502"), "{model}");
        let out = String::from_utf8(out.unwrap()).unwrap();
        assert!(out.contains("try later") && !out.contains("secret-of"), "{out}");
    }
}

#[test]
fn a_failed_answer_of_responses_stays_the_answer() {
    let (path, body) = asks("openai/gpt-4o")[2].clone();
    let mut attempt = attempted(&path, &body, "openai");
    attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "application/json")]), false, ms(1));
    let answer = r#"{"id":"resp_1","object":"response","status":"failed","output":[],"error":{"code":"server_error","message":"x"}}"#;
    let (edits, out) = attempt.answer_whole(answer.as_bytes());
    assert_eq!((set(&edits, ":status"), out), (None, None));
}

#[test]
fn an_error_message_without_a_payload_says_what_its_header_says() {
    let header = |name: &str, value: &str| {
        let mut out = vec![u8::try_from(name.len()).unwrap()];
        out.extend(name.as_bytes());
        out.push(7);
        out.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        out.extend(value.as_bytes());
        out
    };
    let block = [
        header(":message-type", "error"),
        header(":error-code", "Internal"),
        header(":error-message", "the model fell over"),
    ]
    .concat();
    let total = u32::try_from(block.len() + 16).unwrap();
    let mut bytes = [total.to_be_bytes(), u32::try_from(block.len()).unwrap().to_be_bytes()].concat();
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(block);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    let mut begun = Vec::new();
    eventstream::write("messageStart", br#"{"role":"assistant"}"#, &mut begun);
    for (model, path, start) in [
        ("keyed/amazon.nova-lite-v1:0", "/v1/chat/completions", begun.as_slice()),
        ("keyed/anthropic.claude-x", "/v1/messages", b""),
    ] {
        let body = format!(
            r#"{{"model":"{model}","max_tokens":5,"stream":true,"messages":[{{"role":"user","content":"hi"}}]}}"#
        );
        let mut attempt = attempted(path, &body, "keyed");
        let head = headers(&[(":status", "200"), ("content-type", "application/vnd.amazon.eventstream")]);
        attempt.answer_head(&head, false, ms(1));
        let mut out = attempt.answer_piece(start, false).unwrap();
        out.extend(attempt.answer_piece(&bytes, true).unwrap());
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("the model fell over"), "{model}: {out}");
    }
}

#[test]
fn bedrocks_tier_is_billed_for_its_own_clients_too() {
    let (path, body) = asks("keyed/amazon.nova-lite-v1:0")[4].clone();
    let mut attempt = attempted(&path, &body, "keyed");
    attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "application/json")]), false, ms(1));
    let answer = br#"{"output":{"message":{"role":"assistant","content":[{"text":"a"}]}},"stopReason":"end_turn",
        "usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5},"serviceTier":{"type":"priority"}}"#;
    assert_eq!(attempt.answer_whole(answer).1, None);
    assert_eq!(attempt.exchange.borrow().ledger.usage.service_tier.as_deref(), Some("priority"));
}

#[test]
fn a_line_of_the_log_stays_one_whatever_a_client_calls_things() {
    let body = r#"{"model":"keyed/m\nx","messages":[{"role":"user","content":"hi"}],"a\nb\u001b[2J":1}"#;
    let attempt = attempted("/v1/chat/completions", body, "keyed");
    attempt.request_body(body.as_bytes()).unwrap();
    let loss = attempt.loss().unwrap();
    assert!(loss.contains("m?x") && loss.chars().all(|c| !c.is_control()), "{loss:?}");
}
