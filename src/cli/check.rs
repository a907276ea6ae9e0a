//! `conduit check`: every mistake, or what the file configures.

use super::{Failure, args, load, print, read};
use crate::admit::Identity;
use crate::admit::rules::{Budget, Limit, OnExceed, Period, Scope};
use crate::config::{ChainId, Plan};
use crate::providers::Auth;
use std::collections::BTreeSet;

pub(super) fn run(args: &args::Check) -> Result<(), Failure> {
    let text = read(&args.file)?;
    let plan = load(&args.file, &text)?;
    print::line(&summary(&args.file.display().to_string(), &plan));
    Ok(())
}

fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// How many consumers, budgets and limits there are, where there are some.
pub(super) fn admission(plan: &Plan) -> Option<String> {
    let counts = [
        (plan.consumers.list.len(), "consumer", "consumers"),
        (plan.budgets.len(), "budget", "budgets"),
        (plan.limits.len(), "limit", "limits"),
    ];
    let some: Vec<String> = counts.iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| count(*n, one, many)).collect();
    (!some.is_empty()).then(|| some.join(", "))
}

fn budget(budget: &Budget, targets: impl Fn(ChainId) -> String) -> String {
    let period = match budget.period {
        Period::Hour => "hour",
        Period::Day => "day",
        Period::Month => "month",
    };
    let on_exceed = match budget.on_exceed {
        OnExceed::Block => "refuses what is more".to_owned(),
        OnExceed::Warn => "warns of what is more".to_owned(),
        OnExceed::Downgrade(chain) => format!("sends what is more to {}", targets(chain)),
    };
    let per = if budget.per == Scope::All { String::new() } else { format!(" and {}", budget.per.word()) };
    format!("  budget {}: {} USD per {period}{per}, {on_exceed}", budget.name, budget.limit)
}

fn limit(limit: &Limit) -> String {
    let numbers =
        [(limit.requests, "requests per minute"), (limit.tokens, "tokens per minute"), (limit.concurrent, "at a time")];
    let numbers: Vec<String> = numbers.iter().filter_map(|(n, what)| Some(format!("{} {what}", (*n)?))).collect();
    let per = if limit.per == Scope::All { String::new() } else { format!(" per {}", limit.per.word()) };
    format!("  limit {}: {}{per}", limit.name, numbers.join(", "))
}

/// What a plan configures, in a few lines.
pub(super) fn summary(file: &str, plan: &Plan) -> String {
    let admission = admission(plan).map(|text| format!(", {text}")).unwrap_or_default();
    let mut lines = vec![format!(
        "{file}: fine. {}, {}, {}{admission}; listens on {}:{}.",
        count(plan.providers.len(), "provider", "providers"),
        count(plan.aliases.len(), "alias", "aliases"),
        count(plan.routing.rules.len(), "rule", "rules"),
        plan.listen.address,
        plan.listen.port
    )];
    if !plan.enabled {
        lines.push("  enabled: false, so requests pass through untouched".to_owned());
        if !admission.is_empty() {
            let warning =
                "  meanwhile no consumer, budget or limit holds, and providers get the keys that clients send here";
            lines.push(warning.to_owned());
        }
    }
    for provider in &plan.providers {
        let scheme = if provider.url.tls { "https" } else { "http" };
        let note = match provider.auth {
            _ if provider.mocked => " (mocked: its key is not set)",
            Auth::AwsSigV4 => {
                " (signed by Envoy with the AWS credentials that its own process has: AWS_ACCESS_KEY_ID, \
                 AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or those of its role)"
            }
            Auth::GcpAuthn => " (Envoy fetches an access token from the metadata server of Google Cloud)",
            _ => "",
        };
        lines.push(format!(
            "  provider {}: {}, {scheme}://{}{}{note}",
            provider.name,
            provider.spec.kind,
            provider.url.authority(),
            provider.url.path
        ));
    }
    let targets = |chain: ChainId| {
        let names: Vec<&str> =
            plan.chain(chain).map(|c| c.targets.iter().map(|t| t.name.as_str()).collect()).unwrap_or_default();
        names.join(", then ")
    };
    for (name, chain) in &plan.aliases {
        lines.push(format!("  alias {name}: {}", targets(*chain)));
    }
    for rule in &plan.routing.rules {
        lines.push(format!("  rule {} (priority {}): {}", rule.name, rule.priority, targets(rule.chain)));
    }
    let shown: BTreeSet<&str> = plan
        .consumers
        .list
        .iter()
        .flat_map(|consumer| &consumer.identities)
        .filter_map(|identity| match identity {
            Identity::Header(name, _) => Some(name.as_str()),
            Identity::Key(_) | Identity::Principal(_) => None,
        })
        .collect();
    for header in shown {
        lines.push(format!(
            "  header {header}: whoever can send it is the consumer that it names; only a filter or proxy before this \
             listener keeps clients from it"
        ));
    }
    lines.extend(plan.budgets.iter().map(|each| budget(each, targets)));
    lines.extend(plan.limits.iter().map(limit));
    lines.join("\n")
}
