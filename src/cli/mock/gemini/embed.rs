//! Google's embeddings (<https://ai.google.dev/api/embeddings>, 2026-11-21;
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>, 2026-11-21).

use super::{get, rules, shape, text_of};
use crate::cli::mock::json::{fields, list};
use crate::cli::mock::refusal::Refusal;
use crate::cli::mock::reply::{Used, count};
use crate::cli::mock::respond::{Answered, Outcome};
use crate::cli::mock::server::Asked;
use crate::cli::mock::vector::vector;
use crate::tokens::tokenizer_for;
use serde_json::{Value, json};

const USUAL: u64 = 3_072;
const MOST: usize = 100;

/// The vector of one request and its tokens.
fn embed(asked: &Asked<'_>, request: &Value, path: &str) -> Result<(Value, u64), Refusal> {
    let text = get(request, "content").map(text_of).unwrap_or_default();
    if text.is_empty() {
        return Err(Refusal::bad(format!("* {path}.content: contents is not specified\n")));
    }
    let size = match get(request, "outputDimensionality").map(Value::as_u64) {
        None => USUAL,
        Some(Some(size)) if (1..=USUAL).contains(&size) => size,
        Some(_) => {
            return Err(Refusal::bad(format!(
                "* {path}.output_dimensionality: output_dimensionality must be between 1 and {USUAL}.\n"
            )));
        }
    };
    Ok((json!({"values": vector(&text, size)}), count(tokenizer_for("gemini", asked.model), &text)))
}

fn bill(asked: &Asked<'_>, mut whole: Value, prompt: u64) -> Answered {
    // Only the second generation reports what it read.
    if asked.model.contains("embedding-2") && !asked.faults.no_usage {
        let details = json!([{"modality": "TEXT", "tokenCount": prompt}]);
        let usage = json!({"promptTokenCount": prompt, "promptTokenDetails": details});
        crate::cli::mock::json::put(&mut whole, "usageMetadata", usage);
    }
    Answered::billed(Outcome::Whole(whole), asked.model, Used { prompt, ..Used::default() })
}

/// `:embedContent`
pub(super) fn one(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    rules::shape(asked, &shape::EMBED)?;
    let (embedding, tokens) = embed(asked, asked.body, "EmbedContentRequest")?;
    Ok(bill(asked, json!({"embedding": embedding}), tokens))
}

/// `:batchEmbedContents`
pub(super) fn batch(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    rules::shape(asked, &shape::EMBED_BATCH)?;
    let requests = list(asked.body, "requests");
    if requests.is_empty() {
        return Err(Refusal::bad("* BatchEmbedContentsRequest.requests: requests is not specified\n"));
    }
    if requests.len() > MOST {
        return Err(Refusal::bad(format!(
            "* BatchEmbedContentsRequest.requests: at most {MOST} requests can be in one batch\n"
        )));
    }
    let mut embeddings = Vec::new();
    let mut prompt = 0_u64;
    for (at, request) in requests.iter().enumerate() {
        let path = format!("BatchEmbedContentsRequest.requests[{at}]");
        let model = get(request, "model").and_then(Value::as_str).unwrap_or_default();
        if model.is_empty() {
            return Err(Refusal::bad(format!("* {path}.model: model is not specified\n")));
        }
        let bare = model.strip_prefix("models/").and_then(|name| name.split('+').next());
        if bare != Some(asked.model) {
            return Err(Refusal::bad(format!(
                "* {path}.model: model must match the one in the request: models/{}\n",
                asked.model
            )));
        }
        let (embedding, tokens) = embed(asked, request, &path)?;
        embeddings.push(embedding);
        prompt = prompt.saturating_add(tokens);
    }
    Ok(bill(asked, json!({"embeddings": embeddings}), prompt))
}

/// Vertex's `:predict`
pub(super) fn predict(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let known = |value: &Value, names: &[&str], at: &str| match fields(value)
        .find(|(name, _)| !names.contains(&name.as_str()))
    {
        Some((name, _)) => {
            Err(Refusal::bad(format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field.")))
        }
        None => Ok(()),
    };
    known(asked.body, &["instances", "parameters", "labels"], "")?;
    let parameters = asked.body.get("parameters").unwrap_or(&Value::Null);
    known(parameters, &["outputDimensionality", "autoTruncate"], " at 'parameters'")?;
    let instances = list(asked.body, "instances");
    if instances.is_empty() {
        return Err(Refusal::bad("Empty instances."));
    }
    if instances.len() > 1 && asked.model.contains("gemini-embedding") {
        return Err(Refusal::bad("Only one instance is supported by this model."));
    }
    let size = parameters.get("outputDimensionality").and_then(Value::as_u64).unwrap_or(USUAL).clamp(1, USUAL);
    let tokenizer = tokenizer_for("gemini", asked.model);
    let (mut prompt, mut characters) = (0_u64, 0_usize);
    let mut predictions = Vec::new();
    for (at, instance) in instances.iter().enumerate() {
        known(instance, &["content", "task_type", "title"], &format!(" at 'instances[{at}]'"))?;
        let Some(text) = instance.get("content").and_then(Value::as_str).filter(|text| !text.is_empty()) else {
            return Err(Refusal::bad("The text content is empty."));
        };
        let tokens = count(tokenizer, text);
        prompt = prompt.saturating_add(tokens);
        characters = characters.saturating_add(text.chars().filter(|c| !c.is_whitespace()).count());
        predictions.push(json!({"embeddings": {
            "values": vector(text, size),
            "statistics": {"token_count": tokens, "truncated": false},
        }}));
    }
    let whole = json!({"predictions": predictions, "metadata": {"billableCharacterCount": characters}});
    Ok(Answered::billed(Outcome::Whole(whole), asked.model, Used { prompt, ..Used::default() }))
}
