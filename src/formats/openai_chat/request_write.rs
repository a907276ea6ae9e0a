//! Requests: the canonical form into OpenAI's JSON.

mod call_ids;
mod extras;
mod messages;

use super::super::canonical::{ChatRequest, Reasoning, ResponseFormat, Tool, ToolChoice};
use super::super::{Format, Outgoing, RequestError, Written, schema};
use serde_json::{Map, Value, json};

/// As many stop sequences as OpenAI takes (<https://platform.openai.com/docs/api-reference/chat/create>, 2026-11-21).
const MOST_STOPS: usize = 4;

/// Names of what was left out, each once, in the order of its finding.
#[derive(Debug, Default)]
struct Dropped(Vec<String>);

impl Dropped {
    fn note(&mut self, name: &str) {
        super::super::note(&mut self.0, name);
    }
}

/// Writes a request. A stream always asks for usage. Parameters of another format that have no place here are dropped
/// with a note; what would change the meaning (a provider's own tools, content that cannot be said) is an error.
pub fn write_request(request: &ChatRequest, outgoing: &Outgoing<'_>) -> Result<Written, RequestError> {
    // Extras, cache marks and the like are the client format's own words.
    let native = request.source == Some(Format::OpenAiChat);
    let effort = Effort::of(outgoing.model);
    let mut dropped = Dropped::default();
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    put("model", outgoing.model.into());
    put("messages", messages::write(request, outgoing.model, native, &mut dropped)?.into());
    if let Some(tokens) = request.max_tokens {
        put(
            if wants_completion_tokens(outgoing.model) { "max_completion_tokens" } else { "max_tokens" },
            tokens.into(),
        );
    }
    for (name, value) in [("temperature", &request.temperature), ("top_p", &request.top_p)] {
        match value {
            // OpenAI's reasoning models refuse any other value than 1; a client of their own format knows that.
            Some(value) if !native && effort == Effort::Full && value.as_f64() != Some(1.0) => dropped.note(name),
            Some(value) => put(name, value.clone().into()),
            None => {}
        }
    }
    match request.top_k {
        Some(top_k) if native => put("top_k", top_k.into()),
        Some(_) => dropped.note("top_k"),
        None => {}
    }
    if request.stop.len() > MOST_STOPS && !native {
        let found = request.stop.len();
        let message = format!("this target takes at most {MOST_STOPS} stop sequences, found {found}; send fewer");
        return Err(RequestError::new("stop", message));
    }
    if !request.stop.is_empty() {
        put("stop", request.stop.clone().into());
    }
    if !request.tools.is_empty() {
        let tools: Result<Vec<Value>, RequestError> = request
            .tools
            .iter()
            .enumerate()
            .map(|(i, tool)| write_tool(tool, i, request.source, &mut dropped))
            .collect();
        put("tools", tools?.into());
    }
    // OpenAI refuses both where there are no tools.
    if native || !request.tools.is_empty() {
        if let Some(choice) = &request.tool_choice {
            put("tool_choice", write_choice(choice));
        }
        if let Some(parallel) = request.parallel_tool_calls {
            put("parallel_tool_calls", parallel.into());
        }
    }
    if let Some(format) = &request.response_format {
        put("response_format", write_format(format));
    }
    if let Some(reasoning) = &request.reasoning {
        let least = super::super::openai_responses::least_effort(outgoing.model);
        write_reasoning(reasoning, request, native, (effort, least), &mut put, &mut dropped);
    }
    if let Some(user) = &request.user {
        put("user", user.clone().into());
    }
    if native {
        for (name, value) in &request.extra {
            put(name, value.clone());
        }
    } else {
        extras::write(request, &mut put, &mut dropped)?;
        request.unplaced_names().for_each(|name| dropped.note(name));
    }
    if request.stream {
        put("stream", true.into());
        let mut options = request.extra.get("stream_options").filter(|_| native).cloned().unwrap_or_else(|| json!({}));
        if let Some(options) = options.as_object_mut() {
            options.insert("include_usage".to_owned(), true.into());
        }
        put("stream_options", options);
    }
    for name in outgoing.rejects {
        let ours = *name == "stream_options" && !request.include_usage;
        if body.shift_remove(*name).is_some() && !ours {
            dropped.note(name);
        }
    }
    Ok(Written { body: Value::Object(body).to_string().into_bytes(), dropped: dropped.0 })
}

/// Whether an id is one that the model takes from a client of this format.
pub fn takes_id(id: &str, model: &str) -> bool {
    id == call_ids::Ids::native(model).fit(id)
}

/// The model's own name, in lower case: `openai/gpt-oss-120b` is `gpt-oss-120b`.
fn base_name(model: &str) -> String {
    model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase()
}

/// Whether the model takes `max_completion_tokens` and refuses `max_tokens`: OpenAI's o-series and GPT-5 do
/// (<https://platform.openai.com/docs/api-reference/chat/create>, 2026-11-21). Everything else that speaks this format
/// knows `max_tokens`.
fn wants_completion_tokens(model: &str) -> bool {
    let name = base_name(model);
    let mut letters = name.chars();
    let o_series = letters.next() == Some('o') && letters.next().is_some_and(|digit| digit.is_ascii_digit());
    o_series || name.starts_with("gpt-5")
}

/// Whether a model's name is one of OpenAI's own, served by OpenAI (gpt-oss is served by others).
fn is_openai(model: &str) -> bool {
    let name = base_name(model);
    let named = ["gpt-", "chatgpt-", "codex-"].iter().any(|prefix| name.starts_with(prefix));
    wants_completion_tokens(model) || named && !name.starts_with("gpt-oss")
}

/// How a model is told how much to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effort {
    /// `reasoning_effort` of `low`, `medium`, `high`, and sampling that cannot be changed: OpenAI's reasoning models.
    Full,
    /// `reasoning_effort` of `low`, `medium`, `high`: gpt-oss anywhere.
    Levels,
    /// `reasoning_effort` of `low` or `high`: xAI's grok-3-mini; its other models refuse the parameter
    /// (<https://docs.x.ai/docs/guides/reasoning>, 2026-11-21).
    LowHigh,
    /// `thinking: {type}`: GLM from 4.5 (<https://docs.z.ai/guides/capabilities/thinking>, 2026-11-21).
    Switch,
    /// Not at all.
    None,
}

impl Effort {
    fn of(model: &str) -> Self {
        let name = base_name(model);
        match name.as_str() {
            name if name.contains("-chat") => Self::None,
            name if wants_completion_tokens(name) => Self::Full,
            name if name.starts_with("gpt-oss") => Self::Levels,
            name if name.starts_with("grok-3-mini") => Self::LowHigh,
            name if name.starts_with("glm-4.5") || name.starts_with("glm-4.6") || name.starts_with("glm-5") => {
                Self::Switch
            }
            _ => Self::None,
        }
    }
}

/// The effort that a thinking budget stands for: below 2048 tokens `low`, below 4096 `medium`, from there `high`.
/// Other gateways turn the efforts into 1024, 2048 and 4096 tokens, so an effort that became a budget comes back.
fn effort_of_budget(budget: u64) -> &'static str {
    match budget {
        ..2048 => "low",
        2048..4096 => "medium",
        _ => "high",
    }
}

fn write_reasoning(
    reasoning: &Reasoning,
    request: &ChatRequest,
    native: bool,
    (effort, least): (Effort, Option<&'static str>),
    put: &mut dyn FnMut(&str, Value),
    dropped: &mut Dropped,
) {
    if native {
        // The client's own switch, where it used another than `reasoning_effort`, is among the extras.
        let said = request.extra.get("reasoning").and_then(|own| super::text(own, "effort"));
        match reasoning {
            Reasoning::Effort(word) if said != Some(word) => put("reasoning_effort", word.clone().into()),
            _ => {}
        }
        return;
    }
    let off = *reasoning == Reasoning::Off || *reasoning == Reasoning::Effort("none".to_owned());
    if off {
        // Other models that reason cannot be told not to; the rest do not anyway.
        if effort == Effort::Switch {
            put("thinking", json!({"type": "disabled"}));
        }
        if effort == Effort::Full {
            if let Some(least) = least {
                put("reasoning_effort", least.into());
            }
            if least != Some("none") {
                dropped.note("thinking");
            }
        }
        return;
    }
    let word = match reasoning {
        Reasoning::Effort(word) => match word.as_str() {
            "minimal" | "low" => "low",
            "medium" => "medium",
            _ => "high",
        },
        Reasoning::Budget(budget) => effort_of_budget(*budget),
        Reasoning::Adaptive | Reasoning::Off => "",
    };
    match effort {
        Effort::Switch => put("thinking", json!({"type": "enabled"})),
        // A model that reasons does so as much as it likes when it is told nothing.
        Effort::Full | Effort::Levels | Effort::LowHigh if word.is_empty() => {}
        Effort::Full | Effort::Levels => put("reasoning_effort", word.into()),
        Effort::LowHigh => put("reasoning_effort", if word == "low" { "low" } else { "high" }.into()),
        Effort::None => dropped.note("thinking"),
    }
}

fn write_tool(tool: &Tool, i: usize, source: Option<Format>, dropped: &mut Dropped) -> Result<Value, RequestError> {
    let native = source == Some(Format::OpenAiChat);
    if let Some(builtin) = &tool.builtin {
        if native {
            return Ok(builtin.clone());
        }
        let kind = super::text(builtin, "type").unwrap_or(&tool.name);
        return Err(RequestError::new(
            format!("tools[{i}]"),
            format!(
                "`{kind}` is a tool that the provider itself runs, and this target's format (OpenAI Chat Completions) has no such tool; remove it or name an Anthropic target"
            ),
        ));
    }
    let mut function = json!({"name": tool.name});
    if let Some(function) = function.as_object_mut() {
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                function.insert(name.to_owned(), value);
            }
        };
        put("description", tool.description.clone().map(Value::from));
        put("parameters", if native { tool.parameters.clone() } else { schema::openai_parameters(tool) });
        let strict = schema::openai_strict(tool, source);
        if strict != tool.strict {
            dropped.note("strict");
        }
        put("strict", strict.map(Value::from));
    }
    let mut written = json!({"type": "function", "function": function});
    match (&tool.cache, written.as_object_mut()) {
        (Some(cache), Some(written)) if native => {
            written.insert("cache_control".to_owned(), cache.clone());
        }
        (Some(_), _) => dropped.note("cache_control"),
        _ => {}
    }
    Ok(written)
}

fn write_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

fn write_format(format: &ResponseFormat) -> Value {
    match format {
        ResponseFormat::Text => json!({"type": "text"}),
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { name, description, schema, strict } => {
            let mut inner = json!({"name": if name.is_empty() { "response" } else { name }});
            if let Some(inner) = inner.as_object_mut() {
                let mut put = |name: &str, value: Option<Value>| {
                    if let Some(value) = value {
                        inner.insert(name.to_owned(), value);
                    }
                };
                put("description", description.clone().map(Value::from));
                put("schema", schema.clone());
                put("strict", strict.map(Value::from));
            }
            json!({"type": "json_schema", "json_schema": inner})
        }
    }
}
