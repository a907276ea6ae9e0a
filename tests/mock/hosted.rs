//! Claude on Vertex, and prompt caches.

use crate::client::{Mock, refusals, with};
use serde_json::{Value, json};

const BEARER: &[(&str, &str)] = &[("authorization", "Bearer ya29.k")];

fn path(method: &str) -> String {
    format!("/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5@20250929:{method}")
}

fn ask() -> Value {
    json!({
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "Hi"}],
    })
}

#[test]
fn vertex_has_the_model_in_the_path_and_the_version_in_the_body() {
    let mock = Mock::new();
    let json = mock.post(&path("rawPredict"), BEARER, &ask()).json();
    assert_eq!(
        (&json["content"][0]["text"], &json["model"]),
        (&json!("You said: Hi"), &json!("claude-sonnet-4-5@20250929"))
    );
    let events = mock.post(&path("streamRawPredict"), BEARER, &with(ask(), json!({"stream": true}))).events();
    assert_eq!(
        (&events[0]["type"], &events.last().unwrap()["type"]),
        (&json!("message_start"), &json!("message_stop"))
    );
    refusals(
        |body| mock.post(&path("rawPredict"), BEARER, body),
        &[
            (with(ask(), json!({"model": "claude"})), 400, "model: Extra inputs are not permitted"),
            (with(ask(), json!({"anthropic_version": "2023-06-01"})), 400, "Input should be 'vertex-2023-10-16'"),
            (json!({"max_tokens": 5, "messages": ask()["messages"]}), 400, "anthropic_version: Field required"),
        ],
    );
    // Its gate is Google's.
    assert_eq!(mock.post(&path("rawPredict"), &[], &ask()).json()["error"]["status"], "UNAUTHENTICATED");
    let counted =
        json!({"model": "claude-sonnet-4-5", "anthropic_version": "vertex-2023-10-16", "messages": ask()["messages"]});
    let count = "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict";
    assert_eq!(mock.post(count, BEARER, &counted).json()["input_tokens"], json["usage"]["input_tokens"]);
}

#[test]
fn a_prompt_is_written_to_the_cache_and_then_read_from_it() {
    let mock = Mock::new();
    let mark = |text: &str| json!([{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]);
    let usage = |model: &str, messages: Value| {
        let body = json!({"model": model, "max_tokens": 50, "system": mark("Be kind."), "messages": messages});
        let usage = mock.anthropic(&body).json()["usage"].clone();
        let number = |name: &str| usage[name].as_u64().unwrap();
        [number("cache_creation_input_tokens"), number("cache_read_input_tokens"), number("input_tokens")]
    };
    let said = |content: Value| json!([{"role": "user", "content": content}]);
    let [written, 0, rest] = usage("c", said(json!("Hi"))) else { panic!("the first request reads") };
    assert!(written > 0 && rest > 0);
    assert_eq!(usage("c", said(json!("Hi"))), [0, written, rest]);
    // Another model has a cache of its own.
    assert_eq!(usage("d", said(json!("Hi"))), [written, 0, rest]);
    // A breakpoint further on writes only what is new.
    let [more, read, _] = usage("c", said(mark("A long question")));
    assert!(more > 0 && read == written, "{more} {read}");
    // What a fault says stands.
    assert_eq!(usage("c+cached=1+cache-write=2", said(json!("Hi")))[..2], [2, 1]);
    let bill = mock.get("/mock/bill");
    assert_eq!(
        (&bill["models"]["c"]["cache_write_tokens"], &bill["models"]["d"]["cached_tokens"]),
        (&json!(written + more + 2), &json!(0))
    );
}
