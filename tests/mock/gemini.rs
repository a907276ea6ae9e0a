//! Google's format on AI Studio and on Vertex.

use crate::client::{Answer, Mock, refusals, weather, with};
use serde_json::{Value, json};

const KEY: &[(&str, &str)] = &[("x-goog-api-key", "k")];
const BEARER: &[(&str, &str)] = &[("authorization", "Bearer ya29.k")];

fn ask(text: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
}

fn post(mock: &Mock, model: &str, method: &str, body: &Value) -> Answer {
    mock.post(&format!("/v1beta/models/{model}:{method}"), KEY, body)
}

fn tools() -> Value {
    let declare = |name: &str| json!({"name": name, "parametersJsonSchema": weather()});
    json!([{"functionDeclarations": [declare("get_weather"), declare("get_time")]}])
}

#[test]
fn it_answers_with_usage_that_adds_up() {
    let mock = Mock::new();
    let json = post(&mock, "gemini-2.5-flash+cached=1", "generateContent", &ask("Hello")).json();
    let candidate = &json["candidates"][0];
    assert_eq!(candidate["content"], json!({"role": "model", "parts": [{"text": "You said: Hello"}]}));
    assert_eq!((&candidate["finishReason"], &json["modelVersion"]), (&json!("STOP"), &json!("gemini-2.5-flash")));
    let usage = |name: &str| json["usageMetadata"][name].as_u64().unwrap();
    assert!(usage("thoughtsTokenCount") > 0 && usage("cachedContentTokenCount") == 1);
    let spoken = usage("candidatesTokenCount") + usage("thoughtsTokenCount");
    assert_eq!(usage("totalTokenCount"), usage("promptTokenCount") + spoken);
    assert_eq!(mock.get("/mock/bill")["models"]["gemini-2.5-flash"]["completion_tokens"], spoken);
    let counted = post(&mock, "gemini-2.5-flash", "countTokens", &ask("Hello")).json();
    assert_eq!(counted["totalTokens"], json["usageMetadata"]["promptTokenCount"]);
}

#[test]
fn it_streams_events_and_an_array() {
    let mock = Mock::new();
    let text = |chunks: &[Value]| -> String {
        let parts = chunks.iter().filter_map(|chunk| chunk["candidates"][0]["content"]["parts"][0]["text"].as_str());
        parts.collect()
    };
    let answer = post(&mock, "gemini-2.0-flash", "streamGenerateContent?alt=sse", &ask("Hello there"));
    assert!(answer.body.ends_with("\r\n\r\n") && answer.header("content-type").starts_with("text/event-stream"));
    let events = answer.events();
    assert!(events.len() > 3);
    assert_eq!(text(&events), "You said: Hello there");
    let ends = events.iter().filter(|event| event["candidates"][0].get("finishReason").is_some()).count();
    assert_eq!((ends, &events.last().unwrap()["candidates"][0]["finishReason"]), (1, &json!("STOP")));
    let array = post(&mock, "gemini-2.0-flash", "streamGenerateContent", &ask("Hello there"));
    assert_eq!(array.header("content-type"), "application/json");
    assert_eq!(text(array.json().as_array().unwrap()), "You said: Hello there");
    let failed = post(&mock, "gemini-2.0-flash+error-in-stream", "streamGenerateContent?alt=sse", &ask("Hi")).events();
    assert_eq!(failed.last().unwrap()["error"]["status"], "UNAVAILABLE");
}

#[test]
fn calls_are_signed_and_their_responses_must_match() {
    let mock = Mock::new();
    let body = with(ask("In parallel, please"), json!({"tools": tools()}));
    let model = "gemini-3-pro";
    let content = post(&mock, model, "generateContent", &body).json()["candidates"][0]["content"].clone();
    let parts = content["parts"].as_array().unwrap();
    assert_eq!(
        (&parts[0]["functionCall"]["name"], &parts[1]["functionCall"]["args"]),
        (&json!("get_weather"), &json!({"city": "Paris"}))
    );
    assert!(parts[0]["thoughtSignature"].is_string() && parts[1].get("thoughtSignature").is_none());
    let response = |name: &str| json!({"functionResponse": {"name": name, "response": {"result": name}}});
    let turn = |content: &Value, names: &[&str]| {
        let results: Vec<Value> = names.iter().map(|name| response(name)).collect();
        let asked = &body["contents"][0];
        with(body.clone(), json!({"contents": [asked, content, {"role": "user", "parts": results}]}))
    };
    let told = post(&mock, model, "generateContent", &turn(&content, &["get_weather", "get_time"])).json();
    assert_eq!(told["candidates"][0]["content"]["parts"][0]["text"], "The tool says: get_weather\nget_time");

    let mut bare = content.clone();
    bare["parts"][0].as_object_mut().unwrap().remove("thoughtSignature");
    let both = ["get_weather", "get_time"];
    assert_eq!(post(&mock, "gemini-2.5-pro", "generateContent", &turn(&bare, &both)).status, 200);
    // Calls of an earlier turn need no signature.
    let mut later = turn(&bare, &both);
    let turns = later["contents"].as_array_mut().unwrap();
    turns.push(json!({"role": "model", "parts": [{"text": "Done."}]}));
    turns.push(json!({"role": "user", "parts": [{"text": "Thanks"}]}));
    assert_eq!(post(&mock, model, "generateContent", &later).status, 200);
    refusals(
        |body| post(&mock, model, "generateContent", body),
        &[
            (turn(&bare, &both), 400, "missing a thought_signature in functionCall parts"),
            (turn(&content, &["get_weather"]), 400, "number of function response parts is equal"),
            (turn(&content, &["get_weather", "other"]), 400, "number of function response parts is equal"),
            (
                turn(&json!({"role": "model", "parts": [{"text": "x"}]}), &["get_time"]),
                400,
                "immediately after a function call turn",
            ),
        ],
    );
}

#[test]
fn modes_schemas_and_thoughts_are_followed() {
    let mock = Mock::new();
    let parts = |more: Value| {
        let json = post(&mock, "gemini-2.5-flash", "generateContent", &with(ask("Hi"), more)).json();
        json["candidates"][0]["content"]["parts"].clone()
    };
    let any = json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_time"]}});
    assert_eq!(parts(json!({"tools": tools(), "toolConfig": any}))[0]["functionCall"]["name"], "get_time");
    let schema = json!({"type": "OBJECT", "properties": {"city": {"type": "STRING"}, "n": {"type": "INTEGER"}}});
    let config = json!({"responseMimeType": "application/json", "responseSchema": schema});
    assert_eq!(parts(json!({"generationConfig": config}))[0]["text"], r#"{"city":"Paris","n":1}"#);
    let thoughts = parts(json!({"generationConfig": {"thinkingConfig": {"includeThoughts": true}}}));
    assert_eq!((&thoughts[0]["thought"], &thoughts[1]["text"]), (&json!(true), &json!("You said: Hi")));
    let limited =
        with(ask("Hi"), json!({"generationConfig": {"maxOutputTokens": 3, "thinkingConfig": {"thinkingBudget": 0}}}));
    let json = post(&mock, "gemini-2.5-flash+tokens=50", "generateContent", &limited).json();
    assert_eq!(json["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert!(json["usageMetadata"].get("thoughtsTokenCount").is_none());
}

#[test]
fn what_is_unsafe_is_withheld() {
    let mock = Mock::new();
    let json = post(&mock, "gemini-2.5-flash+safety", "generateContent", &ask("Hi")).json();
    assert_eq!(json["candidates"][0]["finishReason"], "SAFETY");
    let json = post(&mock, "gemini-2.5-flash+prompt-block", "generateContent", &ask("Hi")).json();
    assert!(json["promptFeedback"]["blockReason"].is_string() && json.get("candidates").is_none(), "{json}");
}

#[test]
fn texts_are_embedded_on_both_sides() {
    let mock = Mock::new();
    let model = "gemini-embedding-001";
    let content = json!({"parts": [{"text": "a"}]});
    let one = post(&mock, model, "embedContent", &json!({"content": content, "outputDimensionality": 5})).json();
    assert_eq!(one["embedding"]["values"].as_array().unwrap().len(), 5);
    let request = json!({"model": format!("models/{model}"), "content": content, "outputDimensionality": 5});
    let many = post(&mock, model, "batchEmbedContents", &json!({"requests": [request, request]})).json();
    assert_eq!(many["embeddings"], json!([one["embedding"], one["embedding"]]));
    let path = "/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict";
    let body = json!({"instances": [{"content": "a"}, {"content": "b"}], "parameters": {"outputDimensionality": 5}});
    let json = mock.post(path, BEARER, &body).json();
    assert_eq!(json["predictions"][0]["embeddings"]["values"], one["embedding"]["values"]);
    assert_eq!(json["predictions"][1]["embeddings"]["statistics"]["token_count"], 1);
    refusals(
        |body| post(&mock, model, "batchEmbedContents", body),
        &[
            (json!({"requests": []}), 400, "requests is not specified"),
            (json!({"requests": [{"model": "models/other", "content": content}]}), 400, "model must match"),
            (json!({"requests": [{"content": content}]}), 400, "model is not specified"),
            (json!({"input": "a"}), 400, "Unknown name \\\"input\\\""),
        ],
    );
}

#[test]
fn each_cloud_wants_its_own_credential() {
    let mock = Mock::new();
    let studio = "/v1beta/models/gemini-2.0-flash:generateContent";
    let vertex = "/v1/projects/p/locations/l/publishers/google/models/gemini-2.0-flash:generateContent";
    for (path, headers, status, part) in [
        (studio, &[][..], 403, "unregistered callers"),
        (studio, &[("x-goog-api-key", "invalid")], 400, "API_KEY_INVALID"),
        (studio, &[("authorization", "Bearer AIzaKey")], 401, "UNAUTHENTICATED"),
        (studio, KEY, 200, "candidates"),
        (studio, BEARER, 200, "candidates"),
        ("/v1beta/models/gemini-2.0-flash:generateContent?key=k", &[], 200, "candidates"),
        (vertex, &[], 401, "CREDENTIALS_MISSING"),
        (vertex, BEARER, 200, "ON_DEMAND"),
    ] {
        let answer = mock.post(path, headers, &ask("Hi"));
        assert_eq!(answer.status, status, "{path} {headers:?}: {}", answer.body);
        assert!(answer.body.contains(part), "{path} {headers:?}: {}", answer.body);
    }
    let seen = mock.get("/mock/requests").to_string();
    assert!(!seen.contains("AIzaKey") && !seen.contains("key=k\""), "{seen}");
    let models = mock.send("GET", "/v1beta/models", KEY, "").unwrap().json();
    assert!(models["models"][0]["name"].as_str().unwrap().starts_with("models/gemini"));
}

#[test]
fn it_refuses_what_google_refuses() {
    let mock = Mock::new();
    let config = |config: Value| with(ask("Hi"), json!({"generationConfig": config}));
    let said = |contents: Value| json!({"contents": contents});
    refusals(
        |body| post(&mock, "gemini-2.5-flash", "generateContent", body),
        &[
            (json!({}), 400, "contents is not specified"),
            (with(ask("Hi"), json!({"messages": []})), 400, "Unknown name \\\"messages\\\": Cannot find field."),
            (
                said(json!([{"role": "assistant", "parts": [{"text": "x"}]}])),
                400,
                "Please use a valid role: user, model.",
            ),
            (said(json!([{"role": "user", "parts": []}])), 400, "parts must not be empty"),
            (said(json!([{"role": "user", "parts": [{}]}])), 400, "required oneof field 'data'"),
            (
                said(
                    json!([{"role": "user", "parts": [{"text": "x", "inlineData": {"mimeType": "a/b", "data": "eA=="}}]}]),
                ),
                400,
                "(oneof)",
            ),
            (
                said(json!([{"role": "user", "parts": [{"inlineData": {"data": "eA=="}}]}])),
                400,
                "mime_type must be specified",
            ),
            (
                said(json!([{"role": "model", "parts": [{"functionCall": {"name": "f"}}]}])),
                400,
                "immediately after a user turn",
            ),
            (config(json!({"temperature": 2.5})), 400, "a temperature value of 2.5 but the supported range"),
            (config(json!({"stopSequences": ["a", "b", "c", "d", "e", "f"]})), 400, "at most 5"),
            (config(json!({"maxOutputTokens": 0})), 400, "maxOutputTokens value of 0"),
            (config(json!({"responseSchema": {"type": "OBJECT"}})), 400, "response mime type"),
            (config(json!({"thinkingConfig": {"thinkingLevel": "LOW"}})), 400, "Thinking level is not supported"),
            (config(json!({"thinkingConfig": {"thinkingBudget": 99_999}})), 400, "thinking budget 99999 is invalid"),
            (
                with(config(json!({"responseMimeType": "application/json"})), json!({"tools": tools()})),
                400,
                "'application/json' is unsupported",
            ),
            (
                with(ask("Hi"), json!({"tools": [{"functionDeclarations": [{"name": "1f"}]}]})),
                400,
                "Invalid function name",
            ),
            (
                with(
                    ask("Hi"),
                    json!({"tools": tools(), "toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["get_time"]}}}),
                ),
                400,
                "mode is ANY",
            ),
            (
                with(ask("Hi"), json!({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}})),
                400,
                "needs function declarations",
            ),
        ],
    );
    let limited = post(&mock, "gemini-2.5-flash+status=429+retry-after=7", "generateContent", &ask("Hi"));
    assert_eq!(
        (limited.header("retry-after"), &limited.json()["error"]["status"]),
        ("7", &json!("RESOURCE_EXHAUSTED"))
    );
}
