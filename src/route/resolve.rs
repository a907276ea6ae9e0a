//! Model names: which configured provider a bare name means, which names are near an unknown one, which are small.

use super::RouteError;
use crate::config::{Plan, ProviderId};
use crate::cost::catalog_knows;
use std::collections::BTreeSet;

/// The longest model name that near names are looked for; comparing takes time with the length.
const LONGEST: usize = 128;

/// Vendors of models by the beginning of their names, as kinds of providers.
const VENDORS: &[(&str, &str)] = &[
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("codex-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding-", "openai"),
    ("claude-", "anthropic"),
    ("grok-", "xai"),
    ("glm-", "glm"),
];

/// The one configured provider that a bare model name means. A provider knows a model that the file names at it, or that
/// its catalog lists. Where several know it, those are preferred that the file names it at, then those of the model's
/// own vendor.
pub(super) fn provider_of(plan: &Plan, model: &str) -> Result<ProviderId, RouteError> {
    let mut knowing: Vec<ProviderId> = match plan.named.get(model) {
        Some(named) => named.clone(),
        None => {
            let knows = |id: &ProviderId| {
                plan.provider(*id).is_some_and(|provider| catalog_knows(provider.spec.catalog_id, model))
            };
            (0..plan.providers.len()).map(ProviderId).filter(knows).collect()
        }
    };
    if knowing.len() > 1
        && let Some((_, vendor)) = VENDORS.iter().find(|(prefix, _)| model.starts_with(prefix))
    {
        let own = |id: &ProviderId| plan.provider(*id).is_some_and(|provider| provider.spec.kind == *vendor);
        if knowing.iter().any(own) {
            knowing.retain(own);
        }
    }
    match knowing.as_slice() {
        [only] => Ok(*only),
        [] => Err(unknown(plan, model)),
        several => {
            let name = |id: &ProviderId| plan.provider(*id).map(|provider| format!("{}/{model}", provider.name));
            Err(RouteError::Ambiguous {
                model: model.to_owned(),
                candidates: several.iter().filter_map(name).collect(),
            })
        }
    }
}

/// No such model: with the three configured names that are nearest, best first.
pub(super) fn unknown(plan: &Plan, model: &str) -> RouteError {
    let mut names: Vec<(f64, &str)> = Vec::new();
    if model.len() <= LONGEST {
        let lower = model.to_lowercase();
        let likeness = |name: &str| strsim::jaro_winkler(&lower, &name.to_lowercase());
        let targets = plan.chains.iter().flat_map(|chain| &chain.targets).map(|target| (&target.name, &target.model));
        let models = plan.models.values().map(|target| (&target.name, &target.model));
        let mut seen = BTreeSet::new();
        if plan.routing.default.is_some() {
            names.push((likeness("auto"), "auto"));
        }
        for (alias, _) in &plan.aliases {
            if seen.insert(alias.as_str()) {
                names.push((likeness(alias), alias));
            }
        }
        for (name, bare) in targets.chain(models) {
            if seen.insert(name.as_str()) {
                names.push((likeness(name).max(likeness(bare)), name));
            }
        }
        // The sort is stable: the file's order holds among equals.
        names.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    }
    let near = names.into_iter().take(3).map(|(_, name)| name.to_owned()).collect();
    RouteError::UnknownModel { model: model.to_owned(), near }
}

/// Whether a model is a small one by a word of its name: `claude-3-5-haiku`, `gpt-4o-mini`, `llama-3.1-8b-instant`.
/// `gemini` holds no `mini`: words count whole.
pub(super) fn is_small(model: &str) -> bool {
    const WORDS: &[&str] = &["haiku", "mini", "nano", "flash", "small", "lite"];
    /// Billions of parameters up to which a model counts as small.
    const BILLIONS: f64 = 10.0;
    model.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').any(|word| {
        let word = word.to_ascii_lowercase();
        let billions = word.strip_suffix('b').and_then(|number| number.parse::<f64>().ok());
        WORDS.contains(&word.as_str()) || billions.is_some_and(|billions| billions <= BILLIONS)
    })
}
