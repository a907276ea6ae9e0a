//! Room for a request: what it may use at most is reserved before it leaves, and settled when it is over.
//!
//! Every target of the chain is reckoned with, since any may answer: of what several would add to one account the
//! dearest is reserved. A target that does not fit leaves its place to the others; where none fits, the budget says what
//! happens.

use super::refusal::{Refusal, names};
use super::worst::{self, Worst};
use super::{Endpoint, Exchange, Step, own_parameters};
use crate::admit::accounts::{self, Claim, Gauge, Hold, Standing};
use crate::admit::rules::{OnExceed, Scope};
use crate::config::{Plan, Target};
use crate::cost::Usd;
use crate::formats::Format;
use crate::formats::canonical::{ApiError, ErrorKind};
use crate::host::Time;
use crate::route::Decision;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The fewest output tokens that an answer is clamped to: with fewer there is no answer worth its prompt.
const FEWEST: u64 = 16;

/// What an exchange has reserved.
#[derive(Debug, Default)]
pub(super) struct Admission {
    hold: Hold,
    /// What the claims of the hold are of, in their order.
    entries: Vec<Entry>,
    cap: Option<u64>,
    /// Completion tokens that are reserved for, all choices together.
    output: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) rule: Rule,
    /// Which of the rule's accounts: the value of its scope.
    pub(super) value: String,
    /// Whether its claim adds to one before it.
    more: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Budget(usize),
    Requests(usize),
    Tokens(usize),
    Concurrent(usize),
}

/// What one attempt used, for the accounts.
pub(super) struct Bill {
    pub target: Arc<Target>,
    /// `None`: nobody knows.
    pub tokens: Option<u64>,
    /// `None`: nobody knows.
    pub cost: Option<Usd>,
    /// Whether the target has a price at all.
    pub priced: bool,
}

impl Exchange {
    /// The output limit that a budget lowered the request's to.
    pub(super) fn cap(&self) -> Option<u64> {
        self.admission.as_ref().and_then(|admission| admission.cap)
    }

    fn is_bound(&self) -> bool {
        !(self.plan.budgets.is_empty() && self.plan.limits.is_empty())
    }

    fn rules(&self) -> impl Iterator<Item = (Rule, &Scope)> {
        let ours = |of: Option<usize>| of.is_none() || of == self.consumer;
        let budgets = self.plan.budgets.iter().enumerate().filter(move |(_, budget)| ours(budget.of));
        let limits = self.plan.limits.iter().enumerate().filter(move |(_, limit)| ours(limit.of));
        let limits = limits.flat_map(|(index, limit)| {
            let numbers = [
                limit.requests.map(|_| Rule::Requests(index)),
                limit.tokens.map(|_| Rule::Tokens(index)),
                limit.concurrent.map(|_| Rule::Concurrent(index)),
            ];
            numbers.into_iter().flatten().map(move |rule| (rule, &limit.per))
        });
        // Limits first: they are cheaper to ask, and sooner free again.
        limits.chain(budgets.map(|(index, budget)| (Rule::Budget(index), &budget.per)))
    }

    /// Reserves room for a decision, which may become another one for it: with fewer targets, or with cheaper ones.
    pub(super) fn admit(&mut self, mut decision: Decision) -> Result<Decision, Step> {
        self.release();
        if !self.is_bound() {
            return Ok(decision);
        }
        if let Err(error) = own_parameters::refuse_reckoned(self) {
            return Err(self.error(&error));
        }
        let mut forced = BTreeSet::new();
        let mut cap = None;
        let mut downgraded = false;
        // Each round leaves something out: a target, a budget that only warns, the output, the chain.
        let most = self.plan.budgets.len().saturating_add(decision.targets.len()).saturating_add(16);
        for _ in 0..most {
            let refusal = match self.reserve(&decision, cap, &forced) {
                Ok(admission) => {
                    self.ledger.allowance = admission.output;
                    self.admission = Some(admission);
                    return Ok(decision);
                }
                Err(refusal) => refusal,
            };
            if let Some(fewer) = self.without_what_does_not_fit(&decision, cap, &refusal) {
                decision = fewer;
                continue;
            }
            self.refused_for = Some(decision.targets.clone());
            let (index, left) = match &refusal {
                Refusal::Full(Entry { rule: Rule::Budget(index), .. }, full) => (*index, Some(full.standing.left())),
                Refusal::Full(..) => return Err(self.refuse(&refusal)),
                Refusal::Unpriced { budget, .. } => (*budget, None),
            };
            let plan = Arc::clone(&self.plan);
            let Some(budget) = plan.budgets.get(index) else { return Err(self.refuse(&refusal)) };
            let affords = left.filter(|_| budget.clamp && cap.is_none());
            if let Some(found) = affords.and_then(|left| self.affordable(&decision.targets, left)) {
                cap = Some(found);
                continue;
            }
            self.exceeded = Some(budget.name.clone());
            match budget.on_exceed {
                OnExceed::Warn if left.is_some() => {
                    forced.insert(index);
                }
                OnExceed::Downgrade(chain) if !downgraded => match plan.chain(chain) {
                    Some(chain) => {
                        downgraded = true;
                        cap = None;
                        decision.rejected.push(format!("{}: budget {}", names(&decision.targets), budget.name));
                        decision.targets.clone_from(&chain.targets);
                        decision.cluster.clone_from(&chain.cluster);
                    }
                    None => return Err(self.refuse(&refusal)),
                },
                _ => return Err(self.refuse(&refusal)),
            }
        }
        Err(self.error(&ApiError::new(503, "the gateway found no room for this request; try again")))
    }

    fn reserve(&self, decision: &Decision, cap: Option<u64>, forced: &BTreeSet<usize>) -> Result<Admission, Refusal> {
        let worsts: Vec<Worst> = decision.targets.iter().map(|target| worst::of(self, target, cap)).collect();
        let (mut claims, mut entries) = (Vec::new(), Vec::new());
        let counts = self.endpoint == Endpoint::CountTokens;
        for (rule, scope) in self.rules() {
            let free = match rule {
                Rule::Budget(_) => !self.is_billed(),
                Rule::Tokens(_) => counts,
                Rule::Requests(_) | Rule::Concurrent(_) => false,
            };
            if free {
                continue;
            }
            let mut values: Vec<(String, u128)> = Vec::new();
            for (target, worst) in decision.targets.iter().zip(&worsts) {
                let value = self.value_of(scope, target);
                let amount = self.amount(rule, target, worst)?;
                match values.iter_mut().find(|(known, _)| *known == value) {
                    Some((_, known)) => *known = amount.max(*known),
                    None => values.push((value, amount)),
                }
            }
            for (value, amount) in values {
                let Some((account, gauge)) = account(&self.plan, rule, &value, self.now) else { continue };
                let forced = matches!(rule, Rule::Budget(index) if forced.contains(&index));
                claims.push(Claim { account, gauge, amount, forced });
                entries.push(Entry { rule, value, more: false });
            }
        }
        // What holds no budget is no reason to cut a stream.
        let holds = |(entry, claim): (&Entry, &Claim)| matches!(entry.rule, Rule::Budget(_)) && !claim.forced;
        let bounds = entries.iter().zip(&claims).any(holds);
        let output = worsts.iter().filter_map(|worst| worst.output).max().filter(|_| bounds);
        match accounts::reserve(&*self.world.shared, claims, self.now) {
            Ok(hold) => Ok(Admission { hold, entries, cap, output }),
            Err(full) => match entries.into_iter().nth(full.claim) {
                Some(entry) => Err(Refusal::Full(entry, Box::new(full))),
                None => Ok(Admission::default()),
            },
        }
    }

    fn amount(&self, rule: Rule, target: &Arc<Target>, worst: &Worst) -> Result<u128, Refusal> {
        match rule {
            Rule::Requests(_) | Rule::Concurrent(_) => Ok(1),
            Rule::Tokens(index) => {
                let most = self.plan.limits.get(index).and_then(|limit| limit.tokens).unwrap_or(u64::MAX);
                // An output limit that no bucket could ever hold is no reason to refuse a prompt that fits.
                Ok(u128::from(if worst.prompt <= most { worst.tokens.min(most) } else { worst.tokens }))
            }
            Rule::Budget(index) => match (worst.cost, self.plan.budgets.get(index)) {
                (Some(cost), _) => Ok(cost.0),
                (None, Some(budget)) if !budget.unpriced => {
                    Err(Refusal::Unpriced { budget: index, target: Arc::clone(target) })
                }
                (None, _) => Ok(0),
            },
        }
    }

    /// Whether providers bill what is asked: not where tokens are only counted, or something is looked up. Whoever sends
    /// something and names no model may well ask a provider's usual one.
    fn is_billed(&self) -> bool {
        match self.endpoint {
            Endpoint::CountTokens => false,
            Endpoint::Other { .. } => {
                let asks = self.headers.get(":method").is_some_and(|method| method == "POST");
                self.model_asked.is_some() || self.is_unseen() || asks && !self.endpoint.is_free()
            }
            _ => true,
        }
    }

    pub(super) fn value_of(&self, scope: &Scope, target: &Target) -> String {
        let provider = self.plan.provider(target.provider).map_or("", |provider| provider.name.as_str());
        match scope {
            // Not a client's word where it is not trusted.
            Scope::Header(name) if !self.plan.hears(name) => String::new(),
            _ => scope.value(&self.caller, &self.headers, target, provider),
        }
    }

    /// The decision without the targets that do not fit; `None`: nobody would be left, or it is not up to targets.
    fn without_what_does_not_fit(&self, decision: &Decision, cap: Option<u64>, refusal: &Refusal) -> Option<Decision> {
        if decision.targets.len() < 2 {
            return None;
        }
        let plan = &self.plan;
        let fits = |target: &Arc<Target>| match refusal {
            Refusal::Unpriced { .. } => target.price.is_some(),
            Refusal::Full(entry, full) => match (scope_of(plan, entry.rule), entry.rule) {
                (Some(scope), _) if scope.is_of_target() => self.value_of(scope, target) != entry.value,
                (_, Rule::Budget(_)) => {
                    worst::of(self, target, cap).cost.is_some_and(|cost| cost.0 <= full.standing.left())
                }
                _ => true,
            },
        };
        let (rest, out): (Vec<_>, Vec<_>) = decision.targets.iter().cloned().partition(fits);
        if out.is_empty() {
            return None;
        }
        // A chain has a cluster for most of its parts, not for all.
        let rest = if plan.cluster_of(&rest).is_some() { rest } else { rest.into_iter().take(1).collect() };
        let cluster = plan.cluster_of(&rest).filter(|_| !rest.is_empty())?.to_owned();
        let mut fewer = Decision { targets: rest, cluster, ..decision.clone() };
        fewer.rejected.push(format!("{}: {}", names(&out), self.name_of(refusal)));
        Some(fewer)
    }

    /// The most output tokens with which the dearest of the targets still costs at most `left`.
    fn affordable(&self, targets: &[Arc<Target>], left: u128) -> Option<u64> {
        let request = self.request.as_ref().filter(|_| self.endpoint.is_chat())?;
        let thinks = request.thinking_budget().unwrap_or(0);
        // Counting is what takes time.
        let counted: Vec<_> = targets.iter().map(|target| (target, self.counted_at(target))).collect();
        let cost = |cap: u64| {
            let costs = counted.iter().map(|(target, count)| worst::counted(self, target, *count, Some(cap)).cost);
            costs.collect::<Option<Vec<_>>>()?.into_iter().max().map(|cost| cost.0)
        };
        // Reasoning comes out of the same limit; a provider refuses one that leaves nothing to say.
        let fewest = thinks.saturating_add(FEWEST);
        let (mut good, mut bad) = (fewest, 1_u64 << 24);
        if cost(good)? > left {
            return None;
        }
        while bad.saturating_sub(good) > 1 {
            let middle = good.saturating_add(bad.saturating_sub(good) / 2);
            if cost(middle)? <= left { good = middle } else { bad = middle }
        }
        Some(good)
    }

    /// Gives back what was reserved: nothing left.
    pub(super) fn release(&mut self) {
        if let Some(admission) = self.admission.take() {
            let nothing: Vec<Option<u128>> = admission.entries.iter().map(|_| Some(0)).collect();
            admission.hold.settle(&*self.world.shared, &nothing, self.now);
        }
    }

    /// Keeps what is reserved while the exchange is under way. To be called several times per
    /// [`accounts::LEASE`].
    pub fn renew(&mut self, now: Time) {
        if let Some(admission) = &mut self.admission {
            admission.hold.renew(&*self.world.shared, now);
        }
    }

    /// Finds room for another attempt beside what earlier ones were billed.
    ///
    /// # Errors
    /// A budget has none.
    pub(super) fn find_more_room(&mut self, target: &Arc<Target>, now: Time) -> Result<(), ApiError> {
        let tried = self.ledger.tried.iter().filter_map(|tried| Some((tried.at.as_ref()?, self.billed(tried)?.1)));
        let billed: Vec<(&Arc<Target>, Option<Usd>)> = tried.collect();
        let Some(admission) = self.admission.as_ref().filter(|_| !billed.is_empty()) else { return Ok(()) };
        let most = |target: &Target| worst::of(self, target, admission.cap).cost.unwrap_or_default();
        let wants = most(target);
        let held = admission.hold.claims();
        let (mut claims, mut entries) = (Vec::new(), Vec::new());
        for (entry, claim) in admission.entries.iter().zip(held).filter(|(entry, _)| !entry.more) {
            let (Rule::Budget(_), Some(scope)) = (entry.rule, scope_of(&self.plan, entry.rule)) else { continue };
            let ours = |target: &Target| !scope.is_of_target() || self.value_of(scope, target) == entry.value;
            if !ours(target) {
                continue;
            }
            // What nobody knows may be all of it.
            let costs = billed
                .iter()
                .filter(|(target, _)| ours(target))
                .map(|(target, cost)| cost.unwrap_or_else(|| most(target)));
            let needs = costs.fold(wants, Usd::plus).0;
            let has = held.iter().filter(|other| other.account == claim.account);
            let has = has.fold(0_u128, |sum, claim| sum.saturating_add(claim.amount));
            if needs > has {
                claims.push(Claim { amount: needs.saturating_sub(has), ..claim.clone() });
                entries.push(Entry { more: true, ..entry.clone() });
            }
        }
        let found = accounts::reserve(&*self.world.shared, claims, now);
        match (found, &mut self.admission) {
            (Ok(hold), Some(admission)) => {
                admission.hold.join(hold);
                admission.entries.extend(entries);
                Ok(())
            }
            (Ok(_), None) => Ok(()),
            (Err(full), _) => {
                let rule = entries.get(full.claim).map(|entry| entry.rule);
                let Some(Rule::Budget(index)) = rule else { return Ok(()) };
                let name = self.plan.budgets.get(index).map(|budget| budget.name.clone()).unwrap_or_default();
                let message = format!(
                    "budget {name}: what an attempt before was billed leaves no room for one at {}, which may cost up to \
                     {wants} USD",
                    target.name
                );
                self.exceeded = Some(name);
                let mut error = ApiError::new(429, message).with_code("budget_exceeded");
                if self.format != Format::AnthropicMessages {
                    error.kind = ErrorKind::Billing;
                }
                Err(error)
            }
        }
    }

    /// Puts what was used in the place of what was reserved. Once; later calls do nothing.
    pub(super) fn settle(&mut self, now: Time) {
        let Some(admission) = self.admission.take() else { return };
        let bills = self.bills();
        let sent = !self.ledger.tried.is_empty();
        let used = admission.entries.iter().map(|entry| {
            let scope = scope_of(&self.plan, entry.rule)?;
            let of_target = scope.is_of_target();
            let ours = |bill: &&Bill| !of_target || self.value_of(scope, &bill.target) == entry.value;
            let mut bills = bills.iter().filter(ours);
            match entry.rule {
                // It stands with what it adds to.
                _ if entry.more && bills.clone().all(|bill| bill.cost.is_some() || !bill.priced) => Some(0),
                Rule::Requests(_) if of_target => {
                    let tried = |tried: &&super::Tried| match &tried.at {
                        Some(target) => self.value_of(scope, target) == entry.value,
                        None => false,
                    };
                    Some(u128::from(self.ledger.tried.iter().any(|one| tried(&one))))
                }
                Rule::Requests(_) => Some(u128::from(sent)),
                Rule::Concurrent(_) => Some(0),
                Rule::Tokens(_) => {
                    bills.try_fold(0_u128, |sum, bill| Some(sum.saturating_add(u128::from(bill.tokens?))))
                }
                Rule::Budget(_) => bills.try_fold(0_u128, |sum, bill| match bill.cost {
                    Some(cost) => Some(sum.saturating_add(cost.0)),
                    // What was reserved stands for what nobody knows; where there is no price, for nothing.
                    None if bill.priced => None,
                    None => Some(sum),
                }),
            }
        });
        let used: Vec<Option<u128>> = used.collect();
        let claims = admission.entries.iter().zip(admission.hold.claims()).zip(&used);
        let unknown = claims.filter(|((entry, _), used)| matches!(entry.rule, Rule::Budget(_)) && used.is_none());
        // What stays reserved of one account, in one claim or two.
        let mut held: BTreeMap<&str, u128> = BTreeMap::new();
        for ((_, claim), _) in unknown {
            let sum = held.entry(&claim.account).or_default();
            *sum = sum.saturating_add(claim.amount);
        }
        self.held = held.into_values().max().map(Usd);
        admission.hold.settle(&*self.world.shared, &used, now);
    }

    /// How the limits and budgets stand that this exchange is bound by, for the headers of its answer.
    pub(super) fn standings(&self, now: Time) -> Vec<(Kind, Standing)> {
        if !self.is_bound() {
            return Vec::new();
        }
        let decided = || self.decision.as_ref()?.targets.first();
        let refused = || self.refused_for.as_ref()?.first();
        let answered = self.ledger.answered.as_ref().or_else(decided).or_else(refused);
        let Some(target) = answered else { return Vec::new() };
        let stands = |(rule, scope): (Rule, &Scope)| {
            let kind = match rule {
                Rule::Requests(_) => Kind::Requests,
                Rule::Tokens(_) => Kind::Tokens,
                Rule::Budget(index) if self.plan.budgets.get(index).is_some_and(|b| !b.warn_at.is_empty()) => {
                    Kind::Budget(index)
                }
                Rule::Budget(_) | Rule::Concurrent(_) => return None,
            };
            let (account, gauge) = account(&self.plan, rule, &self.value_of(scope, target), now)?;
            Some((kind, accounts::standing(&*self.world.shared, &account, gauge, now)))
        };
        self.rules().filter_map(stands).collect()
    }
}

/// What a [`Standing`] is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Requests,
    Tokens,
    /// A budget by its place in the plan.
    Budget(usize),
}

pub(super) fn scope_of(plan: &Plan, rule: Rule) -> Option<&Scope> {
    match rule {
        Rule::Budget(index) => plan.budgets.get(index).map(|budget| &budget.per),
        Rule::Requests(index) | Rule::Tokens(index) | Rule::Concurrent(index) => {
            plan.limits.get(index).map(|limit| &limit.per)
        }
    }
}

fn account(plan: &Plan, rule: Rule, value: &str, now: Time) -> Option<(String, Gauge)> {
    Some(match rule {
        Rule::Budget(index) => {
            let budget = plan.budgets.get(index)?;
            (budget.account(value), budget.gauge(now))
        }
        Rule::Requests(index) => {
            let limit = plan.limits.get(index)?;
            (limit.account("requests", value), Gauge::Bucket { capacity: limit.requests? })
        }
        Rule::Tokens(index) => {
            let limit = plan.limits.get(index)?;
            (limit.account("tokens", value), Gauge::Bucket { capacity: limit.tokens? })
        }
        Rule::Concurrent(index) => {
            let limit = plan.limits.get(index)?;
            (limit.account("concurrent", value), Gauge::Slots { most: limit.concurrent? })
        }
    })
}
