//! The tokens of a prompt: as counted, as corrected by what was learned, as another target counts them.

use super::{Exchange, embeddings, worst};
use crate::config::Target;
use crate::formats::canonical::ChatRequest;
use crate::tokens::{self, calibration};
use crate::usage::{Count, Known};
use std::sync::Arc;

impl Exchange {
    /// Takes a count of the prompt for the target in [`Exchange::counted_for`], corrected by what was learned of it.
    pub(super) fn count_is(&mut self, raw: Count) {
        self.raw = Some(raw);
        self.counted = Some(match &self.counted_for {
            Some(target) => self.corrected(target, raw),
            None => raw,
        });
    }

    pub(super) fn corrected(&self, target: &Target, raw: Count) -> Count {
        match raw.known {
            Known::Estimated if self.plan.names(target) => calibration::adjusted(&*self.world.shared, target, raw),
            _ => raw,
        }
    }

    /// Lets the estimates of later requests be corrected by what the provider reported of this one.
    pub(super) fn learn(&self) {
        let (Some(raw), Some(reported), false) = (self.raw, self.ledger.usage.input, self.estimated) else { return };
        let Some(target) = self.ledger.answered.as_ref().filter(|target| self.plan.names(target)) else { return };
        let counted = self.counted_for.as_ref().is_some_and(|counted| counted.name == target.name);
        // What a provider adds by itself says nothing of the prompt.
        let plain = |request: &ChatRequest| request.for_provider.is_empty() && !worst::grows(request);
        if counted && self.request.as_ref().is_some_and(plain) {
            calibration::learn(&*self.world.shared, target, raw, reported);
        }
    }

    /// The tokens of the prompt at a target.
    pub(super) fn counted_at(&self, target: &Target) -> Option<Count> {
        let counted = self.counted_for.as_ref();
        if counted.is_some_and(|known| known.tokenizer == target.tokenizer && known.model == target.model) {
            return self.counted;
        }
        match &self.request {
            Some(request) => {
                Some(self.corrected(target, tokens::count_request(target.tokenizer, &target.model, request)))
            }
            None => embeddings::recount(self, target).or(self.counted),
        }
    }

    /// The length of a body that passes unread, in bytes: no tokenizer makes more tokens of a text.
    pub(super) fn passed_bytes(&self) -> u64 {
        u64::try_from(self.passed).unwrap_or(u64::MAX)
    }

    /// The tokens that were counted are those of one target; another one may have another vocabulary.
    pub(super) fn recount(&mut self, target: &Arc<Target>) {
        let Some(known) = self.counted_for.replace(Arc::clone(target)) else { return };
        if known.tokenizer == target.tokenizer && known.model == target.model {
            return;
        }
        if let Some(request) = &self.request {
            self.count_is(tokens::count_request(target.tokenizer, &target.model, request));
        } else if let Some(count) = embeddings::recount(self, target) {
            self.counted = Some(count);
        }
    }
}
