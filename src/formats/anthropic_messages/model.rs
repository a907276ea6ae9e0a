//! What Claude models accept, told from their names.

/// How a model is asked to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// Not at all.
    No,
    /// `thinking: {type: enabled, budget_tokens}`.
    Budget,
    /// `thinking: {type: adaptive}` with `output_config.effort`; budgets are deprecated or refused.
    Adaptive,
}

/// What a model accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// How it is asked to think (<https://platform.claude.com/docs/en/build-with-claude/thinking>, 2026-11-21).
    pub thinking: Thinking,
    /// Whether it takes `effort: xhigh`.
    pub xhigh: bool,
    /// Whether it takes `output_config.format` and `strict` tools
    /// (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs>, 2026-11-21).
    pub structured: bool,
    /// Whether it takes `temperature`, `top_p` and `top_k` at all
    /// (<https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-7>, 2026-11-21).
    pub sampling: bool,
    /// Whether it takes `temperature` and `top_p` together (refused since Claude Opus 4.1).
    pub both: bool,
}

/// What the model of this name accepts. Names of clouds (`anthropic.claude-…-v1:0`, `claude-…@date`) are understood. A
/// Claude without a version is taken for a new one; a model that is no Claude, for one that takes what all take.
pub(crate) fn abilities(name: &str) -> Abilities {
    let name = name.to_ascii_lowercase();
    let Some((_, rest)) = name.split_once("claude") else {
        return Abilities { thinking: Thinking::Budget, xhigh: false, structured: false, sampling: true, both: true };
    };
    let version = version(rest).unwrap_or((u64::MAX, 0));
    Abilities {
        thinking: match version {
            v if v < (3, 7) => Thinking::No,
            v if v < (4, 6) => Thinking::Budget,
            _ => Thinking::Adaptive,
        },
        xhigh: version >= (4, 7),
        structured: version >= (4, 5),
        sampling: version < (4, 7),
        both: version < (4, 1),
    }
}

/// The first number below 100 and, where one follows directly, the second; larger numbers are dates.
fn version(rest: &str) -> Option<(u64, u64)> {
    let mut words = rest.split(['-', '.', '@', ':', '/']).map(|w| w.strip_prefix('v').unwrap_or(w).parse::<u64>().ok());
    let small = |n: &u64| *n < 100;
    let major = words.by_ref().flatten().find(small)?;
    Some((major, words.next().flatten().filter(small).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn names_tell_versions() {
        let cases: [(&str, Option<(u64, u64)>); 14] = [
            ("claude-3-5-sonnet-20241022", Some((3, 5))),
            ("claude-3-opus-20240229", Some((3, 0))),
            ("claude-instant-1.2", Some((1, 2))),
            ("anthropic.claude-v2:1", Some((2, 1))),
            ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", Some((3, 7))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-opus-4-0", Some((4, 0))),
            ("claude-opus-4-1-20250805", Some((4, 1))),
            ("claude-sonnet-4-5", Some((4, 5))),
            ("claude-sonnet-4.5", Some((4, 5))),
            ("claude-haiku-4-5@20251001", Some((4, 5))),
            ("anthropic/claude-opus-4-8", Some((4, 8))),
            ("claude-opus-5", Some((5, 0))),
            ("claude-mythos-preview", None),
        ];
        for (name, expected) in cases {
            let rest = name.split_once("claude").unwrap().1;
            assert_eq!(version(rest), expected, "{name}");
        }
    }

    #[test]
    fn abilities_follow_versions() {
        let of = |name| {
            let a = abilities(name);
            (a.thinking, a.structured, a.sampling, a.both)
        };
        assert_eq!(of("claude-3-5-haiku-latest"), (Thinking::No, false, true, true));
        assert_eq!(of("claude-3-7-sonnet-20250219"), (Thinking::Budget, false, true, true));
        assert_eq!(of("claude-opus-4-1"), (Thinking::Budget, false, true, false));
        assert_eq!(of("claude-haiku-4-5"), (Thinking::Budget, true, true, false));
        assert_eq!(of("claude-sonnet-4-6"), (Thinking::Adaptive, true, true, false));
        assert_eq!(of("claude-opus-4-7"), (Thinking::Adaptive, true, false, false));
        assert_eq!(of("claude-mythos-preview"), (Thinking::Adaptive, true, false, false));
        assert_eq!(of("glm-4.6"), (Thinking::Budget, false, true, true));
    }
}
