//! `thinkingConfig`: how much the model shall think.

use super::model::Thinking;
use super::write::Draft;
use crate::formats::canonical::Reasoning;
use serde_json::{Value, json};

/// Writes `thinkingConfig`.
///
/// An effort becomes a level or, for the models that take budgets, a budget (`low` 1024, `medium` 2048, `high` 4096,
/// `xhigh` 8192 tokens: the same as for Anthropic's models, so that it comes back as the same effort). Thoughts are
/// shown to whoever asks the model to reason. A model that cannot be told not to think does so as little as it can.
pub(super) fn write(draft: &mut Draft<'_>) {
    let Some(reasoning) = &draft.request.reasoning else { return };
    let off = *reasoning == Reasoning::Off || *reasoning == Reasoning::Effort("none".to_owned());
    let name = if matches!(reasoning, Reasoning::Effort(_)) { "reasoning_effort" } else { "thinking" };
    let config = match draft.abilities.thinking {
        _ if draft.native => said(reasoning),
        Thinking::No if off => return,
        Thinking::No => return draft.note(name),
        Thinking::Budget { off: true, .. } if off => json!({"thinkingBudget": 0}),
        Thinking::Budget { least, .. } if off => {
            draft.note(name);
            json!({"thinkingBudget": least})
        }
        Thinking::Budget { least, most, .. } => {
            let budget = budget(reasoning).map_or(json!(-1), |budget| json!(budget.clamp(least, most)));
            json!({"thinkingBudget": budget, "includeThoughts": true})
        }
        Thinking::Level { minimal, .. } if off => {
            draft.note(name);
            json!({"thinkingLevel": if minimal { "minimal" } else { "low" }})
        }
        Thinking::Level { minimal, medium } => match level(reasoning) {
            Some("minimal") if !minimal => json!({"thinkingLevel": "low", "includeThoughts": true}),
            Some("medium") if !medium => json!({"thinkingLevel": "high", "includeThoughts": true}),
            Some(level) => json!({"thinkingLevel": level, "includeThoughts": true}),
            None => json!({"includeThoughts": true}),
        },
    };
    draft.generation.insert("thinkingConfig".to_owned(), config);
}

/// What a client of this format said, where [`read`] took all of it.
fn said(reasoning: &Reasoning) -> Value {
    match reasoning {
        Reasoning::Effort(level) => json!({"thinkingLevel": level, "includeThoughts": true}),
        Reasoning::Budget(tokens) => json!({"thinkingBudget": tokens, "includeThoughts": true}),
        Reasoning::Adaptive => json!({"thinkingBudget": -1, "includeThoughts": true}),
        Reasoning::Off => json!({"thinkingBudget": 0}),
    }
}

/// The budget of an effort; `None`: as much as the model likes.
fn budget(reasoning: &Reasoning) -> Option<u64> {
    Some(match reasoning {
        Reasoning::Budget(tokens) => *tokens,
        Reasoning::Effort(effort) => match effort.as_str() {
            "minimal" => 512,
            "low" => 1024,
            "medium" => 2048,
            "high" => 4096,
            "auto" | "default" => return None,
            _ => 8192,
        },
        Reasoning::Adaptive | Reasoning::Off => return None,
    })
}

/// The level of an effort; `None`: the model's own.
fn level(reasoning: &Reasoning) -> Option<&'static str> {
    Some(match reasoning {
        Reasoning::Budget(..2048) => "low",
        Reasoning::Budget(..4096) => "medium",
        Reasoning::Budget(_) => "high",
        Reasoning::Effort(effort) => match effort.as_str() {
            "minimal" => "minimal",
            "low" => "low",
            "medium" => "medium",
            "auto" | "default" => return None,
            _ => "high",
        },
        Reasoning::Adaptive | Reasoning::Off => return None,
    })
}

/// Reads `thinkingConfig`; says also whether the canonical form holds all of it.
pub(super) fn read(config: &Value) -> (Option<Reasoning>, bool) {
    let shown = super::member(config, "includeThoughts").and_then(Value::as_bool).unwrap_or(false);
    let budget = super::member(config, "thinkingBudget");
    if let Some(level) = super::text(config, "thinkingLevel").filter(|level| *level != "THINKING_LEVEL_UNSPECIFIED") {
        return (Some(Reasoning::Effort(level.to_ascii_lowercase())), shown && budget.is_none());
    }
    match budget {
        Some(budget) if budget.as_i64() == Some(0) => (Some(Reasoning::Off), !shown),
        Some(budget) => match super::whole(budget) {
            Some(tokens) => (Some(Reasoning::Budget(tokens)), shown),
            None => (Some(Reasoning::Adaptive), shown && budget.as_i64() == Some(-1)),
        },
        // Models of this format think unasked; who wants to see it wants it done.
        None if shown => (Some(Reasoning::Adaptive), false),
        None => (None, false),
    }
}
