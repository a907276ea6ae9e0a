//! Routing: which ordered list of targets shall be tried, and why.

use crate::config::{ChainId, Plan, Target};
use crate::formats::canonical::ChatRequest;
use std::sync::Arc;

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

/// A compiled condition.
#[derive(Clone, Debug)]
pub enum Condition {
    /// All of them hold.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}

/// What a request is, as far as routing looks at it.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The request.
    pub request: &'a ChatRequest,
    /// Prompt tokens.
    pub tokens: u64,
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
    /// No such model; with the nearest names that are configured.
    UnknownModel {
        /// What the request named.
        model: String,
        /// What is near.
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

/// Decides.
pub fn decide(_plan: &Plan, facts: &Facts<'_>, _explain: bool) -> Result<Decision, RouteError> {
    Err(RouteError::UnknownModel { model: facts.request.model.clone(), near: Vec::new() })
}
