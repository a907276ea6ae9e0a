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

    /// An estimate, off by at most so many thousandths and a few tokens for what surrounds a text.
    pub fn estimated(tokens: Tokens, off: u64) -> Self {
        const AROUND: u64 = 16;
        let more = tokens.0.saturating_mul(off).div_ceil(1_000).saturating_add(AROUND);
        Self { tokens, known: Known::Estimated, most: tokens.plus(Tokens(more)) }
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
