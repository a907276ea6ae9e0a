//! The most that a request can cost: what is reserved for it before it leaves.

use super::{Kind, Price, Usd, When};
use crate::host::Time;
use crate::usage::Tokens;

/// What a request may use at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Most {
    /// Prompt tokens.
    pub input: Tokens,
    /// Completion tokens, reasoning included, of all choices together.
    pub output: Tokens,
    /// Whether it may write to the provider's cache. Anthropic and Bedrock write where the request asks for it; OpenAI
    /// and those that speak like it write unasked, and bill it from gpt-5.6 on
    /// (<https://developers.openai.com/api/docs/guides/prompt-caching>, 2026-11-21).
    pub cache_write: bool,
    /// Whether it may write there for one hour.
    pub cache_write_1h: bool,
    /// Whether its prompt holds audio.
    pub audio_input: bool,
    /// Whether its prompt holds images.
    pub image_input: bool,
    /// Whether it may be answered with audio.
    pub audio_output: bool,
    /// The service tier that it asks for, in the provider's words; `auto` leaves the choice to the provider.
    pub service_tier: Option<String>,
}

/// The most that a request can cost at the time `now`: never less than [`super::cost_at`], at the same time, of any usage
/// within `most`. `None` where the price is silent of input or output that may be billed.
///
/// Every token counts at the dearest rate that it can have: input may be read from the cache, and written, heard or seen
/// where `most` says so; output may be reasoning, and audio where `most` says so. Tiers by prompt size make prompts
/// below the bound dearer or cheaper than it, so the greatest sum over all that it reaches counts.
///
/// Service tiers: nothing asked is billed at the standard rates; a tier that was asked for at its own or, where the
/// provider has no room in it, the standard ones; `auto` at any.
pub fn most_at(price: &Price, most: &Most, now: Time) -> Option<Usd> {
    let text = now.rfc3339();
    let (date, clock) = (text.get(..10)?, text.get(11..19)?);
    let mut dearest = Usd(0);
    for service in services(price, most.service_tier.as_deref()) {
        for prompt in prompts(price, most.input) {
            let when = When { service, prompt, date, clock };
            dearest = dearest.max(dearest_for(price, most, &when)?);
        }
    }
    Some(dearest)
}

/// The service tiers that may be billed. `None` is the standard one.
fn services<'a>(price: &'a Price, asked: Option<&'a str>) -> Vec<Option<&'a str>> {
    let mut all = vec![None];
    match asked {
        Some("auto") => all.extend(price.services.iter().map(|(tier, ..)| Some(tier.as_ref()))),
        Some(tier) => all.push(Some(tier)),
        None => {}
    }
    all
}

/// The largest prompt of each step between two thresholds, up to `most`.
fn prompts(price: &Price, most: Tokens) -> Vec<Tokens> {
    let standard = price.periods.iter().map(|(_, rates)| rates);
    let rates = standard.chain(price.services.iter().map(|(.., rates)| rates));
    let thresholds = rates.flatten().flat_map(|(_, rate)| rate.tiers.iter().map(|(above, _)| *above));
    let mut steps: Vec<Tokens> = thresholds.filter(|above| *above < most.0).map(Tokens).collect();
    steps.push(most);
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// The most at the rates for this size of prompt.
fn dearest_for(price: &Price, most: &Most, when: &When<'_>) -> Option<Usd> {
    let dearest = |general: Kind, tokens: Tokens, others: &[(Kind, bool)]| match tokens.0 {
        0 => Some(0),
        count => {
            let general = price.rate(general, when)?;
            let others = others.iter().filter(|(_, may)| *may).filter_map(|(kind, _)| price.rate(*kind, when));
            Some(others.fold(general, u128::max).saturating_mul(u128::from(count)))
        }
    };
    let input = dearest(
        Kind::Input,
        when.prompt,
        &[
            (Kind::CachedInput, true),
            (Kind::CacheWrite, most.cache_write || most.cache_write_1h),
            (Kind::CacheWrite1h, most.cache_write_1h),
            (Kind::AudioInput, most.audio_input),
            (Kind::ImageInput, most.image_input),
        ],
    )?;
    let output =
        dearest(Kind::Output, most.output, &[(Kind::Reasoning, true), (Kind::AudioOutput, most.audio_output)])?;
    let request = price.rate(Kind::Request, when).unwrap_or(0);
    Some(Usd(request).plus(Usd(input)).plus(Usd(output)))
}

#[cfg(test)]
mod tests;
