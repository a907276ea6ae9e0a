//! What providers report corrects what is estimated here: per target one running fit, shared by all workers.
//!
//! A model without a public tokenizer, or with a template that is not known, takes `ratio × estimate + around` tokens.
//! Both are fitted to the answers' reported prompt tokens by least squares of the *relative* error, in integers:
//!
//! - **Two parameters**, because a template's constant would otherwise be taken for a higher ratio by all short
//!   requests, and overcharge the long ones. Where requests are too alike to tell the two apart, a prior prefers the
//!   constant: few tokens explain a short request better than a vocabulary that is far off.
//! - **Robust**: an answer counts at most as far from what was expected as four times the median error, so that one absurd
//!   report moves nothing much, and estimates that mostly are right stay right. A request dominated by what cannot be
//!   counted (an image elsewhere) is not learned from.
//! - **Forgetting**: the last [`MEMORY`] answers or so count, and of few answers the latter half, so that a provider's
//!   change is followed and what was learned before the error was known fades.
//!
//! A lost race loses one answer of many, so a few tries are enough.

use crate::config::Target;
use crate::host::Shared;
use crate::usage::{Count, Known, Tokens};

/// How many answers count.
const MEMORY: i64 = 32;

/// The weight of an answer to a long request: sums are kept in this many parts, lest forgetting round them. A request
/// of so many tokens has half of it, because what is not known to a few tokens is a great part of a short request.
const WEIGHT: i64 = 64;
const SHORT: u64 = 48;

/// 1 in the fixed point of ratios.
const ONE: i64 = 1_000_000;

/// The prior: the built-in estimate is worth an eighth of an answer; the constant is some 40 tokens where errors are
/// some 3 %, which in millionths is the square of 30,000 / 40.
const PRIOR: i64 = WEIGHT / 8;
const RIDGE: i64 = 562_500;

/// With fewer answers than this nothing is known of the error yet; this much of it is believed, in millionths.
const FEW: u32 = 8;
const FIRST_ERROR: i64 = 300_000;

/// The least that is believed of an error, the least that is allowed for it in what is reserved, in millionths, and in
/// tokens.
const LEAST_BELIEVED: i64 = 5_000;
const LEAST_ERROR: i64 = 30_000;
const LEAST: u64 = 16;

/// The greatest ratio: far enough for any use, and sums of its products stay within their type.
const FARTHEST: i64 = 1_000 * ONE;

const TRIES: usize = 4;

/// What was learned of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Tokens for 1000 tokens of the built-in estimate.
    pub ratio_thousandths: u64,
    /// Tokens more (or fewer) per request.
    pub around: i64,
    /// Answers learned from.
    pub answers: u32,
    /// The median relative error of late, in thousandths.
    pub error_thousandths: u64,
}

/// What was learned of a target's tokens, if anything.
pub fn standing(shared: &dyn Shared, target: &Target) -> Option<Standing> {
    let fit = Fit::read(&shared.get(&key(target))?)?;
    let (ratio, around) = fit.solved();
    Some(Standing {
        ratio_thousandths: unsigned(ratio / 1_000),
        around: around / 1_000,
        answers: fit.answers,
        error_thousandths: unsigned(fit.error / 1_000),
    })
}

/// A count corrected by what was learned of its target; an exact one is left alone.
pub fn adjusted(shared: &dyn Shared, target: &Target, raw: Count) -> Count {
    if raw.known != Known::Estimated {
        return raw;
    }
    match shared.get(&key(target)).and_then(|value| Fit::read(&value)) {
        Some(fit) => fit.adjusted(raw),
        None => raw,
    }
}

/// Learns from an answer: `raw` is the count before it was [`adjusted`], `reported` all prompt tokens.
pub fn learn(shared: &dyn Shared, target: &Target, raw: Count, reported: Tokens) {
    let far = raw.most.minus(raw.tokens).0.saturating_sub(64) > raw.tokens.0;
    if raw.known != Known::Estimated || raw.tokens.0 == 0 || reported.0 == 0 || far {
        return;
    }
    let key = key(target);
    for _ in 0..TRIES {
        let (fit, version) = match shared.read(&key) {
            Some((value, version)) => (Fit::read(&value).unwrap_or_default(), Some(version)),
            None => (Fit::default(), None),
        };
        if shared.swap(&key, fit.after(raw, reported).written().as_bytes(), version) {
            return;
        }
    }
}

fn key(target: &Target) -> String {
    format!("conduit.calibration.{}", target.name)
}

/// Weighted sums over answers of products of `a = estimate / expected`, `b = 1 / expected` and `t = reported / expected`,
/// each in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fit {
    answers: u32,
    aa: i64,
    ab: i64,
    bb: i64,
    at: i64,
    bt: i64,
    /// The running median of the relative error, in millionths.
    error: i64,
    /// The running mean of the error that the estimates themselves state, in millionths.
    stated: i64,
}

impl Fit {
    /// The ratio in millionths and the constant in thousandths of a token.
    fn solved(&self) -> (i64, i64) {
        let wide = |n: i64| i128::from(n);
        let prior = wide(PRIOR.saturating_mul(ONE).saturating_mul(ONE));
        let (aa, at) = (wide(self.aa).saturating_add(prior), wide(self.at).saturating_add(prior));
        let bb = wide(self.bb.saturating_add(PRIOR.saturating_mul(RIDGE)));
        let (ab, bt) = (wide(self.ab), wide(self.bt));
        let by = aa.saturating_mul(bb).saturating_sub(ab.saturating_mul(ab));
        let ratio = at.saturating_mul(bb).saturating_sub(ab.saturating_mul(bt));
        let around = aa.saturating_mul(bt).saturating_sub(ab.saturating_mul(at));
        let solved = |n: i128, unit: i64, none: i64, least: i64, most: i64| {
            let n = n.saturating_mul(unit.into()).checked_div(by).and_then(|n| i64::try_from(n).ok());
            n.unwrap_or(none).clamp(least, most)
        };
        (solved(ratio, ONE, ONE, ONE / 5, 5 * ONE), solved(around, 1_000, 0, -2_000_000, 5_000_000))
    }

    /// What is expected to be reported for an estimate.
    fn expected(&self, tokens: u64) -> u64 {
        let (ratio, around) = self.solved();
        let tokens = i128::from(tokens);
        let scaled = tokens.saturating_mul(ratio.into()).checked_div(ONE.into()).unwrap_or(tokens);
        let expected = scaled.saturating_add(i128::from(around) / 1_000);
        // A constant learned from longer requests must not make a short one free.
        u64::try_from(expected.max(tokens / 5).max(1)).unwrap_or(u64::MAX)
    }

    fn adjusted(&self, raw: Count) -> Count {
        let tokens = self.expected(raw.tokens.0);
        let stated = raw.most.minus(raw.tokens).0;
        if self.answers < FEW {
            let most = raw.most.0.max(tokens.saturating_add(stated));
            return Count::estimated(Tokens(tokens), Tokens(most.saturating_sub(tokens)));
        }
        let error = self.error.saturating_mul(4).max(LEAST_ERROR);
        let learned = part(tokens, error).saturating_add(LEAST);
        // What makes this request less certain than the usual one (images, documents) is as uncertain as before.
        let unusual = stated.saturating_sub(part(raw.tokens.0, self.stated).saturating_add(4 * LEAST));
        // What was learned of others' requests never makes the most of this one smaller: they may have been chosen so.
        let most = tokens.saturating_add(learned).saturating_add(unusual).max(raw.most.0);
        Count::estimated(Tokens(tokens), Tokens(most.saturating_sub(tokens)))
    }

    /// The fit after one answer more.
    fn after(mut self, raw: Count, reported: Tokens) -> Fit {
        let expected = self.expected(raw.tokens.0).max(4);
        let seen = ratio_of(reported.0, expected);
        let off = seen.saturating_sub(ONE).saturating_abs().min(ONE / 2);
        let error = if self.answers < FEW { FIRST_ERROR } else { self.error.saturating_mul(4) };
        let most = ONE.saturating_add(error.clamp(LEAST_BELIEVED, ONE));
        let least = ONE.saturating_mul(ONE).checked_div(most).unwrap_or(0);
        let t = seen.clamp(least, most);
        let (a, b) = (ratio_of(raw.tokens.0, expected).min(5 * ONE), ratio_of(1, expected));
        let weight = part(WEIGHT.unsigned_abs(), ratio_of(expected, expected.saturating_add(SHORT)));
        let weight = i64::try_from(weight).unwrap_or(WEIGHT);
        let memory = i64::from(self.answers / 2).clamp(4, MEMORY);
        for (sum, one, other) in [
            (&mut self.aa, a, a),
            (&mut self.ab, a, b),
            (&mut self.bb, b, b),
            (&mut self.at, a, t),
            (&mut self.bt, b, t),
        ] {
            let product = one.saturating_mul(other).saturating_mul(weight);
            let kept = sum.saturating_sub(sum.checked_div(memory).unwrap_or(0));
            *sum = kept.saturating_add(product);
        }
        self.error = match self.answers {
            0 => off,
            // Up and down in equal steps: where both are as frequent is the median.
            _ if off > self.error => self.error.saturating_add(self.error / 8).saturating_add(2_000).min(off),
            _ => self.error.saturating_sub(self.error / 8).max(off),
        };
        let of = i64::from(self.answers).saturating_add(1).min(16);
        let stated = ratio_of(raw.most.minus(raw.tokens).0, raw.tokens.0).min(ONE);
        self.stated = self.stated.saturating_add(stated.saturating_sub(self.stated).checked_div(of).unwrap_or(0));
        self.answers = self.answers.saturating_add(1);
        self
    }

    fn read(value: &[u8]) -> Option<Fit> {
        let mut numbers = std::str::from_utf8(value).ok()?.split(' ').map(|number| number.parse::<i64>().ok());
        let mut next = || numbers.next().flatten();
        let answers = u32::try_from(next()?).ok()?;
        let (aa, ab, bb, at, bt) = (next()?, next()?, next()?, next()?, next()?);
        Some(Fit { answers, aa, ab, bb, at, bt, error: next()?, stated: next()? })
    }

    fn written(&self) -> String {
        let Fit { answers, aa, ab, bb, at, bt, error, stated } = self;
        format!("{answers} {aa} {ab} {bb} {at} {bt} {error} {stated}")
    }
}

/// `a / b` in millionths.
fn ratio_of(a: u64, b: u64) -> i64 {
    let ratio = u128::from(a).saturating_mul(1_000_000).checked_div(b.into()).unwrap_or(0);
    i64::try_from(ratio).unwrap_or(i64::MAX).min(FARTHEST)
}

/// So many millionths of `tokens`.
fn part(tokens: u64, millionths: i64) -> u64 {
    let part = u128::from(tokens).saturating_mul(unsigned(millionths).into()).div_ceil(1_000_000);
    u64::try_from(part).unwrap_or(u64::MAX)
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests;
