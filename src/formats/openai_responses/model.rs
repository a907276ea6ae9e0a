//! What models accept, told from their names.

/// How a model is told how much to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// `reasoning.effort`, and sampling that cannot be changed: OpenAI's o-series and GPT-5
    /// (<https://platform.openai.com/docs/guides/reasoning>, 2026-11-21).
    Full,
    /// `reasoning.effort` of `low`, `medium`, `high`: gpt-oss anywhere.
    Levels,
    /// `reasoning.effort` of `low` or `high`: xAI's grok-3-mini; its other models refuse the parameter
    /// (<https://docs.x.ai/docs/guides/reasoning>, 2026-11-21).
    LowHigh,
    /// Not at all.
    None,
}

impl Effort {
    /// What the model of this name takes; `openai/gpt-oss-120b` is `gpt-oss-120b`.
    pub(super) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
        let mut letters = name.chars();
        let o_series = letters.next() == Some('o') && letters.next().is_some_and(|digit| digit.is_ascii_digit());
        if name.contains("-chat") {
            Self::None
        } else if o_series || name.starts_with("gpt-5") || name.starts_with("codex") {
            Self::Full
        } else if name.starts_with("gpt-oss") {
            Self::Levels
        } else if name.starts_with("grok-3-mini") {
            Self::LowHigh
        } else {
            Self::None
        }
    }
}

/// The least that an OpenAI model can be told to reason; `none` is not at all. `None`: it cannot be told
/// (<https://platform.openai.com/docs/guides/reasoning>, 2026-11-21).
pub(in crate::formats) fn least_effort(model: &str) -> Option<&'static str> {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    if name.contains("-pro") {
        None
    } else if name.contains("codex") || name.starts_with('o') {
        Some("low")
    } else if name.starts_with("gpt-5.") {
        Some("none")
    } else {
        Some("minimal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn names_tell_how_a_model_reasons() {
        for (name, expected) in [
            ("gpt-5", Effort::Full),
            ("gpt-5.1-codex-mini", Effort::Full),
            ("openai/o4-mini", Effort::Full),
            ("codex-mini-latest", Effort::Full),
            ("gpt-5-chat-latest", Effort::None),
            ("gpt-4o", Effort::None),
            ("omni", Effort::None),
            ("openai/gpt-oss-120b", Effort::Levels),
            ("grok-3-mini-fast", Effort::LowHigh),
            ("grok-4", Effort::None),
        ] {
            assert_eq!(Effort::of(name), expected, "{name}");
        }
        for (name, least) in [
            ("gpt-5.1", Some("none")),
            ("gpt-5-mini", Some("minimal")),
            ("openai/o3", Some("low")),
            ("gpt-5.1-codex", Some("low")),
            ("gpt-5-pro", None),
        ] {
            assert_eq!(least_effort(name), least, "{name}");
        }
    }
}
