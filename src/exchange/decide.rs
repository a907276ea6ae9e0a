//! Counting and routing a request.

use super::{Headers, headers};
use crate::admit::Caller;
use crate::config::{Plan, Target};
use crate::formats::Format;
use crate::formats::canonical::{ApiError, ChatRequest};
use crate::formats::splice::{self, Edit};
use crate::route::{self, Decision, Facts, RouteError};
use crate::tokens;
use crate::usage::Count;
use serde_json::Value;
use std::sync::Arc;

/// Counts and routes a request: what the filter does and `conduit explain` shows. `explain` asks for the reasons why
/// other rules did not apply.
pub fn decide(
    plan: &Plan,
    request: &ChatRequest,
    endpoint: &str,
    caller: &Caller,
    headers: &Headers,
    explain: bool,
) -> Result<(Decision, Count), RouteError> {
    // Rules may look at the number of tokens before a target is known. It is counted with the vocabulary of the model
    // asked for where that is known, and again with that of the target where it differs.
    let asked = asked_target(plan, &request.model);
    let (tokenizer, model) = match &asked {
        Some(target) => (target.tokenizer, target.model.as_str()),
        None => (tokens::tokenizer_for("openai", &request.model), request.model.as_str()),
    };
    let count = tokens::count_request(tokenizer, model, request);
    let header = |name: &str| headers.get(name).filter(|_| plan.hears(name)).map(str::to_owned);
    // Other endpoints' bodies pass unread.
    let content_read =
        matches!(endpoint, "chat" | "messages" | "responses" | "generate_content" | "converse" | "count_tokens");
    let facts = Facts { request, tokens: count.tokens.0, content_read, endpoint, header: &header, caller };
    let decision = route::decide(plan, &facts, explain)?;
    let count = match decision.targets.first() {
        Some(target) if target.tokenizer != tokenizer || target.model != model => {
            tokens::count_request(target.tokenizer, &target.model, request)
        }
        _ => count,
    };
    Ok((decision, count))
}

/// The first target of an alias, or the `provider/model` that a request names.
pub(super) fn asked_target(plan: &Plan, model: &str) -> Option<Arc<Target>> {
    if let Some(chain) = plan.alias(model).and_then(|id| plan.chain(id)) {
        return chain.targets.first().cloned();
    }
    let (provider, model) = model.split_once('/')?;
    let (id, _) = plan.provider_named(provider)?;
    plan.target(id, model)
}

/// The error that a request gets which no target was found for, and names that can be used in place of its model.
pub(super) fn route_error(error: RouteError) -> (ApiError, Vec<String>) {
    match error {
        RouteError::UnknownModel { model, near } => {
            let hint =
                if near.is_empty() { "GET /v1/models lists what is configured".to_owned() } else { ready(&near) };
            let message = format!("no configured provider serves the model `{}`; {hint}", headers::value(&model));
            (ApiError::new(404, message).with_code("model_not_found").with_param("model"), near)
        }
        RouteError::Ambiguous { model, candidates } => {
            let names = candidates.join(", ");
            let model = headers::value(&model);
            let message = format!("several configured providers know the model `{model}`; name one: {names}");
            (ApiError::new(400, message).with_code("model_ambiguous").with_param("model"), candidates)
        }
    }
}

/// Names that can be used, for a message.
pub(super) fn ready(names: &[String]) -> String {
    format!("READY: {}", names.join(", "))
}

/// An error's body with names that can be used, for programs: `error.suggestions`, where the format's error is an
/// object that readers take further members of.
pub(super) fn with_suggestions(format: Format, body: Vec<u8>, names: &[String]) -> Vec<u8> {
    let takes = matches!(format, Format::OpenAiChat | Format::OpenAiResponses | Format::AnthropicMessages);
    if !takes || names.is_empty() {
        return body;
    }
    let edit = Edit::SetIn("error", "suggestions", Value::from(names).to_string());
    splice::edit(&body, &[edit]).unwrap_or(body)
}
