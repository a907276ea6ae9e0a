//! Prompt caches: a prompt that begins like one whose beginning was marked before reads it from the cache.

use super::faults::Faults;
use super::reply::Used;
use super::server::Moment;
use sha2::{Digest, Sha256};

/// A piece of a prompt, in the order in which the model reads them.
pub(super) struct Piece {
    /// What makes it the same piece again.
    pub text: String,
    pub tokens: u64,
    /// A breakpoint follows it.
    pub marked: bool,
}

/// Counts what is read from the cache and what is written to it. What a fault says about the cache stands.
pub(super) fn settle(model: &str, prompt: &[Piece], faults: &Faults, moment: &Moment, used: &mut Used) {
    if faults.cached.is_some() || faults.written.is_some() || !prompt.iter().any(|piece| piece.marked) {
        return;
    }
    let mut ledger = moment.ledger();
    let mut hasher = Sha256::new_with_prefix(model);
    let (mut tokens, mut read, mut marked) = (0_u64, 0_u64, 0_u64);
    let mut marks = Vec::new();
    let last = prompt.iter().rposition(|piece| piece.marked).map_or(0, |at| at.saturating_add(1));
    for piece in prompt.iter().take(last) {
        hasher.update(u64::try_from(piece.text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(&piece.text);
        tokens = tokens.saturating_add(piece.tokens);
        let hash: [u8; 32] = hasher.clone().finalize().into();
        if ledger.cached(&hash) {
            read = tokens;
        }
        if piece.marked {
            marked = tokens;
            marks.push(hash);
        }
    }
    for hash in marks {
        ledger.keep(hash);
    }
    used.cached = read.min(used.prompt);
    used.written = marked.saturating_sub(read).min(used.prompt.saturating_sub(used.cached));
}
