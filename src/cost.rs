//! Money: prices and what an exchange cost, in integer picodollars. No float ever holds money.

mod catalog;
mod list;
mod most;

pub use catalog::{
    catalog_as_of, catalog_knows, catalog_models, catalog_price, catalog_providers, catalog_source, context_window,
    is_day, max_output,
};
pub use list::{ListedRate, PriceList};
pub use most::{Most, most_at};

use crate::host::Time;
use crate::usage::{Tokens, Usage};
use serde::Deserialize;
use serde::de::value::StrDeserializer;
use std::borrow::Cow;
use std::fmt;

/// An amount of US dollars, in picodollars (10⁻¹² USD).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(pub u128);

impl Usd {
    /// `self + other`, saturating.
    pub fn plus(self, other: Usd) -> Usd {
        Usd(self.0.saturating_add(other.0))
    }
}

/// Dollars with as many decimals as there are: `0.000312`, `12`.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000_000_000, self.0 % 1_000_000_000_000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let decimals = format!("{rest:012}");
        write!(f, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

/// What is priced. All but `Request` are per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Input,
    CachedInput,
    CacheWrite,
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h,
    Output,
    Reasoning,
    AudioInput,
    ImageInput,
    AudioOutput,
    Request,
}

/// The names of price kinds in `models: {…: {price: {KIND: …}}}`. All are per token but `request`, which is per
/// request. `cache_write` is for the usual lifetime (5 minutes at Anthropic), `cache_write_1h` for one hour.
pub const PRICE_KINDS: &[&str] = &[
    "input",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "output",
    "reasoning",
    "audio_input",
    "image_input",
    "audio_output",
    "request",
];

impl Kind {
    fn named(name: &str) -> Option<Kind> {
        Kind::deserialize(StrDeserializer::<serde::de::value::Error>::new(name)).ok()
    }
}

/// Picodollars for one token (or one request), by the size of the whole prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rate {
    base: u64,
    /// `(above, rate)`, by rising prompt size: with more prompt tokens than `above`, `rate` holds for **every** token.
    tiers: Vec<(u64, u64)>,
}

impl Rate {
    fn at(&self, prompt: Tokens) -> u64 {
        self.tiers.iter().rev().find(|(above, _)| prompt.0 > *above).map_or(self.base, |(_, rate)| *rate)
    }
}

type Rates = Vec<(Kind, Rate)>;

fn rate_of(rates: &Rates, kind: Kind) -> Option<&Rate> {
    rates.iter().find(|(k, _)| *k == kind).map(|(_, rate)| rate)
}

/// When rates hold, in UTC. The texts compare in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Validity {
    /// The first day, `2026-10-12`.
    from: Option<Cow<'static, str>>,
    /// The first day after it.
    until: Option<Cow<'static, str>>,
    /// The part of each day, `(00:30:00, 16:30:00)`, the end excluded; it may go past midnight.
    hours: Option<(Cow<'static, str>, Cow<'static, str>)>,
}

impl Validity {
    fn holds(&self, date: &str, clock: &str) -> bool {
        let begun = self.from.as_deref().is_none_or(|from| from <= date);
        let day = begun && self.until.as_deref().is_none_or(|until| date < until);
        let hour = self.hours.as_ref().is_none_or(|(start, end)| {
            let (start, end) = (start.as_ref(), end.as_ref());
            if end < start { clock >= start || clock < end } else { clock >= start && clock < end }
        });
        day && hour
    }
}

/// The price of one token of each kind, in picodollars (1 USD per million tokens = 1 000 000 pUSD per token), with
/// tiers by prompt size, service tiers and the dates from which each holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Standard rates; of those that hold, the last.
    periods: Vec<(Validity, Rates)>,
    /// What a service tier changes; of those that hold, the first that names a kind.
    services: Vec<(Cow<'static, str>, Validity, Rates)>,
}

impl Price {
    /// What one of each kind costs at the time `now`, by the names of [`PRICE_KINDS`]: the standard rates for the
    /// smallest prompt.
    pub fn standard(&self, now: Time) -> Vec<(&'static str, Usd)> {
        let text = now.rfc3339();
        let (date, clock) = (text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default());
        let when = When { service: None, prompt: Tokens(0), date, clock };
        let rate = |name: &&'static str| Some((*name, Usd(self.rate(Kind::named(name)?, &when)?)));
        PRICE_KINDS.iter().filter_map(rate).collect()
    }

    /// What one of a kind costs, where the price names the kind: the service tier's rate if it has one, else the
    /// standard one.
    fn rate(&self, kind: Kind, when: &When<'_>) -> Option<u128> {
        let special = self
            .services
            .iter()
            .filter(|(tier, validity, _)| Some(tier.as_ref()) == when.service && validity.holds(when.date, when.clock))
            .find_map(|(_, _, rates)| rate_of(rates, kind));
        let standard = || {
            let period = self.periods.iter().rev().find(|(validity, _)| validity.holds(when.date, when.clock));
            period.or(self.periods.first()).and_then(|(_, rates)| rate_of(rates, kind))
        };
        special.or_else(standard).map(|rate| u128::from(rate.at(when.prompt)))
    }
}

/// What chooses among the rates of one price.
struct When<'a> {
    service: Option<&'a str>,
    prompt: Tokens,
    date: &'a str,
    clock: &'a str,
}

/// A price of one's own: pairs of a kind ([`PRICE_KINDS`]) and picodollars for one token (or request). `Err` is a name
/// that is no kind. Of a kind that is given twice the last counts.
pub fn price_from(pairs: &[(&str, u64)]) -> Result<Price, String> {
    let mut rates = Rates::new();
    for (name, base) in pairs {
        let kind = Kind::named(name).ok_or_else(|| (*name).to_owned())?;
        rates.retain(|(known, _)| *known != kind);
        rates.push((kind, Rate { base: *base, tiers: Vec::new() }));
    }
    Ok(Price { periods: vec![(Validity::default(), rates)], services: Vec::new() })
}

/// What `usage` costs at `price` on the day of which the catalog is ([`catalog_as_of`]). See [`cost_at`].
pub fn cost(price: &Price, usage: &Usage) -> Option<Usd> {
    cost_on(price, usage, catalog_as_of(), "00:00:00")
}

/// What `usage` costs at `price` at the time `now`; `None` where the price or the usage lacks a figure that is needed:
/// no input reported, or no output reported by a model whose output is priced, or tokens of which the price is silent.
///
/// ```text
///   (input − cached − written − audio − images) × input + cached × cached_input
/// + (written − written 1 h) × cache_write + written 1 h × cache_write_1h + audio × audio_input + images × image_input
/// + (output − reasoning − audio) × output + reasoning × reasoning + audio × audio_output
/// + request
/// ```
///
/// `input` includes cached and written tokens and `output` includes reasoning, as [`Usage`] has them. A kind that the
/// price does not name costs what the more general kind costs (`cache_write_1h` → `cache_write` → `input`;
/// `reasoning` → `output`). A part that was not reported counts as none, which is how the provider bills it. Parts that
/// add up to more than their whole are cut in the order cached, written, audio, images (reasoning, audio). A tier by prompt
/// size reprices every token of the request.
///
/// Sources, 2026-11-21: <https://openai.com/api/pricing/>, <https://platform.claude.com/docs/en/about-claude/pricing>;
/// the decomposition is that of <https://github.com/pydantic/genai-prices>.
pub fn cost_at(price: &Price, usage: &Usage, now: Time) -> Option<Usd> {
    let text = now.rfc3339();
    cost_on(price, usage, text.get(..10)?, text.get(11..19)?)
}

fn cost_on(price: &Price, usage: &Usage, date: &str, clock: &str) -> Option<Usd> {
    let input = usage.input?;
    let when = When { service: usage.service_tier.as_deref(), prompt: input, date, clock };
    let rate = |kind| price.rate(kind, &when);
    let (input_rate, output_rate) = (rate(Kind::Input), rate(Kind::Output));
    let output = match usage.output {
        Some(output) => output,
        None if output_rate.is_some() => return None,
        None => Tokens(0),
    };
    if (input_rate.is_none() && input.0 > 0) || (output_rate.is_none() && output.0 > 0) {
        return None;
    }
    let (input_rate, output_rate) = (input_rate.unwrap_or(0), output_rate.unwrap_or(0));
    let mut sum: u128 = rate(Kind::Request).unwrap_or(0);
    let mut bill = |tokens: Tokens, rate: u128| sum = sum.saturating_add(u128::from(tokens.0).saturating_mul(rate));

    let cached = usage.cached_input.unwrap_or_default().min(input);
    let rest = input.minus(cached);
    let written = usage.cache_write.or(usage.cache_write_1h).unwrap_or_default().min(rest);
    let written_1h = usage.cache_write_1h.unwrap_or_default().min(written);
    let rest = rest.minus(written);
    let audio = usage.audio_input.unwrap_or_default().min(rest);
    let write_rate = rate(Kind::CacheWrite).unwrap_or(input_rate);
    let images = usage.image_input.unwrap_or_default().min(rest.minus(audio));
    bill(rest.minus(audio).minus(images), input_rate);
    bill(cached, rate(Kind::CachedInput).unwrap_or(input_rate));
    bill(written.minus(written_1h), write_rate);
    bill(written_1h, rate(Kind::CacheWrite1h).unwrap_or(write_rate));
    bill(audio, rate(Kind::AudioInput).unwrap_or(input_rate));
    bill(images, rate(Kind::ImageInput).unwrap_or(input_rate));

    let reasoning = usage.reasoning.unwrap_or_default().min(output);
    let rest = output.minus(reasoning);
    let audio = usage.audio_output.unwrap_or_default().min(rest);
    bill(rest.minus(audio), output_rate);
    bill(reasoning, rate(Kind::Reasoning).unwrap_or(output_rate));
    bill(audio, rate(Kind::AudioOutput).unwrap_or(output_rate));
    Some(Usd(sum))
}

#[cfg(test)]
mod tests;
