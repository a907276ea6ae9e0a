//! Usage.

use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};

/// Reads a `usage` object. It counts as Chat Completions does, under other names, which that format's reader knows too;
/// so does xAI's way to count reasoning beside the output.
pub fn read_usage(usage: &Value) -> Usage {
    super::super::openai_chat::read_usage(usage)
}

/// The usage of a response, with the tier that stands beside it.
pub(super) fn read_body_usage(response: &Value) -> Usage {
    let mut usage = super::given(response, "usage").map(read_usage).unwrap_or_default();
    if !usage.is_empty() && usage.service_tier.is_none() {
        usage.service_tier = super::text(response, "service_tier").map(str::to_owned);
    }
    usage
}

/// A `usage` object; null where nothing is known. All its members must be numbers for clients to parse it: only here,
/// on the wire, is an unknown count written as 0.
pub(super) fn write_usage(usage: &Usage) -> Value {
    if usage.input.is_none() && usage.output.is_none() {
        return Value::Null;
    }
    let count = |tokens: Option<Tokens>| tokens.unwrap_or_default();
    json!({
        "input_tokens": count(usage.input),
        "input_tokens_details": {
            "cached_tokens": count(usage.cached_input),
            "cache_write_tokens": count(usage.cache_write),
        },
        "output_tokens": count(usage.output),
        "output_tokens_details": {"reasoning_tokens": count(usage.reasoning)},
        "total_tokens": count(usage.input).plus(count(usage.output)),
    })
}
