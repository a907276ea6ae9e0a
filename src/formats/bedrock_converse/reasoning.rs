//! How a model on Bedrock is asked to reason: each vendor's own parameter, in `additionalModelRequestFields`.

use super::model::{Family, Reasons};
use super::turns::Conversation;
use super::write::Draft;
use crate::formats::anthropic_messages::model::Thinking;
use crate::formats::canonical::{Reasoning, ToolChoice};
use serde_json::json;

/// The smallest thinking budget (<https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>, 2026-11-21).
const LEAST_BUDGET: u64 = 1024;

/// What asking to reason means for the other parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// A Claude thinks: it then takes no sampling parameters.
    pub thinks: bool,
    /// Nova 2 reasons with high effort: it then takes no sampling parameters either.
    pub high: bool,
}

pub(super) fn write(draft: &mut Draft<'_>, conversation: &Conversation) -> Asked {
    let mut asked = Asked::default();
    let request = draft.request;
    let Some(reasoning) = &request.reasoning else { return asked };
    match draft.model.reasons {
        Reasons::Thinking => asked.thinks = claude(draft, reasoning, conversation),
        Reasons::Config => asked.high = nova(draft, reasoning),
        Reasons::Effort | Reasons::Nested => {
            let off = is_off(reasoning);
            let word = match level(reasoning) {
                // gpt-oss cannot be told not to reason; the others do not unasked.
                "none" | "minimal" if draft.model.family == Family::GptOss && *reasoning != Reasoning::Off => "low",
                "none" | "minimal" if draft.model.reasons == Reasons::Effort && !draft.native => return asked,
                "none" if draft.model.reasons == Reasons::Nested => "none",
                "minimal" if draft.model.reasons == Reasons::Nested => "low",
                "xhigh" | "max" if draft.model.reasons == Reasons::Effort => "high",
                word => word,
            };
            if draft.model.reasons == Reasons::Nested {
                draft.set_own("reasoning", json!({"effort": word}));
            } else if !off || draft.model.family == Family::GptOss {
                draft.set_own("reasoning_effort", word);
            }
        }
        Reasons::No if !is_off(reasoning) => note(draft, reasoning),
        Reasons::No => {}
    }
    asked
}

fn note(draft: &mut Draft<'_>, reasoning: &Reasoning) {
    draft.note(if matches!(reasoning, Reasoning::Effort(_)) { "reasoning_effort" } else { "thinking" });
}

fn is_off(reasoning: &Reasoning) -> bool {
    match reasoning {
        Reasoning::Off => true,
        Reasoning::Effort(word) => word == "none" || word == "minimal",
        Reasoning::Budget(_) | Reasoning::Adaptive => false,
    }
}

/// The effort that was asked for, in OpenAI's words.
fn level(reasoning: &Reasoning) -> &str {
    match reasoning {
        Reasoning::Effort(word) => word,
        Reasoning::Budget(..2048) => "low",
        Reasoning::Budget(..4096) | Reasoning::Adaptive => "medium",
        Reasoning::Budget(_) => "high",
        Reasoning::Off => "none",
    }
}

/// `thinking` and `output_config.effort`; says whether the model thinks. The same as Anthropic's own API takes, so the
/// same rules hold.
fn claude(draft: &mut Draft<'_>, reasoning: &Reasoning, conversation: &Conversation) -> bool {
    let ability = draft.model.claude.thinking;
    if draft.native {
        match reasoning {
            Reasoning::Budget(tokens) => draft.set_own("thinking", json!({"type": "enabled", "budget_tokens": tokens})),
            Reasoning::Adaptive => draft.set_own("thinking", json!({"type": "adaptive"})),
            Reasoning::Off => draft.set_own("thinking", json!({"type": "disabled"})),
            Reasoning::Effort(word) => {
                draft.set_own("thinking", json!({"type": "adaptive"}));
                draft.set_own("output_config", json!({"effort": word}));
            }
        }
        return *reasoning != Reasoning::Off;
    }
    if is_off(reasoning) {
        // Models that take budgets do not think unasked.
        if *reasoning == Reasoning::Off && ability == Thinking::Adaptive {
            draft.set_own("thinking", json!({"type": "disabled"}));
        }
        return false;
    }
    let forced = matches!(draft.request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    let refuses = forced
        || conversation.ends_with_assistant()
        || match ability {
            Thinking::No => true,
            Thinking::Budget => conversation.calls_without_thinking(),
            Thinking::Adaptive => false,
        };
    if refuses {
        note(draft, reasoning);
        return false;
    }
    if ability == Thinking::Adaptive {
        draft.set_own("thinking", json!({"type": "adaptive"}));
        let effort = match level(reasoning) {
            "xhigh" if !draft.model.claude.xhigh => "high",
            word => word,
        };
        if *reasoning != Reasoning::Adaptive {
            draft.set_own("output_config", json!({"effort": effort}));
        }
        return true;
    }
    let budget = match reasoning {
        Reasoning::Budget(tokens) => *tokens,
        other => match level(other) {
            "low" => LEAST_BUDGET,
            "medium" => 2048,
            "xhigh" | "max" => 8192,
            _ => 4096,
        },
    };
    // `maxTokens` includes the thinking; where the client set none, the model's own limit holds.
    let budget =
        budget.max(LEAST_BUDGET).min(draft.request.max_tokens.map_or(u64::MAX, |limit| limit.saturating_sub(1)));
    if budget < LEAST_BUDGET {
        note(draft, reasoning);
        return false;
    }
    draft.set_own("thinking", json!({"type": "enabled", "budget_tokens": budget}));
    true
}

/// `reasoningConfig`; says whether the effort is high. With that effort Nova 2 takes no limit of tokens, so where the
/// client set one it is medium.
fn nova(draft: &mut Draft<'_>, reasoning: &Reasoning) -> bool {
    if is_off(reasoning) {
        if draft.native {
            draft.set_own("reasoningConfig", json!({"type": "disabled"}));
        }
        return false;
    }
    let word = match level(reasoning) {
        "low" => "low",
        "medium" => "medium",
        _ if draft.request.max_tokens.is_some() && !draft.native => {
            note(draft, reasoning);
            "medium"
        }
        _ => "high",
    };
    draft.set_own("reasoningConfig", json!({"type": "enabled", "maxReasoningEffort": word}));
    word == "high" && !draft.native
}
