//! Parameters at the top level that the canonical form has no field for, from a client of another format.

use super::super::super::canonical::ChatRequest;
use super::super::super::{Format, RequestError};
use super::Dropped;
use serde_json::Value;

/// This format's own names: the readers of other formats use them for what they say in other words
/// (<https://platform.openai.com/docs/api-reference/chat/create>, 2026-11-21).
const OWN: &[&str] = &[
    "audio",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "metadata",
    "modalities",
    "moderation",
    "n",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "seed",
    "service_tier",
    "store",
    "top_logprobs",
    "verbosity",
    "web_search_options",
];

/// Writes what has a place here, refuses what the answer would be another one without, and notes the rest.
pub(super) fn write(
    request: &ChatRequest,
    put: &mut dyn FnMut(&str, Value),
    dropped: &mut Dropped,
) -> Result<(), RequestError> {
    request.refuse_server_state()?;
    for (name, value) in &request.extra {
        if says_nothing(name, value) {
            continue;
        }
        if request.source == Some(Format::AnthropicMessages) {
            anthropic(name, value, request, put, dropped)?;
        } else if OWN.contains(&name.as_str()) {
            put(name, value.clone());
        } else if name == "tool_choice" {
            // A choice among some of the tools; OpenAI refuses any choice where there are none.
            if !request.tools.is_empty() {
                put(name, value.clone());
            }
        } else {
            dropped.note(name);
        }
    }
    Ok(())
}

/// Whether a parameter says what holds without it.
fn says_nothing(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(word) => matches!(
            (name, word.as_str()),
            ("truncation", "disabled") | ("inference_geo", "global") | ("speed", "standard")
        ),
        _ => false,
    }
}

/// Anthropic's parameters (<https://platform.claude.com/docs/en/api/messages>, 2026-11-21).
fn anthropic(
    name: &str,
    value: &Value,
    request: &ChatRequest,
    put: &mut dyn FnMut(&str, Value),
    dropped: &mut Dropped,
) -> Result<(), RequestError> {
    let refuse = |what: &str| {
        let message =
            format!("this target's format (OpenAI Chat Completions) {what}; remove it or name an Anthropic target");
        Err(RequestError::new(name, message))
    };
    let only =
        |known: &[&str]| value.as_object().is_some_and(|all| all.keys().all(|key| known.contains(&key.as_str())));
    match name {
        // Tools: without them the answer is another one.
        "mcp_servers" => return refuse("has no MCP servers"),
        "container" if value.get("skills").and_then(Value::as_array).is_some_and(|skills| !skills.is_empty()) => {
            return refuse("has no containers with skills");
        }
        "thread" => return refuse("keeps no threads"),
        // A promise about where the data goes.
        "inference_geo" => return refuse("cannot say where inference takes place"),
        // Both defaults mean the same: the best that the account has.
        "service_tier" if value == "auto" => {}
        "service_tier" if value == "standard_only" => put(name, "default".into()),
        // Said in the canonical form.
        "thinking" if request.reasoning.is_some() && only(&["type", "budget_tokens"]) => {}
        "output_config" if only(&["effort", "format"]) && request.reasoning.is_some() => {}
        // All but the user, which has a place of its own.
        "metadata" if only(&["user_id"]) => {}
        _ => dropped.note(name),
    }
    Ok(())
}
