//! Azure OpenAI: its paths, its gate and its filter.

use crate::client::Mock;
use serde_json::{Value, json};

const KEY: &[(&str, &str)] = &[("api-key", "k")];

fn ask() -> Value {
    json!({"messages": [{"role": "user", "content": "Hi"}]})
}

#[test]
fn a_deployment_answers_with_what_the_filter_found() {
    let mock = Mock::new();
    let path = "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21";
    let answer = mock.post(path, KEY, &ask());
    let json = answer.json();
    assert_eq!((&json["model"], answer.header("apim-request-id").is_empty()), (&json!("my-gpt"), false));
    assert_eq!(json["prompt_filter_results"][0]["content_filter_results"]["violence"]["filtered"], false);
    assert_eq!(json["choices"][0]["content_filter_results"]["hate"]["severity"], "safe");
    let mut body = ask();
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let events = mock.post(path, KEY, &body).events();
    assert_eq!((&events[0]["choices"], &events[0]["id"]), (&json!([]), &json!("")));
    assert!(
        events[0]["prompt_filter_results"].is_array() && events[2]["choices"][0]["content_filter_results"].is_object()
    );
    assert!(events.last().unwrap()["usage"]["total_tokens"].is_number());
    assert_eq!(mock.get("/mock/bill")["models"]["my-gpt"]["requests"], 2);
    let embedded = mock.post("/openai/deployments/e/embeddings?api-version=1", KEY, &json!({"input": "a"})).json();
    assert_eq!(embedded["data"].as_array().unwrap().len(), 1);
}

#[test]
fn the_version_1_paths_are_azure_s_by_key_or_base_path() {
    let mock = Mock::new();
    let mut body = ask();
    body["model"] = json!("d");
    let filtered = |path: &str, headers: &[(&str, &str)]| {
        mock.post(path, headers, &body).json().get("prompt_filter_results").is_some()
    };
    let bearer = [("authorization", "Bearer k")];
    assert!(filtered("/openai/v1/chat/completions", KEY));
    assert!(filtered("/azure/openai/v1/chat/completions", &bearer));
    assert!(filtered("/openai/v1/chat/completions?api-version=preview", &bearer));
    assert!(!filtered("/openai/v1/chat/completions", &bearer));
    let response = mock.post("/openai/v1/responses", KEY, &json!({"model": "d", "input": "Hi"})).json();
    assert_eq!(response["object"], "response");
    assert_eq!(mock.post("/openai/v1/embeddings", KEY, &json!({"model": "e", "input": "Hi"})).status, 200);
}

#[test]
fn its_gate_and_its_filter_refuse() {
    let mock = Mock::new();
    let path = |name: &str| format!("/openai/deployments/{name}/chat/completions?api-version=1");
    let unversioned = mock.post("/openai/deployments/d/chat/completions", KEY, &ask());
    assert_eq!(
        (unversioned.status, unversioned.json()),
        (404, json!({"error": {"code": "404", "message": "Resource not found"}}))
    );
    let keyless = mock.post(&path("d"), &[], &ask());
    assert_eq!((keyless.status, &keyless.json()["error"]["code"]), (401, &json!("401")));
    let blocked = mock.post(&path("d+prompt-block"), KEY, &ask());
    assert_eq!((blocked.status, &blocked.json()["error"]["code"]), (400, &json!("content_filter")));
    assert!(blocked.body.contains("ResponsibleAIPolicyViolation"), "{}", blocked.body);
    let withheld = mock.post(&path("d+safety"), KEY, &ask()).json();
    assert_eq!(withheld["choices"][0]["finish_reason"], "content_filter");
    let limited = mock.post(&path("d+status=429"), KEY, &ask());
    assert_eq!((limited.status, &limited.json()["error"]["code"]), (429, &json!("429")));
    let gone = mock.post(&path("d+status=404"), KEY, &ask());
    assert_eq!(gone.json()["error"]["code"], "DeploymentNotFound");
    let wrong = mock.post(&path("d"), KEY, &json!({"messages": []})).json();
    assert_eq!(wrong["error"]["code"], "empty_array");
}
