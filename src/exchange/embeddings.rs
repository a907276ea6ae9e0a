//! `POST /v1/embeddings`: counting, routing, translating there and back.

use super::attempt::{JSON, Whole};
use super::outgoing::Sent;
use super::{Exchange, Headers, Step, decide, outgoing, own_parameters};
use crate::admit::Caller;
use crate::config::{Plan, Provider, Target};
use crate::formats::canonical::{ApiError, ChatRequest};
use crate::formats::embeddings::{self, EmbeddingsFormat, EmbeddingsRequest, Input};
use crate::formats::splice::{self, Edit};
use crate::route::{self, Decision, Facts, RouteError};
use crate::tokens::{self, Tokenizer};
use crate::usage::{Count, Tokens, Usage};
use serde_json::Value;

impl Exchange {
    /// Takes the body of a request for embeddings.
    pub(super) fn embeddings_body(&mut self, json: &Value) -> Step {
        let mut request = match embeddings::read_request(json) {
            Ok(request) => request,
            Err(error) => return self.error(&error.into()),
        };
        request.for_provider = match own_parameters::take_provider_parameters(&mut request.extra, &self.plan) {
            Ok(apart) => apart,
            Err(error) => return self.error(&error),
        };
        let decided = decide_embeddings(&self.plan, &request, &self.caller, &self.headers);
        self.embeddings = Some(request);
        match decided {
            Ok((decision, count)) => {
                self.counted = Some(count);
                self.counted_for = decision.targets.first().cloned();
                self.send(decision)
            }
            Err(error) => self.route_error(error),
        }
    }
}

/// The tokens of what shall be embedded. No template stands around it; ids of tokens count as their number.
fn count(tokenizer: Tokenizer, request: &EmbeddingsRequest) -> Count {
    let own = matches!(tokenizer, Tokenizer::O200k | Tokenizer::Cl100k);
    // Without an `input` the server has a way of its own to be asked; what stands around another vendor's is not known.
    let counted = |input: &Input| match input {
        Input::Tokens(ids) => Count::exact(Tokens(*ids)),
        Input::Text(text) if own => tokens::count_text(tokenizer, text),
        Input::Text(text) => tokens::count_text(tokenizer, text).plus(Count::estimated(Tokens(0), Tokens(8))),
        Input::Other(value) => {
            let text = value.get("text").and_then(Value::as_str).unwrap_or_default();
            // An image beside it, perhaps.
            tokens::count_text(tokenizer, text).plus(Count::estimated(Tokens(0), Tokens(2_000)))
        }
    };
    let none = Count::estimated(Tokens(0), Tokens(0));
    request.input.iter().map(counted).reduce(Count::plus).unwrap_or(none)
}

/// Counts and routes. Rules that look at a chat's content do not apply, nor do classes: vectors of one model mean
/// nothing beside those of another, so none may be put in the place of the one that was named.
fn decide_embeddings(
    plan: &Plan,
    request: &EmbeddingsRequest,
    caller: &Caller,
    headers: &Headers,
) -> Result<(Decision, Count), RouteError> {
    let named = ChatRequest { model: request.model.clone(), ..ChatRequest::default() };
    let header = |name: &str| headers.get(name).filter(|_| plan.hears(name)).map(str::to_owned);
    let mut facts =
        Facts { request: &named, tokens: 0, content_read: false, endpoint: "embeddings", header: &header, caller };
    let tokenizer = match decide::asked_target(plan, &request.model) {
        Some(target) => target.tokenizer,
        None => tokens::tokenizer_for("openai", &request.model),
    };
    let counted = count(tokenizer, request);
    facts.tokens = counted.tokens.0;
    let decision = route::decide(plan, &facts, false)?;
    let first = decision.targets.first().map(|target| target.tokenizer);
    let counted = match first {
        Some(first) if first != tokenizer => count(first, request),
        _ => counted,
    };
    Ok((decision, counted))
}

/// The tokens as the vocabulary of another target than the first has them.
pub(super) fn recount(exchange: &Exchange, target: &Target) -> Option<Count> {
    exchange.embeddings.as_ref().map(|request| count(target.tokenizer, request))
}

/// The body for a provider that does not take the client's own, and what was dropped of it.
pub(super) fn translate(
    exchange: &Exchange,
    target: &Target,
    provider: &Provider,
    format: EmbeddingsFormat,
) -> Option<Result<Sent, ApiError>> {
    let request = exchange.embeddings.as_ref().filter(|_| format.translates())?;
    Some(written(request, target, provider, format, &[]))
}

/// The client's own bytes, but for the model's name and what is meant for one provider.
pub(super) fn edited(exchange: &Exchange, target: &Target, provider: &Provider, body: &[u8]) -> Result<Sent, ApiError> {
    match &exchange.embeddings {
        Some(request) => written(request, target, provider, EmbeddingsFormat::OpenAi, body),
        None => Err(ApiError::new(500, "the gateway lost the request")),
    }
}

fn written(
    request: &EmbeddingsRequest,
    target: &Target,
    provider: &Provider,
    format: EmbeddingsFormat,
    body: &[u8],
) -> Result<Sent, ApiError> {
    let mut written = format.write_request(request, &target.model, body)?;
    let own = own_parameters::own_parameters(&request.for_provider, provider);
    let own: Vec<Edit<'_>> = own.map(|(name, value)| Edit::Set(name, value.to_string())).collect();
    if !own.is_empty() {
        written.body = splice::edit(&written.body, &own).map_err(|_| outgoing::no_object())?;
    }
    Ok((written.body, written.dropped))
}

/// The usage that stands in the headers of an answer of Bedrock's
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html>, 2026-11-21).
pub(super) fn usage_in_head(headers: &Headers) -> Usage {
    let tokens = headers.get("x-amzn-bedrock-input-token-count").and_then(|count| count.trim().parse().ok());
    Usage { input: tokens.map(Tokens), ..Usage::default() }
}

/// A whole answer with a status below 400.
pub(super) fn whole(
    exchange: &mut Exchange,
    target: &Target,
    format: EmbeddingsFormat,
    (status, readable): (u16, bool),
    body: &[u8],
) -> Whole {
    let passed = Whole { status, content_type: JSON, body: None };
    let encoding = exchange.embeddings.as_ref().map(EmbeddingsRequest::encoding);
    let same = !format.translates();
    if !readable {
        // What comes in an encoding unknown here is the client's to read.
        return passed;
    }
    let result = match encoding {
        _ if !(200..300).contains(&status) => Err(ApiError::new(
            502,
            format!("{} answered with status {status}; the `url` of its provider may be wrong", target.name),
        )),
        Some(encoding) if same => own_format(exchange, target, encoding, body),
        Some(encoding) => translated(exchange, target, format, encoding, body).map(Some),
        None => Err(ApiError::new(500, "the gateway lost the request")),
    };
    match result {
        Ok(body) => Whole { body, ..passed },
        Err(error) => {
            let body = Some(exchange.format.write_error(&error));
            Whole { status: error.status, content_type: JSON, body }
        }
    }
}

fn own_format(
    exchange: &mut Exchange,
    target: &Target,
    encoding: embeddings::Encoding,
    body: &[u8],
) -> Result<Option<Vec<u8>>, ApiError> {
    let json: Option<super::passing::Reported> = super::passing::reported(body);
    let Some(reported) = json else {
        return Err(ApiError::new(502, format!("{} answered with something that is no JSON object", target.name)));
    };
    if let Some(usage) = reported.usage {
        exchange.ledger.usage.merge(&usage);
    }
    Ok(embeddings::conform(body, encoding))
}

fn translated(
    exchange: &mut Exchange,
    target: &Target,
    format: EmbeddingsFormat,
    encoding: embeddings::Encoding,
    body: &[u8],
) -> Result<Vec<u8>, ApiError> {
    let answer = format.read_answer(body)?;
    let wanted = exchange.embeddings.as_ref().map_or(0, |request| request.input.len());
    let found = answer.vectors.len();
    if found != wanted {
        let message = format!("{} answered with {found} vectors for {wanted} inputs", target.name);
        return Err(ApiError::new(502, message));
    }
    let reported = answer.tokens.or(exchange.ledger.usage.input);
    exchange.ledger.usage.input = reported;
    // The format has no word for unknown; the record says whose count it is.
    let tokens = reported.or(exchange.counted.map(|count| count.tokens)).unwrap_or_default();
    answer.write(encoding, &target.model, tokens)
}
