//! What an exchange used, in tokens. What a provider did not report stays `None`; it is never turned into 0.

use serde::Serialize;

/// A number of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Tokens(pub u64);

impl Tokens {
    /// `self + other`, saturating.
    pub fn plus(self, other: Tokens) -> Tokens {
        Tokens(self.0.saturating_add(other.0))
    }

    /// `self - other`, at least zero.
    pub fn minus(self, other: Tokens) -> Tokens {
        Tokens(self.0.saturating_sub(other.0))
    }
}

/// How a number of tokens is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The provider reported it.
    Reported,
    /// Counted here with the model's own vocabulary.
    Exact,
    /// Estimated here; the truth may differ.
    Estimated,
}

/// A counted number of tokens and how it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub tokens: Tokens,
    /// `Exact` or `Estimated`.
    pub known: Known,
    /// The most that it can be: what is reserved for it. Equal to `tokens` where these are exact.
    pub most: Tokens,
}

impl Count {
    /// A count that is right.
    pub fn exact(tokens: Tokens) -> Self {
        Self { tokens, known: Known::Exact, most: tokens }
    }

    /// An estimate that may be short by at most `more`.
    pub fn estimated(tokens: Tokens, more: Tokens) -> Self {
        Self { tokens, known: Known::Estimated, most: tokens.plus(more) }
    }

    /// Both together; exact where both are.
    pub fn plus(self, other: Count) -> Self {
        let both = self.known == Known::Exact && other.known == Known::Exact;
        let known = if both { Known::Exact } else { Known::Estimated };
        Self { tokens: self.tokens.plus(other.tokens), known, most: self.most.plus(other.most) }
    }

    /// The stated error: by how many thousandths of the estimate the truth may be more, 0 where it is exact.
    pub fn error_thousandths(self) -> u64 {
        let more = self.most.minus(self.tokens).0;
        more.saturating_mul(1_000).div_ceil(self.tokens.0.max(1))
    }
}

/// Usage as a provider reported it (or, after a hang-up, as it was estimated), in one convention for all formats:
/// `input` **includes** cached and cache-written tokens, `output` **includes** reasoning tokens.
///
/// OpenAI's `usage` uses that convention (<https://platform.openai.com/docs/api-reference/chat/object>, 2026-11-21).
/// Anthropic's `input_tokens` excludes both cache kinds and is summed when read
/// (<https://docs.anthropic.com/en/api/messages>, 2026-11-21).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All prompt tokens, cached and cache-written ones included.
    pub input: Option<Tokens>,
    /// Prompt tokens read from the provider's cache.
    pub cached_input: Option<Tokens>,
    /// Prompt tokens written to the provider's cache, all lifetimes together.
    pub cache_write: Option<Tokens>,
    /// Of `cache_write`: those kept for one hour.
    pub cache_write_1h: Option<Tokens>,
    /// All completion tokens, reasoning included.
    pub output: Option<Tokens>,
    /// Completion tokens spent on reasoning.
    pub reasoning: Option<Tokens>,
    /// Prompt tokens that were audio.
    pub audio_input: Option<Tokens>,
    /// Prompt tokens that were images, where the provider bills them apart.
    pub image_input: Option<Tokens>,
    /// Completion tokens that were audio.
    pub audio_output: Option<Tokens>,
    /// The service tier that the provider says it billed (`default`, `flex`, `priority`, `batch`…).
    pub service_tier: Option<String>,
}

impl Usage {
    /// Whether nothing at all was reported.
    pub fn is_empty(&self) -> bool {
        self == &Usage::default()
    }

    /// Takes over each figure that `newer` knows: streams report usage in pieces, later pieces are cumulative.
    pub fn merge(&mut self, newer: &Usage) {
        fn take<T: Clone>(old: &mut Option<T>, new: &Option<T>) {
            if new.is_some() {
                old.clone_from(new);
            }
        }
        take(&mut self.input, &newer.input);
        take(&mut self.cached_input, &newer.cached_input);
        take(&mut self.cache_write, &newer.cache_write);
        take(&mut self.cache_write_1h, &newer.cache_write_1h);
        take(&mut self.output, &newer.output);
        take(&mut self.reasoning, &newer.reasoning);
        take(&mut self.audio_input, &newer.audio_input);
        take(&mut self.image_input, &newer.image_input);
        take(&mut self.audio_output, &newer.audio_output);
        take(&mut self.service_tier, &newer.service_tier);
    }
}
