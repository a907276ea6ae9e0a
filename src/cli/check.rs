//! `conduit check`: every mistake, or what the file configures.

use super::{Failure, args, load, print, read};
use crate::config::{ChainId, Plan};
use crate::providers::Auth;

pub(super) fn run(args: &args::Check) -> Result<(), Failure> {
    let text = read(&args.file)?;
    let plan = load(&args.file, &text)?;
    print::line(&summary(&args.file.display().to_string(), &plan));
    Ok(())
}

/// What a plan configures, in a few lines.
pub(super) fn summary(file: &str, plan: &Plan) -> String {
    let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut lines = vec![format!(
        "{file}: fine. {}, {}, {}; listens on {}:{}.",
        count(plan.providers.len(), "provider", "providers"),
        count(plan.aliases.len(), "alias", "aliases"),
        count(plan.routing.rules.len(), "rule", "rules"),
        plan.listen.address,
        plan.listen.port
    )];
    if !plan.enabled {
        lines.push("  enabled: false, so requests pass through untouched".to_owned());
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
    lines.join("\n")
}
