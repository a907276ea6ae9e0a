//! What a caller with a key of little worth does not reach: other models, other amounts, other people's names.

use super::*;
use crate::host::{Peer, Table};
use crate::testing::test;
use serde_json::json;

const CONFIG: &str = r#"
version: 1
providers:
  openai: {api_key: "${K}"}
  azure: {url: "https://x.openai.azure.com", api_key: "${K}"}
  anthropic: {api_key: "${K}"}
  gemini: {api_key: "${K}"}
models:
  openai/gpt-4o: {price: {input: 1000000, output: 1000000, service_tiers: {priority: {input: 2000000, output: 2000000}}}}
  openai/gpt-4o-mini: {price: {input: 100000, output: 100000}}
  azure/both: {}
  openai/both: {}
aliases:
  smart: [openai/gpt-4o, anthropic/claude-sonnet-4-5]
  fast: openai/gpt-4o-mini
consumers:
  cheap: {header: {name: x-user, value: cheap}, models: [fast, "openai/gpt-4o-mini"]}
  half: {header: {name: x-user, value: half}, models: ["anthropic/*"]}
  rich: {header: {name: x-user, value: rich}, admin: true}
"#;

fn plan(more: &str) -> Arc<Plan> {
    let env = |_: &str| Some("secret".to_owned());
    Arc::new(load(&format!("{CONFIG}{more}"), &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
}

fn ask(more: &str, head: &[(&str, &str)], body: &[u8]) -> (Exchange, Step) {
    let usual = [(":method", "POST"), (":path", "/v1/chat/completions"), ("content-type", "application/json")];
    let usual = usual.into_iter().filter(|(name, _)| !head.iter().any(|(own, _)| own == name));
    let pairs: Vec<(&str, &str)> = usual.chain(head.iter().copied()).collect();
    let world = World { shared: Rc::new(Table::default()), peer: Peer::default() };
    let ends = head.contains(&(":method", "GET"));
    let (mut exchange, step) = Exchange::begin_in(world, plan(more), "7".into(), headers(&pairs), ends, T0);
    let step = if step == Step::Wait { exchange.body(body) } else { step };
    (exchange, step)
}

fn chat(more: Value) -> Vec<u8> {
    let mut body = json!({"model": "fast", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body.to_string().into_bytes()
}

const CHEAP: (&str, &str) = ("x-user", "cheap");
const RICH: (&str, &str) = ("x-user", "rich");

#[test]
fn parameters_for_one_provider_change_neither_the_model_nor_what_was_reckoned_with() {
    for (own, what) in [
        (json!({"openai": {"model": "o1-pro"}}), "openai.model"),
        (json!({"openai": {"Model": "o1-pro"}}), "openai.Model"),
        (json!({"openai": {"models": ["o1-pro"]}}), "openai.models"),
        (json!({"openai": {"max_tokens": 99999}}), "openai.max_tokens"),
        (json!({"openai": {"max_completion_tokens": 99999}}), "openai.max_completion_tokens"),
        (json!({"openai": {"n": 100}}), "openai.n"),
        (json!({"openai": {"messages": []}}), "openai.messages"),
        (json!({"openai": {"stream": true}}), "openai.stream"),
        (json!({"gemini": {"generationConfig": {"maxOutputTokens": 9}}}), "gemini.generationConfig"),
        (json!({"gemini": {"generation_config": {}}}), "gemini.generation_config"),
        (json!({"gemini": {"systemInstruction": {}}}), "gemini.systemInstruction"),
    ] {
        let (_, step) = ask("", &[CHEAP], &chat(own.clone()));
        let (status, body) = reply_of(step);
        assert_eq!((status, &body["error"]["param"]), (400, &json!(what)), "{own}");
    }
    let embed = json!({"model": "openai/gpt-4o-mini", "input": "hi", "openai": {"model": "o1-pro"}}).to_string();
    assert_eq!(reply_of(ask("", &[CHEAP, (":path", "/v1/embeddings")], embed.as_bytes()).1).0, 400);
    assert!(matches!(ask("", &[CHEAP], &chat(json!({"openai": {"seed": 1}}))).1, Step::Forward(_)));
}

#[test]
fn a_service_tier_for_one_provider_is_reckoned_with() {
    // 8 tokens of prompt and 10 of an answer, at 1 USD each; at 2 USD where it has priority.
    let budget = "budgets: [{name: day, per: all, period: day, usd: 30}]";
    for (own, fits) in [(json!({}), true), (json!({"openai": {"service_tier": "priority"}}), false)] {
        let mut own = own;
        own["model"] = "openai/gpt-4o".into();
        let (_, step) = ask(budget, &[RICH], &chat(own.clone()));
        assert_eq!(matches!(step, Step::Forward(_)), fits, "{own} {step:?}");
    }
}

#[test]
fn a_number_of_choices_is_read_as_leniently_as_providers_read_it() {
    let budget = "budgets: [{name: day, per: all, period: day, usd: 30}]";
    for (n, fits) in
        [(json!(1), true), (json!(1.0), true), (json!(64), false), (json!(64.0), false), (json!("64"), false)]
    {
        let (_, step) = ask(budget, &[RICH], &chat(json!({"model": "openai/gpt-4o", "n": n})));
        assert_eq!(matches!(step, Step::Forward(_)), fits, "{n} {step:?}");
    }
}

#[test]
fn members_in_other_letters_are_refused() {
    for name in ["Model", "MODEL", "Max_Tokens", "N", "Stream"] {
        let (status, body) = reply_of(ask("", &[CHEAP], &chat(json!({name: "o1-pro"}))).1);
        assert_eq!((status, &body["error"]["param"]), (400, &json!(name)));
    }
    let image = br#"{"model":"fast","Model":"o1-pro","prompt":"a"}"#;
    assert_eq!(reply_of(ask("", &[CHEAP, (":path", "/v1/images/generations")], image).1).0, 400);
}

#[test]
fn two_limits_of_an_answers_length_are_refused_where_they_differ() {
    for (limits, param) in [
        (json!({"max_tokens": 99999, "max_completion_tokens": 1}), Some("max_tokens")),
        (json!({"max_tokens": 10, "max_completion_tokens": 10}), None),
        (json!({"max_tokens": null, "max_completion_tokens": 10}), None),
    ] {
        match ask("", &[RICH], &chat(limits.clone())).1 {
            Step::Forward(_) => assert_eq!(param, None, "{limits}"),
            step => {
                let (status, body) = reply_of(step);
                assert_eq!((status, body["error"]["param"].as_str()), (400, param), "{limits}");
            }
        }
    }
}

#[test]
fn no_other_model_answers_in_its_place() {
    let more = "  openrouter: {api_key: \"${K}\"}\n";
    let plan = CONFIG.replacen("models:\n", &format!("{more}models:\n"), 1);
    let plan = Arc::new(load(&plan, &|_: &str| Some("secret".to_owned())).unwrap());
    for (path, body) in [
        ("/v1/chat/completions", chat(json!({"model": "openrouter/a/cheap", "models": ["openai/o1-pro"]}))),
        ("/v1/completions", br#"{"model":"openrouter/a/cheap","models":["openai/o1-pro"],"prompt":"a"}"#.to_vec()),
    ] {
        let head = headers(&[(":method", "POST"), (":path", path), ("content-type", "application/json"), RICH]);
        let (mut exchange, _) = Exchange::begin(plan.clone(), "7".into(), head, false, T0);
        let (status, answer) = reply_of(exchange.body(&body));
        assert_eq!((status, &answer["error"]["param"]), (400, &json!("models")), "{path}");
    }
}

#[test]
fn a_model_that_is_named_twice_is_one() {
    let body = br#"{"model":"o1-pro","model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, step) = ask("", &[("x-user", "rich")], body);
    assert!(matches!(step, Step::Forward(_)), "{step:?}");
    let exchange = Rc::new(RefCell::new(exchange));
    let (attempt, ..) = Attempt::begin(&exchange, 1, Some("openai"), &headers(&[]), T0).unwrap();
    let sent = String::from_utf8(attempt.request_body(body).unwrap()).unwrap();
    assert!(!sent.contains("o1-pro") && sent.contains(r#""model":"gpt-4o-mini""#), "{sent}");
}

#[test]
fn a_form_names_one_model() {
    let field = |value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{value}\r\n");
    let head = [CHEAP, (":path", "/v1/audio/transcriptions"), ("content-type", "multipart/form-data; boundary=b")];
    let one = format!("{}--b--\r\n", field("fast"));
    assert!(matches!(ask("", &head, one.as_bytes()).1, Step::Forward(_)));
    let two = format!("{}{}--b--\r\n", field("fast"), field("o1-pro"));
    assert_eq!(reply_of(ask("", &head, two.as_bytes()).1).0, 400);
}

#[test]
fn names_that_a_consumer_may_not_use_are_not_told() {
    // Both are near; only one may be asked for.
    let (status, body) = reply_of(ask("", &[CHEAP], &chat(json!({"model": "gpt-4o-minii"}))).1);
    let text = body.to_string();
    assert!(status == 404 && text.contains("fast") && !text.contains("openai/gpt-4o\""), "{text}");
    assert!(!text.contains("smart") && !text.contains("claude") && !text.contains("both"), "{text}");
    let (status, body) = reply_of(ask("", &[CHEAP], &chat(json!({"model": "both"}))).1);
    assert!(status == 403 && !body.to_string().contains("azure"), "{body}");
    let (status, body) = reply_of(ask("", &[RICH], &chat(json!({"model": "both"}))).1);
    assert!(status == 400 && body.to_string().contains("azure/both"), "{body}");
    // Of an alias only what it would lead to.
    let (_, step) = ask("", &[("x-user", "half"), (":method", "GET"), (":path", "/v1/models/smart")], b"");
    let (status, body) = reply_of(step);
    assert_eq!((status, &body["targets"]), (200, &json!(["anthropic/claude-sonnet-4-5"])));
}

#[test]
fn a_dimension_that_is_not_trusted_is_no_header_either() {
    let rule = "routing: {default: fast, rules: [{name: r, when: {field: header.x-conduit-project, op: \"=\", \
                value: vip}, target: smart}]}\n";
    let vip = ("x-conduit-project", "vip");
    let target = |more: &str| {
        let (exchange, step) = ask(&format!("{rule}{more}"), &[RICH, vip], &chat(json!({})));
        assert!(matches!(step, Step::Forward(_)), "{step:?}");
        exchange.decision().unwrap().targets[0].name.clone()
    };
    assert_eq!(target(""), "openai/gpt-4o-mini");
    assert_eq!(target("trusted_headers: [x-conduit-project]"), "openai/gpt-4o");
}

#[test]
fn a_client_does_not_say_how_envoy_tries_again() {
    let head = [
        RICH,
        ("x-envoy-retry-on", "retriable-4xx"),
        ("x-envoy-max-retries", "9"),
        ("x-envoy-hedge-on-per-try-timeout", "true"),
    ];
    let (_, step) = ask("", &head, &chat(json!({})));
    let Step::Forward(edits) = step else { panic!("{step:?}") };
    assert_eq!(edits.remove, ["x-envoy-hedge-on-per-try-timeout", "x-envoy-retry-on"]);
    assert_eq!(set(&edits, "x-envoy-max-retries"), Some("0"));
}

#[test]
fn what_cannot_be_reckoned_does_not_pass_a_budget() {
    let budget = "budgets: [{name: day, per: all, period: day, usd: 30}]\n";
    let json = ("content-type", "application/json");
    let text = ("content-type", "text/plain");
    for (method, path, kind, body, status) in [
        ("POST", "/v1/batches", json, r#"{"input_file_id":"f"}"#, Some(403)),
        ("POST", "/v1/fine_tuning/jobs", json, r#"{"model":"gpt-4o-mini"}"#, Some(403)),
        ("POST", "/v1/realtime/client_secrets", json, "{}", Some(403)),
        ("POST", "/v1/images/generations", json, r#"{"prompt":"a"}"#, Some(403)),
        ("POST", "/v1/completions", text, r#"{"model":"gpt-4o"}"#, Some(403)),
        ("POST", "/v1/files", json, "{}", None),
        ("GET", "/v1/files", json, "", None),
        ("POST", "/v1/moderations", json, r#"{"input":"a"}"#, None),
    ] {
        let head = [RICH, (":method", method), (":path", path), kind];
        let (_, step) = ask(budget, &head, body.as_bytes());
        let found = match step {
            Step::Reply(reply) => Some(reply.status),
            _ => None,
        };
        assert_eq!(found, status, "{method} {path}");
        assert!(matches!(ask("", &head, body.as_bytes()).1, Step::Forward(_)), "{method} {path}");
    }
}

#[test]
fn counting_tokens_counts_as_a_request_and_costs_nothing() {
    let rules = "budgets: [{name: day, per: all, period: day, usd: 0}]\n\
                 limits: [{name: few, per: all, requests_per_minute: 1, tokens_per_minute: 1}]\n";
    let plan = plan(rules);
    let table = Rc::new(Table::default());
    let ask = || {
        let head = headers(&[(":method", "POST"), (":path", "/v1/messages/count_tokens"), RICH]);
        let world = World { shared: table.clone(), peer: Peer::default() };
        let (mut exchange, step) = Exchange::begin_in(world, plan.clone(), "7".into(), head, false, T0);
        assert_eq!(step, Step::Wait);
        let body = br#"{"model":"anthropic/claude-sonnet-4-5","messages":[{"role":"user","content":"hi there"}]}"#;
        let step = exchange.body(body);
        (exchange, step)
    };
    let (_first, step) = ask();
    assert!(matches!(step, Step::Forward(_)), "{step:?}");
    assert_eq!(reply_of(ask().1).0, 429);
}

#[test]
fn a_key_that_lets_nobody_in_is_not_counted_by() {
    let (exchange, _) = ask("", &[RICH, ("authorization", "Bearer anything")], &chat(json!({})));
    let caller = exchange.head_of_record().caller;
    assert_eq!((caller.consumer.as_deref(), caller.key.as_deref()), (Some("rich"), None));
}

#[test]
fn a_spent_budget_is_said_in_the_words_that_go_with_its_status() {
    let budget = "budgets: [{name: day, per: all, period: day, usd: 0}]\n";
    let messages = r#"{"model":"openai/gpt-4o","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let contents = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
    let converse = r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#;
    for (path, body, place, want) in [
        ("/v1/chat/completions", messages, "/error/type", "insufficient_quota"),
        ("/v1/responses", r#"{"model":"openai/gpt-4o","input":"hi"}"#, "/error/type", "insufficient_quota"),
        ("/v1/messages", messages, "/error/type", "rate_limit_error"),
        ("/v1beta/models/openai%2Fgpt-4o:generateContent", contents, "/error/status", "RESOURCE_EXHAUSTED"),
        ("/model/openai%2Fgpt-4o/converse", converse, "/__type", "ThrottlingException"),
    ] {
        let (status, body) = reply_of(ask(budget, &[RICH, (":path", path)], body.as_bytes()).1);
        assert_eq!((status, body.pointer(place)), (429, Some(&json!(want))), "{path} {body}");
    }
}

#[test]
fn a_query_does_not_take_the_usage_out_of_an_answer() {
    let path = "/v1beta/models/gemini-2.5-flash:generateContent?fields=candidates&alt=proto&x=y";
    let head = [RICH, (":path", path)];
    let (exchange, step) = ask("", &head, br#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#);
    assert!(matches!(step, Step::Forward(_)), "{step:?}");
    let exchange = Rc::new(RefCell::new(exchange));
    let (_, edits, _) = Attempt::begin(&exchange, 1, Some("gemini"), &headers(&head), T0).unwrap();
    assert_eq!(set(&edits, ":path"), Some("/v1beta/models/gemini-2.5-flash:generateContent?x=y"));
}
