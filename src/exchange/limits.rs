//! What the headers of an answer say of limits and budgets, true at the time of the answer.
//!
//! As OpenAI names them: <https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers>; as Anthropic does:
//! <https://docs.anthropic.com/en/api/rate-limits#response-headers>. Both 2026-11-21.

use super::admission::Kind;
use super::{Exchange, HeaderEdits, Headers, headers};
use crate::admit::accounts::Standing;
use crate::cost::Usd;
use crate::formats::Format;
use crate::host::Time;

/// How such headers begin.
const FAMILIES: &[&str] = &["x-ratelimit-", "anthropic-ratelimit-"];

impl Exchange {
    /// Says how limits stand, and which budgets are nearly used up.
    pub(super) fn name_limits(&self, edits: &mut HeaderEdits, answer: &Headers, now: Time) {
        let standings = self.standings(now);
        let mut limited = false;
        for (kind, word) in [(Kind::Requests, "requests"), (Kind::Tokens, "tokens")] {
            let of_kind = standings.iter().filter(|(found, _)| *found == kind).map(|(_, standing)| standing);
            // Of several the one that ends first.
            let Some(tightest) = of_kind.min_by_key(|standing| standing.left()) else { continue };
            if !limited {
                limited = true;
                // Those of the provider speak of the gateway's account there.
                let ours = |name: &str| FAMILIES.iter().any(|family| name.starts_with(family));
                answer.iter().filter(|(name, _)| ours(name)).for_each(|(name, _)| edits.remove(name));
            }
            self.name_limit(edits, word, tightest, now);
        }
        let warnings = standings.iter().filter_map(|(kind, standing)| self.warning(*kind, standing));
        let mut warnings: Vec<String> = warnings.collect();
        if let Some(name) = self.exceeded.as_ref().filter(|_| self.replied.is_none()) {
            warnings.push(format!("{name} exceeded"));
        }
        if !warnings.is_empty() {
            edits.set("x-conduit-budget-warning", headers::value(&warnings.join(", ")));
        }
    }

    fn name_limit(&self, edits: &mut HeaderEdits, word: &str, standing: &Standing, now: Time) {
        let resets = standing.resets.unwrap_or(now);
        let mut set = |name: String, value: String| {
            edits.remove.retain(|removed| *removed != name);
            edits.set(&name, value);
        };
        set(format!("x-ratelimit-limit-{word}"), standing.limit.to_string());
        set(format!("x-ratelimit-remaining-{word}"), standing.left().to_string());
        set(format!("x-ratelimit-reset-{word}"), span(resets, now));
        if self.format == Format::AnthropicMessages {
            set(format!("anthropic-ratelimit-{word}-limit"), standing.limit.to_string());
            set(format!("anthropic-ratelimit-{word}-remaining"), standing.left().to_string());
            set(format!("anthropic-ratelimit-{word}-reset"), whole_seconds(resets));
        }
    }

    /// `project 0.8: 1612.5 of 2000 USD`, where a share is passed from which on a budget warns.
    fn warning(&self, kind: Kind, standing: &Standing) -> Option<String> {
        let Kind::Budget(index) = kind else { return None };
        let budget = self.plan.budgets.get(index)?;
        let used = standing.spent.saturating_add(standing.reserved);
        let passed = |share: &&u32| used.saturating_mul(1_000) >= standing.limit.saturating_mul(u128::from(**share));
        let share = budget.warn_at.iter().filter(passed).max()?;
        let share = share_text(*share);
        Some(format!("{} {share}: {} of {} USD", budget.name, Usd(used), Usd(standing.limit)))
    }
}

/// Thousandths as a decimal: `0.8`, `1`.
fn share_text(thousandths: u32) -> String {
    if thousandths == 1_000 { "1".into() } else { format!("0.{thousandths:03}").trim_end_matches('0').to_owned() }
}

/// How long until then, as OpenAI writes it: `6m0s`, `1.5s`, `20ms`.
fn span(until: Time, now: Time) -> String {
    let millis = until.since(now).0.div_ceil(1_000_000);
    let (seconds, rest) = (millis / 1_000, millis % 1_000);
    match (seconds / 60, seconds % 60, rest) {
        (0, 0, rest) => format!("{rest}ms"),
        (0, seconds, 0) => format!("{seconds}s"),
        (0, seconds, rest) => format!("{}s", format!("{seconds}.{rest:03}").trim_end_matches('0')),
        (minutes, seconds, _) => format!("{minutes}m{seconds}s"),
    }
}

/// RFC 3339 without fractions, rounded up.
fn whole_seconds(time: Time) -> String {
    let seconds = time.0.div_ceil(1_000_000_000);
    Time(seconds.saturating_mul(1_000_000_000)).rfc3339().replace(".000Z", "Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn spans_are_written_as_openai_writes_them() {
        let cases = [
            (0, "0ms"),
            (20, "20ms"),
            (1_000, "1s"),
            (1_500, "1.5s"),
            (10_010, "10.01s"),
            (59_999, "59.999s"),
            (360_000, "6m0s"),
            (61_200, "1m1s"),
        ];
        for (millis, want) in cases {
            assert_eq!(span(Time(millis * 1_000_000 + 5), Time(5)), want);
        }
    }

    #[test]
    fn shares_are_decimals() {
        assert_eq!([800, 500, 125, 1_000].map(share_text), ["0.8", "0.5", "0.125", "1"]);
    }
}
