//! Routing: which ordered list of targets shall be tried, and why.
//!
//! 1. **Rules**, for every request, highest priority first. The first that matches decides.
//! 2. **The model that the request names**: `provider/model` with a configured provider, an alias, or a bare model name
//!    that one configured provider knows. Under `apply: always` this step is left out, whatever model is named; under
//!    `apply: auto` it is left out for the model `auto`.
//! 3. **Classes**, for what step 2 left out, in this order:
//!    the class that the header `x-conduit-class` names; `long_context`, because a request that is too long for the
//!    others can go nowhere else; `think`, because reasoning was asked for; `background`, where a small model was asked
//!    for by name (which only `apply: always` can see).
//! 4. **The default**.

mod condition;
pub mod cooldown;
mod resolve;

pub use resolve::{Health, alternatives, configured_health, near};

pub use condition::{Condition, FlagField, NumberField, NumberTest, TextField, TextTest};

use crate::config::{AUTO, Chain, ChainId, Plan, Target};
use crate::formats::canonical::ChatRequest;
use condition::View;
use std::sync::Arc;

/// The header by which a client names a class itself.
pub const CLASS_HEADER: &str = "x-conduit-class";

/// A compiled rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, unique in the file.
    pub name: String,
    /// Higher comes first.
    pub priority: i64,
    /// When it applies.
    pub when: Condition,
    /// Where it sends.
    pub chain: ChainId,
}

/// What a request is, as far as routing looks at it.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The request.
    pub request: &'a ChatRequest,
    /// Prompt tokens.
    pub tokens: u64,
    /// Whether `request` holds what the client sent. Where it passes unread, only its model is known, and rules that
    /// look at more do not apply.
    pub content_read: bool,
    /// The endpoint: `chat`, `messages`…
    pub endpoint: &'a str,
    /// A request header by lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// Who calls.
    pub caller: &'a crate::admit::Caller,
}

/// Why a chain was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule matched.
    Rule(String),
    /// The request named `provider/model`.
    Explicit,
    /// The request named an alias.
    Alias(String),
    /// The request named a model that one configured provider knows.
    Model,
    /// A class applied: `long_context`, `background` or `think`.
    Class(&'static str),
    /// Nothing else applied.
    Default,
}

/// What was decided.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The targets in the order in which they shall be tried. Never empty.
    pub targets: Vec<Arc<Target>>,
    /// The Envoy cluster that tries them.
    pub cluster: String,
    /// Why.
    pub reason: Reason,
    /// What was looked at before and did not apply, in order, for `conduit explain`.
    pub rejected: Vec<String>,
}

/// Why nothing was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// No such model; with names that can be used in its place.
    UnknownModel {
        /// What the request named.
        model: String,
        /// Those names, best first, at most five.
        near: Vec<String>,
    },
    /// Several configured providers know the model.
    Ambiguous {
        /// What the request named.
        model: String,
        /// `provider/model` of each.
        candidates: Vec<String>,
    },
}

/// Decides. With `explain`, [`Decision::rejected`] has a line for everything that was looked at before; without, it is
/// empty and costs nothing.
pub fn decide(plan: &Plan, facts: &Facts<'_>, explain: bool) -> Result<Decision, RouteError> {
    let mut rejected = Rejected { explain, lines: Vec::new() };
    let (chain, reason) = match by_rule(plan, facts, &mut rejected) {
        Some((chain, rule)) => (chain, Reason::Rule(rule.to_owned())),
        None => {
            let model = facts.request.model.as_str();
            // What is no chat has no class, and goes to the model that it names.
            if model != AUTO && !(plan.routing.always && facts.content_read) {
                return by_name(plan, model, rejected);
            }
            match by_class(plan, facts, &mut rejected) {
                Some((chain, class)) => (chain, Reason::Class(class)),
                None => (plan.routing.default.ok_or_else(|| resolve::unknown(plan, model))?, Reason::Default),
            }
        }
    };
    let chain = plan.chain(chain).ok_or_else(|| resolve::unknown(plan, &facts.request.model))?;
    Ok(along(chain, reason, rejected))
}

/// Lines for `conduit explain`; nothing is formatted where nobody asked.
struct Rejected {
    explain: bool,
    lines: Vec<String>,
}

impl Rejected {
    fn because(&mut self, line: impl FnOnce() -> String) {
        if self.explain {
            self.lines.push(line());
        }
    }
}

fn along(chain: &Chain, reason: Reason, rejected: Rejected) -> Decision {
    Decision { targets: chain.targets.clone(), cluster: chain.cluster.clone(), reason, rejected: rejected.lines }
}

fn by_rule<'p>(plan: &'p Plan, facts: &Facts<'_>, rejected: &mut Rejected) -> Option<(ChainId, &'p str)> {
    let view = View::new(facts);
    for rule in &plan.routing.rules {
        if !facts.content_read && rule.when.reads_content() {
            rejected.because(|| format!("rule `{}`: this endpoint's content is not read", rule.name));
            continue;
        }
        if rule.when.holds(&view) {
            return Some((rule.chain, &rule.name));
        }
        rejected.because(|| format!("rule `{}`: {}", rule.name, rule.when.why_not(&view)));
    }
    None
}

fn by_name(plan: &Plan, model: &str, mut rejected: Rejected) -> Result<Decision, RouteError> {
    let explicit = model.split_once('/').filter(|(_, rest)| !rest.is_empty());
    let explicit = explicit.and_then(|(name, rest)| Some((plan.provider_named(name)?.0, rest)));
    if explicit.is_none() {
        rejected.because(|| format!("`{model}` is no `provider/model` with a configured provider"));
        if let Some(chain) = plan.alias(model).and_then(|id| plan.chain(id)) {
            return Ok(along(chain, Reason::Alias(model.to_owned()), rejected));
        }
        rejected.because(|| format!("`{model}` is no alias"));
    }
    let (provider, model, reason) = match explicit {
        Some((provider, rest)) => (provider, rest, Reason::Explicit),
        None => (resolve::provider_of(plan, model)?, model, Reason::Model),
    };
    match (plan.target(provider, model), plan.provider(provider)) {
        (Some(target), Some(provider)) => {
            Ok(Decision { targets: vec![target], cluster: provider.cluster.clone(), reason, rejected: rejected.lines })
        }
        _ => Err(resolve::unknown(plan, model)),
    }
}

fn by_class(plan: &Plan, facts: &Facts<'_>, rejected: &mut Rejected) -> Option<(ChainId, &'static str)> {
    const LONG_CONTEXT: &str = "long_context";
    const THINK: &str = "think";
    const BACKGROUND: &str = "background";

    let routing = &plan.routing;
    let classes = [
        (LONG_CONTEXT, routing.long_context.map(|(_, chain)| chain)),
        (THINK, routing.think),
        (BACKGROUND, routing.background),
    ];
    if let Some(asked) = (facts.header)(CLASS_HEADER) {
        let asked = asked.trim();
        let found = classes.iter().find(|(name, _)| *name == asked);
        if let Some((name, Some(chain))) = found {
            return Some((*chain, name));
        }
        rejected.because(|| match found {
            Some(_) => format!("class `{asked}` of {CLASS_HEADER}: not configured"),
            None => format!("class {asked:?} of {CLASS_HEADER}: there is no such class"),
        });
    }

    let model = &facts.request.model;
    let tokens = facts.tokens;
    let above = routing.long_context.map_or(0, |(above, _)| above);
    let too_short = || format!("tokens {tokens} is not > {above}");
    let applies: [(bool, &dyn Fn() -> String); 3] = [
        (tokens > above, &too_short),
        (condition::asks_for_reasoning(facts.request), &|| "no reasoning is asked for".to_owned()),
        (resolve::is_small(model), &|| format!("`{model}` names no small model")),
    ];
    for ((name, chain), (applies, why_not)) in classes.into_iter().zip(applies) {
        match chain {
            Some(chain) if applies => return Some((chain, name)),
            Some(_) => rejected.because(|| format!("class `{name}`: {}", why_not())),
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
