//! What models on Bedrock accept, told from their ids.

use crate::formats::anthropic_messages::model::{Abilities, Thinking, abilities};

/// Whose model it is, as far as requests differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Anthropic's.
    Claude,
    /// Amazon's Nova of the first generation.
    Nova,
    /// Amazon's Nova 2, which can reason.
    Nova2,
    /// Amazon's Titan.
    Titan,
    /// Meta's.
    Llama,
    /// Mistral's.
    Mistral,
    /// Cohere's.
    Cohere,
    /// DeepSeek's.
    DeepSeek,
    /// OpenAI's open-weight models.
    GptOss,
    /// OpenAI's own models.
    OpenAi,
    /// Moonshot's Kimi.
    Kimi,
    /// Other open-weight models: Qwen, GLM, MiniMax, Nemotron, Gemma.
    Open,
    /// The id does not say: an ARN, a custom name. What a Claude takes is sent.
    Unknown,
}

/// How a model is told to reason, in `additionalModelRequestFields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reasons {
    /// Claude's `thinking`.
    Thinking,
    /// `reasoningConfig: {type, maxReasoningEffort}`
    /// (<https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html>, 2026-11-21).
    Config,
    /// `reasoning_effort` of `low`, `medium`, `high`
    /// (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html>, 2026-11-21).
    Effort,
    /// `reasoning: {effort}`.
    Nested,
    /// Not at all.
    No,
}

/// What a model accepts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    pub family: Family,
    /// For a Claude, what Claude models of its version accept.
    pub claude: Abilities,
    pub reasons: Reasons,
    /// Whether it takes `outputConfig.textFormat` and `strict` tools
    /// (<https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>, 2026-11-21).
    pub structured: bool,
    /// Whether it takes `cachePoint` in system and messages
    /// (<https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>, 2026-11-21).
    pub caches: bool,
    /// Whether it takes `cachePoint` among the tools, too.
    pub caches_tools: bool,
    /// Whether a cache may be kept for one hour.
    pub caches_1h: bool,
    /// Whether it may take audio.
    pub audio: bool,
}

impl Model {
    /// The model of this id.
    pub fn of(id: &str) -> Self {
        let id = id.to_ascii_lowercase();
        let family = family(&id);
        let claude = abilities(&id);
        let like_claude = matches!(family, Family::Claude | Family::Unknown);
        let old_without_cache = claude.thinking == Thinking::No
            && !id.contains("claude-3-5-haiku")
            && !id.contains("claude-3-5-sonnet-20241022");
        Self {
            family,
            claude,
            reasons: match family {
                Family::Claude | Family::Unknown => Reasons::Thinking,
                Family::Nova2 => Reasons::Config,
                Family::GptOss | Family::Kimi => Reasons::Effort,
                // R1 reasons always and cannot be told how much.
                Family::DeepSeek if !id.contains("deepseek.r1") => Reasons::Effort,
                Family::OpenAi => Reasons::Nested,
                _ => Reasons::No,
            },
            structured: match family {
                Family::Claude => claude.structured,
                Family::Mistral => {
                    ["ministral", "mistral-large-3", "magistral", "voxtral"].iter().any(|m| id.contains(m))
                }
                Family::DeepSeek => !id.contains("deepseek.r1"),
                Family::GptOss | Family::OpenAi | Family::Kimi | Family::Open | Family::Unknown => true,
                _ => false,
            },
            caches: like_claude && !old_without_cache || matches!(family, Family::Nova | Family::Nova2),
            caches_tools: like_claude && !old_without_cache,
            caches_1h: family == Family::Claude && claude.structured,
            audio: matches!(family, Family::Nova2 | Family::Mistral | Family::Open | Family::Unknown),
        }
    }
}

/// The vendor's part of an id such as `us.anthropic.claude-sonnet-4-6` or an ARN that ends in one.
fn family(id: &str) -> Family {
    const FAMILIES: [(&str, Family); 21] = [
        ("claude", Family::Claude),
        ("amazon.nova-2", Family::Nova2),
        ("amazon.nova", Family::Nova),
        ("amazon.titan", Family::Titan),
        ("meta.llama", Family::Llama),
        ("mistral.", Family::Mistral),
        ("cohere.", Family::Cohere),
        ("deepseek.", Family::DeepSeek),
        ("openai.gpt-oss", Family::GptOss),
        ("openai.", Family::OpenAi),
        ("moonshot", Family::Kimi),
        ("qwen.", Family::Open),
        ("zai.", Family::Open),
        ("minimax.", Family::Open),
        ("nvidia.", Family::Open),
        ("google.", Family::Open),
        ("ai21.", Family::Cohere),
        ("writer.", Family::Cohere),
        ("nova-2", Family::Nova2),
        ("nova-", Family::Nova),
        ("gpt-oss", Family::GptOss),
    ];
    FAMILIES.iter().find(|(word, _)| id.contains(word)).map_or(Family::Unknown, |(_, family)| *family)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn ids_tell_families() {
        let cases = [
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Family::Claude, Reasons::Thinking, true, true),
            ("anthropic.claude-3-sonnet-20240229-v1:0", Family::Claude, Reasons::Thinking, false, false),
            ("anthropic.claude-3-5-haiku-20241022-v1:0", Family::Claude, Reasons::Thinking, false, true),
            ("us.amazon.nova-2-lite-v1:0", Family::Nova2, Reasons::Config, false, true),
            ("amazon.nova-pro-v1:0", Family::Nova, Reasons::No, false, true),
            ("us.meta.llama4-maverick-17b-instruct-v1:0", Family::Llama, Reasons::No, false, false),
            ("us.mistral.pixtral-large-2502-v1:0", Family::Mistral, Reasons::No, false, false),
            ("mistral.ministral-3-8b-instruct", Family::Mistral, Reasons::No, true, false),
            ("us.deepseek.r1-v1:0", Family::DeepSeek, Reasons::No, false, false),
            ("deepseek.v3-v1:0", Family::DeepSeek, Reasons::Effort, true, false),
            ("openai.gpt-oss-120b-1:0", Family::GptOss, Reasons::Effort, true, false),
            ("openai.gpt-5.6-luna", Family::OpenAi, Reasons::Nested, true, false),
            ("moonshot.kimi-k2-thinking", Family::Kimi, Reasons::Effort, true, false),
            ("qwen.qwen3-32b-v1:0", Family::Open, Reasons::No, true, false),
            ("cohere.command-r-plus-v1:0", Family::Cohere, Reasons::No, false, false),
            ("amazon.titan-text-lite-v1", Family::Titan, Reasons::No, false, false),
            (
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
                Family::Unknown,
                Reasons::Thinking,
                true,
                true,
            ),
        ];
        for (id, family, reasons, structured, caches) in cases {
            let model = Model::of(id);
            let found = (model.family, model.reasons, model.structured, model.caches);
            assert_eq!(found, (family, reasons, structured, caches), "{id}");
        }
    }
}
