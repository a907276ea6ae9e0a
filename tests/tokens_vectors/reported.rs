//! Every recorded exchange whose provider reported the tokens of its prompt.

use super::{body_of, vectors};
use conduit::formats::Format;
use conduit::tokens::{count_request, tokenizer_for};
use conduit::usage::Count;
use serde_json::Value;

pub struct Reported {
    pub id: String,
    /// The name of the model family: what one target would be.
    pub vendor: String,
    pub model: String,
    pub count: Count,
    pub truth: u64,
    /// The provider ran tools of its own, whose prompts and findings no request shows.
    pub served: bool,
}

impl Reported {
    /// By how many percent of what was reported the count is off.
    pub fn error(&self) -> f64 {
        (self.count.tokens.0 as f64 - self.truth as f64).abs() / self.truth as f64 * 100.0
    }
}

const FILES: &[(&str, &str, Format)] = &[
    ("openai_chat", "openai", Format::OpenAiChat),
    ("azure_chat", "azure", Format::OpenAiChat),
    ("openai_responses", "openai", Format::OpenAiResponses),
    ("azure_responses", "azure", Format::OpenAiResponses),
    ("anthropic_messages", "anthropic", Format::AnthropicMessages),
    ("vertex_rawpredict", "vertex", Format::AnthropicMessages),
    ("bedrock_converse", "bedrock", Format::BedrockConverse),
    ("gemini_generate", "gemini", Format::Gemini),
    ("vertex_generate", "vertex", Format::Gemini),
    ("groq_chat", "groq", Format::OpenAiChat),
    ("xai_chat", "xai", Format::OpenAiChat),
    ("xai_responses", "xai", Format::OpenAiResponses),
    ("glm_chat", "glm", Format::OpenAiChat),
    ("other_openai_compatible", "openai-compatible", Format::OpenAiChat),
];

/// All of them, or `None` where there is no folder of recordings.
pub fn all() -> Option<Vec<Reported>> {
    let mut out = Vec::new();
    for (file, kind, format) in FILES {
        for case in vectors(&format!("recordings/{file}.jsonl"))? {
            out.extend(reported(&case, kind, *format));
        }
    }
    Some(out)
}

fn reported(case: &Value, kind: &str, format: Format) -> Option<Reported> {
    let format = match case["api"].as_str()? {
        "responses" => Format::OpenAiResponses,
        _ => format,
    };
    let usage = &case["usage"];
    let sum = |names: &[&str]| names.iter().filter_map(|name| usage[*name].as_u64()).reduce(|a, b| a + b);
    let truth = match format {
        Format::OpenAiChat => sum(&["prompt_tokens"]),
        Format::OpenAiResponses => sum(&["input_tokens"]),
        Format::AnthropicMessages => sum(&["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"]),
        Format::BedrockConverse => sum(&["inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"]),
        Format::Gemini => sum(&["promptTokenCount"]),
    }?;
    let body = body_of(case)?;
    let request = format.read_request(&body).ok()?;
    let model = case["response_model"].as_str().filter(|name| !name.is_empty()).or(case["model"].as_str())?;
    let count = count_request(tokenizer_for(kind, model), model, &request);
    let more = [
        "previous_response_id",
        "conversation",
        "prompt",
        "cachedContent",
        "web_search_options",
        "mcp_servers",
        "container",
    ];
    let served = request.tools.iter().any(|tool| tool.builtin.is_some())
        || more.iter().any(|name| !body[*name].is_null())
        || model.starts_with("groq/")
        || truth == 0;
    let vendor = format!("{kind}/{}", if format == Format::OpenAiResponses { "responses" } else { "chat" });
    Some(Reported { id: case["id"].as_str()?.to_owned(), vendor, model: model.to_owned(), count, truth, served })
}
