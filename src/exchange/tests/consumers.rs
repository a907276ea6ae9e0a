//! Who is let in, what the others are told, and what of it providers and records see.

use super::*;
use crate::host::Peer;
use crate::testing::test;
use serde_json::json;

/// Keys: `open sesame` is alice's, `old` was old's.
const CONSUMERS: &str = r#"
consumers:
  alice: {sha256: "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb", models: [smart, "house/*"]}
  old: {sha256: "SHA", expires: 2001-01-01}
  svc: {header: {name: x-user, value: svc-1}, models: ["openai/*"]}
  all: {principal: "spiffe://all"}
  root: {principal: "spiffe://root", admin: true}
"#;

fn plan() -> Arc<Plan> {
    use sha2::{Digest, Sha256};
    let env = |name: &str| Some(format!("secret-of-{name}"));
    let hash = |key: &str| Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let consumers = CONSUMERS.replace("SHA", &hash("old"));
    assert!(consumers.contains(&hash("open sesame")));
    Arc::new(load(&format!("{CONFIG}{consumers}"), &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
}

fn begin(pairs: &[(&str, &str)], principal: &str) -> (Exchange, Step) {
    let peer = Peer { address: Some("10.0.0.7".into()), principals: vec![principal.to_owned()] };
    let world = World { peer, ..World::default() };
    let ends = pairs.contains(&(":method", "GET"));
    Exchange::begin_in(world, plan(), "7".into(), headers(pairs), ends, T0)
}

fn refused(step: Step) -> (u16, Option<String>, Value) {
    let Step::Reply(reply) = step else { panic!("let in: {step:?}") };
    let challenge = reply.headers.iter().find(|(name, _)| name == "www-authenticate").map(|(_, value)| value.clone());
    (reply.status, challenge, serde_json::from_slice(&reply.body).unwrap())
}

#[test]
fn who_is_not_let_in_is_told_so_in_their_own_format() {
    let unknown = "this API key is not known here: check it, or ask for a new one";
    let openai = json!({"error": {"message": unknown, "type": "authentication_error", "param": null, "code": "invalid_api_key"}});
    let anthropic = json!({"type": "error", "error": {"type": "authentication_error", "message": unknown}});
    let gemini = json!({"error": {"code": 401, "message": unknown, "status": "UNAUTHENTICATED", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "invalid_api_key"}]}});
    let bedrock = json!({"__type": "UnrecognizedClientException", "message": unknown});
    for (method, path, version, want) in [
        ("POST", "/v1/chat/completions", None, &openai),
        ("POST", "/v1/responses", None, &openai),
        ("POST", "/v1/embeddings", None, &openai),
        ("POST", "/v1/images/generations", None, &openai),
        ("GET", "/v1/models", None, &openai),
        ("POST", "/v1/nothing", None, &openai),
        ("GET", "/v1/models", Some(("anthropic-version", "2023-06-01")), &anthropic),
        ("POST", "/v1/messages", None, &anthropic),
        ("POST", "/v1/messages/count_tokens", None, &anthropic),
        ("POST", "/v1beta/models/gemini-2.5-flash:generateContent", None, &gemini),
        ("POST", "/model/amazon.nova-lite-v1:0/converse", None, &bedrock),
    ] {
        let mut pairs = vec![(":method", method), (":path", path), ("authorization", "Bearer wrong")];
        pairs.extend(version);
        let (status, challenge, body) = refused(begin(&pairs, "").1);
        assert_eq!((status, challenge.as_deref(), &body), (401, Some("Bearer"), want), "{method} {path}");
    }
}

#[test]
fn whether_a_key_is_missing_wrong_or_too_old_is_said() {
    for (headers, want) in [
        (
            None,
            "an API key is missing: send it in the header `x-api-key`, or in `authorization` after the word `Bearer`",
        ),
        (Some(("x-api-key", "older")), "this API key is not known here: check it, or ask for a new one"),
        (Some(("x-api-key", "old")), "this API key expired on 2001-01-01: ask for a new one"),
    ] {
        let mut pairs = vec![(":method", "POST"), (":path", "/v1/messages")];
        pairs.extend(headers);
        let world = World::default();
        let (exchange, step) = Exchange::begin_in(world, plan(), "7".into(), super::headers(&pairs), false, T0);
        let (status, _, body) = refused(step);
        assert_eq!((status, &body["error"]["message"]), (401, &json!(want)));
        let caller = exchange.head_of_record().caller;
        assert_eq!((caller.key.is_some(), &caller.consumer), (headers.is_some(), &None));
    }
}

#[test]
fn health_is_told_to_everyone() {
    let (_, step) = begin(&[(":method", "GET"), (":path", "/health")], "");
    assert_eq!(refused(step).0, 200);
}

#[test]
fn each_consumer_sees_the_models_that_it_may_ask_for() {
    let get = |path: &str, who: (&str, &str), principal: &str| {
        let (_, step) = begin(&[(":method", "GET"), (":path", path), who], principal);
        let (status, _, body) = refused(step);
        let ids =
            body["data"].as_array().map(|all| all.iter().map(|model| model["id"].to_string()).collect::<Vec<_>>());
        (status, ids.unwrap_or_default().join(" "))
    };
    let alice = ("authorization", "Bearer open sesame");
    let svc = ("x-user", "svc-1");
    let nothing = ("x", "");
    for (who, principal, want) in [
        (alice, "", r#""smart" "house/small""#),
        // What may be reached by an alias may be asked for by it.
        (svc, "", r#""auto" "smart" "openai/gpt-4o""#),
        (nothing, "spiffe://all", r#""auto" "smart" "house/small" "anthropic/claude-sonnet-4-5" "openai/gpt-4o""#),
    ] {
        assert_eq!(get("/v1/models", who, principal), (200, want.to_owned()));
    }
    assert_eq!(get("/v1/models/house/small", alice, "").0, 200);
    assert_eq!(get("/v1/models/openai/gpt-4o", alice, "").0, 404);
}

#[test]
fn what_shows_who_calls_does_not_reach_a_provider() {
    let pairs = [(":method", "POST"), (":path", "/v1/chat/completions"), ("x-user", "svc-1"), ("x-other", "stays")];
    let (mut exchange, step) = begin(&pairs, "");
    assert_eq!(step, Step::Wait);
    exchange.body(br#"{"model":"openai/gpt-4o","messages":[{"role":"user","content":"hi"}]}"#);
    let caller = exchange.head_of_record().caller;
    assert_eq!((caller.consumer.as_deref(), caller.address.as_deref()), (Some("svc"), Some("10.0.0.7")));
    let exchange = Rc::new(RefCell::new(exchange));
    let (_, edits, _) = Attempt::begin(&exchange, 1, Some("openai"), &headers(&pairs), T0).unwrap();
    assert!(edits.remove.contains(&"x-user".to_owned()) && !edits.remove.contains(&"x-other".to_owned()), "{edits:?}");
}

#[test]
fn what_a_provider_keeps_for_the_account_is_for_admins() {
    for (method, path, kept) in [
        ("GET", "/v1/files", true),
        ("DELETE", "/v1/models/ft:gpt-4o:x", true),
        ("GET", "/v1/responses/resp_1", true),
        ("GET", "/v1/images/../files", true),
        ("GET", "/v1/images/%2e%2e/files", true),
        ("GET", "/v1/audio/voices", false),
        ("GET", "/v1/images/x", false),
    ] {
        let asks = |principal: &str| begin(&[(":method", method), (":path", path)], principal).1;
        match kept {
            true => {
                let (status, _, body) = refused(asks("spiffe://all"));
                // One of them is a path of this gateway's own, by another method.
                assert!(matches!(status, 404 | 405), "{method} {path} {body}");
            }
            false => assert!(matches!(asks("spiffe://all"), Step::Forward(_)), "{method} {path}"),
        }
        if path == "/v1/files" {
            assert!(matches!(asks("spiffe://root"), Step::Forward(_)));
        }
    }
}
