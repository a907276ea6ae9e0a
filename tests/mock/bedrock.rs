//! Bedrock: Converse, invoke, the binary stream and the signature.

use crate::client::{Answer, Mock, refusals, weather, with};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use conduit::cli::mock::{AwsKey, Options};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const KEY: &[(&str, &str)] = &[("authorization", "Bearer bedrock-api-key-x")];
const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0";

fn ask(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": text}]}]})
}

fn post(mock: &Mock, model: &str, action: &str, body: &Value) -> Answer {
    mock.post(&format!("/model/{model}/{action}"), KEY, body)
}

fn tools() -> Value {
    let spec = |name: &str| json!({"toolSpec": {"name": name, "inputSchema": {"json": weather()}}});
    json!({"toolConfig": {"tools": [spec("get_weather"), spec("get_time")]}})
}

/// The events of a binary stream: their types and payloads. Lengths and checksums must hold.
fn events(mut bytes: &[u8]) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    let number = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    while !bytes.is_empty() {
        let total = usize::try_from(number(bytes, 0)).unwrap();
        let (message, rest) = bytes.split_at(total);
        assert_eq!(number(message, 8), crc32fast::hash(&message[..8]));
        assert_eq!(number(message, total - 4), crc32fast::hash(&message[..total - 4]));
        let end = 12 + usize::try_from(number(message, 4)).unwrap();
        let headers = String::from_utf8_lossy(&message[12..end]).into_owned();
        let kind = headers.split(['\u{7}', '\r']).nth(1).unwrap().chars().skip(2).collect();
        events.push((kind, serde_json::from_slice(&message[end..total - 4]).unwrap()));
        bytes = rest;
    }
    events
}

#[test]
fn converse_answers_whole_and_streamed() {
    let mock = Mock::new();
    let answer = post(&mock, CLAUDE, "converse", &ask("Hello"));
    let json = answer.json();
    assert_eq!(json["output"]["message"], json!({"role": "assistant", "content": [{"text": "You said: Hello"}]}));
    assert!(json["stopReason"] == "end_turn" && !answer.header("x-amzn-requestid").is_empty());
    let usage = |name: &str| json["usage"][name].as_u64().unwrap();
    assert_eq!(usage("totalTokens"), usage("inputTokens") + usage("outputTokens"));
    let streamed = post(&mock, CLAUDE, "converse-stream", &ask("Hello"));
    assert_eq!(streamed.header("content-type"), "application/vnd.amazon.eventstream");
    let events = events(&streamed.bytes);
    let mut order: Vec<&str> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    order.dedup();
    assert_eq!(order, ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]);
    let text: String = events.iter().filter_map(|(_, event)| event["delta"]["text"].as_str()).collect();
    assert_eq!(text, "You said: Hello");
    assert_eq!(events.last().unwrap().1["usage"], json["usage"]);
    let bill = mock.get("/mock/bill");
    assert_eq!(bill["models"]["us.anthropic.claude-sonnet-4-5-20250929-v1:0"]["requests"], 2);
}

#[test]
fn converse_thinks_and_calls_tools() {
    let mock = Mock::new();
    let thinking = json!({"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}});
    let body = with(with(ask("In parallel, please"), tools()), thinking);
    let json = post(&mock, CLAUDE, "converse", &body).json();
    let message = &json["output"]["message"];
    assert_eq!(json["stopReason"], "tool_use");
    assert!(message["content"][0]["reasoningContent"]["reasoningText"]["signature"].is_string(), "{message}");
    assert_eq!(message["content"][1]["toolUse"]["input"], json!({"city": "Paris"}));
    let events = events(&post(&mock, CLAUDE, "converse-stream", &body).bytes);
    let input = |index: u64| -> String {
        let of = events.iter().filter(|(_, event)| event["contentBlockIndex"] == index);
        of.filter_map(|(_, event)| event["delta"]["toolUse"]["input"].as_str()).collect()
    };
    assert_eq!([input(1), input(2)], [r#"{"city":"Paris"}"#; 2]);

    let result = |at: usize| {
        let id = &message["content"][at]["toolUse"]["toolUseId"];
        json!({"toolResult": {"toolUseId": id, "content": [{"text": "21"}, {"json": {"at": at}}]}})
    };
    let turn = |results: &[Value]| {
        let asked = &body["messages"][0];
        with(tools(), json!({"messages": [asked, message, {"role": "user", "content": results}]}))
    };
    let told = post(&mock, CLAUDE, "converse", &turn(&[result(1), result(2)])).json();
    assert_eq!(told["output"]["message"]["content"][0]["text"], "The tool says: 21\n{\"at\":1}\n21\n{\"at\":2}");
    let bare = json!({"messages": turn(&[result(1), result(2)])["messages"]});
    refusals(
        |body| post(&mock, CLAUDE, "converse", body),
        &[
            (turn(&[result(1)]), 400, "Expected toolResult blocks at messages.2.content for the following Ids"),
            (turn(&[result(1), result(2), result(2)]), 400, "exceeds the number of toolUse blocks"),
            (turn(&[json!({"text": "never mind"})]), 400, "Expected toolResult blocks"),
            (bare, 400, "The toolConfig field must be defined"),
        ],
    );
}

#[test]
fn cache_points_are_counted() {
    let mock = Mock::new();
    let usage = |text: &str| {
        let system = json!({"system": [{"text": "Be kind to everybody."}, {"cachePoint": {"type": "default"}}]});
        post(&mock, CLAUDE, "converse", &with(ask(text), system)).json()["usage"].clone()
    };
    let (first, second) = (usage("One"), usage("Two"));
    assert!(first["cacheWriteInputTokens"].as_u64().unwrap() > 0 && first["cacheReadInputTokens"] == 0, "{first}");
    assert_eq!(
        (&second["cacheReadInputTokens"], &second["cacheWriteInputTokens"]),
        (&first["cacheWriteInputTokens"], &json!(0))
    );
    assert_eq!(first["totalTokens"], second["totalTokens"]);
}

#[test]
fn claude_is_invoked_in_its_own_format() {
    let mock = Mock::new();
    let body = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]});
    let whole = post(&mock, CLAUDE, "invoke", &body);
    assert_eq!(whole.json()["content"][0]["text"], "You said: Hi");
    assert_eq!(whole.header("x-amzn-bedrock-input-token-count"), whole.json()["usage"]["input_tokens"].to_string());
    let streamed = post(&mock, CLAUDE, "invoke-with-response-stream", &body);
    let inner: Vec<Value> = events(&streamed.bytes)
        .iter()
        .map(|(kind, event)| {
            assert_eq!(kind, "chunk");
            serde_json::from_slice(&STANDARD.decode(event["bytes"].as_str().unwrap()).unwrap()).unwrap()
        })
        .collect();
    let text: String = inner.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
    assert_eq!((text.as_str(), &inner[0]["type"]), ("You said: Hi", &json!("message_start")));
    assert!(inner.last().unwrap()["amazon-bedrock-invocationMetrics"]["outputTokenCount"].is_number());
    let without = |name: &str| {
        let mut body = body.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    refusals(
        |body| post(&mock, CLAUDE, "invoke", body),
        &[
            (with(body.clone(), json!({"model": "x"})), 400, "extraneous key [model] is not permitted"),
            (with(body.clone(), json!({"stream": true})), 400, "extraneous key [stream] is not permitted"),
            (without("anthropic_version"), 400, "required key [anthropic_version] not found"),
            (without("max_tokens"), 400, "required key [max_tokens] not found"),
            (with(body.clone(), json!({"temperature": 2})), 400, "range: 0..1"),
        ],
    );
    let titan =
        post(&mock, "amazon.titan-embed-text-v2:0", "invoke", &json!({"inputText": "a", "dimensions": 256})).json();
    assert_eq!((titan["embedding"].as_array().unwrap().len(), &titan["inputTextTokenCount"]), (256, &json!(1)));
    let cohere = json!({"texts": ["a", "b"], "input_type": "search_query"});
    let old = post(&mock, "cohere.embed-english-v3", "invoke", &cohere).json();
    assert_eq!((old["embeddings"].as_array().unwrap().len(), &old["response_type"]), (2, &json!("embeddings_floats")));
    let new = post(&mock, "cohere.embed-v4:0", "invoke", &cohere).json();
    assert_eq!(new["embeddings"]["float"].as_array().unwrap().len(), 2);
}

#[test]
fn faults_have_bedrock_s_words() {
    let mock = Mock::new();
    for (status, exception) in [
        (400, "ValidationException"),
        (429, "ThrottlingException"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailableException"),
    ] {
        let answer = post(&mock, &format!("{CLAUDE}%2Bstatus%3D{status}"), "converse", &ask("Hi"));
        assert!(answer.header("x-amzn-errortype").starts_with(exception), "{answer:?}");
        assert!(answer.status == status && answer.json()["message"].is_string(), "{answer:?}");
    }
    let failed = events(&post(&mock, &format!("{CLAUDE}+error-in-stream"), "converse-stream", &ask("Hi")).bytes);
    assert_eq!(failed.last().unwrap().0, "modelStreamErrorException");
    let early = events(&post(&mock, &format!("{CLAUDE}+end-early"), "converse-stream", &ask("Hi")).bytes);
    assert_eq!(early.last().unwrap().0, "contentBlockStop");
    let cut = post(&mock, &format!("{CLAUDE}+cut=100"), "converse-stream", &ask("Hi"));
    assert!(!cut.whole && cut.bytes.len() == 100);
    let withheld = post(&mock, &format!("{CLAUDE}+safety"), "converse", &ask("Hi")).json();
    assert_eq!(withheld["stopReason"], "content_filtered");
}

#[test]
fn it_refuses_what_converse_refuses() {
    let mock = Mock::new();
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let infer = |config: Value| with(ask("Hi"), json!({"inferenceConfig": config}));
    let image = |format: &str, bytes: &str| {
        user(json!([{"text": "x"}, {"image": {"format": format, "source": {"bytes": bytes}}}]))
    };
    let document = |name: &str, text: bool| {
        let block = json!({"document": {"format": "pdf", "name": name, "source": {"bytes": "eA=="}}});
        user(if text { json!([{"text": "x"}, block]) } else { json!([block]) })
    };
    let spec = |spec: Value| with(ask("Hi"), json!({"toolConfig": {"tools": [{"toolSpec": spec}]}}));
    let schema = json!({"json": {"type": "object"}});
    let assistant = json!({"role": "assistant", "content": [{"text": "x"}]});
    let point = json!({"cachePoint": {"type": "default"}});
    refusals(
        |body| post(&mock, CLAUDE, "converse", body),
        &[
            (json!({}), 400, "A conversation must start with a user message"),
            (json!({"messages": [assistant]}), 400, "A conversation must start with a user message"),
            (
                json!({"messages": [ask("a")["messages"][0], ask("b")["messages"][0]]}),
                400,
                "must alternate between user and assistant",
            ),
            (with(ask("Hi"), json!({"model": "x"})), 400, "extraneous key [model]"),
            (user(json!([])), 400, "at messages.0 is empty"),
            (user(json!([{"text": " "}])), 400, "at messages.0.content.0 is blank"),
            (user(json!([{"type": "text", "text": "x"}])), 400, "exactly one member"),
            (user(json!("Hi")), 400, "expected type: JSONArray"),
            (
                user(json!([{"toolUse": {"toolUseId": "a", "name": "f", "input": {}}}])),
                400,
                "can't have a toolUse block",
            ),
            (infer(json!({"maxTokens": 0})), 400, "greater than or equal to 1"),
            (infer(json!({"temperature": 1.5})), 400, "less than or equal to 1"),
            (infer(json!({"topK": 5})), 400, "extraneous key [topK]"),
            (infer(json!({"stopSequences": [""]})), 400, "inferenceConfig.stopSequences.1.member"),
            (image("png", "???"), 400, "not valid base64"),
            (image("tiff", "eA=="), 400, "[png, jpeg, gif, webp]"),
            (document("a.pdf", true), 400, "The document file name can only contain"),
            (document("a", false), 400, "must also have a text block"),
            (spec(json!({"name": "f g", "inputSchema": schema})), 400, "[a-zA-Z0-9_-]+"),
            (spec(json!({"name": "f", "inputSchema": {"json": {}}})), 400, "must be one of the following: object"),
            (spec(json!({"name": "f"})), 400, "inputSchema"),
            (with(ask("Hi"), json!({"toolConfig": {"tools": []}})), 400, "toolConfig.tools"),
            (
                with(
                    ask("Hi"),
                    json!({"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 10}}}),
                ),
                400,
                "greater than or equal to 1024",
            ),
            (
                with(ask("Hi"), json!({"additionalModelRequestFields": {"max_tokens": 10}})),
                400,
                "conflicts with an existing field",
            ),
            (user(json!([{"text": "x"}, point, point, point, point, point])), 400, "A maximum of 4 blocks"),
        ],
    );
    let forced = with(with(ask("Hi"), tools()), json!({}));
    let mut forced = forced;
    forced["toolConfig"]["toolChoice"] = json!({"any": {}});
    assert_eq!(post(&mock, CLAUDE, "converse", &forced).status, 200);
    let llama = post(&mock, "meta.llama3-3-70b-instruct-v1:0", "converse", &forced);
    assert!(
        llama.status == 400 && llama.body.contains("doesn't support the toolConfig.toolChoice.any field"),
        "{}",
        llama.body
    );
    let unknown = post(&mock, "no-such-model", "converse", &ask("Hi"));
    assert!(unknown.status == 400 && unknown.body.contains("model identifier is invalid"), "{}", unknown.body);
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Now, as AWS writes it.
fn now() -> String {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let months = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year}{:02}{:02}T{hour:02}{minute:02}{second:02}Z", month + 1, days + 1)
}

/// Posts a request signed with that key.
fn signed(mock: &Mock, access: &str, secret: &str, body: &str, sent: &str) -> Answer {
    let path = format!("/model/{CLAUDE}/converse");
    let date = now();
    let payload = hex(&Sha256::digest(body.as_bytes()));
    let canonical =
        format!("POST\n{}\n\nhost:mock\nx-amz-date:{date}\n\nhost;x-amz-date\n{payload}", path.replace('%', "%25"));
    let scope = format!("{}/us-east-1/bedrock/aws4_request", &date[..8]);
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [&date[..8], "us-east-1", "bedrock", "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = hex(&mac(&key, &text));
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}");
    mock.send("POST", &path, &[("x-amz-date", &date), ("authorization", &authorization)], sent).unwrap()
}

#[test]
fn a_signature_is_verified() {
    let mock = Mock::new();
    let body = ask("Hi").to_string();
    let right = signed(&mock, "AKIDMOCK", "mock-secret", &body, &body);
    assert_eq!(right.status, 200, "{}", right.body);
    for (access, secret, sent, part) in [
        ("AKIDMOCK", "other", body.clone(), "The request signature we calculated does not match"),
        ("AKIDMOCK", "mock-secret", ask("Ho").to_string(), "The request signature we calculated does not match"),
        ("AKIDOTHER", "mock-secret", body.clone(), "The security token included in the request is invalid."),
    ] {
        let answer = signed(&mock, access, secret, &body, &sent);
        assert!(answer.status == 403 && answer.json()["message"].as_str().unwrap().starts_with(part), "{answer:?}");
    }
    let bare = mock.post(&format!("/model/{CLAUDE}/converse"), &[], &ask("Hi"));
    assert_eq!((bare.status, &bare.json()["message"]), (403, &json!("Missing Authentication Token")));
    let other = Mock::with(Options { aws: AwsKey { access: "A".into(), secret: "s".into() }, ..Options::default() });
    assert_eq!(signed(&other, "A", "s", &body, &body).status, 200);
    // A signature is shown, for others to check: it opens nothing but this one request.
    let seen = mock.get("/mock/requests").to_string();
    assert!(seen.contains("Signature=") && !seen.contains("mock-secret"), "{seen}");
}
