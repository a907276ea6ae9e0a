//! What a client is told whose request finds no room.

use super::admission::{Entry, Rule, scope_of};
use super::{Exchange, Reply, Step, worst};
use crate::admit::accounts::{Full, Standing};
use crate::admit::rules::{Budget, Limit, Scope};
use crate::config::Target;
use crate::cost::Usd;
use crate::formats::Format;
use crate::formats::canonical::{ApiError, ErrorKind};
use crate::host::{Span, Time};
use std::sync::Arc;

/// A client that is told to come back later than this is told not to try again by itself.
const LONGEST_RETRY: Span = Span(60_000_000_000);

/// Why there is no room.
pub(super) enum Refusal {
    Full(Entry, Box<Full>),
    Unpriced { budget: usize, target: Arc<Target> },
}

impl Exchange {
    pub(super) fn name_of(&self, refusal: &Refusal) -> String {
        let budget = |index: usize| self.plan.budgets.get(index).map_or("", |budget| budget.name.as_str()).to_owned();
        let limit = |index: usize| self.plan.limits.get(index).map_or("", |limit| limit.name.as_str()).to_owned();
        match refusal {
            Refusal::Unpriced { budget: index, .. } => format!("budget {}", budget(*index)),
            Refusal::Full(entry, _) => match entry.rule {
                Rule::Budget(index) => format!("budget {}", budget(index)),
                Rule::Requests(index) | Rule::Tokens(index) | Rule::Concurrent(index) => {
                    format!("limit {}", limit(index))
                }
            },
        }
    }

    pub(super) fn refuse(&mut self, refusal: &Refusal) -> Step {
        let plan = Arc::clone(&self.plan);
        let (message, code, wait, rule) = match refusal {
            Refusal::Unpriced { budget, target } => {
                let Some(budget) = plan.budgets.get(*budget) else { return self.lost() };
                let what = match target.model.as_str() {
                    _ if self.is_unseen() => "what is sent to this path",
                    "" => "what names no model",
                    _ if self.endpoint.is_work_for_later() => "what this path starts",
                    _ => target.name.as_str(),
                };
                let message = format!(
                    "{what} has no price, so that budget {} cannot hold for it: set one under `models:`, or \
                     `unpriced: allow` for the budget",
                    budget.name
                );
                self.exceeded = Some(budget.name.clone());
                return self.error(&ApiError::new(403, message).with_code("model_unpriced").with_param("model"));
            }
            Refusal::Full(entry, full) => match entry.rule {
                Rule::Budget(index) => {
                    let Some(budget) = plan.budgets.get(index) else { return self.lost() };
                    self.exceeded = Some(budget.name.clone());
                    let wants = self.amount_of(entry);
                    (over_budget(budget, &entry.value, &full.standing, wants), "budget_exceeded", full.wait, entry.rule)
                }
                rule @ (Rule::Requests(index) | Rule::Tokens(index) | Rule::Concurrent(index)) => {
                    let Some(limit) = plan.limits.get(index) else { return self.lost() };
                    self.exceeded = Some(limit.name.clone());
                    (over_limit(limit, rule, entry, full), "rate_limit_exceeded", full.wait, rule)
                }
            },
        };
        let mut error = ApiError::new(429, message).with_code(code);
        // Only OpenAI has a word for money beside a 429; others' words for money go with other statuses.
        if matches!(rule, Rule::Budget(_)) && matches!(self.format, Format::OpenAiChat | Format::OpenAiResponses) {
            error.kind = ErrorKind::Billing;
        }
        let mut step = self.error(&error);
        if let Step::Reply(reply) = &mut step {
            self.say_when(reply, rule, wait);
        }
        step
    }

    pub(super) fn lost(&mut self) -> Step {
        self.error(&ApiError::new(500, "the gateway lost the rule that this request does not fit"))
    }

    /// What the request would have had reserved in an account, for a message.
    pub(super) fn amount_of(&self, entry: &Entry) -> Option<Usd> {
        let targets = self.refused_for.as_ref()?;
        let scope = scope_of(&self.plan, entry.rule)?;
        let fitting = targets.iter().filter(|target| self.value_of(scope, target) == entry.value);
        fitting.filter_map(|target| worst::of(self, target, None).cost).max()
    }

    pub(super) fn say_when(&self, reply: &mut Reply, rule: Rule, wait: Option<Span>) {
        let wait = match rule {
            // Nobody knows when another request ends.
            Rule::Concurrent(_) => Some(Span(1_000_000_000)),
            _ => wait,
        };
        if let Some(wait) = wait {
            reply.headers.push(("retry-after".into(), wait.0.div_ceil(1_000_000_000).max(1).to_string()));
            reply.headers.push(("retry-after-ms".into(), wait.0.div_ceil(1_000_000).max(1).to_string()));
        }
        if wait.is_none_or(|wait| wait > LONGEST_RETRY) {
            // The SDKs of OpenAI and Anthropic would try again within seconds.
            reply.headers.push(("x-should-retry".into(), "false".into()));
        }
    }
}

pub(super) fn names(targets: &[Arc<Target>]) -> String {
    targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Whose account it is, for a message: ` of project web`.
pub(super) fn whose(scope: &Scope, value: &str) -> String {
    match (scope, value) {
        (Scope::All, _) => String::new(),
        // A fingerprint is nothing to a reader.
        (Scope::Key, _) => " of this key".into(),
        (scope, "") => format!(" of requests without {}", scope.word()),
        (scope, value) => format!(" of {} {}", scope.word(), super::headers::value(value)),
    }
}

pub(super) fn over_budget(budget: &Budget, value: &str, standing: &Standing, wants: Option<Usd>) -> String {
    let resets = standing.resets.map_or_else(|| "never".to_owned(), Time::rfc3339);
    let wants = wants.map(|usd| format!(", this request may cost up to {usd} USD")).unwrap_or_default();
    format!(
        "budget {}{} is used up: {} USD spent, {} USD reserved by requests under way, limit {} USD per {}{wants}; \
         it resets at {resets}",
        budget.name,
        whose(&budget.per, value),
        Usd(standing.spent),
        Usd(standing.reserved),
        budget.limit,
        budget.period.word(),
    )
}

pub(super) fn over_limit(limit: &Limit, rule: Rule, entry: &Entry, full: &Full) -> String {
    let whose = whose(&limit.per, &entry.value);
    let name = &limit.name;
    match rule {
        Rule::Concurrent(_) => {
            let most = limit.concurrent.unwrap_or_default();
            format!("limit {name}{whose} is reached: {most} requests at the same time; try again when one is over")
        }
        Rule::Tokens(_) => {
            let most = limit.tokens.unwrap_or_default();
            match full.wait {
                None => format!(
                    "this request is larger than limit {name}{whose} ever allows: {most} tokens per minute; send a \
                     shorter one"
                ),
                Some(wait) => format!(
                    "limit {name}{whose} is reached: {most} tokens per minute, {} left; try again in {}",
                    full.standing.left(),
                    seconds(wait)
                ),
            }
        }
        _ => {
            let most = limit.requests.unwrap_or_default();
            let wait = full.wait.map(|wait| format!("; try again in {}", seconds(wait))).unwrap_or_default();
            format!("limit {name}{whose} is reached: {most} requests per minute{wait}")
        }
    }
}

pub(super) fn seconds(wait: Span) -> String {
    let millis = wait.0.div_ceil(1_000_000);
    format!("{}.{:03} s", millis / 1_000, millis % 1_000)
}
