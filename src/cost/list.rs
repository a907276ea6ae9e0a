//! A price as lists of rates: how `models:` gives one and how `conduit prices` shows one.

use super::{Kind, PRICE_KINDS, Price, Rate, Rates, Validity};
use crate::host::Time;

/// The rates of one service tier, or the standard ones, and when they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceList {
    /// The service tier, in the provider's words; `None`: the standard rates. What a service tier's list does not name
    /// has its standard rate.
    pub service: Option<String>,
    /// The first day (UTC) on which they hold, `2026-10-12`; `None`: they always did.
    pub from: Option<String>,
    /// The first day (UTC) on which they no longer hold.
    pub until: Option<String>,
    /// The part of each day (UTC) in which they hold, `("16:30:00", "00:30:00")`, the end excluded.
    pub hours: Option<(String, String)>,
    /// The rates, each kind once.
    pub rates: Vec<ListedRate>,
}

/// What one of a kind costs, in picodollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRate {
    /// One of [`PRICE_KINDS`].
    pub kind: &'static str,
    /// The rate for the smallest prompts.
    pub base: u64,
    /// `(above, rate)`, by rising prompt size: the rate with more prompt tokens than `above`.
    pub tiers: Vec<(u64, u64)>,
}

impl PriceList {
    /// Whether they hold at the time `now`. Of several standard lists that hold, the last is billed.
    pub fn holds(&self, now: Time) -> bool {
        let text = now.rfc3339();
        let (date, clock) = (text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default());
        self.validity().holds(date, clock)
    }

    fn validity(&self) -> Validity {
        let hours = self.hours.clone().map(|(start, end)| (start.into(), end.into()));
        Validity { from: self.from.clone().map(Into::into), until: self.until.clone().map(Into::into), hours }
    }

    fn new(service: Option<&str>, validity: &Validity, rates: &Rates) -> Self {
        let rates = rates.iter().map(|(kind, rate)| ListedRate {
            kind: kind.name(),
            base: rate.base,
            tiers: rate.tiers.clone(),
        });
        Self {
            service: service.map(str::to_owned),
            from: validity.from.as_deref().map(str::to_owned),
            until: validity.until.as_deref().map(str::to_owned),
            hours: validity.hours.as_ref().map(|(start, end)| (start.to_string(), end.to_string())),
            rates: rates.collect(),
        }
    }
}

impl Price {
    /// The price that these lists are. Standard ones stand in the order of their days; the tiers of a rate rise. `Err` is
    /// a name that is no kind.
    pub fn from_lists(lists: &[PriceList]) -> Result<Price, String> {
        let mut price = Price::default();
        for list in lists {
            let mut rates = Rates::new();
            for listed in &list.rates {
                let kind = Kind::named(listed.kind).ok_or_else(|| listed.kind.to_owned())?;
                rates.retain(|(known, _)| *known != kind);
                rates.push((kind, Rate { base: listed.base, tiers: listed.tiers.clone() }));
            }
            match &list.service {
                None => price.periods.push((list.validity(), rates)),
                Some(tier) => price.services.push((tier.clone().into(), list.validity(), rates)),
            }
        }
        Ok(price)
    }

    /// The lists that this price is made of: the standard ones, then those of service tiers.
    pub fn lists(&self) -> Vec<PriceList> {
        let standard = self.periods.iter().map(|(validity, rates)| PriceList::new(None, validity, rates));
        let services = self.services.iter().map(|(tier, validity, rates)| PriceList::new(Some(tier), validity, rates));
        standard.chain(services).collect()
    }
}

impl Kind {
    fn name(self) -> &'static str {
        PRICE_KINDS.iter().find(|name| Kind::named(name) == Some(self)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{catalog_price, cost_at};
    use crate::testing::test;
    use crate::usage::{Tokens, Usage};

    #[test]
    fn a_price_is_what_its_lists_say() {
        for (id, model) in
            [("openai", "o3"), ("openai", "gpt-6-sol"), ("xai", "grok-4.3"), ("deepseek", "deepseek-chat")]
        {
            let Some(price) = catalog_price(Some(id), model) else { continue };
            assert_eq!(Price::from_lists(&price.lists()), Ok(price), "{id}/{model}");
        }
        let wrong =
            PriceList { rates: vec![ListedRate { kind: "ouput", base: 1, tiers: vec![] }], ..PriceList::default() };
        assert_eq!(Price::from_lists(&[wrong]), Err("ouput".to_owned()));
    }

    #[test]
    fn lists_hold_in_their_time() {
        let rate = |base| vec![ListedRate { kind: "input", base, tiers: vec![(10, base + 1)] }];
        let day = |text: &str| Some(text.to_owned());
        let first = PriceList { rates: rate(5), ..PriceList::default() };
        let later = PriceList { from: day("2026-06-01"), rates: rate(7), ..PriceList::default() };
        let flex = |from, until, base| PriceList {
            service: Some("flex".to_owned()),
            from,
            until,
            rates: rate(base),
            ..PriceList::default()
        };
        let lists = [first, later, flex(None, day("2026-06-01"), 2), flex(day("2027-01-01"), None, 3)];
        let price = Price::from_lists(&lists).unwrap();
        // 2026-05-31, 2026-06-01, 2027-01-01, each at noon.
        let times = [20_604, 20_605, 20_819].map(|day: u64| Time((day * 86_400 + 43_200) * 1_000_000_000));
        for (tier, input, want) in [
            (None, 10, [50, 70, 70]),
            (None, 11, [66, 88, 88]),
            (Some("flex"), 10, [20, 70, 30]),
            (Some("flex"), 11, [33, 88, 44]),
        ] {
            let service_tier = tier.map(str::to_owned);
            let usage = Usage { input: Some(Tokens(input)), service_tier, ..Usage::default() };
            let costs = times.map(|now| cost_at(&price, &usage, now).unwrap().0);
            assert_eq!(costs, want, "{tier:?} {input}");
        }
        let holding = |now| lists.iter().map(|list| list.holds(now)).collect::<Vec<_>>();
        assert_eq!(holding(times[0]), [true, false, true, false]);
        assert_eq!(holding(times[1]), [true, true, false, false]);
        assert_eq!(holding(times[2]), [true, true, false, true]);
    }
}
