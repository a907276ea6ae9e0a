use super::*;
use crate::cost::{Rate, Rates, Validity, catalog_price, cost_at};
use crate::testing::test;
use crate::usage::Usage;

/// A small generator (xorshift64*); the same numbers in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).checked_rem(end).unwrap_or(0)
    }

    fn yes(&mut self) -> bool {
        self.below(2) == 0
    }

    /// Sometimes none, often an edge, else anything up to `most`.
    fn up_to(&mut self, most: Tokens, edges: &[u64]) -> Option<Tokens> {
        let edge = edges.get(usize::try_from(self.below(edges.len() as u64)).unwrap()).copied().unwrap_or(0);
        match self.below(6) {
            0 => None,
            1 => Some(most),
            2 => Some(Tokens(edge.min(most.0))),
            3 => Some(Tokens(edge.saturating_add(1).min(most.0))),
            _ => Some(Tokens(self.below(most.0.saturating_add(1)))),
        }
    }

    fn rates(&mut self, whole: bool) -> Rates {
        const KINDS: [Kind; 10] = [
            Kind::Input,
            Kind::Output,
            Kind::CachedInput,
            Kind::CacheWrite,
            Kind::CacheWrite1h,
            Kind::Reasoning,
            Kind::AudioInput,
            Kind::ImageInput,
            Kind::AudioOutput,
            Kind::Request,
        ];
        let mut rates = Rates::new();
        for (place, kind) in KINDS.into_iter().enumerate() {
            if whole && place < 2 || self.yes() {
                let mut tiers: Vec<(u64, u64)> = Vec::new();
                for above in EDGES {
                    if self.below(3) == 0 {
                        tiers.push((*above, self.below(100)));
                    }
                }
                rates.push((kind, Rate { base: self.below(100), tiers }));
            }
        }
        rates
    }

    fn price(&mut self) -> Price {
        let hours = Some(("16:30:00".into(), "00:30:00".into()));
        let night = Validity { hours, ..Validity::default() };
        let late = Validity { from: Some("2027-01-01".into()), ..Validity::default() };
        let mut price = Price { periods: vec![(Validity::default(), self.rates(true))], services: Vec::new() };
        if self.yes() {
            price.periods.push((night, self.rates(true)));
        }
        for tier in ["flex", "priority", "batch"] {
            if self.yes() {
                let validity = if self.yes() { late.clone() } else { Validity::default() };
                price.services.push((tier.into(), validity, self.rates(false)));
            }
        }
        price
    }
}

const EDGES: &[u64] = &[10, 200, 3_000];
const TIERS: [Option<&str>; 5] = [None, Some("auto"), Some("flex"), Some("priority"), Some("unheard-of")];

#[test]
fn never_less_than_what_any_usage_within_costs() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut priced = 0;
    let mut met = 0;
    for _ in 0..4_000 {
        let price = chance.price();
        let most = Most {
            input: Tokens(chance.below(4_000)),
            output: Tokens(chance.below(400)),
            cache_write: chance.yes(),
            cache_write_1h: chance.yes(),
            audio_input: chance.yes(),
            image_input: chance.yes(),
            audio_output: chance.yes(),
            service_tier: TIERS[usize::try_from(chance.below(5)).unwrap()].map(str::to_owned),
        };
        // 2026-11-21 at noon and at 20:00, and two months later.
        let now = Time([1_795_262_400, 1_795_291_200, 1_800_532_800][chance.below(3) as usize] * 1_000_000_000);
        let bound = most_at(&price, &most, now).unwrap();
        for _ in 0..20 {
            let billed = match most.service_tier.as_deref() {
                Some("auto") => TIERS[usize::try_from(chance.below(4)).unwrap()].filter(|tier| *tier != "auto"),
                asked => asked.filter(|_| chance.yes()),
            };
            let input = chance.up_to(most.input, EDGES);
            let (within, answered) = (input.unwrap_or_default(), most.output);
            let usage = Usage {
                input,
                cached_input: chance.up_to(within, EDGES),
                cache_write: chance.up_to(within, EDGES).filter(|_| most.cache_write),
                cache_write_1h: chance.up_to(within, EDGES).filter(|_| most.cache_write_1h),
                audio_input: chance.up_to(within, EDGES).filter(|_| most.audio_input),
                image_input: chance.up_to(within, EDGES).filter(|_| most.image_input),
                output: chance.up_to(most.output, EDGES),
                reasoning: chance.up_to(answered, EDGES),
                audio_output: chance.up_to(answered, EDGES).filter(|_| most.audio_output),
                service_tier: billed.map(str::to_owned),
            };
            let Some(cost) = cost_at(&price, &usage, now) else { continue };
            assert!(cost <= bound, "{cost} is more than {bound}: {usage:?} within {most:?} at {price:?}");
            priced += 1;
            met += u32::from(cost == bound);
        }
    }
    // The bound is one that is reached, not just anything large.
    assert!(priced > 40_000 && met > 500, "{priced}, of which {met} reach the bound");
}

#[test]
fn real_prices_at_their_dearest() {
    let now = Time(1_795_262_400_000_000_000);
    let most = Most { input: Tokens(1_000_000), output: Tokens(1_000), ..Most::default() };
    let written = Most { cache_write: true, ..most.clone() };
    let for_an_hour = Most { cache_write: true, cache_write_1h: true, ..most.clone() };
    let tier = |tier: &str| Most { service_tier: Some(tier.to_owned()), ..most.clone() };
    for (id, model, most, want) in [
        // 2.50 and 10 USD per million tokens.
        ("openai", "gpt-4o", &most, "2.51"),
        // 6 and 22.50 above 200 000; 7.50 written, 12 for an hour.
        ("anthropic", "claude-sonnet-4-5", &most, "6.0225"),
        ("anthropic", "claude-sonnet-4-5", &written, "7.5225"),
        ("anthropic", "claude-sonnet-4-5", &for_an_hour, "12.0225"),
        // Written unasked: 5 and 18.75… above 272 000: 5 in, 6.25 written, 15 out.
        ("openai", "gpt-6-sol", &written, "5.015"),
        // 10 and 40; flex is half of it, priority 1.75 times.
        ("openai", "o3", &most, "2.008"),
        ("openai", "o3", &tier("flex"), "2.008"),
        ("openai", "o3", &tier("priority"), "3.514"),
        ("openai", "o3", &tier("auto"), "3.514"),
    ] {
        let price = catalog_price(Some(id), model).unwrap();
        assert_eq!(most_at(&price, most, now).unwrap().to_string(), want, "{id}/{model} {most:?}");
    }
}

#[test]
fn only_a_silent_price_gives_none() {
    let price = |kinds: &[(&str, u64)]| crate::cost::price_from(kinds).unwrap();
    let most = |input: u64, output: u64| Most { input: Tokens(input), output: Tokens(output), ..Most::default() };
    for (kinds, most, want) in [
        (&[("input", 2), ("output", 3)][..], most(5, 7), Some(31)),
        (&[("input", 2)], most(5, 0), Some(10)),
        (&[("input", 2)], most(5, 1), None),
        (&[("output", 2)], most(1, 1), None),
        (&[("output", 2), ("request", 9)], most(0, 1), Some(11)),
        (&[("input", u64::MAX), ("output", u64::MAX)], most(u64::MAX, u64::MAX), Some(u128::MAX)),
    ] {
        assert_eq!(most_at(&price(kinds), &most, Time(0)), want.map(Usd), "{kinds:?} {most:?}");
    }
}
