//! What passes unread: `/v1/images/…`, `/v1/audio/…`, `/v1/completions`, `/v1/rerank`, `/v1/moderations` and all else
//! under `/v1/`. Only the model is looked at, in JSON or in a form, and the usage that an answer reports.

use super::{Endpoint, Exchange, Headers, Step, form, own_parameters, worst};
use crate::config::{Provider, ProviderId, Target};
use crate::formats::canonical::{ApiError, ChatRequest};
use crate::formats::openai_chat;
use crate::formats::splice::{self, Edit};
use crate::providers::{Ask, Operation};
use crate::route::{Decision, Reason, RouteError};
use crate::usage::{Tokens, Usage};
use serde_json::Value;

/// How a body that passes says its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape<'a> {
    Json,
    Form(&'a str),
    Opaque,
}

fn shape(headers: &Headers) -> Shape<'_> {
    let content_type = headers.get("content-type").unwrap_or_default().trim();
    let json = content_type.get(..16).is_some_and(|start| start.eq_ignore_ascii_case("application/json"));
    match form::boundary(content_type) {
        Some(boundary) => Shape::Form(boundary),
        None if json => Shape::Json,
        None => Shape::Opaque,
    }
}

/// Whether a body with these headers is waited for, to see which model it names.
pub(super) fn names_a_model(headers: &Headers) -> bool {
    shape(headers) != Shape::Opaque
}

impl Exchange {
    /// Takes the whole body of a request that passes.
    pub(super) fn passing_body(&mut self, body: &[u8]) -> Step {
        self.passed = body.len();
        let model = match shape(&self.headers) {
            Shape::Form(boundary) => {
                if form::field(body, boundary, "model")
                    .and_then(|at| form::field(body.get(at.end..)?, boundary, "model"))
                    .is_some()
                {
                    let error = ApiError::new(400, "model: found two fields of that name, expected one");
                    return self.error(&error.with_param("model"));
                }
                let text = |name: &str| {
                    let value = body.get(form::field(body, boundary, name)?)?;
                    std::str::from_utf8(value).ok().map(str::to_owned)
                };
                self.streams = text("stream").is_some_and(|stream| stream.eq_ignore_ascii_case("true"));
                let answers = text("n").and_then(|n| n.trim().parse().ok()).unwrap_or(1);
                self.passing_limits = (None, answers.max(1));
                text("model")
            }
            Shape::Json => {
                let json: Option<Value> = serde_json::from_slice(body).ok();
                let said = |path: &str| json.as_ref().and_then(|json| json.pointer(path)?.as_bool()).unwrap_or(false);
                self.streams = said("/stream");
                let others = json.as_ref().and_then(|json| json.get("models")?.as_array());
                if others.is_some_and(|others| !others.is_empty()) {
                    let error =
                        ApiError::new(400, "models: found models to answer in place of `model`; name one model");
                    return self.error(&error.with_param("models"));
                }
                if let Some(error) = json.as_ref().and_then(own_parameters::refuse_ambiguous) {
                    return self.error(&error);
                }
                self.passing_limits = json.as_ref().map_or((None, 1), worst::passing);
                self.passing_grows = json.as_ref().is_some_and(worst::passing_grows);
                self.hides_usage = self.asks_for_usage() && !said("/stream_options/include_usage");
                json.as_ref().and_then(|json| json.get("model")?.as_str()).map(str::to_owned)
            }
            Shape::Opaque => None,
        };
        self.pass_through(model.filter(|model| !model.is_empty()))
    }

    /// Whether a request may be billed for what cannot be seen here: a body in no form that is read, or work that is done
    /// later on what the provider stored.
    pub(super) fn is_unseen(&self) -> bool {
        let Endpoint::Other { path } = &self.endpoint else { return false };
        let later = || path.rsplit('/').next().is_some_and(|last| matches!(last, "batches" | "runs"));
        let posts = self.has_body && self.headers.get(":method") == Some("POST");
        posts && (shape(&self.headers) == Shape::Opaque || later())
    }

    /// Whether this is a stream that reports its usage only where it is asked to.
    fn asks_for_usage(&self) -> bool {
        self.streams && matches!(&self.endpoint, Endpoint::Other { path } if path == "/completions")
    }

    /// To the targets that the model names, where it names any, else to the default provider.
    pub(super) fn pass_through(&mut self, model: Option<String>) -> Step {
        self.model_asked.clone_from(&model);
        let decided = model.as_deref().map(|model| {
            let request = ChatRequest { model: model.to_owned(), ..ChatRequest::default() };
            super::decide(&self.plan, &request, self.endpoint.name(), &self.caller, &self.headers, false)
        });
        match decided {
            // Classes and the default are for chats.
            Some(Ok((decision, _))) if !matches!(decision.reason, Reason::Class(_) | Reason::Default) => {
                self.send(decision)
            }
            Some(Err(error @ RouteError::Ambiguous { .. })) => self.route_error(error),
            // Catalogs hardly list what is no chat model: an unknown name is for the default provider to judge.
            _ => self.pass_to_default(model.as_deref()),
        }
    }

    fn pass_to_default(&mut self, model: Option<&str>) -> Step {
        let plan = std::sync::Arc::clone(&self.plan);
        // The default one first, then whoever serves it.
        let found = plan.passthrough.into_iter().chain((0..plan.providers.len()).map(ProviderId)).find_map(|id| {
            let provider = plan.provider(id).filter(|provider| self.serves(provider))?;
            Some((plan.target(id, model.unwrap_or(""))?, provider.cluster.clone()))
        });
        let Some((target, cluster)) = found else {
            let what = self.endpoint.name();
            let message = format!("no configured provider serves {what} under this path; configure one that does");
            return self.error(&ApiError::new(404, message));
        };
        self.send(Decision { targets: vec![target], cluster, reason: Reason::Default, rejected: Vec::new() })
    }

    fn serves(&self, provider: &Provider) -> bool {
        let Endpoint::Other { path } = &self.endpoint else { return false };
        let ask = Ask {
            operation: Operation::Pass(path),
            client: self.format,
            model: "",
            stream: self.streams,
            settings: &provider.settings,
        };
        (provider.spec.call)(&ask).is_some()
    }

    /// A piece of a body that is not waited for is on its way. Says so where it is more than is taken.
    pub fn body_passes(&mut self, bytes: usize) -> Option<Step> {
        self.passed = self.passed.saturating_add(bytes);
        // There is one reply only.
        if self.replied.is_some() { None } else { self.body_grows(self.passed) }
    }
}

/// Whether the body of a request that passes has to be changed for a target.
pub(super) fn wants_body(exchange: &Exchange, target: &Target, provider: &Provider) -> bool {
    let renamed = exchange.model_asked.as_ref().is_some_and(|asked| *asked != target.model);
    renamed || (exchange.hides_usage && provider.spec.stream_options)
}

/// Whether a request's body is a form, whose content type holds its boundary.
pub(super) fn is_form(exchange: &Exchange) -> bool {
    matches!(shape(&exchange.headers), Shape::Form(_))
}

/// The client's own bytes, but for the model's name, and the usage that a stream is asked for.
pub(super) fn edited(
    exchange: &Exchange,
    target: &Target,
    provider: &Provider,
    body: &[u8],
) -> Result<Vec<u8>, ApiError> {
    let renamed = exchange.model_asked.as_ref().is_some_and(|asked| *asked != target.model);
    if let Shape::Form(boundary) = shape(&exchange.headers) {
        let at = form::field(body, boundary, "model").filter(|_| renamed);
        let Some((before, after)) = at.and_then(|at| Some((body.get(..at.start)?, body.get(at.end..)?))) else {
            return Ok(body.to_vec());
        };
        return Ok([before, target.model.as_bytes(), after].concat());
    }
    let mut edits = Vec::new();
    if renamed {
        edits.push(Edit::Set("model", Value::from(target.model.as_str()).to_string()));
    }
    if exchange.hides_usage && provider.spec.stream_options {
        edits.push(Edit::SetIn("stream_options", "include_usage", "true".into()));
    }
    splice::edit(body, &edits).map_err(|_| super::outgoing::no_object())
}

/// What a JSON answer says of its usage.
pub(super) struct Reported {
    /// The usage, where there is any.
    pub usage: Option<Usage>,
}

/// Reads an answer that passes; `None`: it is no JSON object.
pub(super) fn reported(body: &[u8]) -> Option<Reported> {
    let value: Value = serde_json::from_slice(body).ok().filter(Value::is_object)?;
    Some(Reported { usage: usage_of(&value) })
}

/// The usage that an answer (or one event of a stream) reports: OpenAI's `usage` in all its shapes, also that of images
/// and of speech; `meta` as Cohere's embeddings and rerankers have it. Seconds of speech and units of search are no
/// tokens, and stay unknown.
///
/// <https://platform.openai.com/docs/api-reference/images/object>,
/// <https://platform.openai.com/docs/api-reference/audio/json-object>, <https://docs.cohere.com/reference/rerank>,
/// <https://jina.ai/reranker/>, 2026-11-21.
pub(super) fn usage_of(value: &Value) -> Option<Usage> {
    let holder = if value.get("usage").is_some() { value } else { value.get("response").unwrap_or(value) };
    let count = |of: &Value, paths: &[&str]| paths.iter().find_map(|path| of.pointer(path)?.as_u64()).map(Tokens);
    let mut usage = Usage::default();
    if let Some(reported) = holder.get("usage").filter(|usage| usage.is_object()) {
        usage = openai_chat::read_usage(reported);
        let audio = ["/input_token_details/audio_tokens", "/input_tokens_details/audio_tokens"];
        usage.audio_input = usage.audio_input.or(count(reported, &audio));
        usage.image_input = count(reported, &["/input_tokens_details/image_tokens"]);
        if usage.input.is_none() && usage.output.is_none() {
            // Voyage's and Jina's: there is nothing but input.
            usage.input = count(reported, &["/total_tokens"]);
        }
        if usage.service_tier.is_none() {
            usage.service_tier = holder.get("service_tier").and_then(Value::as_str).map(str::to_owned);
        }
    } else if let Some(meta) = value.get("meta") {
        usage.input = count(meta, &["/billed_units/input_tokens", "/tokens/input_tokens"]);
        usage.output = count(meta, &["/billed_units/output_tokens", "/tokens/output_tokens"]);
    }
    Some(usage).filter(|usage| !usage.is_empty())
}
