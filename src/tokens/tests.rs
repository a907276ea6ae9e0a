use super::*;
use crate::formats::canonical::{Message, Part, ResponseFormat, Role, Tool, ToolCall};
use crate::testing::test;
use crate::usage::Known;
use serde_json::json;

fn said(role: Role, text: &str) -> Message {
    Message { role, name: None, parts: vec![Part::Text { text: text.into(), cache: None, citations: Vec::new() }] }
}

fn request(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn exact(tokens: u64) -> Count {
    Count::exact(Tokens(tokens))
}

fn count(model: &str, request: &ChatRequest) -> Count {
    count_request(tokenizer_for("openai", model), model, request)
}

#[test]
fn models_have_their_tokenizers() {
    use Tokenizer::*;
    for (kind, model, want) in [
        ("openai", "gpt-4o-mini-2024-07-18", O200k),
        ("openai", "gpt-4.1", O200k),
        ("openai", "gpt-4-turbo", Cl100k),
        ("openai", "gpt-3.5-turbo", Cl100k),
        ("openai", "ft:gpt-4o:org::id", O200k),
        ("openai", "o3", O200k),
        ("openai", "gpt-7", O200k),
        ("openai", "text-embedding-3-small", Cl100k),
        ("openai", "", O200k),
        ("groq", "llama-3.3-70b-versatile", Llama3),
        ("groq", "meta-llama/llama-4-scout-17b-16e-instruct", Llama3),
        ("groq", "openai/gpt-oss-120b", O200k),
        ("groq", "qwen/qwen3-32b", Ratio(1_000)),
        ("groq", "llama2-70b-4096", Ratio(1_000)),
        ("xai", "grok-4", Ratio(1_000)),
        ("glm", "GLM-4.6", Glm),
        ("anthropic", "claude-3-opus-20240229", Ratio(CLAUDE_RATIO)),
        ("anthropic", "claude-sonnet-4-20250514", Ratio(CLAUDE_RATIO)),
        ("anthropic", "claude-sonnet-4-5", Ratio(CLAUDE_RATIO)),
        ("anthropic", "claude-opus-4-7", Ratio(CLAUDE_NEW_RATIO)),
        ("anthropic", "claude-sonnet-5", Ratio(CLAUDE_NEW_RATIO)),
        ("openai-compatible", "anthropic/claude-sonnet-4.5", Ratio(CLAUDE_RATIO)),
        ("openai-compatible", "gpt-4o", O200k),
        ("openai-compatible", "my-model", Ratio(1_000)),
    ] {
        assert_eq!(tokenizer_for(kind, model), want, "{kind}/{model}");
    }
    for name in TOKENIZER_NAMES {
        assert!(tokenizer_named(name).is_some(), "{name}");
    }
    assert_eq!(tokenizer_named("o201k"), None);
}

#[test]
fn special_tokens_in_text_are_text() {
    for tokenizer in [Tokenizer::O200k, Tokenizer::Cl100k, Tokenizer::Llama3, Tokenizer::Glm, Tokenizer::Ratio(1_000)] {
        for text in ["<|endoftext|>", "<|im_start|>", "<|eot_id|>", "<|begin_of_text|>", "[gMASK]", "<|user|>", "<sop>"]
        {
            let tokens = count_text(tokenizer, text).tokens.0;
            assert!(tokens > 1, "{tokenizer:?} {text}: {tokens}");
        }
        assert_eq!(count_text(tokenizer, "").tokens, Tokens(0));
    }
}

#[test]
fn a_ratio_is_an_estimate_and_rounds_up() {
    assert_eq!(count_text(Tokenizer::O200k, "hello world"), exact(2));
    let estimated = Count::estimated(Tokens(3), Tokens(1 + 4));
    assert_eq!(count_text(Tokenizer::Ratio(1_150), "hello world"), estimated);
    // Characters that another vocabulary may have no word for are allowed a token more each.
    assert_eq!(
        count_text(Tokenizer::Ratio(1_000), "日本語").most.0,
        count_text(Tokenizer::O200k, "日本語").tokens.0 + 1 + 4 + 3
    );
}

#[test]
fn openai_chats() {
    let hello = || said(Role::User, "hello");
    let named = |name: &str| Message { name: Some(name.into()), ..hello() };
    let answer = || said(Role::Assistant, "hello");
    for (name, model, messages, want) in [
        ("one message", "gpt-4o", vec![hello()], 8),
        ("one message", "gpt-4", vec![hello()], 8),
        ("no message", "gpt-4o", vec![], 3),
        ("three turns", "gpt-4o", vec![hello(), answer(), hello()], 18),
        ("a name", "gpt-4o", vec![named("bob")], 10),
        ("a name that is the role", "gpt-4o", vec![named("user")], 9),
        ("a reasoning model", "o3-mini", vec![hello()], 7),
        ("a reasoning model's answer", "gpt-5", vec![hello(), answer(), hello()], 19),
    ] {
        assert_eq!(count(model, &request(messages)), exact(want), "{name} at {model}");
    }
    assert_eq!(count("o3", &request(vec![answer()])).known, Known::Estimated);
    assert_eq!(count_request(Tokenizer::O200k, "my-model", &request(vec![hello()])).known, Known::Estimated);
}

#[test]
fn openai_tools() {
    let tool = |parameters| Tool {
        name: "get_weather".into(),
        description: Some("Get the weather".into()),
        parameters,
        strict: None,
        cache: None,
        builtin: None,
    };
    let flat = json!({"type": "object", "properties": {"city": {"type": "string", "description": "The city"}}, "required": ["city"]});
    let with = |messages, parameters| ChatRequest { tools: vec![tool(Some(parameters))], ..request(messages) };
    let rendered = "namespace functions {\n\n// Get the weather\ntype get_weather = (_: {\n// The city\ncity: string,\n}) => any;\n\n} // namespace functions";
    let tools = count_text(Tokenizer::O200k, rendered).tokens.0;
    let user = || said(Role::User, "hello");
    assert_eq!(count("gpt-4o", &with(vec![user()], flat.clone())), exact(8 + tools + 9));
    // With a system message four tokens fewer are added.
    let system = || said(Role::System, "hello");
    assert_eq!(count("gpt-4o", &with(vec![system(), user()], flat.clone())), exact(13 + tools + 5));
    let nested = json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {"b": {}}}}}});
    assert_eq!(count("gpt-4o", &with(vec![user()], nested)).known, Known::Estimated);
    assert_eq!(count("gpt-5", &with(vec![user()], flat.clone())), exact(7 + tools + 90));
    assert_eq!(count("o3", &with(vec![user()], flat)).known, Known::Estimated);
}

#[test]
fn openai_calls_and_results() {
    let call = |arguments: &str| {
        Part::ToolCall(ToolCall {
            id: "c".into(),
            name: "add".into(),
            arguments: arguments.into(),
            cache: None,
            signature: None,
        })
    };
    let result = Part::ToolResult {
        id: "c".into(),
        parts: vec![Part::Text { text: "3".into(), cache: None, citations: Vec::new() }],
        is_error: false,
        cache: None,
    };
    let turn = |role, parts| Message { role, name: None, parts };
    let chat = |arguments: &str| {
        request(vec![turn(Role::Assistant, vec![call(arguments)]), turn(Role::User, vec![result.clone()])])
    };
    // Reply 3; call 4 + 4, `add`, `functions.add`, nine of `{"a":1,"b":2}`; result 4 + 1.
    assert_eq!(count("gpt-4o", &chat(r#"{"a":1,"b":2}"#)), exact(3 + 8 + 1 + 2 + 9 + 5));
    assert_eq!(count("gpt-4o", &chat(r#"{"a": 1, "b": 2}"#)), count("gpt-4o", &chat(r#"{"a":1,"b":2}"#)));
    assert!(count("gpt-4o", &chat("not json {")).tokens.0 > 3);
    let both = request(vec![turn(Role::Assistant, vec![call("{}"), call("{}")])]);
    assert_eq!(count("gpt-4o", &both).known, Known::Estimated);
}

#[test]
fn text_requests_of_open_models() {
    let hello = || request(vec![said(Role::System, "hello"), said(Role::User, "hello")]);
    assert_eq!(count_request(Tokenizer::Llama3, "llama3-8b-8192", &hello()), exact(5 + 2 * 6));
    assert_eq!(count_request(Tokenizer::Glm, "glm-4.7", &hello()), exact(4 + 2 * 2));
    for (tokenizer, model) in [(Tokenizer::Llama3, "llama-3.3-70b-versatile"), (Tokenizer::Glm, "glm-5")] {
        assert_eq!(count_request(tokenizer, model, &hello()).known, Known::Estimated, "{model}");
    }
}

#[test]
fn counting_survives_anything() {
    let mut deep = json!({"type": "string"});
    for _ in 0..100 {
        deep = json!({"type": "object", "properties": {"x": deep, "y": {"anyOf": [{"type": ["a"]}, 1, null]}}, "required": 7});
    }
    let bytes = json!({"type": "input_audio", "input_audio": {"data": "A".repeat(1_000_000)}});
    let parts = vec![
        Part::Unknown { format: crate::formats::Format::OpenAiChat, value: bytes },
        Part::Thinking { text: "hm".into(), signature: None },
        Part::RedactedThinking { data: "x".repeat(100) },
    ];
    let tool = Tool {
        name: String::new(),
        description: None,
        parameters: Some(deep.clone()),
        strict: None,
        cache: None,
        builtin: None,
    };
    let format =
        ResponseFormat::JsonSchema { name: String::new(), description: None, schema: Some(deep), strict: None };
    let request = ChatRequest {
        tools: vec![tool],
        response_format: Some(format),
        ..request(vec![Message { role: Role::User, name: None, parts }])
    };
    for model in ["gpt-4o", "gpt-5", "o3", "claude-sonnet-4-5", "llama-3.3", "glm-4.7", "grok-4", ""] {
        let counted = count_request(tokenizer_for("", model), model, &request);
        assert_eq!(counted.known, Known::Estimated, "{model}");
        // A megabyte of base64 is not a megabyte of text.
        assert!(counted.tokens.0 < 50_000, "{model}: {counted:?}");
    }
}
