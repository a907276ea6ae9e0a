//! The access-log record: one JSON line per exchange, from which all totals can be rebuilt.

use crate::admit::Caller;
use crate::config::Target;
use crate::cost::Usd;
use crate::exchange::{Exchange, known_word, prompt_tokens, reason_word};
use crate::host::Time;
use crate::route::Reason;
use crate::usage::{Count, Known, Tokens, Usage};
use serde::Serialize;
use std::collections::BTreeMap;

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The client has its answer.
    Ok,
    /// The gateway refused the request: its own 4xx.
    Refused,
    /// The last provider tried answered with an error.
    ProviderError,
    /// No provider could be reached.
    Unreachable,
    /// No provider answered in time.
    Timeout,
    /// The provider died or failed in the middle of its answer.
    Cut,
    /// The client went away before its answer was over.
    ClientGone,
}

impl Outcome {
    /// The word for it in records and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::ProviderError => "provider_error",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Cut => "cut",
            Self::ClientGone => "client_gone",
        }
    }
}

/// What an exchange knows from its request on.
pub struct Head<'a> {
    /// When it began.
    pub began: Time,
    /// Envoy's request id.
    pub request_id: Option<&'a str>,
    /// Who called.
    pub caller: &'a Caller,
    /// The endpoint's name.
    pub endpoint: &'static str,
    /// The model asked for.
    pub model: Option<&'a str>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Prompt tokens as counted here.
    pub counted: Option<Count>,
    /// The status that the client saw.
    pub status: Option<u16>,
    /// When the first byte of the answer's body went to the client.
    pub first_byte: Option<Time>,
}

/// The record. Fields that are not known are `null`, never 0.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// When the request came, RFC 3339 UTC.
    pub time: String,
    /// Envoy's request id.
    pub request_id: Option<String>,
    /// Who called.
    pub consumer: Option<String>,
    /// For which project.
    pub project: Option<String>,
    /// Which agent.
    pub agent: Option<String>,
    /// Which type of agent.
    pub agent_type: Option<String>,
    /// In which session.
    pub session: Option<String>,
    /// The API key's fingerprint.
    pub key: Option<String>,
    /// The values of request headers that budgets add up over.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// `chat`, `messages`…
    pub endpoint: &'static str,
    /// The model asked for.
    pub model: Option<String>,
    /// The target that answered, or was tried last: `provider/model`.
    pub target: Option<String>,
    /// Its provider's name in the configuration.
    pub provider: Option<String>,
    /// Why it was chosen: `rule`, `explicit`, `alias`, `model`, `class`, `default`.
    pub reason: Option<&'static str>,
    /// The rule, alias or class by name, where the reason has one.
    pub rule: Option<String>,
    /// Every attempt.
    pub attempts: Vec<AttemptRecord>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The status that the client saw.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// The budget or limit that it did not fit: why it was refused, downgraded or warned about.
    pub exceeded: Option<String>,
    /// Tokens.
    pub usage: UsageRecord,
    /// What it cost, in picodollars (10⁻¹² USD).
    pub cost_picodollars: Option<u128>,
    /// The same in dollars, as text.
    pub cost_usd: Option<String>,
    /// What budgets hold for spent because nobody knows the cost, in picodollars: all that was reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_picodollars: Option<u128>,
    /// Whether the target has a price.
    pub priced: bool,
    /// Milliseconds until the first byte of the answer's body.
    pub ttft_ms: Option<u64>,
    /// Milliseconds from the request's headers to the end.
    pub duration_ms: u64,
    /// What the metrics need besides.
    #[serde(skip)]
    pub labels: Labels,
}

/// What metrics are labelled with.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// The provider's name, or `none`.
    pub provider: String,
    /// The model, or `none`.
    pub model: String,
    /// OpenTelemetry's operation name.
    pub operation: &'static str,
}

/// One attempt.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptRecord {
    /// `provider/model`.
    pub target: String,
    /// The provider's status; `null` where none came.
    pub status: Option<u16>,
    /// Milliseconds until its answer's headers came, or until it was given up.
    pub ms: u64,
    /// What it used and cost, where it is not the last one (which stands in the record's own `usage`) and its provider
    /// reported usage. The record's cost holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed: Option<Billed>,
}

/// What a failed attempt used, as its provider reported.
#[derive(Clone, Debug, Serialize)]
pub struct Billed {
    /// Tokens.
    pub usage: UsageRecord,
    /// What it cost, in picodollars.
    pub cost_picodollars: Option<u128>,
    /// What the metrics need besides.
    #[serde(skip)]
    pub labels: Labels,
}

/// Tokens, and how they are known.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UsageRecord {
    /// Prompt tokens, cached ones included.
    pub prompt_tokens: Option<Tokens>,
    /// Of these: read from the provider's cache.
    pub cached_tokens: Option<Tokens>,
    /// Of these: written to the provider's cache.
    pub cache_write_tokens: Option<Tokens>,
    /// Of these: kept there for one hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_1h_tokens: Option<Tokens>,
    /// Prompt tokens that were audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_prompt_tokens: Option<Tokens>,
    /// Prompt tokens that were images, where the provider bills them apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_prompt_tokens: Option<Tokens>,
    /// Completion tokens, reasoning included.
    pub completion_tokens: Option<Tokens>,
    /// Of these: reasoning.
    pub reasoning_tokens: Option<Tokens>,
    /// Completion tokens that were audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_completion_tokens: Option<Tokens>,
    /// The service tier that the provider says it billed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// How the totals are known: `reported`, `exact`, `estimated`.
    pub known: Option<&'static str>,
    /// Prompt tokens as the gateway counted them before sending.
    pub counted_prompt_tokens: Option<Tokens>,
    /// How that count is known: `exact`, `estimated`.
    pub counted: Option<&'static str>,
}

impl Record {
    /// The record of a finished exchange.
    pub fn of(exchange: &Exchange, outcome: Outcome, known: Known, now: Time) -> Self {
        let head = exchange.head_of_record();
        let ledger = exchange.ledger();
        let decision = exchange.decision();
        let target = ledger.answered.as_ref().or_else(|| decision.and_then(|d| d.targets.first()));
        let provider = target.and_then(|t| exchange.plan().provider(t.provider)).map(|p| p.name.clone());
        let cost = exchange.cost();
        let ms = |tried: &crate::exchange::Tried| tried.took.unwrap_or_else(|| now.since(tried.began)).millis();
        Self {
            time: head.began.rfc3339(),
            request_id: head.request_id.map(str::to_owned),
            consumer: head.caller.consumer.clone(),
            project: head.caller.project.clone(),
            agent: head.caller.agent.clone(),
            agent_type: head.caller.agent_type.clone(),
            session: head.caller.session.clone(),
            key: head.caller.key.clone(),
            headers: exchange.counted_headers(),
            endpoint: head.endpoint,
            model: head.model.map(bounded),
            target: target.map(|t| bounded(&t.name)),
            provider,
            reason: decision.map(|d| reason_word(&d.reason)),
            rule: decision.and_then(|d| match &d.reason {
                Reason::Rule(name) | Reason::Alias(name) => Some(name.clone()),
                Reason::Class(class) => Some((*class).to_owned()),
                _ => None,
            }),
            attempts: ledger
                .tried
                .iter()
                .map(|t| AttemptRecord {
                    target: bounded(&t.target),
                    status: t.status,
                    ms: ms(t),
                    billed: exchange.billed(t).map(|(usage, cost)| Billed {
                        usage: reported(usage, Known::Reported),
                        cost_picodollars: cost.map(|Usd(pico)| pico),
                        labels: labels(exchange, t.at.as_deref(), head.endpoint),
                    }),
                })
                .collect(),
            stream: head.stream,
            status: head.status,
            outcome,
            exceeded: exchange.exceeded().map(str::to_owned),
            usage: usage_record(exchange, &head, known),
            cost_picodollars: cost.map(|Usd(pico)| pico),
            cost_usd: cost.map(|usd| usd.to_string()),
            held_picodollars: exchange.held().map(|Usd(pico)| pico),
            priced: target.is_some_and(|t| t.price.is_some()),
            ttft_ms: head.first_byte.map(|at| at.since(head.began).millis()),
            duration_ms: now.since(head.began).millis(),
            labels: labels(exchange, target.map(|target| &**target), head.endpoint),
        }
    }

    /// The JSON line, without its end.
    pub fn line(&self) -> String {
        // Strings, numbers and options always serialise; the fallback keeps the promise of one record per exchange.
        serde_json::to_string(self).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }
}

fn labels(exchange: &Exchange, target: Option<&Target>, endpoint: &str) -> Labels {
    let provider = target.and_then(|target| exchange.plan().provider(target.provider));
    Labels {
        provider: provider.map_or("none", |provider| &provider.name).to_owned(),
        // A path without a format may name no model, and a label must not be empty.
        model: target.map(|t| t.model.as_str()).filter(|m| !m.is_empty()).unwrap_or("none").to_owned(),
        operation: operation(endpoint),
    }
}

fn usage_record(exchange: &Exchange, head: &Head<'_>, known: Known) -> UsageRecord {
    let usage = &exchange.ledger().usage;
    let used = !usage.is_empty();
    UsageRecord {
        prompt_tokens: if used { prompt_tokens(exchange).map(|(tokens, _)| tokens) } else { None },
        known: used.then(|| known_word(known)),
        counted_prompt_tokens: head.counted.map(|count| count.tokens),
        counted: head.counted.map(|count| known_word(count.known)),
        ..reported(usage, known)
    }
}

/// What a provider reported.
fn reported(usage: &Usage, known: Known) -> UsageRecord {
    UsageRecord {
        prompt_tokens: usage.input,
        cached_tokens: usage.cached_input,
        cache_write_tokens: usage.cache_write,
        cache_write_1h_tokens: usage.cache_write_1h,
        audio_prompt_tokens: usage.audio_input,
        image_prompt_tokens: usage.image_input,
        completion_tokens: usage.output,
        reasoning_tokens: usage.reasoning,
        audio_completion_tokens: usage.audio_output,
        service_tier: usage.service_tier.clone(),
        known: Some(known_word(known)),
        counted_prompt_tokens: None,
        counted: None,
    }
}

/// Names that clients chose are cut to 200 characters.
fn bounded(text: &str) -> String {
    text.chars().take(200).collect()
}

/// The GenAI operation name (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/>, 2026-11-21).
fn operation(endpoint: &str) -> &'static str {
    match endpoint {
        "chat" | "messages" | "responses" => "chat",
        "embeddings" => "embeddings",
        "completions" => "text_completion",
        "count_tokens" => "count_tokens",
        _ => "other",
    }
}
