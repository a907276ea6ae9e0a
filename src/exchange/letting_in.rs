//! Who is let in, to what, and whether there is room.

use super::{Exchange, Step, headers};
use crate::admit::Denied;
use crate::formats::canonical::ApiError;
use crate::route::Decision;
use std::sync::Arc;

impl Exchange {
    /// Whether the caller may reach what all consumers share: everyone where the file names none, else its admins.
    pub(super) fn is_trusted(&self) -> bool {
        let all = &self.plan.consumers.list;
        all.is_empty() || self.consumer.and_then(|place| all.get(place)).is_some_and(|consumer| consumer.admin)
    }

    /// The answer to a caller who is not let in (<https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2>).
    pub(super) fn not_let_in(&mut self, denied: &Denied) -> Step {
        let mut step = self.error(&ApiError::new(401, denied.to_string()).with_code("invalid_api_key"));
        if let Step::Reply(reply) = &mut step {
            reply.headers.push(("www-authenticate".into(), "Bearer".into()));
        }
        step
    }

    /// The decision without what the consumer may not ask for.
    pub(super) fn allowed(&mut self, mut decision: Decision) -> Result<Decision, Step> {
        let plan = Arc::clone(&self.plan);
        let Some(consumer) = self.consumer.and_then(|index| plan.consumers.list.get(index)) else {
            return Ok(decision);
        };
        let asked = self.model_asked.clone().unwrap_or_default();
        let (rest, out): (Vec<_>, Vec<_>) =
            decision.targets.iter().cloned().partition(|target| consumer.allowed.takes(&asked, &target.name));
        if out.is_empty() {
            return Ok(decision);
        }
        let rest = if plan.cluster_of(&rest).is_some() { rest } else { rest.into_iter().take(1).collect() };
        match plan.cluster_of(&rest).filter(|_| !rest.is_empty()) {
            Some(cluster) => {
                decision.cluster = cluster.to_owned();
                decision.rejected.extend(out.iter().map(|target| format!("{}: not allowed", target.name)));
                decision.targets = rest;
                Ok(decision)
            }
            None => Err(self.not_allowed(&asked)),
        }
    }

    pub(super) fn not_allowed(&mut self, asked: &str) -> Step {
        let message = format!(
            "{} may not use the model `{}`; GET /v1/models lists what it may",
            self.caller.consumer.as_deref().unwrap_or_default(),
            headers::value(asked)
        );
        self.error(&ApiError::new(403, message).with_code("model_not_allowed").with_param("model"))
    }

    /// Whether a name can be offered to who calls: it would be allowed.
    pub(super) fn may_ask(&self, name: &str) -> bool {
        let Some(consumer) = self.consumer.and_then(|index| self.plan.consumers.list.get(index)) else { return true };
        let chain = match name {
            crate::config::AUTO => self.plan.routing.default,
            name => self.plan.alias(name),
        };
        match chain.and_then(|id| self.plan.chain(id)) {
            Some(chain) => chain.targets.iter().any(|target| consumer.allowed.takes(name, &target.name)),
            None => consumer.allowed.takes(name, name),
        }
    }

    /// Reserves room for the request and translates it for its first target.
    pub(super) fn find_room(&mut self, mut decision: Decision) -> Result<Decision, Step> {
        // Who cannot be asked this leaves its place to the next, for which other room has to be found.
        for _ in 0..=decision.targets.len() {
            let admitted = self.admit(decision)?;
            let first = admitted.targets.first().map(|target| target.name.clone());
            decision = match self.prepare(admitted) {
                Ok(decision) => decision,
                Err(error) => {
                    self.release();
                    return Err(self.error(&error));
                }
            };
            if self.admission.is_none() || decision.targets.first().map(|target| target.name.clone()) == first {
                return Ok(decision);
            }
        }
        Ok(decision)
    }
}
