//! How the module's metrics get labels.
//!
//! proxy-wasm knows names only. The module writes labels into the name, `name;label=value;label=value`, and Envoy's
//! tag extraction cuts them out again: `conduit_requests;target=openai/gpt-4o;outcome=ok` becomes
//! `conduit_requests{target="openai/gpt-4o",outcome="ok"}` in `/stats/prometheus` (tried on Envoy 1.40.0: no prefix is
//! left, and `.`, `/`, `:`, `-`, `@` in values survive). A value must not be empty nor contain `;`.

pub use crate::report::metrics::LABELS;
use serde_json::{Value, json};

/// What stands before each label in a metric's name.
pub const SEPARATOR: char = ';';

/// What Envoy puts before the names of a module's metrics; Prometheus does not see it.
pub const NAMESPACE: &str = "wasmcustom";

/// Upper bounds of histograms by the metric name's beginning, in the metric's own unit. Durations of models span five
/// orders of magnitude.
const BUCKETS: &[(&str, &[u32])] = &[
    ("gen_ai_server_request_duration", MODEL_MS),
    ("gen_ai_server_time_to_first_token", MODEL_MS),
    ("conduit_routing_duration", &[10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000]),
];

const MODEL_MS: &[u32] = &[
    10, 25, 50, 100, 200, 350, 500, 750, 1_000, 1_500, 2_500, 5_000, 7_500, 10_000, 15_000, 30_000, 60_000, 120_000,
    300_000, 600_000,
];

/// Envoy's `stats_config`.
pub(super) fn stats_config() -> Value {
    let tags = LABELS.iter().map(|label| {
        // The first group is cut out of the name, the second is the value.
        json!({"tag_name": label, "regex": format!(r"^{NAMESPACE}\..*?({SEPARATOR}{label}=([^{SEPARATOR}]*))")})
    });
    let buckets = BUCKETS
        .iter()
        .map(|(name, bounds)| json!({"match": {"prefix": format!("{NAMESPACE}.{name}")}, "buckets": bounds}));
    json!({
        // There may be dozens of these for each chain, all with the same hundred counters. What they try is counted where
        // it goes: at the providers' clusters and in the module's own metrics.
        "stats_matcher": {"exclusion_list": {"patterns": [{"prefix": "cluster.conduit.chain."}]}},
        "stats_tags": tags.collect::<Vec<_>>(),
        "histogram_bucket_settings": buckets.collect::<Vec<_>>(),
    })
}
