//! `models:`, `aliases:` and every place where a target stands: names become chains of targets.

use super::prices::read_price;
use super::read::{Cursor, near, one_of, short};
use super::{Chain, ChainId, Plan, Provider, ProviderId, Target};
use crate::cost::catalog_knows;
use crate::tokens::{TOKENIZER_NAMES, tokenizer_named};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name that asks Conduit to choose. No alias can have it.
pub(crate) const AUTO: &str = "auto";

/// The deepest aliases may name aliases.
const DEEPEST: usize = 32;

/// Of how many targets any may be left out, wherever they stand. Each such chain may need 2ⁿ - n - 1 clusters: 26.
const MOST_LEFT_OUT_OF: usize = 5;

/// Reads `models:` into the plan.
pub(super) fn read_models(models: &Cursor<'_>, names: &[String], plan: &mut Plan) {
    for entry in models.entries("a map from `provider/model` to what is to be known of it") {
        let provider = entry.name.split_once('/').filter(|(_, model)| !model.is_empty()).map(|(provider, _)| provider);
        match provider {
            None => {
                let found = format!("`{}`", short(entry.name));
                entry.key.mistake(found, "`provider/model`", qualified(entry.name, plan));
            }
            Some(provider) if !names.iter().any(|name| name == provider) => {
                unknown_provider(&entry.key, entry.name, provider, names, "as the model's provider");
            }
            Some(_) => {}
        }
        let fields = entry.value.fields(&["tokenizer", "context", "max_output", "price"]);
        let tokenizer = fields.get("tokenizer").and_then(|cursor| {
            let words: Vec<(&str, &str)> = TOKENIZER_NAMES.iter().map(|name| (*name, *name)).collect();
            cursor.word(&words).and_then(tokenizer_named)
        });
        let context = fields.get("context").and_then(|cursor| cursor.whole(1..=1_000_000_000_u64));
        let max_output = fields.get("max_output").and_then(|cursor| cursor.whole(1..=1_000_000_000_u64));
        let price = fields.get("price").and_then(|cursor| read_price(&cursor));
        let known = entry.name.split_once('/').and_then(|(provider, model)| {
            let (id, _) = plan.provider_named(provider)?;
            plan.target(id, model)
        });
        if let Some(known) = known {
            let mut target = Target::clone(&known);
            target.tokenizer = tokenizer.unwrap_or(target.tokenizer);
            target.context = context.or(target.context);
            target.max_output = max_output.or(target.max_output);
            target.price = price.or(target.price);
            plan.models.insert(target.name.clone(), Arc::new(target));
        }
    }
}

/// `provider/model` where exactly one configured provider's catalog knows a bare model name.
fn qualified(model: &str, plan: &Plan) -> Option<String> {
    let mut knowing = plan.providers.iter().filter(|provider| catalog_knows(provider.spec.catalog_id, model));
    let first = knowing.next()?;
    knowing.next().is_none().then(|| format!("{}/{model}", first.name))
}

fn unknown_provider(at: &Cursor<'_>, whole: &str, provider: &str, names: &[String], as_what: &str) {
    let model = whole.split_once('/').map_or("", |(_, model)| model);
    let near = near(provider, names.iter().map(String::as_str)).map(|name| format!("{name}/{model}"));
    let expected = format!("{} {as_what}", one_of(names));
    at.mistake(format!("`{}`, whose provider is not configured", short(whole)), expected, near);
}

/// Turns the file's targets into chains.
pub(super) struct Chains<'a, 'p> {
    pub plan: &'p mut Plan,
    /// Every provider's name, those that cannot be used included.
    names: &'p [String],
    aliases: BTreeMap<&'a str, Alias<'a>>,
    /// Alias names in the order of the file.
    order: Vec<&'a str>,
    targets: BTreeMap<String, Arc<Target>>,
    by_names: BTreeMap<Vec<String>, ChainId>,
}

struct Alias<'a> {
    value: Cursor<'a>,
    state: State,
}

#[derive(Clone)]
enum State {
    New,
    Open,
    /// `None`: there is a mistake in it, reported.
    Done(Option<Vec<Arc<Target>>>),
}

impl<'a, 'p> Chains<'a, 'p> {
    /// Takes the names of the aliases; [`Chains::finish_aliases`] looks at their targets.
    pub fn new(plan: &'p mut Plan, names: &'p [String], aliases: Option<Cursor<'a>>) -> Self {
        let targets = plan.models.clone();
        let mut chains =
            Self { plan, names, aliases: BTreeMap::new(), order: Vec::new(), targets, by_names: BTreeMap::new() };
        for entry in aliases.iter().flat_map(|aliases| aliases.entries("a map from a name to one or more targets")) {
            let shadowed = entry.name.split_once('/').filter(|(first, _)| names.iter().any(|name| name == first));
            if entry.name == AUTO {
                entry.key.mistake("an alias `auto`", "another name: `auto` asks Conduit to choose", None);
            } else if entry.name.is_empty() || entry.name.contains(|c: char| c == ',' || c.is_control()) {
                let found = format!("the name {:?}", short(entry.name));
                entry.key.mistake(found, "a name without comma, line break or tab, and not empty", None);
            } else if let Some((provider, _)) = shadowed {
                let expected =
                    format!("a name that does not begin with `{provider}/`: that asks for the provider's own model");
                entry.key.mistake(format!("an alias `{}`", short(entry.name)), expected, None);
            }
            chains.order.push(entry.name);
            chains.aliases.insert(entry.name, Alias { value: entry.value, state: State::New });
        }
        chains
    }

    /// Resolves every alias, used or not.
    pub fn finish_aliases(&mut self) {
        for name in self.order.clone() {
            if let Some(targets) = self.alias(name, 0) {
                let chain = self.chain(targets);
                self.plan.aliases.push((name.to_owned(), chain));
            }
        }
    }

    /// The chain that a target or a list of targets means. What is wrong is reported.
    pub fn read(&mut self, cursor: &Cursor<'a>) -> Option<ChainId> {
        let targets = self.expand(cursor, 0)?;
        Some(self.chain(targets))
    }

    /// The chain of these targets.
    fn chain(&mut self, targets: Vec<Arc<Target>>) -> ChainId {
        let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
        if let Some(known) = self.by_names.get(&names) {
            return *known;
        }
        let id = ChainId(self.plan.chains.len());
        self.add_composites(&targets.iter().map(|target| target.provider).collect::<Vec<_>>());
        let cluster = self.plan.cluster_of(&targets).unwrap_or_default().to_owned();
        self.plan.chains.push(Chain { targets, cluster });
        self.by_names.insert(names, id);
        id
    }

    /// The clusters of a chain of these providers: one for the whole, one for each of its ends, and, of an end that is
    /// short enough, one for whatever is left in order when some are left out.
    fn add_composites(&mut self, providers: &[ProviderId]) {
        let mut rest = providers;
        while rest.len() > MOST_LEFT_OUT_OF {
            self.add_composite(rest.to_vec());
            rest = rest.get(1..).unwrap_or_default();
        }
        let mut subsets: Vec<Vec<ProviderId>> = vec![Vec::new()];
        for provider in rest {
            let with = subsets.iter().map(|subset| subset.iter().chain([provider]).copied().collect());
            subsets = with.collect::<Vec<_>>().into_iter().chain(subsets).collect();
        }
        for subset in subsets {
            self.add_composite(subset);
        }
    }

    fn add_composite(&mut self, providers: Vec<ProviderId>) {
        if providers.len() > 1 {
            let number = self.plan.composites.len();
            self.plan.composites.entry(providers).or_insert_with(|| format!("conduit.chain.{number}"));
        }
    }

    fn expand(&mut self, cursor: &Cursor<'a>, depth: usize) -> Option<Vec<Arc<Target>>> {
        const EXPECTED: &str = "an alias, `provider/model`, or a list of them";
        let items = match cursor.as_list() {
            None => return self.name(cursor, cursor.text(EXPECTED)?, depth),
            Some(items) if items.is_empty() => {
                cursor.wrong(EXPECTED);
                return None;
            }
            Some(items) => items,
        };
        let mut chain: Vec<Arc<Target>> = Vec::new();
        let mut whole = true;
        for item in &items {
            let found = item.text("an alias or `provider/model`").and_then(|name| self.name(item, name, depth));
            whole &= found.is_some();
            for target in found.into_iter().flatten() {
                if chain.iter().any(|earlier| earlier.name == target.name) {
                    item.mistake(
                        format!("`{}` a second time", short(&target.name)),
                        "each target once in a chain",
                        None,
                    );
                    whole = false;
                } else {
                    chain.push(target);
                }
            }
        }
        whole.then_some(chain)
    }

    /// The targets that one name means.
    fn name(&mut self, at: &Cursor<'a>, name: &'a str, depth: usize) -> Option<Vec<Arc<Target>>> {
        let split = name.split_once('/').filter(|(_, model)| !model.is_empty());
        if let Some((provider, model)) = split
            && self.names.iter().any(|known| known == provider)
        {
            return self.target(provider, model).map(|target| vec![target]);
        }
        match self.aliases.get(name).map(|alias| alias.state.clone()) {
            Some(State::Open) => {
                at.mistake(
                    format!("`{}`, which leads back to itself", short(name)),
                    "aliases that end at models",
                    None,
                );
                None
            }
            Some(_) if depth >= DEEPEST => {
                at.mistake(
                    format!("`{}`, an alias below {DEEPEST} others", short(name)),
                    "fewer levels of aliases",
                    None,
                );
                None
            }
            Some(_) => self.alias(name, depth),
            None => {
                self.unknown(at, name, split.map(|(provider, _)| provider));
                None
            }
        }
    }

    fn alias(&mut self, name: &'a str, depth: usize) -> Option<Vec<Arc<Target>>> {
        let alias = self.aliases.get_mut(name)?;
        if let State::Done(targets) = &alias.state {
            return targets.clone();
        }
        alias.state = State::Open;
        let value = alias.value.clone();
        let targets = self.expand(&value, depth.saturating_add(1));
        if let Some(alias) = self.aliases.get_mut(name) {
            alias.state = State::Done(targets.clone());
        }
        targets
    }

    fn target(&mut self, provider: &str, model: &str) -> Option<Arc<Target>> {
        let (id, found) = self.plan.provider_named(provider)?;
        let name = format!("{}/{model}", found.name);
        if let Some(target) = self.targets.get(&name) {
            return Some(Arc::clone(target));
        }
        let target = self.plan.target(id, model)?;
        self.targets.insert(name, Arc::clone(&target));
        Some(target)
    }

    /// Reports a name that no request could ask for with success.
    pub fn check_name(&self, at: &Cursor<'_>, name: &str) {
        let split = name.split_once('/').filter(|(_, model)| !model.is_empty());
        let known = name == AUTO
            || self.aliases.contains_key(name)
            || split.is_some_and(|(provider, _)| self.names.iter().any(|known| known == provider))
            || self.targets.values().any(|target| target.model == name)
            || self.plan.providers.iter().any(|provider| catalog_knows(provider.spec.catalog_id, name));
        if !known {
            self.unknown(at, name, split.map(|(provider, _)| provider));
        }
    }

    /// Reports a pattern that begins with a provider which is not there: what it should allow is refused to its consumer.
    pub fn check_pattern(&self, at: &Cursor<'_>, pattern: &str) {
        let start = pattern.split('*').next().unwrap_or_default();
        let Some((provider, _)) = start.split_once('/') else { return };
        let known = self.names.iter().any(|known| known == provider)
            || self.order.iter().any(|alias| alias.starts_with(start))
            || self.targets.values().any(|target| target.model.starts_with(start));
        if !known {
            unknown_provider(at, pattern, provider, self.names, "as the provider, or the beginning of an alias");
        }
    }

    fn unknown(&self, at: &Cursor<'_>, name: &str, provider: Option<&str>) {
        let near_alias = near(name, self.order.iter().copied());
        match provider {
            Some(provider) if near_alias.is_none() => {
                unknown_provider(at, name, provider, self.names, "as the provider, or an alias");
            }
            _ => {
                let found = format!("`{}`, which is no alias and names no provider", short(name));
                let expected = "an alias, or `provider/model` with a configured provider";
                at.mistake(found, expected, near_alias.or_else(|| qualified(name, self.plan)));
            }
        }
    }

    /// Which providers the file names each model at, in the order of the file.
    pub fn finish(self) -> BTreeMap<String, Vec<ProviderId>> {
        let mut named: BTreeMap<String, Vec<ProviderId>> = BTreeMap::new();
        for target in self.targets.values() {
            named.entry(target.model.clone()).or_default().push(target.provider);
        }
        named.values_mut().for_each(|providers| providers.sort_unstable());
        named
    }
}

/// The provider for paths that Conduit has no format for.
pub(super) fn passthrough(plan: &Plan) -> Option<ProviderId> {
    let speaks = |provider: &Provider| provider.spec.format == crate::formats::Format::OpenAiChat;
    let default = plan.routing.default.and_then(|id| plan.chain(id)).and_then(|chain| chain.targets.first());
    default
        .map(|target| target.provider)
        .filter(|id| plan.provider(*id).is_some_and(speaks))
        .or_else(|| plan.providers.iter().position(speaks).map(ProviderId))
}
