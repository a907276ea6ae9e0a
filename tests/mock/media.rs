//! Pictures, audio and reranking.

use crate::client::{Mock, refusals};
use serde_json::{Value, json};

const KEY: &[(&str, &str)] = &[("authorization", "Bearer k")];

#[test]
fn pictures_come_with_usage_where_the_model_reports_it() {
    let mock = Mock::new();
    let post = |body: &Value| mock.post("/v1/images/generations", KEY, body);
    let new = post(&json!({"model": "gpt-image-1", "prompt": "a cat", "n": 2})).json();
    assert!(new["data"][1]["b64_json"].is_string() && new["usage"]["output_tokens"].as_u64().unwrap() > 0, "{new}");
    let old = post(&json!({"model": "dall-e-3", "prompt": "a cat"})).json();
    assert!(old["data"][0]["url"].is_string() && old.get("usage").is_none(), "{old}");
    assert_eq!(mock.get("/mock/bill")["models"]["gpt-image-1"]["completion_tokens"], new["usage"]["output_tokens"]);
    refusals(
        post,
        &[
            (json!({"model": "dall-e-3"}), 400, "Missing required parameter: 'prompt'."),
            (json!({"model": "dall-e-3", "prompt": "x", "n": 11}), 400, "integer_above_max_value"),
            (json!({"model": "gpt-image-1", "prompt": "x", "response_format": "url"}), 400, "unknown_parameter"),
        ],
    );
}

#[test]
fn speech_is_bytes_and_transcription_reads_a_form() {
    let mock = Mock::new();
    let post = |body: &Value| mock.post("/v1/audio/speech", KEY, body);
    let spoken = post(&json!({"model": "tts-1", "input": "Hello", "voice": "alloy"}));
    assert_eq!((spoken.status, spoken.header("content-type")), (200, "audio/mpeg"));
    assert!(spoken.bytes.starts_with(b"ID3") && spoken.bytes.contains(&0xff), "{spoken:?}");
    refusals(
        post,
        &[
            (json!({"model": "tts-1", "input": "x"}), 400, "'voice'"),
            (json!({"model": "tts-1", "input": "x".repeat(4_097), "voice": "alloy"}), 400, "maximum length 4096"),
            (json!({"model": "tts-1", "input": "x", "voice": "alloy", "response_format": "mp4"}), 400, "'mp3'"),
        ],
    );
    let form = |fields: &[(&str, &str)]| {
        let head = [KEY[0], ("content-type", "multipart/form-data; boundary=b")];
        let mut body = String::new();
        for (name, value) in fields {
            body.push_str(&format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n"));
        }
        body.push_str("--b--\r\n");
        mock.send("POST", "/v1/audio/transcriptions", &head, &body).unwrap()
    };
    let file = ("file; filename=\"a.mp3\"", "xxxx");
    let timed = form(&[file, ("model", "whisper-1")]).json();
    assert_eq!(
        (&timed["text"], &timed["usage"]),
        (&json!("The file a.mp3 has 4 bytes."), &json!({"type": "duration", "seconds": 1}))
    );
    let counted = form(&[file, ("model", "gpt-4o-transcribe")]).json();
    assert!(counted["usage"]["total_tokens"].as_u64().unwrap() > counted["usage"]["input_tokens"].as_u64().unwrap());
    assert_eq!(
        form(&[file, ("model", "whisper-1"), ("response_format", "text")]).body,
        "The file a.mp3 has 4 bytes.\n"
    );
    assert_eq!(form(&[file, ("model", "whisper-1+status=503")]).status, 503);
    assert!(form(&[("model", "whisper-1")]).body.contains("Missing required parameter: 'file'."));
    assert_eq!(mock.post("/v1/audio/transcriptions", KEY, &json!({})).status, 415);
}

#[test]
fn documents_are_ranked_in_both_shapes() {
    let mock = Mock::new();
    let post = |body: &Value| mock.post("/v2/rerank", KEY, body);
    let ask = |model: &str| json!({"model": model, "query": "a red cat", "documents": ["blue dog", "cat", "the red cat"], "top_n": 2});
    let cohere = post(&ask("rerank-v3.5")).json();
    let order: Vec<u64> = cohere["results"].as_array().unwrap().iter().map(|r| r["index"].as_u64().unwrap()).collect();
    assert_eq!((order, &cohere["meta"]["billed_units"]["search_units"]), (vec![2, 1], &json!(1)));
    assert!(cohere["results"][0].get("document").is_none());
    let jina = post(&ask("jina-reranker-v2")).json();
    assert_eq!(jina["results"][0]["document"]["text"], "the red cat");
    assert_eq!(mock.get("/mock/bill")["models"]["jina-reranker-v2"]["prompt_tokens"], jina["usage"]["total_tokens"]);
    refusals(
        post,
        &[
            (json!({"query": "x", "documents": ["x"]}), 400, "model is required"),
            (json!({"model": "m", "documents": ["x"]}), 400, "query is required"),
            (json!({"model": "m", "query": "x", "documents": []}), 400, "must not be empty"),
            (json!({"model": "m", "query": "x", "documents": ["x"], "top_n": 0}), 400, "top_n must be greater"),
        ],
    );
    assert!(post(&json!({})).json()["message"].is_string());
}
