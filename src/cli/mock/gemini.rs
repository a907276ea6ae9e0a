//! Google's format, on AI Studio and on Vertex (<https://ai.google.dev/api/generate-content>, 2026-11-21).

mod embed;
mod rules;
mod shape;
mod write;

use super::endpoint::Gemini;
use super::json::{fields, text};
use super::refusal::{Refusal, Vendor};
use super::reply::{Ask, Choice, Last, Tool, Used, count, reply};
use super::respond::{Answered, Outcome};
use super::server::Asked;
use crate::tokens::{Tokenizer, tokenizer_for};
use serde_json::{Map, Value, json};
use write::Writer;

/// `POST …/models/NAME:METHOD`
pub(super) fn answer(method: Gemini, asked: &Asked<'_>) -> Result<Answered, Refusal> {
    match method {
        Gemini::Generate => generate(asked, None),
        Gemini::Stream { sse } => generate(asked, Some(sse)),
        Gemini::Count => count_tokens(asked),
        Gemini::Embed => embed::one(asked),
        Gemini::EmbedBatch => embed::batch(asked),
        Gemini::Predict => embed::predict(asked),
    }
}

fn generate(asked: &Asked<'_>, stream: Option<bool>) -> Result<Answered, Refusal> {
    rules::generate(asked)?;
    let tokenizer = tokenizer_for("gemini", asked.model);
    let ask = read(asked.body, asked.model);
    let said = reply(&ask, asked.faults, tokenizer, prompt_tokens(tokenizer, asked.body));
    let config = get(asked.body, "generationConfig");
    let candidates = config.and_then(|c| get(c, "candidateCount")).and_then(Value::as_u64).unwrap_or(1).clamp(1, 8);
    let used = Used {
        completion: said.usage.completion.saturating_mul(candidates),
        reasoning: said.usage.reasoning.saturating_mul(candidates),
        ..said.usage
    };
    let thinking = config.and_then(|config| get(config, "thinkingConfig"));
    let shows = thinking.and_then(|t| get(t, "includeThoughts")) == Some(&Value::Bool(true));
    let writer = Writer { said: &said, used, asked, candidates, shows_thoughts: shows };
    let outcome = match stream {
        None => Outcome::Whole(writer.whole()),
        Some(sse) => Outcome::Stream(writer.stream(sse)),
    };
    Ok(Answered::billed(outcome, asked.model, used))
}

/// `:countTokens`
fn count_tokens(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    rules::shape(asked, &shape::COUNT)?;
    let inner = get(asked.body, "generateContentRequest").unwrap_or(asked.body);
    if turns(inner, "contents").is_empty() {
        return Err(Refusal::bad("* CountTokensRequest.contents: contents is not specified\n"));
    }
    let total = prompt_tokens(tokenizer_for("gemini", asked.model), inner);
    let details = json!([{"modality": "TEXT", "tokenCount": total}]);
    let mut whole = json!({"totalTokens": total, "promptTokensDetails": details});
    if asked.vendor == Vendor::Vertex {
        let characters = turns(inner, "contents").iter().map(|content| text_of(content).chars().count()).sum::<usize>();
        super::json::put(&mut whole, "totalBillableCharacters", json!(characters));
    }
    Ok(Answered::free(Outcome::Whole(whole)))
}

const MODELS: &[&str] = &["gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-pro-preview", "gemini-embedding-001"];

/// `GET …/v1beta/models` and `GET …/v1beta/models/ID`
pub(super) fn models(id: Option<&str>) -> Result<Value, Refusal> {
    let show = |id: &str| {
        let methods = if id.contains("embedding") {
            json!(["embedContent", "countTokens"])
        } else {
            json!(["generateContent", "countTokens"])
        };
        json!({
            "name": format!("models/{id}"),
            "version": "001",
            "displayName": id,
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": methods,
        })
    };
    match id {
        None => Ok(json!({"models": MODELS.iter().map(|id| show(id)).collect::<Vec<_>>()})),
        Some(id) if MODELS.contains(&id) => Ok(show(id)),
        Some(id) => Err(Refusal::new(
            404,
            format!(
                "models/{id} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods."
            ),
        )),
    }
}

/// A field by its `camelCase` name, also where it is written in `snake_case`; null is as good as absent.
fn get<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let same = |found: &str| {
        let mut letters = found.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase());
        letters.by_ref().eq(name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()))
    };
    fields(value).find(|(found, value)| same(found) && !value.is_null()).map(|(_, value)| value)
}

/// The items of a repeated field; a message alone is one.
fn turns<'v>(value: &'v Value, name: &str) -> Vec<&'v Value> {
    match get(value, name) {
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    }
}

const DATA: &[&str] = &[
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
];

/// How many kinds of data a part holds; it should be one.
fn part_of(part: &Value) -> usize {
    DATA.iter().filter(|name| get(part, name).is_some()).count()
}

/// The texts of a content, without its thoughts.
fn text_of(content: &Value) -> String {
    let spoken = |part: &&Value| get(part, "thought") != Some(&Value::Bool(true));
    let parts = turns(content, "parts");
    let texts = parts.into_iter().filter(spoken).filter_map(|part| part.get("text").and_then(Value::as_str));
    texts.collect::<Vec<_>>().join("\n")
}

/// The functions of all tools.
fn declarations(body: &Value) -> Vec<&Value> {
    turns(body, "tools").into_iter().flat_map(|tool| turns(tool, "functionDeclarations")).collect()
}

fn read(body: &Value, model: &str) -> Ask {
    let contents = turns(body, "contents");
    let last = match contents.last() {
        Some(content) if text(content, "role") != "model" => {
            let results: Vec<String> = turns(content, "parts")
                .into_iter()
                .filter_map(|part| get(part, "functionResponse"))
                .map(|response| result_of(get(response, "response").unwrap_or(&Value::Null)))
                .collect();
            if results.is_empty() { Last::User(text_of(content)) } else { Last::ToolResult(results.join("\n")) }
        }
        _ => Last::Other,
    };
    let tools: Vec<Tool> = declarations(body)
        .into_iter()
        .map(|function| {
            let schema =
                get(function, "parameters").map(lower).or_else(|| get(function, "parametersJsonSchema").cloned());
            Tool {
                name: text(function, "name").to_owned(),
                schema: schema.unwrap_or_else(|| json!({"type": "object"})),
            }
        })
        .collect();
    let calling = get(body, "toolConfig").and_then(|config| get(config, "functionCallingConfig"));
    let allowed = calling.map(|calling| turns(calling, "allowedFunctionNames")).unwrap_or_default();
    let choice = match calling.map(|calling| text(calling, "mode").to_ascii_uppercase()).as_deref() {
        Some("NONE") => Choice::None,
        Some("ANY") => match allowed.first().and_then(|name| name.as_str()) {
            Some(name) => Choice::Named(name.to_owned()),
            None => Choice::Any,
        },
        _ => Choice::Auto,
    };
    let config = get(body, "generationConfig").unwrap_or(&Value::Null);
    let schema = get(config, "responseSchema")
        .map(lower)
        .or_else(|| get(config, "responseJsonSchema").or_else(|| get(config, "_responseJsonSchema")).cloned());
    let is_json = get(config, "responseMimeType").and_then(Value::as_str) == Some("application/json");
    Ask {
        last,
        tools,
        choice,
        parallel: true,
        json: is_json.then(|| schema.unwrap_or_default()),
        reasoning: thinks(config, model),
        limit: get(config, "maxOutputTokens").and_then(Value::as_u64),
        stops: turns(config, "stopSequences").into_iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

/// What a function returned: the text under its usual name, or all of it.
fn result_of(response: &Value) -> String {
    let named = ["result", "output", "content"].iter().find_map(|name| response.get(*name).and_then(Value::as_str));
    named.map_or_else(|| response.to_string(), str::to_owned)
}

/// Models since 2.5 think unless told not to; the lite ones only when told to.
fn thinks(config: &Value, model: &str) -> bool {
    let thinking = get(config, "thinkingConfig");
    match thinking.and_then(|t| get(t, "thinkingBudget")).and_then(Value::as_i64) {
        Some(budget) => budget != 0,
        None => {
            let asked = thinking.is_some_and(|t| {
                get(t, "thinkingLevel").is_some() || get(t, "includeThoughts") == Some(&Value::Bool(true))
            });
            let usual = ["gemini-2.5", "gemini-3"].iter().any(|new| model.contains(new)) && !model.contains("lite");
            asked || usual
        }
    }
}

/// A schema with its types' names as JSON Schema writes them.
fn lower(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let each = |(name, value): (&String, &Value)| {
                let value = match value {
                    Value::String(kind) if name == "type" => Value::String(kind.to_ascii_lowercase()),
                    other => lower(other),
                };
                (name.clone(), value)
            };
            Value::Object(fields.iter().map(each).collect::<Map<_, _>>())
        }
        Value::Array(all) => all.iter().map(lower).collect(),
        other => other.clone(),
    }
}

/// The texts; an image or a file costs 258 (<https://ai.google.dev/gemini-api/docs/tokens>, 2026-11-21), a tool its JSON.
fn prompt_tokens(tokenizer: Tokenizer, body: &Value) -> u64 {
    let text = |text: &str| if text.is_empty() { 0 } else { count(tokenizer, text) };
    let system = get(body, "systemInstruction").into_iter();
    let mut total = 0_u64;
    for part in system.chain(turns(body, "contents")).flat_map(|content| turns(content, "parts")) {
        total = total.saturating_add(match part.get("text").and_then(Value::as_str) {
            Some(plain) => text(plain),
            None if get(part, "inlineData").or_else(|| get(part, "fileData")).is_some() => 258,
            None => DATA.iter().find_map(|name| get(part, name)).map_or(0, |data| text(&data.to_string())),
        });
    }
    let tools = get(body, "tools").map_or(0, |tools| text(&tools.to_string()));
    total.saturating_add(tools).max(1)
}
