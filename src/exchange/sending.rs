//! From a request that is read to one that goes on: routed, let in, with room for it.

use super::{CLUSTER_HEADER, Endpoint, Exchange, HeaderEdits, Reply, Step, decide};
use crate::config::Target;
use crate::formats::Format;
use crate::formats::canonical::ApiError;
use crate::providers::{Auth, GOOGLE_TOKEN_HEADER, WANTS_GOOGLE_HEADER};
use crate::route::{self, Decision, RouteError, cooldown};
use crate::usage::Count;
use std::sync::Arc;

impl Exchange {
    pub(super) fn route(&mut self) -> Step {
        let Some(request) = &self.request else {
            return self.error(&ApiError::new(500, "the gateway lost the request"));
        };
        let decided = decide(&self.plan, request, self.endpoint.name(), &self.caller, &self.headers, false);
        let (decision, count) = match decided {
            Ok(decided) => decided,
            Err(error) => return self.route_error(error),
        };
        self.counted_for = decision.targets.first().cloned();
        self.count_is(count);
        let count = self.counted.unwrap_or(count);
        if self.endpoint == Endpoint::CountTokens {
            return match self.allowed(decision) {
                Ok(decision) => self.count_tokens(decision, count),
                Err(step) => step,
            };
        }
        self.send(decision)
    }

    /// Sends the request to what was decided.
    pub(super) fn send(&mut self, decision: Decision) -> Step {
        let decision = match self.allowed(decision).and_then(|decision| self.find_room(decision)) {
            Ok(decision) => decision,
            Err(step) => return step,
        };
        if let Some(first) = decision.targets.first() {
            self.recount(first);
        }
        let step = self.forward(&decision);
        self.decision = Some(decision);
        step
    }

    pub(super) fn route_error(&mut self, error: RouteError) -> Step {
        let error = match error {
            RouteError::UnknownModel { model, .. } => {
                let mut near = route::near(&self.plan, &model, &|target| self.health(target));
                near.retain(|name| self.may_ask(name));
                RouteError::UnknownModel { model, near }
            }
            RouteError::Ambiguous { model, mut candidates } => {
                // The name alone may be allowed, whoever serves it.
                if !self.may_ask(&model) {
                    candidates.retain(|name| self.may_ask(name));
                }
                if candidates.is_empty() {
                    return self.not_allowed(&model);
                }
                RouteError::Ambiguous { model, candidates }
            }
        };
        let (error, names) = decide::route_error(error);
        let body = decide::with_suggestions(self.format, self.format.write_error(&error), &names);
        self.reply(Reply::json(error.status, body))
    }

    /// Why a target cannot be used now, as far as is known; `None`: it can.
    pub(super) fn health(&self, target: &Target) -> Option<String> {
        let rests = || cooldown::rests(&*self.world.shared, &target.name, self.began);
        let resting = || rests().map(|seconds| format!("in cool-down for {seconds} s, as its provider asked"));
        route::configured_health(&self.plan, target).or_else(resting)
    }

    /// A provider that speaks the client's format counts best; for any other the gateway's own count is the answer.
    pub(super) fn count_tokens(&mut self, mut decision: Decision, count: Count) -> Step {
        let first = decision.targets.first().cloned();
        let provider = first.as_ref().and_then(|target| self.plan.provider(target.provider));
        if let (Some(first), Some(provider)) = (first, provider)
            && provider.spec.format == Format::AnthropicMessages
        {
            decision.cluster.clone_from(&provider.cluster);
            decision.targets = vec![first];
            let decision = match self.admit(decision) {
                Ok(decision) => decision,
                Err(step) => return step,
            };
            let step = self.forward(&decision);
            self.decision = Some(decision);
            return step;
        }
        self.decision = Some(decision);
        let body = format!("{{\"input_tokens\":{}}}", count.tokens.0);
        self.reply(Reply::json(200, body.into_bytes()))
    }

    pub(super) fn forward(&self, decision: &Decision) -> Step {
        let retries = decision.targets.len().saturating_sub(1);
        let mut edits = HeaderEdits::default();
        edits.set(CLUSTER_HEADER, decision.cluster.clone());
        edits.set("x-envoy-max-retries", retries.to_string());
        // No client's word for either, nor for how Envoy tries again, hedges or waits.
        let set: Vec<String> = edits.set.iter().map(|(name, _)| name.clone()).collect();
        let mut names: Vec<&str> = self.headers.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        let ours = |name: &&str| [WANTS_GOOGLE_HEADER, GOOGLE_TOKEN_HEADER].contains(name);
        for name in names.into_iter().filter(|name| ours(name) || name.starts_with("x-envoy-")) {
            if !set.iter().any(|set| set == name) {
                edits.remove(name);
            }
        }
        let auth = |target: &Arc<Target>| self.plan.provider(target.provider).map(|provider| provider.auth);
        if decision.targets.iter().any(|target| auth(target) == Some(Auth::GcpAuthn)) {
            edits.remove.retain(|name| name != WANTS_GOOGLE_HEADER);
            edits.set(WANTS_GOOGLE_HEADER, "1".to_owned());
        }
        Step::Forward(edits)
    }
}
