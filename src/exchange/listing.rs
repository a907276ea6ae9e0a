//! `GET /v1/models`: what is configured, aliases included, in the shape that the client expects.

use super::Reply;
use crate::config::Plan;
use crate::formats::Format;
use crate::formats::canonical::ApiError;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The list, or one entry of it.
pub fn models(plan: &Plan, id: Option<&str>, format: Format) -> Reply {
    let all = names(plan);
    if let Some(id) = id {
        return match all.iter().find(|(name, _)| name == id) {
            Some((name, owner)) => Reply::json(200, entry(name, owner, format).to_string().into_bytes()),
            None => {
                let shown = super::headers::value(id);
                let text = format!("no model `{shown}` is configured; GET /v1/models lists those that are");
                let error = ApiError::new(404, text).with_code("model_not_found").with_param("model");
                Reply::json(404, format.write_error(&error))
            }
        };
    }
    let data: Vec<Value> = all.iter().map(|(name, owner)| entry(name, owner, format)).collect();
    let body = match format {
        Format::AnthropicMessages => json!({
            "data": data,
            "has_more": false,
            "first_id": all.first().map(|(name, _)| name),
            "last_id": all.last().map(|(name, _)| name),
        }),
        _ => json!({"object": "list", "data": data}),
    };
    Reply::json(200, body.to_string().into_bytes())
}

fn entry(name: &str, owner: &str, format: Format) -> Value {
    // Neither the configuration nor the catalog knows when a model was made; both shapes require a date.
    match format {
        Format::AnthropicMessages => {
            json!({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"})
        }
        _ => json!({"id": name, "object": "model", "created": 0, "owned_by": owner}),
    }
}

/// Every name that a client may ask for as the file has it, with its owner: `auto`, aliases, then `provider/model`.
pub fn names(plan: &Plan) -> Vec<(String, String)> {
    let mut seen = BTreeSet::new();
    let auto = plan.routing.default.map(|_| ("auto".to_owned(), "conduit".to_owned()));
    let aliases = plan.aliases.iter().map(|(alias, _)| (alias.clone(), "conduit".to_owned()));
    let of_chains = plan.chains.iter().flat_map(|chain| &chain.targets);
    let targets = plan.models.values().chain(of_chains).map(|target| {
        let owner = plan.provider(target.provider).map_or_else(String::new, |p| p.name.clone());
        (target.name.clone(), owner)
    });
    auto.into_iter().chain(aliases).chain(targets).filter(|(name, _)| seen.insert(name.clone())).collect()
}
