use super::*;
use crate::testing::test;

fn settings(text: &str) -> Settings {
    let mut settings = Settings::default();
    for (name, value) in text.split(' ').filter_map(|pair| pair.split_once('=')) {
        let value = Some(value.to_owned());
        match name {
            "api_version" => settings.api_version = value,
            "project" => settings.project = value,
            "location" => settings.location = value,
            "api" => {
                settings.api = match value.as_deref() {
                    Some("chat") => Some(Format::OpenAiChat),
                    Some("responses") => Some(Format::OpenAiResponses),
                    Some("messages") => Some(Format::AnthropicMessages),
                    Some("generate_content") => Some(Format::Gemini),
                    _ => Some(Format::BedrockConverse),
                }
            }
            _ => panic!("{name}"),
        }
    }
    settings
}

/// What a kind is asked, as `path` and words for the body, or `none`.
fn asked(kind: &str, operation: Operation<'_>, client: Format, model: &str, stream: bool, with: &str) -> String {
    let settings = settings(with);
    let ask = Ask { operation, client, model, stream, settings: &settings };
    match (spec(kind).unwrap().call)(&ask) {
        Some(call) => {
            let body = match call.body {
                Body::Chat(format, Envelope::None) => format!("{format:?}"),
                Body::Chat(format, envelope) => format!("{format:?} in {envelope:?}"),
                Body::Embeddings(format) => format!("{format:?}"),
                Body::AsItIs => "as it is".to_owned(),
            };
            format!("{} {body}", call.path)
        }
        None => "none".to_owned(),
    }
}

use Format::{AnthropicMessages, BedrockConverse, Gemini, OpenAiChat, OpenAiResponses};

#[test]
fn a_chat_is_asked_for_where_and_as_the_provider_wants_it() {
    const P: &str = "project=my-project";
    const AT: &str = "/v1/projects/my-project/locations/global";
    for (kind, client, model, stream, with, want) in [
        ("openai", OpenAiChat, "gpt-4o", true, "", "/chat/completions OpenAiChat"),
        ("openai", OpenAiResponses, "gpt-4o", true, "", "/responses OpenAiResponses"),
        ("openai", OpenAiResponses, "gpt-4o", true, "api=chat", "/chat/completions OpenAiChat"),
        ("openai", AnthropicMessages, "gpt-4o", false, "", "/chat/completions OpenAiChat"),
        ("openai", Gemini, "gpt-4o", false, "api=responses", "/responses OpenAiResponses"),
        ("xai", OpenAiResponses, "grok-4", false, "", "/responses OpenAiResponses"),
        ("groq", OpenAiResponses, "x", false, "", "/chat/completions OpenAiChat"),
        ("groq", OpenAiChat, "x", false, "api=responses", "/responses OpenAiResponses"),
        ("mistral", OpenAiResponses, "x", false, "", "/chat/completions OpenAiChat"),
        ("vllm", AnthropicMessages, "x", false, "", "/chat/completions OpenAiChat"),
        ("vllm", AnthropicMessages, "x", false, "api=messages", "/messages AnthropicMessages"),
        ("perplexity", OpenAiChat, "perplexity/sonar", true, "", "/responses OpenAiResponses"),
        ("anthropic", OpenAiChat, "claude-sonnet-4-5", true, "", "/messages AnthropicMessages"),
        ("azure", OpenAiChat, "my gpt/4o", true, "", "/openai/v1/chat/completions OpenAiChat"),
        ("azure", OpenAiResponses, "gpt", true, "", "/openai/v1/responses OpenAiResponses"),
        (
            "azure",
            OpenAiChat,
            "my gpt/4o",
            true,
            "api_version=2024-10-21",
            "/openai/deployments/my%20gpt%2F4o/chat/completions?api-version=2024-10-21 OpenAiChat",
        ),
        (
            "azure",
            OpenAiResponses,
            "gpt",
            true,
            "api_version=2024-10-21",
            "/openai/deployments/gpt/chat/completions?api-version=2024-10-21 OpenAiChat",
        ),
        (
            "azure",
            OpenAiResponses,
            "gpt",
            true,
            "api_version=2025-04-01-preview",
            "/openai/responses?api-version=2025-04-01-preview OpenAiResponses",
        ),
        ("gemini", OpenAiChat, "gemini-2.5-flash", false, "", "/models/gemini-2.5-flash:generateContent Gemini"),
        ("gemini", Gemini, "a b", true, "", "/models/a%20b:streamGenerateContent?alt=sse Gemini"),
        ("gemini", Gemini, "tunedModels/x", false, "", "/tunedModels/x:generateContent Gemini"),
        ("gemini", Gemini, "..", false, "", "/models/%2E%2E:generateContent Gemini"),
        (
            "vertex",
            OpenAiChat,
            "gemini-2.5-pro",
            true,
            P,
            "{AT}/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse Gemini",
        ),
        (
            "vertex",
            OpenAiChat,
            "google/gemini-2.5-pro",
            false,
            P,
            "{AT}/publishers/google/models/gemini-2.5-pro:generateContent Gemini",
        ),
        (
            "vertex",
            OpenAiChat,
            "google/gemini-2.5-pro",
            false,
            "project=my-project api=chat",
            "{AT}/endpoints/openapi/chat/completions OpenAiChat",
        ),
        ("vertex", Gemini, "endpoints/123", false, P, "{AT}/endpoints/123:generateContent Gemini"),
        (
            "vertex",
            OpenAiChat,
            "claude-3-7-sonnet@20250219",
            false,
            P,
            "{AT}/publishers/anthropic/models/claude-3-7-sonnet@20250219:rawPredict AnthropicMessages in RawPredict",
        ),
        (
            "vertex",
            Gemini,
            "anthropic/claude-opus-4-1",
            true,
            "project=my-project api=chat",
            "{AT}/publishers/anthropic/models/claude-opus-4-1:streamRawPredict AnthropicMessages in RawPredict",
        ),
        ("vertex", AnthropicMessages, "meta/llama-4", true, P, "{AT}/endpoints/openapi/chat/completions OpenAiChat"),
        (
            "vertex",
            OpenAiChat,
            "gemini-2.5-pro",
            false,
            "project=p location=europe-west1",
            "/v1/projects/p/locations/europe-west1/publishers/google/models/gemini-2.5-pro:generateContent Gemini",
        ),
        (
            "bedrock",
            OpenAiChat,
            "amazon.nova-lite-v1:0",
            false,
            "",
            "/model/amazon.nova-lite-v1%3A0/converse BedrockConverse",
        ),
        (
            "bedrock",
            OpenAiChat,
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            true,
            "",
            "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream BedrockConverse",
        ),
        (
            "bedrock",
            AnthropicMessages,
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            true,
            "",
            "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream AnthropicMessages in Invoke",
        ),
        (
            "bedrock",
            AnthropicMessages,
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            false,
            "api=converse",
            "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse BedrockConverse",
        ),
        (
            "bedrock",
            AnthropicMessages,
            "amazon.nova-lite-v1:0",
            false,
            "",
            "/model/amazon.nova-lite-v1%3A0/converse BedrockConverse",
        ),
        (
            "bedrock",
            BedrockConverse,
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/a1",
            false,
            "api=messages",
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fa1/invoke AnthropicMessages in Invoke",
        ),
    ] {
        let want = want.replace("{AT}", AT);
        assert_eq!(asked(kind, Operation::Chat, client, model, stream, with), want, "{kind} {model} {with}");
    }
}

#[test]
fn embeddings_are_asked_for_where_they_are_served() {
    for (kind, model, with, want) in [
        ("openai", "text-embedding-3-small", "", "/embeddings OpenAi"),
        ("azure", "small", "", "/openai/v1/embeddings OpenAi"),
        (
            "azure",
            "small",
            "api_version=2024-10-21",
            "/openai/deployments/small/embeddings?api-version=2024-10-21 OpenAi",
        ),
        ("gemini", "gemini-embedding-001", "", "/models/gemini-embedding-001:batchEmbedContents Gemini"),
        (
            "vertex",
            "text-embedding-005",
            "project=p",
            "/v1/projects/p/locations/global/publishers/google/models/text-embedding-005:predict VertexPredict",
        ),
        ("bedrock", "amazon.titan-embed-text-v2:0", "", "/model/amazon.titan-embed-text-v2%3A0/invoke Titan"),
        ("bedrock", "us.cohere.embed-v4:0", "", "/model/us.cohere.embed-v4%3A0/invoke CohereOnBedrock"),
        ("bedrock", "amazon.nova-lite-v1:0", "", "none"),
        ("anthropic", "x", "", "none"),
        ("groq", "x", "", "none"),
        ("deepseek", "x", "", "none"),
    ] {
        assert_eq!(asked(kind, Operation::Embeddings, OpenAiChat, model, false, with), want, "{kind} {model}");
    }
}

#[test]
fn what_passes_unread_goes_only_where_it_is_served() {
    for (kind, path, with, want) in [
        ("openai", "/images/generations", "", "/images/generations as it is"),
        ("openai", "/files/a", "", "/files/a as it is"),
        ("openai", "/rerank", "", "none"),
        ("together", "/rerank", "", "/rerank as it is"),
        ("groq", "/audio/transcriptions", "", "/audio/transcriptions as it is"),
        ("groq", "/images/generations", "", "none"),
        ("perplexity", "/completions", "", "none"),
        ("anthropic", "/files", "", "none"),
        ("gemini", "/images/generations", "", "none"),
        ("azure", "/images/generations", "", "/openai/v1/images/generations as it is"),
        (
            "azure",
            "/images/generations",
            "api_version=2024-10-21",
            "/openai/deployments/m/images/generations?api-version=2024-10-21 as it is",
        ),
        ("azure", "/files", "api_version=2024-10-21", "/openai/files?api-version=2024-10-21 as it is"),
    ] {
        assert_eq!(asked(kind, Operation::Pass(path), OpenAiChat, "m", false, with), want, "{kind} {path}");
    }
}

#[test]
fn only_anthropic_itself_is_asked_to_count_tokens() {
    let counting =
        |spec: &&&Spec| asked(spec.kind, Operation::CountTokens, AnthropicMessages, "m", false, "") != "none";
    let kinds: Vec<&str> = REGISTRY.iter().filter(counting).map(|spec| spec.kind).collect();
    assert_eq!(kinds, ["anthropic"]);
}

#[test]
fn hosts_follow_the_place() {
    for (location, want) in [
        (None, "aiplatform.googleapis.com"),
        (Some("global"), "aiplatform.googleapis.com"),
        (Some("eu"), "aiplatform.eu.rep.googleapis.com"),
        (Some("us-central1"), "us-central1-aiplatform.googleapis.com"),
    ] {
        assert_eq!(vertex_host(location), want);
    }
    assert_eq!(bedrock_host("eu-west-1"), "bedrock-runtime.eu-west-1.amazonaws.com");
    assert_eq!(bedrock_host("cn-north-1"), "bedrock-runtime.cn-north-1.amazonaws.com.cn");
}

#[test]
fn every_kind_is_whole() {
    let ask = |spec: &Spec, settings: &Settings, client| {
        (spec.call)(&Ask { operation: Operation::Chat, client, model: "m", stream: true, settings })
    };
    for spec in REGISTRY {
        assert!(spec.formats.contains(&spec.format), "{}", spec.kind);
        assert!(spec.url.is_none_or(|url| !url.ends_with('/')), "{}", spec.kind);
        assert!(spec.key_optional || !spec.key_variable.is_empty(), "{}", spec.kind);
        // Every format of the registry can be asked for, whatever the client speaks.
        for format in spec.formats {
            let settings = Settings { api: Some(*format), ..Settings::default() };
            let call = ask(spec, &settings, Format::Gemini);
            assert!(
                matches!(call, Some(Call { body: Body::Chat(spoken, _), .. }) if spoken == *format),
                "{} {format:?}: {call:?}",
                spec.kind
            );
        }
        for client in [OpenAiChat, OpenAiResponses, AnthropicMessages, Gemini, BedrockConverse] {
            assert!(ask(spec, &Settings::default(), client).is_some(), "{} {client:?}", spec.kind);
        }
    }
}
