//! What each kind of provider is sent: address, credential, parameters; and what its answers may not repeat.

use super::*;
use crate::testing::test;

const CLOUDS: &str = r#"
version: 1
providers:
  azure: {url: "https://me.openai.azure.com", api_key: "${KEY}", api_version: "2024-10-21"}
  entra: {kind: azure, url: "https://me.openai.azure.com", bearer: "${KEY}"}
  gemini: {api_key: "${KEY}"}
  vertex: {project: p}
  bedrock: {region: eu-west-1}
  keyed: {kind: bedrock, region: eu-west-1, api_key: "${KEY}"}
  glm: {api_key: "${KEY}"}
  mistral: {api_key: "${KEY}"}
"#;

/// A first attempt at `provider/m` for a client of Chat Completions, and what its request's head became.
fn attempt(provider: &str, stream: bool, more: &str) -> (Attempt, HeaderEdits, Vec<u8>) {
    let env = |_: &str| Some("an-id.and-a-secret".to_owned());
    let plan = Arc::new(load(CLOUDS, &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}")));
    let path = "/v1/chat/completions";
    let body =
        format!(r#"{{"model":"{provider}/m","stream":{stream},"messages":[{{"role":"user","content":"hi"}}]{more}}}"#);
    let (mut exchange, _) = Exchange::begin(plan, "1".into(), post(path), false, T0);
    let step = exchange.body(body.as_bytes());
    let Step::Forward(asked) = step else { panic!("{step:?}") };
    let wants_google = set(&asked, "x-conduit-google").is_some();
    assert_eq!(wants_google, provider == "vertex");
    let exchange = Rc::new(RefCell::new(exchange));
    let mut sent: Vec<(String, String)> = post(path).iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    if wants_google {
        sent.push(("x-conduit-google-token".into(), "ya29.of-envoy".into()));
    }
    let (attempt, edits, _) = Attempt::begin(&exchange, 1, Some(provider), &Headers::new(sent), T0).unwrap();
    assert!(!wants_google || edits.remove.contains(&"x-conduit-google-token".to_owned()));
    (attempt, edits, body.into_bytes())
}

#[test]
fn each_kind_gets_its_credential_in_its_own_header() {
    const SECRET: &str = "an-id.and-a-secret";
    for (provider, authority, path, header, value) in [
        (
            "azure",
            "me.openai.azure.com",
            "/openai/deployments/m/chat/completions?api-version=2024-10-21",
            "api-key",
            SECRET,
        ),
        ("entra", "me.openai.azure.com", "/openai/v1/chat/completions", "authorization", "Bearer an-id.and-a-secret"),
        ("gemini", "generativelanguage.googleapis.com", "/v1beta/models/m:generateContent", "x-goog-api-key", SECRET),
        (
            "vertex",
            "aiplatform.googleapis.com",
            "/v1/projects/p/locations/global/publishers/google/models/m:generateContent",
            "authorization",
            "Bearer ya29.of-envoy",
        ),
        ("bedrock", "bedrock-runtime.eu-west-1.amazonaws.com", "/model/m/converse", "x-conduit-sign", "bedrock"),
        (
            "keyed",
            "bedrock-runtime.eu-west-1.amazonaws.com",
            "/model/m/converse",
            "authorization",
            "Bearer an-id.and-a-secret",
        ),
    ] {
        let (_, edits, _) = attempt(provider, false, "");
        assert_eq!(set(&edits, ":authority"), Some(authority), "{provider}");
        assert_eq!(set(&edits, ":path"), Some(path), "{provider}");
        assert_eq!(set(&edits, header), Some(value), "{provider}");
        let carrying = ["authorization", "api-key", "x-api-key", "x-goog-api-key", "x-conduit-sign"];
        let carried: Vec<&str> = carrying.into_iter().filter(|name| set(&edits, name).is_some()).collect();
        assert_eq!(carried, [header], "{provider}");
        assert!(header == "authorization" || edits.remove.contains(&"authorization".to_owned()), "{provider}");
    }
}

#[test]
fn a_signed_token_is_struck_like_the_key_that_it_is_made_of() {
    let (mut whole, edits, _) = attempt("glm", false, "");
    let authorization = set(&edits, "authorization").unwrap();
    let jwt = authorization.strip_prefix("Bearer ").unwrap();
    assert_eq!(jwt.split('.').count(), 3);
    for secret in [jwt, "an-id.and-a-secret"] {
        let head = headers(&[(":status", "401"), ("content-type", "application/json"), ("x-debug", secret)]);
        whole.answer_head(&head, false, ms(1));
        let refused = format!(r#"{{"error":{{"code":"401","message":"no '{secret}'"}}}}"#);
        let (edits, body) = whole.answer_whole(refused.as_bytes());
        assert!(edits.remove.contains(&"x-debug".to_owned()));
        assert_eq!(String::from_utf8(body.unwrap()).unwrap(), r#"{"error":{"code":"401","message":"no '***'"}}"#);
    }
    let (mut stream, ..) = attempt("glm", true, "");
    stream.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(1));
    let event = format!("data: {{\"error\":{{\"message\":\"no {jwt}\"}}}}\n\n");
    let out = String::from_utf8(stream.answer_piece(event.as_bytes(), true).unwrap()).unwrap();
    assert!(out.contains("no ***") && !out.contains(jwt), "{out}");
}

#[test]
fn what_a_provider_calls_otherwise_is_renamed_and_what_it_rejects_is_named() {
    let more =
        r#","seed":7,"max_completion_tokens":9,"stream_options":{"include_usage":true},"user":"u","verbosity":"low""#;
    let (attempt, _, body) = attempt("mistral", true, more);
    let sent: Value = serde_json::from_slice(&attempt.request_body(&body).unwrap()).unwrap();
    assert_eq!((&sent["random_seed"], &sent["max_tokens"]), (&Value::from(7), &Value::from(9)));
    for gone in ["seed", "max_completion_tokens", "stream_options", "user", "verbosity"] {
        assert!(sent.get(gone).is_none(), "{gone}: {sent}");
    }
    // What the client never asked for, or gets in any case, is no loss to tell of.
    assert_eq!(attempt.dropped(), ["user", "verbosity"]);
}

#[test]
fn what_a_provider_rejects_and_the_answer_depends_on_is_refused_by_name() {
    let env = |name: &str| Some(format!("secret-of-{name}"));
    let plan = Arc::new(load(CLOUDS, &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}")));
    for (more, refused) in [
        (r#""logit_bias":{"1":2}"#, Some("logit_bias")),
        (r#""logprobs":true"#, Some("logprobs")),
        (r#""logprobs":false,"top_logprobs":0,"logit_bias":{},"modalities":["text"]"#, None),
    ] {
        let body = format!(r#"{{"model":"mistral/m","messages":[{{"role":"user","content":"hi"}}],{more}}}"#);
        let path = "/v1/chat/completions";
        let (mut exchange, _) = Exchange::begin(Arc::clone(&plan), "1".into(), post(path), false, T0);
        match (exchange.body(body.as_bytes()), refused) {
            (Step::Forward(_), None) => {}
            (step, Some(name)) => {
                let (status, said) = reply_of(step);
                assert_eq!((status, said["error"]["param"].as_str()), (400, Some(name)));
            }
            (step, None) => panic!("{more}: {step:?}"),
        }
    }
}

/// A stream of Chat Completions for a client of the same format, in pieces; what the client gets of each.
fn repeated(pieces: &[&[u8]], key: &str) -> Vec<String> {
    let env = |_: &str| Some(key.to_owned());
    let plan = Arc::new(load(CONFIG, &env).unwrap());
    let path = "/v1/chat/completions";
    let body = r#"{"model":"openai/gpt-4o","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}"#;
    let (mut exchange, _) = Exchange::begin(plan, "1".into(), post(path), false, T0);
    exchange.body(body.as_bytes());
    let exchange = Rc::new(RefCell::new(exchange));
    let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("openai"), &post(path), T0).unwrap();
    attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(1));
    pieces.iter().map(|piece| String::from_utf8(attempt.answer_piece(piece, false).unwrap()).unwrap()).collect()
}

#[test]
fn a_key_in_a_repeated_event_is_struck_wherever_the_event_is_cut_and_however_it_is_spelt() {
    let event = "data: {\"error\":{\"message\":\"no house/+key=12345\"}}";
    let escaped = "data: {\"error\":{\"message\":\"no \\u0068ouse\\/+key=12345\"}}";
    let named = "event: house/+key=12345\ndata: {}";
    let said = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"house/+key=12345\"}}]}";
    for event in [event, escaped, named, said] {
        for end in ["\n\n", "\r\n\r\n", "\r\r", "\r\n\n"] {
            let bytes = format!(": hello\n\ndata: {{\"n\":1.50}}\n\n{event}{end}");
            for cut in 0..bytes.len() {
                let (before, after) = bytes.as_bytes().split_at(cut);
                let out = repeated(&[before, after, b": bye\n\n"], "house/+key=12345").concat();
                assert!(!out.contains("12345") && out.contains("***"), "{out}");
                assert!(out.contains("data: {\"n\":1.50}"), "{out}");
            }
        }
    }
}

/// The answer in pieces to a streaming client of Bedrock's own format.
fn converse(pieces: &[&[u8]]) -> Vec<u8> {
    let env = |_: &str| Some("an-id.and-a-secret".to_owned());
    let plan = Arc::new(load(CLOUDS, &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}")));
    let path = "/model/keyed%2Fm/converse-stream";
    let (mut exchange, _) = Exchange::begin(plan, "1".into(), post(path), false, T0);
    let step = exchange.body(br#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#);
    assert!(matches!(step, Step::Forward(_)), "{step:?}");
    let exchange = Rc::new(RefCell::new(exchange));
    let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("keyed"), &post(path), T0).unwrap();
    let head = headers(&[(":status", "200"), ("content-type", "application/vnd.amazon.eventstream")]);
    attempt.answer_head(&head, false, ms(1));
    let mut out = Vec::new();
    pieces.iter().for_each(|piece| out.extend(attempt.answer_piece(piece, false).unwrap()));
    out.extend(attempt.answer_piece(&[], true).unwrap());
    out
}

fn names(bytes: &[u8]) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    let mut parser = crate::formats::eventstream::Parser::new(1 << 20);
    parser.push(bytes, &mut |message| names.push((message.name.to_owned(), message.failed))).unwrap();
    assert_eq!(parser.finish(), Ok(()));
    names
}

#[test]
fn what_came_before_a_message_with_a_key_reaches_a_client_of_amazons_framing() {
    use crate::formats::eventstream::{write, write_exception};
    let mut stream = Vec::new();
    write("messageStart", br#"{"role":"assistant"}"#, &mut stream);
    write("contentBlockDelta", br#"{"contentBlockIndex":0,"delta":{"text":"x"}}"#, &mut stream);
    let fine = stream.len();
    let repeated = br#"{"contentBlockIndex":0,"delta":{"text":"an-id.and-a-secret"}}"#;
    write("contentBlockDelta", repeated, &mut stream);
    write_exception("validationException", br#"{"message":"no an-id.and-a-secret"}"#, &mut stream);
    for size in [1, 50, stream.len()] {
        let out = converse(&stream.chunks(size).collect::<Vec<_>>());
        assert_eq!(out[..fine], stream[..fine], "{size}");
        assert_eq!(names(&out)[2..], [("internalServerException".to_owned(), true)], "{size}");
        assert!(!String::from_utf8_lossy(&out).contains("and-a-secret"), "{size}");
    }
}

#[test]
fn a_repeated_stream_that_is_torn_does_not_begin_twice() {
    let mut begun = Vec::new();
    crate::formats::eventstream::write("messageStart", br#"{"role":"assistant"}"#, &mut begun);
    let out = converse(&[&begun]);
    assert_eq!(out[..begun.len()], begun);
    assert_eq!(names(&out)[1..], [("internalServerException".to_owned(), true)]);

    for (path, target, body, start, begins) in [
        (
            "/v1/messages",
            "anthropic/claude-sonnet-4-5",
            r#""max_tokens":5,"messages":[{"role":"user","content":"hi"}]"#,
            r#"{"type":"message_start","message":{"id":"i","usage":{}}}"#,
            "message_start",
        ),
        (
            "/v1/responses",
            "openai/gpt-4o",
            r#""input":"hi","store":false"#,
            r#"{"type":"response.created","response":{"id":"i"}}"#,
            "response.created",
        ),
    ] {
        let (exchange, step) = routed(path, &format!(r#"{{"model":"{target}","stream":true,{body}}}"#));
        assert!(matches!(step, Step::Forward(_)), "{step:?}");
        let (mut attempt, ..) = Attempt::begin(&exchange, 1, None, &post(path), T0).unwrap();
        attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(1));
        let mut out = attempt.answer_piece(format!("data: {start}\n\n").as_bytes(), false).unwrap();
        out.extend(attempt.answer_piece(&[], true).unwrap());
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.matches(&format!(r#""type":"{begins}""#)).count(), 1, "{out}");
        assert!(out.contains("event: error"), "{out}");
    }
}
