//! What an attempt's provider is sent: path, headers, credential, body.

use super::headers::{self, HeaderEdits, Headers};
use super::{Endpoint, Exchange};
use crate::config::{Provider, Target};
use crate::formats::canonical::ApiError;
use crate::formats::splice::{self, Edit};
use crate::formats::{Outgoing, anthropic_messages};
use crate::host::Time;
use crate::providers::{Auth, glm_bearer};
use serde_json::Value;

/// How a request's headers change for an attempt, and whether its body is wanted. `headers` are what earlier attempts
/// left of them: what one of those took off only for its own format is put back.
pub(super) fn request_head(
    exchange: &mut Exchange,
    target: &Target,
    provider: &Provider,
    headers: &Headers,
    now: Time,
) -> (HeaderEdits, bool) {
    let mut edits = HeaderEdits::default();
    let same = provider.spec.format == exchange.format;
    for (name, value) in headers.iter() {
        let of_a_format = name.starts_with("anthropic-") || name.starts_with("openai-");
        if !headers::may_leave(name) {
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
    let below = match &exchange.endpoint {
        Endpoint::CountTokens => "/messages/count_tokens",
        Endpoint::Other { path } => path.as_str(),
        _ => provider.spec.chat_path,
    };
    let query = if same && !exchange.query.is_empty() { format!("?{}", exchange.query) } else { String::new() };
    edits.set(":path", format!("{}{below}{query}", provider.url.path));
    edits.set(":authority", provider.url.authority());
    edits.set("accept-encoding", "identity".into());
    for (name, value) in provider.spec.headers {
        let said = headers.get(name).is_some() || edits.set.iter().any(|(set, _)| set == name);
        if !same || !said {
            edits.set(name, (*value).to_owned());
        }
    }
    if let Some(key) = &provider.key {
        match provider.spec.auth {
            Auth::Bearer => edits.set("authorization", format!("Bearer {}", key.reveal())),
            Auth::XApiKey => edits.set("x-api-key", key.reveal().to_owned()),
            Auth::GlmJwt => edits.set("authorization", format!("Bearer {}", glm_bearer(key, now).reveal())),
        }
    }
    let wants_body = match exchange.endpoint {
        Endpoint::Other { .. } => exchange.model_asked.as_ref().is_some_and(|asked| *asked != target.model),
        _ => true,
    };
    if wants_body {
        edits.set("content-type", "application/json".into());
    }
    // A header that is both removed and set is set.
    edits.remove.retain(|name| !edits.set.iter().any(|(set, _)| set == name));
    (edits, wants_body)
}

pub(super) fn write_body(
    exchange: &Exchange,
    target: &Target,
    body: &[u8],
) -> Result<(Vec<u8>, Vec<String>), ApiError> {
    let spec = exchange.plan.provider(target.provider).map(|p| p.spec);
    let Some(spec) = spec else { return Err(ApiError::new(500, "the gateway lost the provider")) };
    let model = || Edit::Set("model", Value::from(target.model.as_str()).to_string());
    let request = exchange.request.as_ref();
    if spec.format == exchange.format || matches!(exchange.endpoint, Endpoint::Other { .. }) {
        let mut edits = Vec::new();
        let mut dropped = Vec::new();
        if exchange.model_asked.as_deref() != Some(target.model.as_str()) {
            edits.push(model());
        }
        if let Some(request) = request {
            if request.stream && spec.stream_options && !request.include_usage {
                edits.push(Edit::SetIn("stream_options", "include_usage", "true".into()));
            }
            for name in spec.rejects.iter().filter(|name| request.extra.contains_key(**name)) {
                edits.push(Edit::Remove(name));
                dropped.push((*name).to_owned());
            }
        }
        let edited =
            splice::edit(body, &edits).map_err(|_| ApiError::new(400, "the request body is not a JSON object"))?;
        return Ok((edited, dropped));
    }
    let Some(request) = request else { return Err(ApiError::new(500, "the gateway lost the request")) };
    let outgoing = Outgoing {
        model: &target.model,
        default_max_tokens: anthropic_messages::default_max_tokens(&target.model),
        rejects: spec.rejects,
    };
    let written = spec.format.write_request(request, &outgoing)?;
    Ok((written.body, written.dropped))
}
