//! The price catalog: `catalog.json`, made by `tools/catalog.py` from the data of the `genai-prices` crate.
//!
//! The text stays as it is; a provider's part of it is parsed when first asked for. Model names are matched as
//! genai-prices matches them: in lower case, the first model whose rule holds, then the same with compact dates
//! (`-20251211`) written out (`-2025-12-11`).

use super::{Kind, Price, Rate, Rates, Validity};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

const TEXT: &str = include_str!("catalog.json");

/// Providers whose models another list names too. That list answers what a model **is**, never what it costs here:
/// Zhipu bills in CNY by a list of its own.
const KIN: &[(&str, &str)] = &[("zhipuai", "zai")];

#[derive(Deserialize)]
struct Catalog<'a> {
    source: &'a str,
    as_of: &'a str,
    #[serde(borrow)]
    providers: BTreeMap<&'a str, &'a RawValue>,
}

#[derive(Deserialize)]
struct Provider<'a> {
    /// Providers whose models, at their prices, this one sells too.
    #[serde(borrow)]
    fallback: Vec<&'a str>,
    #[serde(borrow)]
    models: Vec<Model<'a>>,
}

#[derive(Deserialize)]
struct Model<'a> {
    id: &'a str,
    #[serde(borrow, rename = "match")]
    rule: Rule<'a>,
    context: Option<u64>,
    max_output: Option<u64>,
    #[serde(borrow)]
    prices: Vec<Period<'a>>,
    #[serde(borrow, default)]
    services: Vec<Service<'a>>,
}

#[derive(Deserialize)]
struct Period<'a> {
    from: Option<&'a str>,
    #[serde(borrow)]
    hours: Option<(&'a str, &'a str)>,
    rates: RateTable,
}

#[derive(Deserialize)]
struct Service<'a> {
    tier: &'a str,
    from: Option<&'a str>,
    #[serde(borrow)]
    hours: Option<(&'a str, &'a str)>,
    rates: RateTable,
}

/// A condition on a model name in lower case.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rule<'a> {
    Equals(&'a str),
    StartsWith(&'a str),
    EndsWith(&'a str),
    Contains(&'a str),
    /// A start in which `#` stands for a digit, and `$` as the last character for the end.
    Shape(&'a str),
    #[serde(borrow)]
    Or(Vec<Rule<'a>>),
    #[serde(borrow)]
    And(Vec<Rule<'a>>),
    #[serde(borrow)]
    Not(Box<Rule<'a>>),
}

impl Rule<'_> {
    fn holds(&self, name: &str) -> bool {
        match self {
            Rule::Equals(text) => name == *text,
            Rule::StartsWith(text) => name.starts_with(text),
            Rule::EndsWith(text) => name.ends_with(text),
            Rule::Contains(text) => name.contains(text),
            Rule::Shape(shape) => has_shape(name, shape),
            Rule::Or(rules) => rules.iter().any(|rule| rule.holds(name)),
            Rule::And(rules) => rules.iter().all(|rule| rule.holds(name)),
            Rule::Not(rule) => !rule.holds(name),
        }
    }
}

fn has_shape(name: &str, shape: &str) -> bool {
    let mut rest = name.bytes();
    shape.bytes().all(|want| match (want, rest.next()) {
        (b'$', None) => true,
        (b'#', Some(found)) => found.is_ascii_digit(),
        (want, found) => found == Some(want),
    })
}

/// `{"input": 2500000, "output": [15000000, 272000, 22500000]}`; the latter is base, above, rate.
struct RateTable(Rates);

impl<'de> Deserialize<'de> for RateTable {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = RateTable;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("rates by kind")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RateTable, A::Error> {
                let mut rates = Rates::new();
                while let Some((kind, raw)) = map.next_entry::<Kind, RawRate>()? {
                    rates.push((kind, raw.rate().ok_or_else(|| A::Error::custom("odd list of tiers"))?));
                }
                Ok(RateTable(rates))
            }
        }
        from.deserialize_map(Table)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawRate {
    Flat(u64),
    Tiered(Vec<u64>),
}

impl RawRate {
    fn rate(self) -> Option<Rate> {
        match self {
            RawRate::Flat(base) => Some(Rate { base, tiers: Vec::new() }),
            RawRate::Tiered(list) => {
                let (base, tiers) = list.split_first()?;
                let (pairs, []) = tiers.as_chunks::<2>() else { return None };
                Some(Rate { base: *base, tiers: pairs.iter().map(|[above, rate]| (*above, *rate)).collect() })
            }
        }
    }
}

fn catalog() -> Option<&'static Catalog<'static>> {
    static CATALOG: OnceLock<Option<Catalog<'static>>> = OnceLock::new();
    // The text is part of the program and a test parses all of it, so there is no error to report.
    CATALOG.get_or_init(|| serde_json::from_str(TEXT).ok()).as_ref()
}

fn provider(id: &str) -> Option<&'static Provider<'static>> {
    static PARSED: Mutex<BTreeMap<&'static str, &'static Provider<'static>>> = Mutex::new(BTreeMap::new());
    let mut parsed = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = parsed.get(id) {
        return Some(found);
    }
    let (id, raw) = catalog()?.providers.get_key_value(id)?;
    // Parsed once per provider and kept for the program's life, as the text itself is.
    let found: &'static Provider<'static> = Box::leak(Box::new(serde_json::from_str(raw.get()).ok()?));
    parsed.insert(id, found);
    Some(found)
}

/// The day whose prices hold where no time is known: `2026-11-21`.
pub fn catalog_as_of() -> &'static str {
    catalog().map_or("", |catalog| catalog.as_of)
}

struct Found {
    model: &'static Model<'static>,
    /// Whether the provider asked for lists it itself: service tiers are its own.
    own: bool,
}

fn find(id: &str, model: &str) -> Option<Found> {
    let name = model.to_lowercase();
    let provider = provider(id)?;
    find_plain(provider, &name).or_else(|| find_plain(provider, &dates_written_out(&name)?))
}

fn find_plain(asked: &'static Provider<'static>, name: &str) -> Option<Found> {
    let listed = |provider: &'static Provider<'static>| provider.models.iter().find(|model| model.rule.holds(name));
    let own = listed(asked).map(|model| Found { model, own: true });
    own.or_else(|| {
        let model = asked.fallback.iter().filter_map(|id| provider(id)).find_map(listed)?;
        Some(Found { model, own: false })
    })
}

/// `a-20251211:b` → `a-2025-12-11:b`; `None` where there is no such date.
fn dates_written_out(name: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut changed = false;
    for (i, part) in name.split('-').enumerate() {
        let digits = part.split(':').next().unwrap_or(part);
        let date = (i > 0 && digits.len() == 8).then(|| date_of(digits)).flatten();
        changed |= date.is_some();
        out.push(match date {
            Some(date) => format!("{date}{}", part.strip_prefix(digits).unwrap_or_default()),
            None => part.to_owned(),
        });
    }
    changed.then(|| out.join("-"))
}

fn date_of(digits: &str) -> Option<String> {
    let (year, month, day) = (digits.get(..4)?, digits.get(4..6)?, digits.get(6..8)?);
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    let (y, m, d) = (number(year)?, number(month)?, number(day)?);
    let leap = y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let days = match m {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    (year.starts_with("20") && (1..=days).contains(&d)).then(|| format!("{year}-{month}-{day}"))
}

/// The catalog's price of a model. `None`: the catalog does not have it, or prices it by something other than tokens.
pub fn catalog_price(catalog_id: Option<&str>, model: &str) -> Option<Price> {
    let Found { model, own } = find(catalog_id?, model)?;
    let periods: Vec<_> =
        model.prices.iter().map(|period| (validity(period.from, period.hours), period.rates.0.clone())).collect();
    let by_token = periods.iter().any(|(_, rates)| super::rate_of(rates, Kind::Input).is_some());
    let services = if own { model.services.as_slice() } else { &[] };
    let services = services
        .iter()
        .map(|service| (service.tier.into(), validity(service.from, service.hours), service.rates.0.clone()))
        .collect();
    by_token.then_some(Price { periods, services })
}

fn validity(from: Option<&'static str>, hours: Option<(&'static str, &'static str)>) -> Validity {
    let hours = hours.map(|(start, end)| (start.into(), end.into()));
    Validity { from: from.map(Into::into), until: None, hours }
}

/// The ids of the catalog's providers.
pub fn catalog_providers() -> Vec<&'static str> {
    catalog().map(|catalog| catalog.providers.keys().copied().collect()).unwrap_or_default()
}

/// The ids of a provider's own models, those of other lists that it sells left out, and whether each has a price.
pub fn catalog_models(catalog_id: &str) -> Vec<(&'static str, bool)> {
    let models = provider(catalog_id).map(|provider| provider.models.as_slice()).unwrap_or_default();
    let priced =
        |model: &Model<'_>| model.prices.iter().any(|period| super::rate_of(&period.rates.0, Kind::Input).is_some());
    models.iter().map(|model| (model.id, priced(model))).collect()
}

/// Where the catalog's prices are from.
pub fn catalog_source() -> &'static str {
    catalog().map_or("", |catalog| catalog.source)
}

/// Whether a text is a day of this century: `2026-11-21`.
pub fn is_day(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    digits.len() == 8 && date_of(&digits).is_some_and(|written| written == text)
}

/// How many tokens fit into a model, as the catalog knows it.
pub fn context_window(catalog_id: Option<&str>, model: &str) -> Option<u64> {
    let of = |id| find(id, model)?.model.context;
    of(catalog_id?).or_else(|| of(kin(catalog_id?)?))
}

/// How many tokens a model answers with at most at that provider, where its vendor says so. `None`: unknown, or as much
/// as fits into its context.
pub fn max_output(catalog_id: Option<&str>, model: &str) -> Option<u64> {
    let of = |id| find(id, model)?.model.max_output;
    of(catalog_id?).or_else(|| of(kin(catalog_id?)?))
}

/// Whether the catalog knows the model at that provider, priced or not.
pub fn catalog_knows(catalog_id: Option<&str>, model: &str) -> bool {
    let known = |id| find(id, model).is_some();
    catalog_id.is_some_and(|id| known(id) || kin(id).is_some_and(known))
}

fn kin(id: &str) -> Option<&'static str> {
    KIN.iter().find(|(of, _)| *of == id).map(|(_, kin)| *kin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn every_provider_of_the_catalog_parses() {
        let catalog = catalog().unwrap();
        assert!(catalog.providers.len() > 10);
        for id in catalog.providers.keys() {
            let parsed = provider(id).unwrap_or_else(|| panic!("{id} does not parse"));
            assert!(!parsed.models.is_empty(), "{id}");
            assert!(parsed.fallback.iter().all(|other| catalog.providers.contains_key(other)), "{id}");
        }
    }

    #[test]
    fn every_kind_of_provider_has_prices_under_its_catalog_id() {
        for spec in crate::providers::REGISTRY {
            if let Some(id) = spec.catalog_id {
                assert!(provider(id).is_some(), "{}: no `{id}` in the catalog", spec.kind);
            }
        }
    }

    #[test]
    fn names_are_found_with_dates_in_either_spelling_and_any_case() {
        for (id, name, known) in [
            ("openai", "gpt-4o", true),
            ("openai", "GPT-4o-2024-08-06", true),
            ("openai", "gpt-4o-20240806", true),
            ("openai", "gpt-4o-20240230", false),
            ("openai", "gpt-4o-202408061", false),
            ("openai", "gpt-4oo", false),
            ("anthropic", "claude-sonnet-4-5-20250929", true),
            ("anthropic", "claude-opus-5@20261001", true),
            ("anthropic", "claude-opus-5@2026100x", false),
            ("azure", "claude-sonnet-4-5", true),
            ("zhipuai", "glm-4.6", true),
            ("openai", "", false),
            ("openai", "-20240806", false),
            ("nobody", "gpt-4o", false),
        ] {
            assert_eq!(catalog_knows(Some(id), name), known, "{id} {name}");
        }
        assert!(!catalog_knows(None, "gpt-4o"));
    }

    #[test]
    fn compact_dates_are_written_out_only_where_they_are_dates() {
        for (name, want) in [
            ("gpt-5.2-20251211", Some("gpt-5.2-2025-12-11")),
            ("model-20251211:free", Some("model-2025-12-11:free")),
            ("a-20251211-20240229", Some("a-2025-12-11-2024-02-29")),
            ("model-20250230", None),
            ("model-19990101", None),
            ("model-202512110", None),
            ("20251211", None),
            ("model-2025é211", None),
        ] {
            assert_eq!(dates_written_out(name).as_deref(), want, "{name}");
        }
    }

    #[test]
    fn models_answer_with_as_much_as_their_vendors_say() {
        for (id, name, want) in [
            ("openai", "gpt-4o", Some(16_384)),
            ("openai", "gpt-4o-2024-05-13", Some(4_096)),
            ("openai", "gpt-4o-mini-2024-07-18", Some(16_384)),
            ("openai", "gpt-3.5-turbo", Some(4_096)),
            ("openai", "gpt-4.1", Some(32_768)),
            ("openai", "gpt-5-mini", Some(128_000)),
            ("openai", "o4-mini", Some(100_000)),
            ("azure", "gpt-4o", Some(16_384)),
            ("anthropic", "claude-3-haiku-20240307", Some(4_096)),
            ("anthropic", "claude-opus-4-1-20250805", Some(32_000)),
            ("anthropic", "claude-sonnet-4-5-20250929", Some(64_000)),
            ("anthropic", "claude-opus-4-8", Some(128_000)),
            ("aws", "us.anthropic.claude-3-5-sonnet-20241022-v2:0", Some(8_192)),
            ("aws", "amazon.nova-lite-v1:0", Some(10_000)),
            ("google", "gemini-2.0-flash", Some(8_192)),
            ("google", "gemini-2.5-pro", Some(65_536)),
            ("groq", "llama-3.3-70b-versatile", Some(32_768)),
            ("deepseek", "deepseek-chat", Some(8_192)),
            ("zhipuai", "glm-4.7", Some(131_072)),
            // As much as fits.
            ("x-ai", "grok-4", None),
            ("openai", "gpt-4-32k", None),
            ("openai", "text-embedding-3-small", None),
            ("openai", "no-such-model", None),
        ] {
            assert_eq!(max_output(Some(id), name), want, "{id} {name}");
        }
        assert_eq!(max_output(None, "gpt-4o"), None);
    }

    #[test]
    fn days_are_told_from_other_texts() {
        for (text, want) in [
            ("2026-11-21", true),
            ("2028-02-29", true),
            ("2026-02-29", false),
            ("1999-12-31", false),
            ("20261121", false),
            ("2026-1121", false),
            ("2026-11-2é", false),
            ("", false),
        ] {
            assert_eq!(is_day(text), want, "{text}");
        }
    }

    #[test]
    fn no_model_answers_with_more_than_fits() {
        let mut said = 0;
        for id in catalog().unwrap().providers.keys() {
            for model in &provider(id).unwrap().models {
                let (Some(most), context) = (model.max_output, model.context) else { continue };
                assert!(most > 0 && context.is_none_or(|context| most < context), "{id}: {most} of {context:?}");
                said += 1;
            }
        }
        assert!(said > 300, "{said}");
    }

    #[test]
    fn a_model_without_token_prices_is_known_but_unpriced() {
        assert!(catalog_knows(Some("openai"), "whisper-1"));
        assert_eq!(catalog_price(Some("openai"), "whisper-1"), None);
        assert_eq!(catalog_price(Some("zhipuai"), "glm-4.6"), None);
        assert_eq!(context_window(Some("openai"), "gpt-4o"), Some(128_000));
    }
}
