//! Parameters that a client has for one provider only, and members that would say something twice.

use super::{Exchange, headers};
use crate::config::{Plan, Provider};
use crate::formats::canonical::{ApiError, ChatRequest};
use crate::providers::spec;
use serde_json::{Map, Value};

/// Sets apart what is meant for one provider: objects under a provider's kind or configured name.
///
/// # Errors
/// One of them says what only the request itself may say.
pub(super) fn set_provider_parameters_apart(request: &mut ChatRequest, plan: &Plan) -> Result<(), ApiError> {
    request.for_provider.extend(take_provider_parameters(&mut request.extra, plan)?);
    Ok(())
}

/// What is never for one provider only: who answers, what is asked, and how much may come of it. What a consumer may ask
/// for was decided, room was reserved and the prompt was counted by what the request itself says of these.
const OF_THE_REQUEST: &[&str] = &[
    "model",
    "models",
    "modelid",
    "fallbacks",
    "route",
    "preset",
    "messages",
    "input",
    "inputs",
    "contents",
    "system",
    "systeminstruction",
    "instructions",
    "stream",
    "maxtokens",
    "maxcompletiontokens",
    "maxoutputtokens",
    "maxnewtokens",
    "maxtokenstosample",
    "numpredict",
    "n",
    "bestof",
    "candidatecount",
    "generationconfig",
    "inferenceconfig",
    "options",
    "extrabody",
];

/// Fails where a provider may read another thing than is read here: a member that differs from one that is read in its
/// letters' case only, two limits of the answer's length.
pub(super) fn refuse_ambiguous(json: &Value) -> Option<ApiError> {
    const READ: &[&str] = &[
        "model",
        "messages",
        "input",
        "stream",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "n",
        "best_of",
        "service_tier",
    ];
    let members = json.as_object()?;
    let limit = |name: &str| members.get(name).filter(|limit| !limit.is_null());
    if let (Some(old), Some(new)) = (limit("max_tokens"), limit("max_completion_tokens"))
        && old != new
    {
        let message = format!("max_tokens: found {old} beside max_completion_tokens {new}; send one of them");
        return Some(ApiError::new(400, headers::value(&message)).with_param("max_tokens"));
    }
    members.keys().find_map(|name| {
        let meant = READ.iter().find(|read| read.eq_ignore_ascii_case(name) && **read != name.as_str())?;
        let message = format!("{name}: found a member that some providers take for `{meant}`, expected `{meant}`");
        Some(ApiError::new(400, message).with_param(name.as_str()))
    })
}

/// Takes them out of a request's extra members.
///
/// # Errors
/// One of them says what only the request itself may say.
pub(super) fn take_provider_parameters(
    extra: &mut Map<String, Value>,
    plan: &Plan,
) -> Result<Map<String, Value>, ApiError> {
    let mut apart = Map::new();
    let named =
        |name: &str, value: &Value| value.is_object() && (spec(name).is_some() || plan.provider_named(name).is_some());
    let names = extra.iter().filter(|(name, value)| named(name, value));
    for name in names.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
        let Some(value) = extra.shift_remove(&name) else { continue };
        for said in value.as_object().into_iter().flat_map(Map::keys) {
            // Some providers take `maxOutputTokens` as `max_output_tokens`, some names in any case.
            let plain = said.replace(['_', '-'], "").to_ascii_lowercase();
            if OF_THE_REQUEST.contains(&plain.as_str()) {
                let message = format!(
                    "{name}.{}: this cannot be said for one provider only; say it in the request itself",
                    headers::value(said)
                );
                return Err(ApiError::new(400, message).with_param(format!("{name}.{}", headers::value(said))));
            }
        }
        apart.insert(name, value);
    }
    Ok(apart)
}

/// The parameters that the client has for this provider only.
pub(super) fn own_parameters<'a>(
    for_provider: &'a Map<String, Value>,
    provider: &Provider,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let of = |name: &str| for_provider.get(name).and_then(Value::as_object);
    let by_kind = of(provider.spec.kind);
    let by_name = of(&provider.name).filter(|_| provider.name != provider.spec.kind);
    by_kind.into_iter().chain(by_name).flatten()
}

/// What budgets and limits reckon with beside [`OF_THE_REQUEST`]: said for one provider only, it would be another price.
const RECKONED: &[&str] = &["service_tier", "serviceTier", "modalities", "prediction"];

/// The first of these names that is said for one provider only, by its path.
fn said_apart(for_provider: &Map<String, Value>, names: &[&str]) -> Option<String> {
    let mut all = for_provider.iter().flat_map(|(provider, own)| own.as_object().map(|own| (provider, own)));
    all.find_map(|(provider, own)| {
        let name = names.iter().find(|name| own.contains_key(**name))?;
        Some(format!("{provider}.{name}"))
    })
}

/// Fails where something is said for one provider only that budgets and limits reckon with.
pub(super) fn refuse_reckoned(exchange: &Exchange) -> Result<(), ApiError> {
    match exchange.for_provider().and_then(|own| said_apart(own, RECKONED)) {
        None => Ok(()),
        Some(path) => {
            let name = path.rsplit('.').next().unwrap_or_default();
            let message = format!(
                "{path}: the budgets and limits of this gateway reckon with `{name}`; say it for all providers"
            );
            Err(ApiError::new(400, message).with_param(path))
        }
    }
}
