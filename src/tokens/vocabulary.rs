//! Counting text with a vocabulary, with bounded work and without doing the same work twice.
//!
//! **Bounded work.** A request's texts are counted to the last token up to [`MOST_READ`] bytes that this worker has not
//! counted before. Of a text that goes beyond, [`WINDOWS`] pieces are counted, spread evenly but each at a place that a
//! hash of the text chooses, so that nobody can put cheap text where it is looked at. The rest is taken to be like them;
//! [`Vocabulary::slack`] says how many more it may be. Once even that is used up, a text's bytes are its bound: each
//! token stands for at least one.
//!
//! **Remembering.** A conversation repeats what was said. What a text of [`WORTHWHILE`] bytes or more counted is
//! remembered by its SHA-256, for as long as it is among the latest [`GENERATION`] to twice that. A cryptographic hash,
//! because a client who finds two texts with one hash would get the long one admitted at the price of the short one;
//! it is still many times faster than counting. Half of it is kept: 128 bits.

use super::Tokenizer;
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::OnceLock;
use tiktoken::{CoreBpe, encoding};
use twox_hash::XxHash64;

/// How many bytes of ASCII text are counted to the token in one request; other scripts count about double.
pub(super) const MOST_READ: usize = 1024 * 1024;

/// How many bytes more are counted as samples of longer texts.
const MOST_SAMPLED: usize = 512 * 1024;

/// How many pieces stand for a long text, and how long each is.
const WINDOWS: usize = 32;
const WINDOW: usize = 4 * 1024;

/// The shortest text that is remembered: shorter ones are counted as fast as they are found.
const WORTHWHILE: usize = 256;

/// How many texts are remembered before the older half is forgotten: some 2 MiB in all.
const GENERATION: usize = 32 * 1024;

/// A vocabulary to count one request with.
pub(super) struct Vocabulary {
    bpe: &'static CoreBpe,
    which: u8,
    /// Bytes that may still be counted, and those that may be counted as samples.
    left: Cell<usize>,
    samples: Cell<usize>,
    /// Tokens and bytes counted so far: what the rest is like, where nothing of it can be looked at.
    seen: Cell<(u64, u64)>,
    slack: Cell<u64>,
}

impl Vocabulary {
    // Not by name (`tiktoken::get_encoding`): that would link every vocabulary of the crate into the module.
    pub(super) fn of(tokenizer: Tokenizer) -> Self {
        static O200K: OnceLock<CoreBpe> = OnceLock::new();
        static CL100K: OnceLock<CoreBpe> = OnceLock::new();
        static LLAMA3: OnceLock<CoreBpe> = OnceLock::new();
        static GLM: OnceLock<CoreBpe> = OnceLock::new();
        let (bpe, which) = match tokenizer {
            Tokenizer::O200k | Tokenizer::Ratio(_) => (O200K.get_or_init(encoding::o200k_base), 0),
            Tokenizer::Cl100k => (CL100K.get_or_init(encoding::cl100k_base), 1),
            Tokenizer::Llama3 => (LLAMA3.get_or_init(encoding::llama3), 2),
            Tokenizer::Glm => (GLM.get_or_init(encoding::glm4), 3),
        };
        let (left, samples) = (Cell::new(MOST_READ), Cell::new(MOST_SAMPLED));
        Self { bpe, which, left, samples, seen: Cell::new((0, 0)), slack: Cell::new(0) }
    }

    /// Tokens of a text: exact while the work stays within bounds, see [`Vocabulary::slack`].
    pub(super) fn text(&self, text: &str) -> u64 {
        let fits = work(text) <= self.left.get();
        if !(WORTHWHILE..=MOST_READ).contains(&text.len()) {
            return if fits { self.charged(text) } else { self.extrapolated(text) };
        }
        let key = key(self.which, text);
        if let Some(tokens) = MEMORY.with_borrow_mut(|memory| memory.get(key)) {
            return tokens;
        }
        if !fits {
            return self.extrapolated(text);
        }
        let tokens = self.charged(text);
        MEMORY.with_borrow_mut(|memory| memory.put(key, tokens));
        tokens
    }

    /// Tokens of a text, whatever work that is.
    pub(super) fn read(&self, text: &str) -> u64 {
        number(self.bpe.count(text))
    }

    /// How many tokens more it may be than was said, for the texts that were not counted to their end.
    pub(super) fn slack(&self) -> u64 {
        self.slack.get()
    }

    fn charged(&self, text: &str) -> u64 {
        self.left.set(self.left.get().saturating_sub(work(text)));
        let tokens = self.read(text);
        self.saw(tokens, text.len());
        tokens
    }

    fn saw(&self, tokens: u64, bytes: usize) {
        let (seen, of) = self.seen.get();
        self.seen.set((seen.saturating_add(tokens), of.saturating_add(number(bytes))));
    }

    fn extrapolated(&self, text: &str) -> u64 {
        let bytes = number(text.len());
        let found = self.sampled(text);
        let (tokens, more) = found.unwrap_or_else(|| {
            let tokens = match self.seen.get() {
                (_, 0) => bytes.div_ceil(3),
                (seen, of) => bytes.saturating_mul(seen).div_ceil(of),
            };
            (tokens, bytes)
        });
        let tokens = tokens.min(bytes);
        self.slack.set(self.slack.get().saturating_add(more.min(bytes.saturating_sub(tokens))));
        tokens
    }

    /// Tokens by samples, and how many more they may be: 15 % and four standard errors.
    fn sampled(&self, text: &str) -> Option<(u64, u64)> {
        let windows = (text.len() / WINDOW / 4).clamp(1, WINDOWS);
        let size = WINDOW.min(text.len());
        self.samples.set(self.samples.get().checked_sub(windows.saturating_mul(size))?);
        let stride = text.len().checked_div(windows)?;
        let mut state = XxHash64::oneshot(0, text.as_bytes());
        let (mut counts, mut read) = (Vec::with_capacity(windows), 0_u64);
        for at in 0..windows {
            state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0xd1b5_4a32_d192_ed03);
            let room = number(stride.saturating_sub(size)).saturating_add(1);
            let offset = usize::try_from((state >> 32).checked_rem(room)?).ok()?;
            let start = text.floor_char_boundary(at.saturating_mul(stride).saturating_add(offset));
            let end = text.floor_char_boundary(start.saturating_add(size));
            let window = text.get(start..end)?;
            let tokens = self.read(window);
            self.saw(tokens, window.len());
            counts.push(tokens);
            read = read.saturating_add(number(window.len()));
        }
        let sum = counts.iter().fold(0_u64, |sum, tokens| sum.saturating_add(*tokens));
        let bytes = number(text.len());
        let tokens = sum.saturating_mul(bytes).div_ceil(read.max(1));
        let n = number(counts.len());
        let mean = sum.checked_div(n)?;
        let squares = counts.iter().fold(0_u64, |all, tokens| {
            let off = tokens.abs_diff(mean);
            all.saturating_add(off.saturating_mul(off))
        });
        let variance = squares.checked_div(n.saturating_sub(1).max(1))?;
        // The error of the mean of n windows, in hundredths of a token for the root's sake.
        let error = variance.saturating_mul(10_000).checked_div(n)?.isqrt();
        let times = bytes.div_ceil(number(size).max(1));
        let errors = error.saturating_mul(4).saturating_mul(times).div_ceil(100);
        // One window says nothing of how the others differ.
        let few = if n < 4 { bytes } else { 0 };
        Some((tokens, super::scaled(tokens, 150).saturating_add(errors).saturating_add(few)))
    }
}

/// The work of counting a text in bytes of plain ASCII: what is beyond takes four to eight times as long.
fn work(text: &str) -> usize {
    let wide = usize::try_from(super::wide(text)).unwrap_or(usize::MAX);
    text.len().saturating_add(wide.saturating_mul(3))
}

fn number(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn key(which: u8, text: &str) -> u128 {
    let digest = Sha256::new().chain_update([which]).chain_update(text).finalize();
    digest.iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte))
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

// The keys are hashes already, and the module's host need not offer randomness.
type Known = HashMap<u128, u64, BuildHasherDefault<DefaultHasher>>;

/// What this worker counted lately: when the younger half is full, the older is forgotten.
#[derive(Default)]
struct Memory {
    young: Known,
    old: Known,
}

impl Memory {
    fn get(&mut self, key: u128) -> Option<u64> {
        if let Some(tokens) = self.young.get(&key) {
            return Some(*tokens);
        }
        let tokens = self.old.remove(&key)?;
        self.put(key, tokens);
        Some(tokens)
    }

    fn put(&mut self, key: u128, tokens: u64) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    const ALL: [Tokenizer; 4] = [Tokenizer::O200k, Tokenizer::Cl100k, Tokenizer::Llama3, Tokenizer::Glm];

    fn prose(bytes: usize) -> String {
        let mut text = String::new();
        let mut at = 0_u64;
        while text.len() < bytes {
            at += 1;
            text.push_str(&format!(
                "Paragraph {at}: the price of {} apples rose by {} %.\n",
                at * 7919 % 1000,
                at % 13
            ));
        }
        text
    }

    #[test]
    fn what_is_remembered_is_what_was_counted() {
        for tokenizer in ALL {
            for text in ["", "short", &prose(255), &prose(300), &prose(20_000), &"漢字".repeat(2_000)] {
                let fresh = Vocabulary::of(tokenizer).read(text);
                for _ in 0..3 {
                    assert_eq!(Vocabulary::of(tokenizer).text(text), fresh, "{tokenizer:?} {}", text.len());
                }
            }
        }
    }

    #[test]
    fn a_conversation_is_counted_once() {
        let said: Vec<String> = (0..20).map(|turn| format!("{turn}{}", prose(100_000))).collect();
        let mut exact = 0;
        for turn in 1..=said.len() {
            let vocabulary = Vocabulary::of(Tokenizer::O200k);
            let tokens: u64 = said.iter().take(turn).map(|text| vocabulary.text(text)).sum();
            // All but the newest were known, so the bound is never reached, though the whole is twice as long.
            assert_eq!(vocabulary.slack(), 0);
            assert!(vocabulary.left.get() >= MOST_READ - 101_000);
            exact = tokens;
        }
        let all = Vocabulary::of(Tokenizer::O200k);
        assert_eq!(exact, said.iter().map(|text| all.read(text)).sum::<u64>());
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_latest() {
        let mut memory = Memory::default();
        for key in 0..5 * GENERATION as u128 {
            memory.put(key, 1);
            assert!(memory.get(0).is_some(), "what is asked for stays");
            assert!(memory.young.len() + memory.old.len() <= 2 * GENERATION);
        }
        assert_eq!(memory.get(GENERATION as u128), None);
        assert_eq!(memory.get(5 * GENERATION as u128 - 1), Some(1));
    }

    #[test]
    fn long_texts_are_sampled() {
        let mixed: String =
            (0..40).map(|at| if at % 3 == 0 { "x7$Q!_".repeat(10_000) } else { prose(60_000) }).collect();
        let halves = "a ".repeat(900_000) + &"Zq%9~".repeat(300_000);
        for (name, text) in
            [("prose", prose(3_000_000)), ("mixed", mixed), ("halves", halves), ("same", " ".repeat(2_000_000))]
        {
            let vocabulary = Vocabulary::of(Tokenizer::O200k);
            let (tokens, truth) = (vocabulary.text(&text), vocabulary.read(&text));
            assert!(vocabulary.slack() > 0 && vocabulary.left.get() == MOST_READ, "{name}");
            assert!(tokens + vocabulary.slack() >= truth, "{name}: {tokens} {} {truth}", vocabulary.slack());
            if name == "prose" {
                assert!(tokens.abs_diff(truth) * 50 < truth && vocabulary.slack() * 5 < truth, "{tokens} {truth}");
            }
        }
    }

    #[test]
    fn many_short_texts_are_bounded_by_their_bytes() {
        let vocabulary = Vocabulary::of(Tokenizer::O200k);
        vocabulary.left.set(1_000);
        vocabulary.samples.set(2_000);
        let text = "Zq%9~x";
        let (mut tokens, mut truth) = (0, 0);
        tokens += vocabulary.text(&"the ".repeat(200));
        truth += vocabulary.read(&"the ".repeat(200));
        for _ in 0..1_000 {
            tokens += vocabulary.text(text);
            truth += vocabulary.read(text);
        }
        assert!(tokens < truth && tokens + vocabulary.slack() >= truth);
        assert!(vocabulary.left.get() < 6);
    }
}
