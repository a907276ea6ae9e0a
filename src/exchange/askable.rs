//! Which of a chain's targets are asked: not those that rest, as long as another one is there, nor those that cannot be
//! asked this.

use super::{Exchange, outgoing};
use crate::config::Target;
use crate::formats::canonical::ApiError;
use crate::route::Decision;
use std::sync::Arc;

/// The largest body, in bytes, that is translated for later targets only to see whether it can be. A larger one is worth
/// more time than such an answer: it is translated for a later target when its turn comes.
const SMALL: usize = 64 << 10;

/// A target and what speaks against it.
struct Candidate {
    target: Arc<Target>,
    /// Why it should be left alone for now.
    rests: Option<String>,
    /// Why it cannot be asked this.
    refuses: Option<ApiError>,
    asked: bool,
}

impl Candidate {
    /// The line for a target that is left out.
    fn left_out(&self) -> Option<String> {
        let why = self.refuses.as_ref().map(|error| &error.message).or(self.rests.as_ref());
        why.filter(|_| !self.asked).map(|why| format!("{}: {why}", self.target.name))
    }
}

impl Exchange {
    /// Takes out of a decision's targets those that are not to be asked, wherever they stand, and translates the request
    /// for the first one left. [`Decision::rejected`] says who was left out and why.
    ///
    /// # Errors
    /// Where none can be asked this: the first one's reason.
    pub(super) fn prepare(&mut self, decision: Decision) -> Result<Decision, ApiError> {
        let candidate = |target: &Arc<Target>| Candidate {
            target: Arc::clone(target),
            rests: self.health(target),
            refuses: None,
            asked: false,
        };
        let mut all: Vec<Candidate> = decision.targets.iter().map(candidate).collect();
        // Where whoever else is there cannot be asked this: rather one that rests than none.
        if !self.ask(&mut all, false) && !self.ask(&mut all, true) {
            let refused = all.into_iter().find_map(|candidate| candidate.refuses);
            return Err(refused.unwrap_or_else(|| ApiError::new(500, "the gateway has no target for this request")));
        }
        if all.iter().all(|candidate| candidate.asked) {
            return Ok(decision);
        }
        if let Some(decision) = self.narrowed(&decision, &all) {
            return Ok(decision);
        }
        // Of a long chain only what stands at its beginning can be left out.
        all.iter_mut().skip_while(|candidate| !candidate.asked).for_each(|candidate| candidate.asked = true);
        if let Some(decision) = self.narrowed(&decision, &all) {
            return Ok(decision);
        }
        all.iter_mut().skip_while(|candidate| !candidate.asked).skip(1).for_each(|candidate| candidate.asked = false);
        self.narrowed(&decision, &all).ok_or_else(|| ApiError::new(500, "the gateway lost the provider"))
    }

    /// Looks at those that rest, or at those that do not: the first that can be asked this is prepared for. Whether there
    /// is one.
    fn ask(&mut self, all: &mut [Candidate], resting: bool) -> bool {
        let mut found = false;
        for candidate in all.iter_mut().filter(|candidate| candidate.rests.is_some() == resting) {
            let target = &candidate.target;
            let taken = if found {
                self.takes(target)
            } else {
                self.written_for(target).map(|written| {
                    self.prepared = written.map(|written| (target.name.clone(), written));
                    found = true;
                })
            };
            match taken {
                Ok(()) => candidate.asked = true,
                Err(error) => candidate.refuses = Some(error),
            }
        }
        found
    }

    /// The decision for those that are asked, where there is a cluster that tries them.
    fn narrowed(&self, decision: &Decision, all: &[Candidate]) -> Option<Decision> {
        let asked = all.iter().filter(|candidate| candidate.asked);
        let targets: Vec<Arc<Target>> = asked.map(|candidate| Arc::clone(&candidate.target)).collect();
        let cluster = self.plan.cluster_of(&targets)?.to_owned();
        let left_out = all.iter().filter_map(Candidate::left_out);
        let rejected = decision.rejected.iter().cloned().chain(left_out).collect();
        Some(Decision { targets, cluster, reason: decision.reason.clone(), rejected })
    }

    /// The body for a target, where it is translated.
    fn written_for(&self, target: &Target) -> Result<Option<outgoing::Sent>, ApiError> {
        let Some(provider) = self.plan.provider(target.provider) else { return Ok(None) };
        let call = outgoing::call(self, target, provider)?;
        outgoing::translate(self, target, provider, &call).transpose()
    }

    /// Whether a target can be asked this, as far as that is cheap to say.
    fn takes(&self, target: &Target) -> Result<(), ApiError> {
        let Some(provider) = self.plan.provider(target.provider) else { return Ok(()) };
        let call = outgoing::call(self, target, provider)?;
        outgoing::takes(self, provider, &call)?;
        if self.body_bytes <= SMALL {
            outgoing::translate(self, target, provider, &call).transpose()?;
        }
        Ok(())
    }
}
