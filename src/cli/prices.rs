//! `conduit prices`: what models cost, how much fits into them, and where that is known from.

mod sheet;

use super::{Failure, args, print};
use crate::config::{Plan, Target, near};
use crate::cost::{
    Price, Usd, catalog_as_of, catalog_knows, catalog_models, catalog_price, catalog_providers, catalog_source,
    context_window, max_output,
};
use crate::host::Time;
use crate::providers::{REGISTRY, Spec};
use sheet::{Table, sheet};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub(super) fn run(args: &args::Prices) -> Result<(), Failure> {
    let plan = args.file.as_deref().map(|file| super::load(file, &super::read(file)?)).transpose()?;
    let file = args.file.as_deref().unwrap_or(Path::new("")).display().to_string();
    let shown = match (&plan, &args.model) {
        (None, None) => Ok(catalog()),
        (None, Some(model)) => of_catalog(model, now()),
        (Some(plan), None) => Ok(of_plan(plan, &file, now())),
        (Some(plan), Some(model)) => in_plan(plan, &file, model, now()),
    };
    match shown {
        Ok(text) => {
            print::raw(&text);
            Ok(())
        }
        Err(why) => {
            print::complain(&why);
            Err(Failure::Mistakes)
        }
    }
}

fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time(since.ok().and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0))
}

/// What is known of a model, and from where.
struct Known {
    /// `provider/model`.
    name: String,
    price: Option<Price>,
    context: Option<u64>,
    max_output: Option<u64>,
    /// Where the price is from; `None`: nowhere.
    source: Option<String>,
}

impl Known {
    fn of_catalog(kind: &Spec, model: &str) -> Self {
        let price = catalog_price(kind.catalog_id, model);
        let source = price.is_some().then(catalog_named);
        let (context, max_output) = (context_window(kind.catalog_id, model), max_output(kind.catalog_id, model));
        Self { name: format!("{}/{model}", kind.kind), price, context, max_output, source }
    }

    fn of_target(plan: &Plan, file: &str, target: &Target) -> Self {
        let catalog_id = plan.provider(target.provider).and_then(|provider| provider.spec.catalog_id);
        let own = plan.models.contains_key(&target.name) && target.price != catalog_price(catalog_id, &target.model);
        let source = match own {
            true => format!("{file}: models[\"{}\"].price", target.name),
            false => catalog_named(),
        };
        Self {
            name: target.name.clone(),
            price: target.price.clone(),
            context: target.context,
            max_output: target.max_output,
            source: target.price.is_some().then_some(source),
        }
    }
}

/// `genai-prices 0.2.1, as of 2026-11-21`
fn catalog_named() -> String {
    let source = catalog_source();
    format!("{}, as of {}", source.split(',').next().unwrap_or(source), catalog_as_of())
}

/// The catalog by provider.
fn catalog() -> String {
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for spec in REGISTRY {
        kinds.entry(spec.catalog_id.unwrap_or_default()).or_default().push(spec.kind);
    }
    let mut table = Table::new(&["provider", "models", "priced", "kinds in conduit.yaml"]);
    for id in catalog_providers() {
        let models = catalog_models(id);
        let priced = models.iter().filter(|(_, priced)| *priced).count();
        let kinds = kinds.get(id).map_or_else(|| "-".to_owned(), |kinds| kinds.join(", "));
        table.row(vec![id.to_owned(), models.len().to_string(), priced.to_string(), kinds]);
    }
    format!(
        "{}, at {}\n\n{}\nA model's prices: conduit prices MODEL. Those of a file's models: --file conduit.yaml.\n",
        catalog_named(),
        catalog_source().split(", ").nth(1).unwrap_or_default(),
        table.text()
    )
}

/// A model of the catalog, `PROVIDER/MODEL` or as its providers name it.
fn of_catalog(model: &str, now: Time) -> Result<String, String> {
    let qualified = model.split_once('/').and_then(|(kind, model)| {
        let spec = REGISTRY.iter().find(|spec| spec.kind == kind || spec.catalog_id == Some(kind))?;
        Some((*spec, model))
    });
    if let Some((spec, name)) = qualified.filter(|(spec, name)| catalog_knows(spec.catalog_id, name)) {
        return Ok(sheet(&Known::of_catalog(spec, name), now));
    }
    let mut seen = Vec::new();
    let mut shown = Vec::new();
    for spec in REGISTRY {
        let Some(id) = spec.catalog_id else { continue };
        if !seen.contains(&id) && catalog_knows(Some(id), model) {
            seen.push(id);
            let kinds = REGISTRY.iter().filter(|spec| spec.catalog_id == Some(id)).count();
            let seller = if kinds > 1 { id } else { spec.kind };
            let name = format!("{seller}/{model}");
            shown.push(sheet(&Known { name, ..Known::of_catalog(spec, model) }, now));
        }
    }
    if !shown.is_empty() {
        return Ok(shown.join("\n"));
    }
    let name = qualified.map_or(model, |(_, name)| name);
    let ids: Vec<&str> = match qualified {
        Some((spec, _)) => spec.catalog_id.into_iter().collect(),
        None => REGISTRY.iter().filter_map(|spec| spec.catalog_id).collect(),
    };
    let known = ids.iter().flat_map(|id| catalog_models(id)).map(|(id, _)| id).collect::<Vec<_>>();
    let asked = print::clean(model);
    Err(unknown(&format!("no model `{asked}` in the catalog"), near(name, known), "a model's name or PROVIDER/MODEL"))
}

fn unknown(found: &str, near: Option<String>, expected: &str) -> String {
    let near = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
    format!("found {found}, expected {expected}{near}")
}

/// Every target that a file names, in the order of its aliases.
fn named_targets(plan: &Plan) -> Vec<Arc<Target>> {
    let aliases = plan.aliases.iter().filter_map(|(_, chain)| plan.chain(*chain));
    let mut targets: Vec<Arc<Target>> = Vec::new();
    let all = aliases.chain(&plan.chains).flat_map(|chain| &chain.targets).chain(plan.models.values());
    for target in all {
        if !targets.iter().any(|known| known.name == target.name) {
            targets.push(Arc::clone(target));
        }
    }
    targets
}

/// The models of a file.
fn of_plan(plan: &Plan, file: &str, now: Time) -> String {
    let mut table = Table::new(&["model", "input", "cached", "output", "context", "max output", "price from"]);
    for target in named_targets(plan) {
        let known = Known::of_target(plan, file, &target);
        let rates = known.price.as_ref().map(|price| price.standard(now)).unwrap_or_default();
        let rate = |kind: &str| {
            let found = rates.iter().find(|(name, _)| *name == kind).map(|(_, rate)| sheet::per_million(*rate));
            found.unwrap_or_else(|| "-".to_owned())
        };
        let number = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
        table.row(vec![
            known.name.clone(),
            rate("input"),
            rate("cached_input"),
            rate("output"),
            number(known.context),
            number(known.max_output),
            known.source.unwrap_or_else(|| format!("nowhere: give models[\"{}\"].price", known.name)),
        ]);
    }
    format!("USD per million tokens, for the smallest prompts\n\n{}", table.text())
}

/// A model or alias, as a file means it.
fn in_plan(plan: &Plan, file: &str, model: &str, now: Time) -> Result<String, String> {
    let alias = plan.alias(model).and_then(|id| plan.chain(id)).map(|chain| chain.targets.clone());
    let qualified = || {
        let (provider, name) = model.split_once('/')?;
        let (id, found) = plan.provider_named(provider)?;
        let known = plan.models.contains_key(model) || catalog_knows(found.spec.catalog_id, name);
        let named = named_targets(plan).iter().any(|target| target.name == model);
        Some(vec![plan.target(id, name).filter(|_| known || named)?])
    };
    let everywhere = || {
        let ids = (0..plan.providers.len()).map(crate::config::ProviderId);
        let sold = |id: &crate::config::ProviderId| {
            let found = plan.provider(*id);
            let named = plan.named.get(model).is_some_and(|named| named.contains(id));
            named || found.is_some_and(|provider| catalog_knows(provider.spec.catalog_id, model))
        };
        let targets: Vec<_> = ids.filter(sold).filter_map(|id| plan.target(id, model)).collect();
        (!targets.is_empty()).then_some(targets)
    };
    let Some(targets) = alias.or_else(qualified).or_else(everywhere) else {
        let targets = named_targets(plan);
        let aliases = plan.aliases.iter().map(|(name, _)| name.as_str());
        let names = aliases.chain(targets.iter().map(|target| target.name.as_str())).collect::<Vec<_>>();
        let found = format!("`{}`, which neither {file} nor the catalog knows", print::clean(model));
        let expected = "an alias, or PROVIDER/MODEL with a configured provider";
        return Err(unknown(&found, near(model, names), expected));
    };
    let sheets: Vec<_> = targets.iter().map(|target| sheet(&Known::of_target(plan, file, target), now)).collect();
    Ok(sheets.join("\n"))
}

/// USD of a cost, where it is known.
fn usd(cost: Option<Usd>) -> String {
    cost.map_or_else(|| "-".to_owned(), |cost| cost.to_string())
}
