//! What attempts write down for their exchange.

use crate::config::Target;
use crate::host::{Span, Time};
use crate::tokens::Meter;
use crate::usage::{Known, Usage};
use std::sync::Arc;

/// One attempt, for the record.
#[derive(Clone, Debug)]
pub struct Tried {
    /// `provider/model`.
    pub target: String,
    /// The provider's status; `None` where none came (connect failure, reset, timeout).
    pub status: Option<u16>,
    /// When it began.
    pub began: Time,
    /// How long until its answer's headers came; `None` until then.
    pub took: Option<Span>,
    /// The target itself.
    pub at: Option<Arc<Target>>,
    /// What its provider reported, where another attempt came after it.
    pub billed: Option<Usage>,
}

/// What an attempt writes down for the exchange.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The attempts so far.
    pub tried: Vec<Tried>,
    /// What the answering provider reported.
    pub usage: Usage,
    /// What was said so far, counted for where no usage comes.
    pub said: Meter,
    /// How much of it, in bytes, had been said when the provider last reported its output.
    pub reported_at: u64,
    /// The target that answered (or was tried last).
    pub answered: Option<Arc<Target>>,
    /// The provider's stream ended before its end, or held an error.
    pub cut: bool,
    /// The gateway refused the request, because the target's format cannot say it; nothing was sent.
    pub refused: bool,
    /// Whether the answer is a stream.
    pub streamed: bool,
    /// Parameters that the target's format has no place for.
    pub dropped: Vec<String>,
    /// Completion tokens that are reserved for: a stream that says more is ended.
    pub allowance: Option<u64>,
    /// Headers of the client's format that an attempt at another format took off.
    pub set_aside: Vec<(String, String)>,
}

impl Ledger {
    /// Whether a stream said more than is reserved for. What is estimated is given the room that an estimate needs.
    pub(super) fn is_spent(&self) -> bool {
        let Some(allowance) = self.allowance else { return false };
        // The cheap answer first: this is asked for each piece of a stream.
        if self.said.bound().0 <= allowance {
            return false;
        }
        let count = self.said.tokens();
        let room = if count.known == Known::Exact { 0 } else { (allowance / 2).saturating_add(64) };
        count.tokens.0 > allowance.saturating_add(room)
    }
}
