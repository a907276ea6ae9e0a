//! Metrics. Their names and units stand in [`Metric`] and nowhere else.
//!
//! Names and labels follow the OpenTelemetry GenAI conventions
//! (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/>, 2026-11-21), with `_` for `.` as Prometheus
//! wants it. Two things differ, because Envoy's histograms hold integers and approximate sums: durations are in
//! milliseconds, and token usage is a counter, so that its sum is exact.

use super::Record;
use super::record::{Labels, UsageRecord};
use std::collections::HashSet;

/// What kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// Every metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Tokens, by `gen_ai_token_type` `input` or `output`.
    TokenUsage,
    /// Tokens that are part of the former: `cached_input`, `cache_write`, `reasoning`.
    TokenDetail,
    /// Milliseconds from a request's headers to its answer's end.
    RequestDuration,
    /// Milliseconds from a request's headers to the first byte of its answer's body; streams only.
    TimeToFirstToken,
    /// Cost in picodollars (10⁻¹² USD).
    Cost,
    /// Exchanges that used tokens at a target without a price.
    Unpriced,
    /// Exchanges.
    Requests,
    /// Exchanges that did not fit a budget or a limit, by its name (`rule`) and what became of them.
    Exceeded,
    /// Microseconds of parsing, counting and routing.
    RoutingDuration,
    /// Exchanges in flight.
    Exchanges,
}

impl Metric {
    /// Its name at Envoy's Prometheus endpoint.
    pub fn name(self) -> &'static str {
        match self {
            Self::TokenUsage => "gen_ai_client_token_usage",
            Self::TokenDetail => "conduit_token_detail",
            Self::RequestDuration => "gen_ai_server_request_duration",
            Self::TimeToFirstToken => "gen_ai_server_time_to_first_token",
            Self::Cost => "conduit_cost_picodollars",
            Self::Unpriced => "conduit_unpriced_requests",
            Self::Requests => "conduit_requests",
            Self::Exceeded => "conduit_exceeded",
            Self::RoutingDuration => "conduit_routing_duration",
            Self::Exchanges => "conduit_exchanges",
        }
    }

    /// Its unit.
    pub fn unit(self) -> &'static str {
        match self {
            Self::TokenUsage | Self::TokenDetail => "tokens",
            Self::RequestDuration | Self::TimeToFirstToken => "milliseconds",
            Self::Cost => "picodollars",
            Self::Unpriced | Self::Requests | Self::Exceeded | Self::Exchanges => "1",
            Self::RoutingDuration => "microseconds",
        }
    }

    /// Its kind.
    pub fn kind(self) -> Kind {
        match self {
            Self::RequestDuration | Self::TimeToFirstToken | Self::RoutingDuration => Kind::Histogram,
            Self::Exchanges => Kind::Gauge,
            _ => Kind::Counter,
        }
    }
}

/// Every label that metrics carry, for the rules that cut them out of a metric's name.
pub const LABELS: &[&str] = &[
    "gen_ai_provider_name",
    "gen_ai_request_model",
    "gen_ai_token_type",
    "gen_ai_operation_name",
    "target",
    "reason",
    "rule",
    "outcome",
];

/// A metric's name with its labels in it, as the host is told: `name;label=value;label=value`. The host's
/// `stats_tags` cut the labels out again, one rule for each of [`LABELS`].
pub fn full_name(metric: Metric, labels: &[(&str, &str)]) -> String {
    let mut name = metric.name().to_owned();
    for (label, value) in labels {
        name.push(';');
        name.push_str(label);
        name.push('=');
        name.extend(value.chars().map(|c| if c.is_ascii_graphic() && c != ';' { c } else { '_' }).take(120));
    }
    name
}

/// One value to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which metric.
    pub metric: Metric,
    /// Its name with labels.
    pub name: String,
    /// What to add (or, for a histogram, to record).
    pub value: u64,
}

/// The models that label values name so far. Clients choose model names, and a metric once defined is never freed, so
/// their number is bounded: further ones are `other`.
#[derive(Debug, Default)]
pub struct KnownModels(HashSet<String>);

/// The most models that have a label value of their own.
pub const MOST_MODELS: usize = 256;

impl KnownModels {
    fn label<'a>(&mut self, model: &'a str) -> &'a str {
        if self.0.contains(model) {
            return model;
        }
        if self.0.len() >= MOST_MODELS || model.len() > 120 {
            return "other";
        }
        self.0.insert(model.to_owned());
        model
    }
}

/// What a record adds to the metrics. Sums over records and metrics are equal, exactly.
pub fn samples(record: &Record, models: &mut KnownModels) -> Vec<Sample> {
    let labels = &record.labels;
    let model = models.label(&labels.model);
    let target = if record.target.is_some() { format!("{}/{model}", labels.provider) } else { "none".to_owned() };
    let mut out = Vec::with_capacity(10);
    let mut add = |metric: Metric, labels: &[(&str, &str)], value: u64| out.push(sample(metric, labels, value));
    if let Some(rule) = &record.exceeded {
        add(Metric::Exceeded, &[("rule", rule), ("outcome", record.outcome.word())], 1);
    }
    add(
        Metric::Requests,
        &[("target", &target), ("reason", record.reason.unwrap_or("none")), ("outcome", record.outcome.word())],
        1,
    );
    if record.target.is_none() {
        return out;
    }
    let [provider, model_label] = [("gen_ai_provider_name", labels.provider.as_str()), ("gen_ai_request_model", model)];
    let operation = ("gen_ai_operation_name", labels.operation);
    add(Metric::RequestDuration, &[provider, model_label, operation], record.duration_ms);
    if let Some(ttft) = record.ttft_ms.filter(|_| record.stream) {
        add(Metric::TimeToFirstToken, &[provider, model_label, operation], ttft);
    }
    let billed = record.attempts.iter().filter_map(|attempt| attempt.billed.as_ref());
    // The record's cost is that of all attempts; where one of them is unknown, none is added, as in the record.
    let mut last = record.cost_picodollars;
    for billed in billed {
        let part = billed.cost_picodollars.unwrap_or(0);
        let cost = last.is_some().then_some(part);
        last = last.map(|cost| cost.saturating_sub(part));
        used(&billed.labels, models.label(&billed.labels.model), &billed.usage, cost, &mut out);
    }
    used(labels, models.label(&labels.model), &record.usage, last, &mut out);
    if record.cost_picodollars.is_none() && record.usage.known.is_some() && !record.priced {
        out.push(sample(Metric::Unpriced, &[provider, model_label], 1));
    }
    out
}

fn sample(metric: Metric, labels: &[(&str, &str)], value: u64) -> Sample {
    Sample { metric, name: full_name(metric, labels), value }
}

/// What one attempt used and cost.
fn used(labels: &Labels, model: &str, usage: &UsageRecord, cost: Option<u128>, out: &mut Vec<Sample>) {
    let (provider, model) = (("gen_ai_provider_name", labels.provider.as_str()), ("gen_ai_request_model", model));
    let operation = ("gen_ai_operation_name", labels.operation);
    for (metric, kind, tokens) in [
        (Metric::TokenUsage, "input", usage.prompt_tokens),
        (Metric::TokenUsage, "output", usage.completion_tokens),
        (Metric::TokenDetail, "cached_input", usage.cached_tokens),
        (Metric::TokenDetail, "cache_write", usage.cache_write_tokens),
        (Metric::TokenDetail, "reasoning", usage.reasoning_tokens),
    ] {
        if let Some(tokens) = tokens.filter(|tokens| tokens.0 > 0) {
            out.push(sample(metric, &[provider, model, ("gen_ai_token_type", kind), operation], tokens.0));
        }
    }
    if let Some(cost) = cost {
        out.push(sample(Metric::Cost, &[provider, model], u64::try_from(cost).unwrap_or(u64::MAX)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn names_carry_labels_that_no_value_can_break() {
        let name = full_name(Metric::Requests, &[("target", "openai/gpt-4o"), ("reason", "a;outcome=ok b")]);
        assert_eq!(name, "conduit_requests;target=openai/gpt-4o;reason=a_outcome=ok_b");
        assert_eq!(full_name(Metric::Exchanges, &[]), "conduit_exchanges");
    }

    #[test]
    fn the_number_of_models_is_bounded() {
        let mut known = KnownModels::default();
        let names: Vec<String> = (0..300).map(|n| format!("m{n}")).collect();
        let labels: HashSet<&str> = names.iter().map(|name| known.label(name)).collect();
        assert_eq!(labels.len(), MOST_MODELS + 1);
        assert_eq!(known.label("m3"), "m3");
        assert_eq!(known.label(&"x".repeat(500)), "other");
    }
}
