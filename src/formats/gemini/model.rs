//! What Google's models accept, told from their names (<https://ai.google.dev/gemini-api/docs/models>, 2026-11-21).

/// How a model is told how much to think (<https://ai.google.dev/gemini-api/docs/thinking>, 2026-11-21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Not at all.
    No,
    /// `thinkingBudget`, -1 for as much as it likes.
    Budget {
        /// The smallest budget but 0.
        least: u64,
        /// The largest.
        most: u64,
        /// Whether 0 turns it off.
        off: bool,
    },
    /// `thinkingLevel`; it cannot be turned off.
    Level {
        /// Whether it knows `minimal`.
        minimal: bool,
        /// Whether it knows `medium`.
        medium: bool,
    },
}

/// What a model accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    /// How it is told how much to think.
    pub thinking: Thinking,
    /// From Gemini 2.5: it fetches `http` addresses itself
    /// (<https://ai.google.dev/gemini-api/docs/file-input-methods>, 2026-11-21), and holds calls to their schemas in mode
    /// `VALIDATED` (<https://ai.google.dev/gemini-api/docs/function-calling>, 2026-11-21).
    pub since_2_5: bool,
    /// From Gemini 3: it takes images in a tool's result, a schema for the answer beside tools
    /// (<https://ai.google.dev/gemini-api/docs/structured-output>, 2026-11-21), and no call of the current turn without a
    /// signature (<https://ai.google.dev/gemini-api/docs/thought-signatures>, 2026-11-21).
    pub since_3: bool,
}

/// A name that tells no version (`gemini-flash-latest`) is one of the newest model.
const NEWEST: (u64, u64) = (u64::MAX, 0);

pub(super) fn abilities(model: &str) -> Abilities {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let Some(rest) = name.strip_prefix("gemini-") else {
        // Gemma does not think; any other name (a tuned model, an endpoint) is taken for a Gemini 2.5.
        let thinking = if name.starts_with("gemma") { Thinking::No } else { budget(0, 24_576, true) };
        return Abilities { thinking, since_2_5: true, since_3: false };
    };
    let version = version(rest);
    Abilities { thinking: thinking(rest, version), since_2_5: version >= (2, 5), since_3: version >= (3, 0) }
}

fn budget(least: u64, most: u64, off: bool) -> Thinking {
    Thinking::Budget { least, most, off }
}

fn thinking(rest: &str, version: (u64, u64)) -> Thinking {
    let is = |word: &str| rest.split('-').any(|part| part == word);
    match version {
        // Models that draw or speak.
        _ if is("image") || is("tts") => Thinking::No,
        (..=1, _) | (2, ..5) => Thinking::No,
        (2, _) if is("pro") => budget(128, 32_768, false),
        (2, _) if is("lite") => budget(512, 24_576, true),
        (2, _) => budget(1, 24_576, true),
        (3, 0) if is("pro") => Thinking::Level { minimal: false, medium: false },
        // Gemini 3.8 Flash and what comes after it knows no `minimal`.
        (3, ..8) if is("flash") => Thinking::Level { minimal: true, medium: true },
        _ => Thinking::Level { minimal: false, medium: true },
    }
}

fn version(rest: &str) -> (u64, u64) {
    let first = rest.split('-').next().unwrap_or_default();
    let (major, minor) = first.split_once('.').unwrap_or((first, "0"));
    match (major.parse(), minor.parse()) {
        (Ok(major), Ok(minor)) => (major, minor),
        _ => NEWEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn abilities_follow_versions() {
        let level = |minimal, medium| Thinking::Level { minimal, medium };
        for (name, thinking, since_2_5, since_3) in [
            ("gemini-1.5-pro-002", Thinking::No, false, false),
            ("gemini-2.0-flash", Thinking::No, false, false),
            ("gemini-2.5-pro", budget(128, 32_768, false), true, false),
            ("gemini-2.5-flash-preview-09-2025", budget(1, 24_576, true), true, false),
            ("models/gemini-2.5-flash-lite", budget(512, 24_576, true), true, false),
            ("gemini-2.5-flash-image", Thinking::No, true, false),
            ("gemini-2.5-flash-preview-tts", Thinking::No, true, false),
            ("google/gemini-3-pro-preview", level(false, false), true, true),
            ("gemini-3.1-pro-preview", level(false, true), true, true),
            ("gemini-3-flash-preview", level(true, true), true, true),
            ("gemini-3.1-flash-lite", level(true, true), true, true),
            ("gemini-3.8-flash", level(false, true), true, true),
            ("gemini-flash-latest", level(false, true), true, true),
            ("gemma-3-27b-it", Thinking::No, true, false),
            ("1234567890", budget(0, 24_576, true), true, false),
        ] {
            assert_eq!(abilities(name), Abilities { thinking, since_2_5, since_3 }, "{name}");
        }
    }
}
