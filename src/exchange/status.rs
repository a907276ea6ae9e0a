//! `GET /conduit/status`: how targets, budgets and limits stand, as JSON or, for a browser, as one page of HTML.

mod html;

use super::{Exchange, Headers, Reply, Step};
use crate::admit::accounts::{self, Standing};
use crate::admit::rules::{Budget, Limit, OnExceed};
use crate::config::{Plan, Target};
use crate::cost::Usd;
use crate::formats::canonical::ApiError;
use crate::host::{Shared, Time};
use crate::route::{self, cooldown};
use serde::Serialize;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// The most accounts that are shown.
const MOST: usize = 2_000;

/// Where it is written since when what is shared is known.
const SINCE: &str = "conduit.since";

/// Says that a host begins to share what it knows: the first word stands.
pub fn begins(shared: &dyn Shared, now: Time) {
    shared.swap(SINCE, now.0.to_string().as_bytes(), None);
}

fn since(shared: &dyn Shared) -> Option<Time> {
    std::str::from_utf8(&shared.get(SINCE)?).ok()?.parse().ok().map(Time)
}

/// How everything stands. Money is in dollars, as text with all its decimals; times are RFC 3339.
#[derive(Debug, Serialize)]
struct Status {
    version: &'static str,
    time: String,
    /// Since when what stands here is known; `None`: nobody said.
    since: Option<String>,
    targets: Vec<TargetLine>,
    budgets: Vec<BudgetLine>,
    limits: Vec<LimitLine>,
    /// There are more accounts than are shown.
    more: bool,
    #[serde(skip)]
    now: Time,
}

#[derive(Debug, Serialize)]
struct TargetLine {
    name: String,
    provider: String,
    /// `READY` or `NOT READY`, as in the list of models.
    status: &'static str,
    status_reason: Option<String>,
    resting_until: Option<String>,
    calibration: Option<Calibration>,
    #[serde(skip)]
    until: Option<Time>,
}

/// How far our counts of a target's prompts are from what its provider reports.
#[derive(Debug, Serialize)]
struct Calibration {
    /// What our counts are multiplied by, in thousandths.
    ratio_thousandths: u64,
    /// What is added to that, in tokens.
    around: i64,
    /// From how many answers that is known.
    answers: u32,
    /// How far off what comes out still is, in thousandths.
    error_thousandths: u64,
}

#[derive(Debug, Serialize)]
struct BudgetLine {
    name: String,
    per: String,
    period: &'static str,
    limit_usd: String,
    /// `block`, `warn`, or `downgrade` with what it leads to.
    on_exceed: String,
    accounts: Vec<Spending>,
    #[serde(skip)]
    limit: u128,
}

#[derive(Debug, Serialize)]
struct Spending {
    /// Which value of what the budget adds up over; empty where there is none.
    value: String,
    spent_usd: String,
    reserved_usd: String,
    left_usd: String,
    resets: Option<String>,
    #[serde(skip)]
    standing: Standing,
}

#[derive(Debug, Serialize)]
struct LimitLine {
    name: String,
    per: String,
    /// `requests` and `tokens` are per minute, `concurrent` is requests at the same time.
    of: &'static str,
    limit: u64,
    accounts: Vec<Use>,
}

#[derive(Debug, Serialize)]
struct Use {
    value: String,
    used: u64,
    left: u64,
    /// When all of it is there again.
    resets: Option<String>,
    #[serde(skip)]
    standing: Standing,
}

impl Exchange {
    /// The answer to who asks how things stand.
    pub(super) fn status_page(&mut self) -> Step {
        if let Err(why) = self.may_see_status() {
            return self.error(&ApiError::new(403, why).with_code("status_not_allowed"));
        }
        let status = Status::of(&self.plan, &*self.world.shared, self.began);
        let (kind, body) = if prefers_html(&self.headers) {
            ("text/html; charset=utf-8", html::page(&status).into_bytes())
        } else {
            ("application/json", serde_json::to_vec(&status).unwrap_or_default())
        };
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![
            own("content-type", kind),
            own("vary", "accept"),
            own("cache-control", "no-store"),
            own("x-content-type-options", "nosniff"),
            own("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        ];
        self.reply(Reply { status: 200, headers, body })
    }

    /// Where the file names consumers, those that are `admin`; else who calls from the gateway's own host.
    fn may_see_status(&self) -> Result<(), &'static str> {
        let consumers = &self.plan.consumers.list;
        if !consumers.is_empty() {
            let admin = self.consumer.and_then(|place| consumers.get(place)).is_some_and(|consumer| consumer.admin);
            return if admin { Ok(()) } else { Err("only a consumer with `admin: true` may see the status page") };
        }
        // Behind a proxy on this host everyone would be on it; a page that has its own name resolved to this host
        // (DNS rebinding) would ask by that name.
        let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
        if forwarded.iter().any(|name| self.headers.get(name).is_some()) || !asked_by_local_name(&self.headers) {
            return Err(
                "without `consumers:` in conduit.yaml the status page is shown to clients on the gateway's own \
                        host only, by its address or as `localhost`, and not through a proxy",
            );
        }
        let address = self.world.peer.address.as_deref().and_then(|address| address.parse::<IpAddr>().ok());
        if address.is_some_and(|address| address.to_canonical().is_loopback()) {
            return Ok(());
        }
        Err("without `consumers:` in conduit.yaml only clients on the gateway's own host may see the status page")
    }
}

/// Whether the gateway was asked for by an address or as `localhost`; nobody can have another host take those for theirs.
fn asked_by_local_name(headers: &Headers) -> bool {
    let Some(authority) = headers.get(":authority") else { return true };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}

/// Whether a client would rather have HTML than JSON (<https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1>). Who takes
/// anything gets JSON.
fn prefers_html(headers: &Headers) -> bool {
    let ranges = || headers.iter().filter(|(name, _)| *name == "accept").flat_map(|(_, value)| value.split(','));
    let weight = |wanted: &str| {
        let of = |range: &str| {
            let mut parts = range.split(';').map(str::trim);
            parts.next().filter(|kind| kind.eq_ignore_ascii_case(wanted))?;
            let said = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            Some(said.map_or(1.0, |said| said.parse::<f64>().unwrap_or(0.0)))
        };
        ranges().find_map(of)
    };
    let html = weight("text/html").unwrap_or(0.0);
    html > 0.0 && weight("application/json").is_none_or(|json| html > json)
}

impl Status {
    fn of(plan: &Plan, shared: &dyn Shared, now: Time) -> Self {
        let known = accounts::all(shared, MOST, now);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            time: now.rfc3339(),
            since: since(shared).map(Time::rfc3339),
            targets: targets(plan).into_iter().map(|target| target_line(plan, shared, target, now)).collect(),
            budgets: plan.budgets.iter().map(|budget| budget_line(plan, budget, &known)).collect(),
            limits: plan.limits.iter().flat_map(|limit| limit_lines(limit, &known)).collect(),
            more: known.len() >= MOST,
            now,
        }
    }
}

/// Every target that the file names, once.
fn targets(plan: &Plan) -> Vec<&Arc<Target>> {
    let mut seen = BTreeSet::new();
    let of_chains = plan.chains.iter().flat_map(|chain| &chain.targets);
    of_chains.chain(plan.models.values()).filter(|target| seen.insert(&target.name)).collect()
}

fn target_line(plan: &Plan, shared: &dyn Shared, target: &Target, now: Time) -> TargetLine {
    let missing = route::configured_health(plan, target);
    let until = cooldown::resting_until(shared, &target.name).filter(|until| *until > now);
    let reason = missing.or_else(|| until.map(|_| "in cool-down, as its provider asked".to_owned()));
    TargetLine {
        name: target.name.clone(),
        provider: plan.provider(target.provider).map(|provider| provider.name.clone()).unwrap_or_default(),
        status: if reason.is_none() { "READY" } else { "NOT READY" },
        status_reason: reason,
        resting_until: until.map(Time::rfc3339),
        calibration: calibration(shared, target),
        until,
    }
}

/// What answers taught of a target; `None`: nothing yet, or its tokens are counted exactly.
fn calibration(shared: &dyn Shared, target: &Target) -> Option<Calibration> {
    let known = crate::tokens::calibration::standing(shared, target)?;
    Some(Calibration {
        ratio_thousandths: known.ratio_thousandths,
        around: known.around,
        answers: known.answers,
        error_thousandths: known.error_thousandths,
    })
}

fn budget_line(plan: &Plan, budget: &Budget, known: &[(String, Standing)]) -> BudgetLine {
    let usd = |pico: u128| Usd(pico).to_string();
    let accounts = of_rule(known, &budget.account(""), budget.limit.0);
    let accounts = accounts.into_iter().map(|(value, standing)| Spending {
        value,
        spent_usd: usd(standing.spent),
        reserved_usd: usd(standing.reserved),
        left_usd: usd(standing.left()),
        resets: standing.resets.map(Time::rfc3339),
        standing,
    });
    BudgetLine {
        name: budget.name.clone(),
        per: budget.per.word(),
        period: budget.period.word(),
        limit_usd: budget.limit.to_string(),
        on_exceed: match budget.on_exceed {
            OnExceed::Block => "block".to_owned(),
            OnExceed::Warn => "warn".to_owned(),
            OnExceed::Downgrade(chain) => {
                let targets = plan.chain(chain).map(|chain| chain.targets.as_slice()).unwrap_or_default();
                let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
                format!("downgrade to {}", names.join(", "))
            }
        },
        accounts: accounts.collect(),
        limit: budget.limit.0,
    }
}

/// One line for each number of a limit.
fn limit_lines(limit: &Limit, known: &[(String, Standing)]) -> Vec<LimitLine> {
    let numbers =
        [("requests", limit.requests), ("tokens", limit.tokens), ("concurrent", limit.concurrent)].into_iter();
    let whole = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
    let lines = numbers.filter_map(|(of, most)| {
        let most = most?;
        let accounts = of_rule(known, &limit.account(of, ""), u128::from(most));
        let accounts = accounts.into_iter().map(|(value, standing)| Use {
            value,
            used: whole(standing.spent.saturating_add(standing.reserved)),
            left: whole(standing.left()),
            resets: standing.resets.map(Time::rfc3339),
            standing,
        });
        Some(LimitLine {
            name: limit.name.clone(),
            per: limit.per.word(),
            of,
            limit: most,
            accounts: accounts.collect(),
        })
    });
    lines.collect()
}

/// A rule's accounts by their values, the fullest first, against the most that the file says now.
fn of_rule(known: &[(String, Standing)], prefix: &str, limit: u128) -> Vec<(String, Standing)> {
    let own = known
        .iter()
        .filter_map(|(name, standing)| Some((name.strip_prefix(prefix)?.to_owned(), Standing { limit, ..*standing })));
    let mut own: Vec<(String, Standing)> = own.collect();
    own.sort_by_key(|(_, standing)| standing.left());
    own
}

#[cfg(test)]
mod tests;
