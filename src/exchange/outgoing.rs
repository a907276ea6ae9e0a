//! What an attempt's provider is sent: path, headers, credential, body.

use super::headers::{self, HeaderEdits, Headers};
use super::own_parameters::own_parameters;
use super::{Endpoint, Exchange, embeddings, passing};
use crate::config::{Provider, Target};
use crate::formats::canonical::{ApiError, ChatRequest};
use crate::formats::embeddings::EmbeddingsFormat;
use crate::formats::signature::Vendor;
use crate::formats::splice::{self, Edit};
use crate::formats::{Format, Outgoing, anthropic_messages, invoke};
use crate::host::{Secret, Time};
use crate::providers::{Ask, Auth, Body, Call, Envelope, GOOGLE_TOKEN_HEADER, Operation, SIGN_HEADER, presented};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeMap;

/// A body to send, and the parameters that its format has no place for.
pub(super) type Sent = (Vec<u8>, Vec<String>);

/// How an attempt asks its provider; the error says that the provider has no such thing.
pub(super) fn call(exchange: &Exchange, target: &Target, provider: &Provider) -> Result<Call, ApiError> {
    // In many a path, where escapes hide a step upwards from Envoy but maybe not from the provider.
    if target.model.split(['/', '\\']).any(|part| matches!(part, "." | "..")) {
        let message = "model: found a name with `.` or `..` between slashes, expected a model's name";
        return Err(ApiError::new(400, message).with_param("model"));
    }
    let operation = match &exchange.endpoint {
        Endpoint::CountTokens => Operation::CountTokens,
        Endpoint::Embeddings => Operation::Embeddings,
        Endpoint::Other { path } => Operation::Pass(path),
        _ => Operation::Chat,
    };
    let ask = Ask {
        operation,
        client: exchange.format,
        model: &target.model,
        stream: exchange.request.as_ref().is_some_and(|request| request.stream),
        settings: &provider.settings,
    };
    (provider.spec.call)(&ask).ok_or_else(|| {
        let what = exchange.endpoint.name();
        ApiError::new(404, format!("{} serves no {what}; name a model of another provider", provider.name))
    })
}

/// How a request's headers change for an attempt, and whether its body is wanted. `headers` are what earlier attempts
/// left of them: what one of those took off only for its own format is put back.
pub(super) fn request_head(
    exchange: &mut Exchange,
    (target, provider): (&Target, &Provider),
    call: &Call,
    headers: &Headers,
    now: Time,
) -> (HeaderEdits, bool) {
    let mut edits = HeaderEdits::default();
    let same = match call.body {
        Body::Chat(format, _) => format == exchange.format,
        Body::Embeddings(format) => format == EmbeddingsFormat::OpenAi,
        Body::AsItIs => true,
    };
    for (name, value) in headers.iter() {
        let of_a_format = name.starts_with("anthropic-") || name.starts_with("openai-");
        if !headers::may_leave(name) || exchange.plan.consumers.is_shown_by(name) {
            edits.remove(name);
        } else if of_a_format && !same {
            edits.remove(name);
            let aside = &mut exchange.ledger.set_aside;
            // One header in two lines says the same as one line with a comma.
            match aside.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => known.extend([", ", value]),
                None => aside.push((name.to_owned(), value.to_owned())),
            }
        }
    }
    if same {
        edits.set.append(&mut exchange.ledger.set_aside);
    }
    let mut path = format!("{}{}", provider.url.path, call.path);
    // What the provider's own path says already is not said twice. A cloud's path around another vendor's format knows
    // nothing of that vendor's parameters, and Google refuses those that it does not know.
    let enveloped = matches!(call.body, Body::Chat(_, Envelope::Invoke | Envelope::RawPredict));
    let query = headers::without_shapes(&exchange.query);
    if same && !enveloped && !query.is_empty() && !call.path.contains('?') {
        path.extend(["?", &query]);
    }
    edits.set(":path", path);
    edits.set(":authority", provider.url.authority());
    edits.set("accept-encoding", "identity".into());
    for (name, value) in provider.spec.headers {
        let said = headers.get(name).is_some() || edits.set.iter().any(|(set, _)| set == name);
        if !same || !said {
            edits.set(name, (*value).to_owned());
        }
    }
    if let Some((name, value)) = presented(provider, now) {
        edits.set(name, value.reveal().to_owned());
    }
    // Headers are those of all attempts: one before may have taken the token off.
    if let Some(token) = headers.get(GOOGLE_TOKEN_HEADER) {
        exchange.google_token = Some(Secret::new(token.to_owned()));
    }
    match (provider.auth, &exchange.google_token) {
        (Auth::AwsSigV4, _) => edits.set(SIGN_HEADER, provider.name.clone()),
        (Auth::GcpAuthn, Some(token)) => edits.set("authorization", format!("Bearer {}", token.reveal())),
        _ => {}
    }
    let wants_body = match exchange.endpoint {
        Endpoint::Other { .. } => passing::wants_body(exchange, target, provider),
        _ => true,
    };
    if wants_body && !passing::is_form(exchange) {
        edits.set("content-type", "application/json".into());
    }
    // A header that is both removed and set is set.
    edits.remove.retain(|name| !edits.set.iter().any(|(set, _)| set == name));
    (edits, wants_body)
}

/// The body for an attempt's provider, from the one that the client sent, and what was dropped of it.
pub(super) fn write_body(exchange: &Exchange, target: &Target, call: &Call, body: &[u8]) -> Result<Sent, ApiError> {
    let Some(provider) = exchange.plan.provider(target.provider) else {
        return Err(ApiError::new(500, "the gateway lost the provider"));
    };
    if let Some(translated) = translate(exchange, target, provider, call) {
        return translated;
    }
    if let Body::Chat(format, envelope) = call.body {
        let (body, dropped) = edited(exchange, target, provider, format, envelope, body)?;
        return Ok((enveloped(exchange, envelope, body)?, dropped));
    }
    match call.body {
        Body::Embeddings(_) => embeddings::edited(exchange, target, provider, body),
        _ => Ok((passing::edited(exchange, target, provider, body)?, Vec::new())),
    }
}

/// The body for a provider that does not take the client's own, and what was dropped of it.
pub(super) fn translate(
    exchange: &Exchange,
    target: &Target,
    provider: &Provider,
    call: &Call,
) -> Option<Result<Sent, ApiError>> {
    if let Body::Embeddings(format) = call.body {
        return embeddings::translate(exchange, target, provider, format);
    }
    let (Body::Chat(format, envelope), Some(request)) = (call.body, &exchange.request) else { return None };
    if let Err(error) = refuse_rejected(request, provider) {
        return Some(Err(error));
    }
    if format == exchange.format && !carries_foreign(request, format) && format.takes_ids(request, &target.model) {
        return None;
    }
    let lowered;
    let request = match exchange.cap().filter(|cap| request.max_tokens.is_none_or(|said| said > *cap)) {
        Some(cap) => {
            lowered = ChatRequest { max_tokens: Some(cap), ..request.clone() };
            &lowered
        }
        None => request,
    };
    let written = translated(request, format, target, provider).and_then(|(body, dropped)| {
        // Where tokens are only counted there is no limit of an answer's, and Anthropic refuses one.
        let counts = exchange.endpoint == Endpoint::CountTokens && request.max_tokens.is_none();
        let body =
            if counts { splice::edit(&body, &[Edit::Remove("max_tokens")]).map_err(|_| no_object())? } else { body };
        Ok((body, dropped))
    });
    Some(written.and_then(|(body, dropped)| Ok((enveloped(exchange, envelope, body)?, dropped))))
}

pub(super) fn no_object() -> ApiError {
    ApiError::new(400, "the request body is not a JSON object")
}

/// The client's own bytes, but for the model's name and what the provider must have or cannot take.
fn edited(
    exchange: &Exchange,
    target: &Target,
    provider: &Provider,
    format: Format,
    envelope: Envelope,
    body: &[u8],
) -> Result<Sent, ApiError> {
    let spec = provider.spec;
    let mut edits = Vec::new();
    let mut dropped = Vec::new();
    let in_path = envelope != Envelope::None || matches!(format, Format::Gemini | Format::BedrockConverse);
    // Also where it is the same: of a name that is there twice, the provider may go by the other one.
    if !in_path {
        edits.push(Edit::Set("model", Value::from(target.model.as_str()).to_string()));
    }
    if let Some(request) = &exchange.request {
        let asks = request.stream && spec.stream_options && format == Format::OpenAiChat;
        if asks && !request.include_usage {
            edits.push(Edit::SetIn("stream_options", "include_usage", "true".into()));
        }
        for name in spec.rejects {
            edits.push(Edit::Remove(name));
            // Two of those that the canonical form has a place of its own for are rejected anywhere.
            let said = match *name {
                "user" => request.user.is_some(),
                "parallel_tool_calls" => request.parallel_tool_calls.is_some(),
                name => request.extra.contains_key(name),
            };
            if said {
                dropped.push((*name).to_owned());
            }
        }
        edits.extend(renamed(request, provider, format));
        if let Some(cap) = exchange.cap().filter(|cap| request.max_tokens.is_none_or(|said| said > *cap)) {
            edits.extend(output_limit(format, provider, body, cap));
        }
        edits.extend(request.for_provider.keys().map(|name| Edit::Remove(name)));
        edits.extend(
            own_parameters(&request.for_provider, provider).map(|(name, value)| Edit::Set(name, value.to_string())),
        );
    }
    Ok((splice::edit(body, &edits).map_err(|_| no_object())?, dropped))
}

/// Sets the limit of the answer's length, where the client's format has it.
fn output_limit<'a>(format: Format, provider: &Provider, body: &[u8], limit: u64) -> Vec<Edit<'a>> {
    let limit = limit.to_string();
    match format {
        Format::AnthropicMessages => vec![Edit::Set("max_tokens", limit)],
        Format::OpenAiResponses => vec![Edit::Set("max_output_tokens", limit)],
        Format::BedrockConverse => vec![Edit::SetIn("inferenceConfig", "maxTokens", limit)],
        Format::Gemini => {
            // Google reads both ways of writing; what the client wrote must not stand beside ours.
            let said: BTreeMap<String, Value> = serde_json::from_slice(body).unwrap_or_default();
            let outer = match said.contains_key("generation_config") && !said.contains_key("generationConfig") {
                true => "generation_config",
                false => "generationConfig",
            };
            let snake = said.get(outer).is_some_and(|inner| inner.get("max_output_tokens").is_some());
            let inner = if snake { "max_output_tokens" } else { "maxOutputTokens" };
            vec![Edit::SetIn(outer, inner, limit)]
        }
        Format::OpenAiChat => {
            // Two names for one thing, of which a provider takes one together with the client's own.
            let said: BTreeMap<String, IgnoredAny> = serde_json::from_slice(body).unwrap_or_default();
            let renamed = provider.spec.renames.iter().find(|(name, _)| *name == "max_completion_tokens");
            let usual = renamed.map_or("max_completion_tokens", |(_, own)| own);
            let old = said.contains_key("max_tokens") && renamed.is_none();
            let mut edits = Vec::new();
            if old {
                edits.push(Edit::Set("max_tokens", limit.clone()));
            }
            // A client may have said both.
            if !old || said.contains_key(usual) {
                edits.push(Edit::Set(usual, limit));
            }
            edits
        }
    }
}

/// Whether a provider that can be asked this way can be asked this request, as far as is seen without writing it.
pub(super) fn takes(exchange: &Exchange, provider: &Provider, call: &Call) -> Result<(), ApiError> {
    match (call.body, &exchange.request) {
        (Body::Chat(..), Some(request)) => refuse_rejected(request, provider),
        _ => Ok(()),
    }
}

/// Fails where the client asks for what the provider rejects and without which the answer would be another one.
/// What only steers is left out with a note.
fn refuse_rejected(request: &ChatRequest, provider: &Provider) -> Result<(), ApiError> {
    let asked = |name: &str| match (name, request.extra.get(name)) {
        (_, None | Some(Value::Null | Value::Bool(false))) => false,
        ("n", Some(n)) => n.as_u64() != Some(1),
        ("top_logprobs", Some(n)) => n.as_u64() != Some(0),
        ("logit_bias", Some(bias)) => bias.as_object().is_none_or(|bias| !bias.is_empty()),
        ("modalities", Some(all)) => all.as_array().is_none_or(|all| all.iter().any(|one| one != "text")),
        ("models", Some(all)) => all.as_array().is_none_or(|all| !all.is_empty()),
        ("logprobs" | "audio" | "web_search_options", Some(_)) => true,
        _ => false,
    };
    match provider.spec.rejects.iter().find(|name| asked(name)) {
        None => Ok(()),
        Some(name) => {
            let message = format!("{name}: {} does not take it; leave it out, or name another model", provider.name);
            Err(ApiError::new(400, message).with_param(*name))
        }
    }
}

/// Whether a request holds reasoning that a vendor of another format signed: to its own it would be an error.
fn carries_foreign(request: &ChatRequest, format: Format) -> bool {
    let own = match format {
        Format::AnthropicMessages => Vendor::Anthropic,
        Format::OpenAiResponses => Vendor::OpenAi,
        Format::Gemini => Vendor::Gemini,
        // What these hold of signatures is written by the format itself.
        Format::OpenAiChat | Format::BedrockConverse => return false,
    };
    request.holds_foreign_reasoning(own)
}

/// Puts what the client said under the names that the provider has for it.
fn renamed<'a>(request: &ChatRequest, provider: &'a Provider, format: Format) -> Vec<Edit<'a>> {
    let mut edits = Vec::new();
    for (name, own) in provider.spec.renames.iter().filter(|_| format == Format::OpenAiChat) {
        let value = match *name {
            "max_completion_tokens" => request.max_tokens.map(Value::from),
            name => request.extra.get(name).cloned(),
        };
        if let Some(value) = value {
            edits.extend([Edit::Remove(name), Edit::Set(own, value.to_string())]);
        }
    }
    edits
}

fn translated(request: &ChatRequest, format: Format, target: &Target, provider: &Provider) -> Result<Sent, ApiError> {
    let outgoing = Outgoing {
        model: &target.model,
        default_max_tokens: default_max_tokens(target),
        rejects: provider.spec.rejects,
    };
    let mut written = format.write_request(request, &outgoing)?;
    // The usage that it would ask for comes without asking where it is rejected.
    written.dropped.retain(|name| name != "stream_options");
    let own = own_parameters(&request.for_provider, provider);
    let own = own.map(|(name, value)| Edit::Set(name, value.to_string()));
    let own: Vec<Edit<'_>> = renamed(request, provider, format).into_iter().chain(own).collect();
    if !own.is_empty() {
        written.body = splice::edit(&written.body, &own).map_err(|_| no_object())?;
    }
    Ok((written.body, written.dropped))
}

/// What is asked for where the client set no limit: not more than the file says that the model writes.
pub(super) fn default_max_tokens(target: &Target) -> u64 {
    let usual = anthropic_messages::default_max_tokens(&target.model);
    target.max_output.map_or(usual, |most| usual.min(most))
}

/// The body in its envelope.
fn enveloped(exchange: &Exchange, envelope: Envelope, body: Vec<u8>) -> Result<Vec<u8>, ApiError> {
    let own = exchange.format == Format::AnthropicMessages;
    let wrapped = match envelope {
        Envelope::None => return Ok(body),
        Envelope::Invoke => {
            // One header in two lines says the same as one line with a comma.
            let lines = exchange.headers.iter().filter(|(name, _)| own && *name == "anthropic-beta");
            let beta = lines.map(|(_, value)| value).collect::<Vec<_>>().join(",");
            invoke::to_invoke(&body, Some(&beta))
        }
        Envelope::RawPredict => invoke::to_raw_predict(&body),
    };
    wrapped.map_err(|_| no_object())
}
