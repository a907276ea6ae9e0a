//! `GET /v1/models`: what is configured, aliases included, in the shape that the client expects, and beside it whether
//! it can be used now, how much fits, what it takes and gives, and what it costs.

mod modalities;

use super::Reply;
use crate::admit::Allowed;
use crate::config::{Chain, Plan, Provider, Target};
use crate::formats::Format;
use crate::formats::canonical::ApiError;
use crate::host::Time;
use crate::route::Health;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The list, or one entry of it: what a consumer may ask for, where one calls.
pub fn models(
    plan: &Plan,
    allowed: Option<&Allowed>,
    id: Option<&str>,
    format: Format,
    now: Time,
    health: Health<'_>,
) -> Reply {
    let list = List { plan, allowed, format, now, health };
    let mut all = names(plan);
    if let Some(allowed) = allowed {
        all.retain(|listed| listed.may_be_asked(allowed));
    }
    if let Some(id) = id {
        return match all.iter().find(|listed| listed.name == id) {
            Some(found) => Reply::json(200, list.entry(found).to_string().into_bytes()),
            None => {
                let shown = super::headers::value(id);
                let text = format!("no model `{shown}` is configured; GET /v1/models lists those that are");
                let error = ApiError::new(404, text).with_code("model_not_found").with_param("model");
                Reply::json(404, format.write_error(&error))
            }
        };
    }
    let data: Vec<Value> = all.iter().map(|listed| list.entry(listed)).collect();
    let body = match format {
        Format::AnthropicMessages => json!({
            "data": data,
            "has_more": false,
            "first_id": all.first().map(|listed| &listed.name),
            "last_id": all.last().map(|listed| &listed.name),
        }),
        _ => json!({"object": "list", "data": data}),
    };
    Reply::json(200, body.to_string().into_bytes())
}

/// A name that a client may ask for.
struct Listed<'a> {
    name: String,
    what: What<'a>,
}

enum What<'a> {
    /// `auto` or an alias.
    Chain(&'a Chain),
    /// `provider/model`.
    Target(&'a Arc<Target>),
}

impl Listed<'_> {
    /// A chain may be asked for while one of its targets may.
    fn may_be_asked(&self, allowed: &Allowed) -> bool {
        match self.what {
            What::Chain(chain) => chain.targets.iter().any(|target| allowed.takes(&self.name, &target.name)),
            What::Target(target) => allowed.takes(&self.name, &target.name),
        }
    }
}

/// Every name that a client may ask for as the file has it: `auto`, aliases, then `provider/model`.
fn names(plan: &Plan) -> Vec<Listed<'_>> {
    let mut seen = BTreeSet::new();
    let chain = |name: &str, id| {
        let what = What::Chain(plan.chain(id)?);
        Some(Listed { name: name.to_owned(), what })
    };
    let auto = plan.routing.default.and_then(|id| chain(crate::config::AUTO, id));
    let aliases = plan.aliases.iter().filter_map(|(alias, id)| chain(alias, *id));
    let of_chains = plan.chains.iter().flat_map(|chain| &chain.targets);
    let targets = plan.models.values().chain(of_chains);
    let targets = targets.map(|target| Listed { name: target.name.clone(), what: What::Target(target) });
    auto.into_iter().chain(aliases).chain(targets).filter(|listed| seen.insert(listed.name.clone())).collect()
}

struct List<'a> {
    plan: &'a Plan,
    allowed: Option<&'a Allowed>,
    format: Format,
    now: Time,
    health: Health<'a>,
}

impl List<'_> {
    fn entry(&self, listed: &Listed<'_>) -> Value {
        let name = listed.name.as_str();
        let owner = match listed.what {
            What::Chain(_) => "conduit",
            What::Target(target) => self.plan.provider(target.provider).map_or("", |provider| &provider.name),
        };
        // Neither the configuration nor the catalog knows when a model was made; both shapes require a date.
        let mut entry = match self.format {
            Format::AnthropicMessages => {
                json!({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"})
            }
            _ => json!({"id": name, "object": "model", "created": 0, "owned_by": owner}),
        };
        let more = match listed.what {
            What::Chain(chain) => self.chain(name, chain),
            What::Target(target) => self.target(target),
        };
        if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), more) {
            entry.extend(more);
        }
        entry
    }

    /// A chain can be used while one of its targets can.
    fn chain(&self, name: &str, chain: &Chain) -> Value {
        // A request by this name goes to no others.
        let takes = |target: &&Arc<Target>| self.allowed.is_none_or(|allowed| allowed.takes(name, &target.name));
        let targets: Vec<&Arc<Target>> = chain.targets.iter().filter(takes).collect();
        let reasons: Vec<Option<String>> = targets.iter().map(|target| (self.health)(target)).collect();
        let ready = reasons.iter().any(Option::is_none);
        let reason = reasons.iter().zip(&targets).filter_map(|(reason, target)| {
            let reason = reason.as_ref()?;
            Some(format!("{}: {reason}", target.name))
        });
        let reason = reason.collect::<Vec<_>>().join("; ");
        // What fits into every target fits wherever the request goes.
        let contexts: Option<Vec<u64>> = targets.iter().map(|target| target.context).collect();
        json!({
            "status": word(ready),
            "status_reason": Some(reason).filter(|reason| !reason.is_empty()),
            "context_length": contexts.and_then(|all| all.into_iter().min()),
            "targets": targets.iter().map(|target| &target.name).collect::<Vec<_>>(),
        })
    }

    fn target(&self, target: &Target) -> Value {
        let provider = self.plan.provider(target.provider);
        let missing = (self.health)(target);
        let ready = missing.is_none();
        let mut more = json!({
            "status": word(ready),
            "status_reason": missing.or_else(|| provider.and_then(mocked)),
            "context_length": target.context,
            "pricing": self.pricing(target),
        });
        if let (Some(more), Some((input, output))) = (more.as_object_mut(), modalities::of(&target.model)) {
            more.insert("modalities".to_owned(), json!({"input": input, "output": output}));
        }
        more
    }

    /// Dollars for one token (or request) by kind, for the smallest prompt; null where there is no price.
    fn pricing(&self, target: &Target) -> Option<Value> {
        let rates = target.price.as_ref()?.standard(self.now);
        let rates: Map<String, Value> =
            rates.into_iter().map(|(kind, usd)| (kind.to_owned(), usd.to_string().into())).collect();
        Some(rates.into())
    }
}

fn word(ready: bool) -> &'static str {
    if ready { "READY" } else { "NOT READY" }
}

fn mocked(provider: &Provider) -> Option<String> {
    provider.mocked.then(|| format!("`conduit mock` answers: {} is not set", provider.spec.key_variable))
}
