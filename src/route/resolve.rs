//! Model names: which configured provider a bare name means, which names are near an unknown one, which are small.

use super::RouteError;
use crate::config::{AUTO, Plan, ProviderId, Target};
use crate::cost::catalog_knows;
use crate::providers::Auth;
use std::collections::BTreeSet;
use std::sync::Arc;

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

/// Vendors of models by the beginning of a part of their names (`us.anthropic.claude-…`, `meta-llama/llama-…`).
const FAMILIES: &[(&str, &[&str])] = &[
    ("openai", &["gpt-", "chatgpt-", "codex-", "o1", "o3", "o4", "text-embedding-", "dall-e-", "whisper-", "tts-"]),
    ("anthropic", &["claude"]),
    ("google", &["gemini", "gemma"]),
    ("meta", &["llama"]),
    ("mistral", &["mistral", "ministral", "codestral", "devstral", "magistral", "pixtral"]),
    ("xai", &["grok"]),
    ("glm", &["glm"]),
    ("deepseek", &["deepseek"]),
    ("qwen", &["qwen", "qwq"]),
    ("amazon", &["nova-", "titan-"]),
    ("cohere", &["command", "embed-", "rerank-"]),
    ("perplexity", &["sonar"]),
];

fn family(model: &str) -> Option<&'static str> {
    let begins = |part: &str, starts: &[&str]| starts.iter().any(|start| part.starts_with(start));
    let parts = || model.split(['/', '.', ':']);
    FAMILIES.iter().find(|(_, starts)| parts().any(|part| begins(part, starts))).map(|(vendor, _)| *vendor)
}

/// What a model is for, by words of its name: those for one thing cannot stand in for those for another.
fn purpose(model: &str) -> &'static str {
    const PURPOSES: &[(&str, &[&str])] = &[
        ("vectors", &["embed"]),
        ("ranks", &["rerank"]),
        ("ears", &["whisper", "transcribe"]),
        ("mouths", &["tts"]),
        ("pictures", &["dall-e", "-image"]),
    ];
    let holds = |words: &&[&str]| words.iter().any(|word| model.contains(word));
    PURPOSES.iter().find(|(_, words)| holds(words)).map_or("words", |(purpose, _)| purpose)
}

/// Why a target cannot be used now; `None`: it can.
pub type Health<'a> = &'a dyn Fn(&Target) -> Option<String>;

/// What the configuration alone says of a target's health: without a credential its provider would refuse.
pub fn configured_health(plan: &Plan, target: &Target) -> Option<String> {
    let provider = plan.provider(target.provider)?;
    let signed_elsewhere = matches!(provider.auth, Auth::AwsSigV4 | Auth::GcpAuthn);
    let missing = provider.key.is_none() && !provider.spec.key_optional && !signed_elsewhere && !provider.mocked;
    missing.then(|| format!("no credential: {} is not set", provider.spec.key_variable))
}

/// The most names that are offered.
const MOST_OFFERED: usize = 5;
/// How like a name must be that is offered for its looks alone, and how like one that is surely meant
/// (Jaro-Winkler: 1 is equal).
const LIKE: f64 = 0.8;
const SURELY_MEANT: f64 = 0.92;

/// A configured name with the targets behind it.
struct Offer<'a> {
    name: &'a str,
    targets: &'a [Arc<Target>],
}

impl Offer<'_> {
    fn ready(&self, health: Health<'_>) -> bool {
        self.targets.iter().any(|target| health(target).is_none())
    }

    /// The model that answers first.
    fn model(&self) -> &str {
        self.targets.first().map_or("", |target| target.model.as_str())
    }
}

/// Every configured name once, in the order of the file.
fn offers(plan: &Plan) -> Vec<Offer<'_>> {
    let chain = |name, id| Some(Offer { name, targets: &plan.chain(id)?.targets });
    let auto = plan.routing.default.and_then(|id| chain(AUTO, id));
    let aliases = plan.aliases.iter().filter_map(|(alias, id)| chain(alias.as_str(), *id));
    let targets = plan.chains.iter().flat_map(|chain| &chain.targets).chain(plan.models.values());
    let targets = targets.map(|target| Offer { name: &target.name, targets: std::slice::from_ref(target) });
    let mut seen = BTreeSet::new();
    auto.into_iter().chain(aliases).chain(targets).filter(|offer| seen.insert(offer.name)).collect()
}

/// The first of these, best first.
fn best(mut ranked: Vec<((u8, f64), &str)>) -> Vec<String> {
    // The sort is stable: the file's order holds among equals.
    ranked.sort_by(|((left, a), _), ((right, b), _)| left.cmp(right).then(b.total_cmp(a)));
    ranked.into_iter().take(MOST_OFFERED).map(|(_, name)| name.to_owned()).collect()
}

/// Names that can be used in place of one that nobody knows: those that are surely meant, then models of the same
/// vendor, then those of the provider that it names, then what looks like it. Nothing where nothing is plausible.
pub fn near(plan: &Plan, model: &str, health: Health<'_>) -> Vec<String> {
    if model.is_empty() || model.len() > LONGEST {
        return Vec::new();
    }
    let lower = model.to_lowercase();
    let bare = lower.rsplit('/').next().unwrap_or(&lower);
    let (vendor, wanted) = (family(&lower), purpose(&lower));
    let kind = lower.split_once('/').map(|(provider, _)| provider);
    let rank = |offer: Offer<'_>| {
        let first = offer.targets.first()?;
        let (name, own) = (offer.name.to_lowercase(), offer.model().to_lowercase());
        let alike = |left: &str, right: &str| strsim::jaro_winkler(left, right);
        let alias = offer.name != first.name;
        let likeness = if alias { alike(&lower, &name) } else { alike(&lower, &name).max(alike(bare, &own)) };
        let same_vendor = vendor.is_some() && family(&own) == vendor;
        let provider = plan.provider(first.provider);
        let same_provider = kind.is_some() && provider.is_some_and(|p| Some(p.spec.kind) == kind);
        if likeness < SURELY_MEANT && purpose(&own) != wanted {
            return None;
        }
        let tier = match likeness {
            _ if likeness >= SURELY_MEANT => 0,
            _ if same_vendor => 1,
            _ if same_provider => 2,
            _ if likeness >= LIKE => 3,
            _ => return None,
        };
        Some((tier, likeness))
    };
    let ready = offers(plan).into_iter().filter(|offer| offer.ready(health));
    best(
        ready
            .filter_map(|offer| {
                let name = offer.name;
                Some((rank(offer)?, name))
            })
            .collect(),
    )
}

/// Names that can be used in place of targets that failed: models of the same vendor elsewhere, then others of the same
/// provider, then the rest. `health` says which of them can be used.
pub fn alternatives(plan: &Plan, failed: &[Arc<Target>], health: Health<'_>) -> Vec<String> {
    let Some(asked) = failed.first() else { return Vec::new() };
    let model = asked.model.to_lowercase();
    let vendor = family(&model);
    let rank = |offer: &Offer<'_>| {
        let usable =
            |target: &Arc<Target>| health(target).is_none() && !failed.iter().any(|failed| failed.name == target.name);
        let first = offer.targets.iter().find(|target| usable(target))?;
        let own = first.model.to_lowercase();
        if purpose(&own) != purpose(&model) {
            return None;
        }
        let tier = match () {
            () if vendor.is_some() && family(&own) == vendor => 1,
            () if first.provider == asked.provider => 2,
            () => 3,
        };
        Some((tier, strsim::jaro_winkler(&model, &own)))
    };
    // Where `auto` leads changes from request to request.
    let offers = offers(plan);
    best(
        offers.iter().filter(|offer| offer.name != AUTO).filter_map(|offer| Some((rank(offer)?, offer.name))).collect(),
    )
}

/// No such model, with names that can be used in its place.
pub(super) fn unknown(plan: &Plan, model: &str) -> RouteError {
    let near = near(plan, model, &|target| configured_health(plan, target));
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
