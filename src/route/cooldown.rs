//! Cool-downs: a target whose provider said when to come back is left alone until then, by all workers.

use crate::exchange::Headers;
use crate::host::{Shared, Time};
use serde_json::Value;

/// The longest that a provider's word is taken for, in milliseconds: a day.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;
/// The longest error that is looked into for a word on when to come back, in bytes.
const LONGEST_BODY: usize = 64 << 10;
/// A number of seconds from here on is a time since the Unix epoch (2001-09-09), no length of time (31 years).
const UNIX_SECONDS: u64 = 1_000_000_000;
/// The same time in milliseconds: a number from here on is in milliseconds.
const UNIX_MS: u64 = 1_000 * UNIX_SECONDS;

/// Until when a target is to be left alone, by the headers of its provider's answer.
///
/// - 429, 503 and 529 with `retry-after` (seconds or a date, <https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3>) or
///   `retry-after-ms` (OpenAI, Azure).
/// - Where neither is there, a 429 by the counters that it says are used up, the last of them to come back:
///   `x-ratelimit-remaining-requests` and `-tokens` with `x-ratelimit-reset-…` (OpenAI, Azure, Groq: `6m0s`,
///   <https://platform.openai.com/docs/guides/rate-limits>, <https://console.groq.com/docs/rate-limits>),
///   `anthropic-ratelimit-…-remaining` with `-reset` (RFC 3339, <https://platform.claude.com/docs/en/api/rate-limits>),
///   `x-ratelimit-remaining` with `x-ratelimit-reset` (a time since the Unix epoch, OpenRouter's in milliseconds,
///   <https://openrouter.ai/docs/api-reference/limits>; in the IETF's draft the seconds that are left,
///   <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/03/>). All read 2026-11-21.
pub fn until(status: u16, headers: &Headers, now: Time) -> Option<Time> {
    if !matches!(status, 429 | 503 | 529) {
        return None;
    }
    let after = || {
        let after = headers.get("retry-after")?;
        decimal(after).map(|seconds| seconds.saturating_mul(1_000)).or_else(|| {
            let date = httpdate::parse_http_date(after.trim()).ok()?;
            let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
            Some(since.as_secs().saturating_sub(now.unix_seconds()).saturating_mul(1_000))
        })
    };
    let millis = match headers.get("retry-after-ms").and_then(decimal).or_else(after) {
        Some(millis) => millis,
        None if status == 429 => used_up(headers, now)?,
        None => return None,
    };
    end(millis, now)
}

/// Until when a target is to be left alone, by the body of its provider's error.
///
/// - Google's `google.rpc.RetryInfo` among an error's details, with a `retryDelay` such as `34s`
///   (<https://cloud.google.com/apis/design/errors#error_payloads>, a duration as
///   <https://protobuf.dev/reference/protobuf/google.protobuf/#duration> has it). It stands alone or in an array, as
///   Google's own streams and its OpenAI-compatible endpoint write errors.
/// - OpenRouter's `error.metadata.headers`, which are headers as [`until`] reads them
///   (<https://openrouter.ai/docs/api-reference/limits>). Both read 2026-11-21.
pub fn until_body(status: u16, body: &[u8], now: Time) -> Option<Time> {
    if !matches!(status, 429 | 503) || body.len() > LONGEST_BODY {
        return None;
    }
    let json: Value = serde_json::from_slice(body).ok()?;
    let error = json.get("error").or_else(|| json.get(0)?.get("error"))?;
    let details = error.get("details").and_then(Value::as_array).into_iter().flatten();
    let told = details.filter_map(|detail| {
        let kind = detail.get("@type")?.as_str()?;
        let delay = detail.get("retryDelay")?.as_str()?;
        kind.ends_with("google.rpc.RetryInfo").then(|| duration(delay))?
    });
    if let Some(millis) = told.max() {
        return end(millis, now);
    }
    let headers = error.pointer("/metadata/headers")?.as_object()?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let headers = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), text(value)));
    until(status, &Headers::new(headers.collect()), now)
}

/// The end of so many milliseconds from now; `None`: they are over.
fn end(millis: u64, now: Time) -> Option<Time> {
    let wait = millis.min(LONGEST_MS).saturating_mul(1_000_000);
    (wait > 0).then(|| Time(now.0.saturating_add(wait)))
}

/// How many milliseconds it takes until the last of the counters that are used up comes back.
fn used_up(headers: &Headers, now: Time) -> Option<u64> {
    let none_left = |left: &str| left.trim().parse::<f64>().is_ok_and(|left| left <= 0.0);
    let resets = headers.iter().filter(|(_, left)| none_left(left)).filter_map(|(name, _)| {
        let reset = match name.strip_prefix("anthropic-") {
            Some(rest) => format!("anthropic-{}-reset", rest.strip_suffix("-remaining")?),
            None => {
                let (before, after) = name.split_once("ratelimit-remaining")?;
                format!("{before}ratelimit-reset{after}")
            }
        };
        moment(headers.get(&reset)?, now)
    });
    resets.max()
}

/// How many milliseconds are left until what a `reset` says: a duration, a time in RFC 3339, or a bare number. That is
/// a time since the Unix epoch where it is too large for anything else, else the seconds that are left.
fn moment(text: &str, now: Time) -> Option<u64> {
    let text = text.trim();
    let now_ms = now.0 / 1_000_000;
    if let Some(number) = millis_of(text, 1_000) {
        return Some(match number {
            _ if number >= 1_000 * UNIX_MS => (number / 1_000).saturating_sub(now_ms),
            _ if number >= 1_000 * UNIX_SECONDS => number.saturating_sub(now_ms),
            _ => number,
        });
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return u64::try_from(time.as_millisecond()).ok().map(|time| time.saturating_sub(now_ms));
    }
    duration(text)
}

/// A duration in milliseconds, rounded up, as Go and Protocol Buffers write them: `6m0s`, `1h2m`, `1.5s`, `350ms`.
fn duration(text: &str) -> Option<u64> {
    const UNITS: &[(&str, u64)] =
        &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1), ("us", 0), ("µs", 0), ("ns", 0)];
    let mut rest = text.trim();
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(unit_at)?;
        let next = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(next)?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit.trim_end())?;
        // What is smaller than a millisecond is one.
        let more = match millis {
            0 => u64::from(millis_of(number, 1)? > 0 || millis_of(number, 1_000)? > 0),
            _ => millis_of(number, *millis)?,
        };
        sum = sum.saturating_add(more);
        rest = tail;
    }
    (!text.trim().is_empty()).then_some(sum)
}

/// A decimal number of units of so many milliseconds, in milliseconds, rounded up.
fn millis_of(text: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    // More digits than these are less than a millisecond of anything.
    let kept = fraction.get(..fraction.len().min(9))?;
    let scale = 10_u64.checked_pow(u32::try_from(kept.len()).ok()?)?;
    let whole = whole.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(unit);
    let fraction = kept.parse::<u64>().ok()?.saturating_mul(unit).div_ceil(scale);
    Some(whole.saturating_add(fraction))
}

/// A decimal number, rounded up.
fn decimal(text: &str) -> Option<u64> {
    let (whole, rest) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let more = rest.bytes().any(|digit| digit != b'0');
    let all_digits = rest.bytes().all(|digit| digit.is_ascii_digit());
    whole.parse::<u64>().ok().filter(|_| all_digits).map(|whole| whole.saturating_add(u64::from(more)))
}

fn key(target: &str) -> String {
    format!("conduit.cooldown.{target}")
}

/// Lets every worker know that a target is to be left alone.
pub fn begin(shared: &dyn Shared, target: &str, until: Time) {
    let ends = resting_until(shared, target).map_or(until, |known| known.max(until));
    shared.set(&key(target), ends.0.to_string().as_bytes());
}

/// Until when a target is to be left alone, as was said last; that may be over.
pub fn resting_until(shared: &dyn Shared, target: &str) -> Option<Time> {
    let value = shared.get(&key(target))?;
    std::str::from_utf8(&value).ok()?.parse().ok().map(Time)
}

/// For how many seconds yet a target is to be left alone; `None`: it may be asked.
pub fn rests(shared: &dyn Shared, target: &str, now: Time) -> Option<u64> {
    let left = resting_until(shared, target)?.since(now).0;
    (left > 0).then(|| left.div_ceil(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Table;
    use crate::testing::test;

    const OUT_OF_TOKENS: (&str, &str) = ("x-ratelimit-remaining-tokens", "0");

    #[test]
    fn a_providers_word_is_taken_in_every_way_that_it_is_said() {
        let now = Time(1_700_000_000_000_000_000);
        for (status, headers, want_ms) in [
            (429, &[("retry-after", "2")][..], Some(2_000)),
            (429, &[("retry-after-ms", "soon"), ("retry-after", "2")], Some(2_000)),
            (503, &[("retry-after", "1.2")], Some(2_000)),
            (529, &[("retry-after-ms", "250"), ("retry-after", "9")], Some(250)),
            (429, &[("retry-after", "Tue, 14 Nov 2023 22:13:30 GMT")], Some(10_000)),
            (429, &[("retry-after", "Tue, 14 Nov 2022 22:13:30 GMT")], None),
            (429, &[("retry-after", "999999999999999999")], Some(LONGEST_MS)),
            (429, &[("retry-after", "soon")], None),
            (429, &[("retry-after", "0")], None),
            (429, &[], None),
            // Counters are looked at where nothing says more.
            (429, &[("retry-after", "2"), OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "6m0s")], Some(2_000)),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "6m0s")], Some(360_000)),
            (429, &[("x-ratelimit-remaining-tokens", "120"), ("x-ratelimit-reset-tokens", "6m0s")], None),
            (429, &[("x-ratelimit-reset-tokens", "6m0s")], None),
            (429, &[OUT_OF_TOKENS], None),
            (503, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "6m0s")], None),
            (
                429,
                &[
                    OUT_OF_TOKENS,
                    ("x-ratelimit-reset-tokens", "350ms"),
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "2m59.56s"),
                    ("x-ratelimit-remaining-images", "7"),
                    ("x-ratelimit-reset-images", "9h"),
                ],
                Some(179_560),
            ),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "1h2m")], Some(3_720_000)),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "1.0005s")], Some(1_001)),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "7.66")], Some(7_660)),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "59")], Some(59_000)),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "1700000007")], Some(7_000)),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "2023-11-14T22:13:25.5Z")], Some(5_500)),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "2023-11-15T00:13:25+02:00")], Some(5_000)),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "2022-11-14T22:13:25Z")], None),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "0s")], None),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "400us")], Some(1)),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "9999999999999999999999h")], Some(LONGEST_MS)),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "soon")], None),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "1.2.3s")], None),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "1x")], None),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "-3s")], None),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "5mé")], None),
            (429, &[OUT_OF_TOKENS, ("x-ratelimit-reset-tokens", "")], None),
            (
                429,
                &[
                    ("anthropic-ratelimit-requests-remaining", "0"),
                    ("anthropic-ratelimit-requests-reset", "2023-11-14T22:13:21Z"),
                    ("anthropic-ratelimit-output-tokens-remaining", "0"),
                    ("anthropic-ratelimit-output-tokens-reset", "2023-11-14T22:14:20Z"),
                    ("anthropic-ratelimit-input-tokens-remaining", "100"),
                    ("anthropic-ratelimit-input-tokens-reset", "2023-11-14T23:14:20Z"),
                ],
                Some(60_000),
            ),
            (429, &[("anthropic-ratelimit-requests-reset", "2023-11-14T22:13:21Z")], None),
            (429, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000042")], Some(42_000)),
            (429, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000042500")], Some(42_500)),
            (429, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "11")], Some(11_000)),
            (500, &[("retry-after", "2")], None),
            (200, &[("retry-after", "2")], None),
        ] {
            let all = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let found = until(status, &Headers::new(all), now).map(|end| end.since(now).millis());
            assert_eq!(found, want_ms, "{status} {headers:?}");
        }
    }

    #[test]
    fn an_errors_body_may_say_when_to_come_back() {
        let now = Time(1_700_000_000_000_000_000);
        let retry = |delay: &str| {
            format!(
                r#"{{"error":{{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[
                {{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{{"retryDelay":"9h"}}]}},
                {{"@type":"type.googleapis.com/google.rpc.Help","retryDelay":"8h"}},
                {{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{delay}"}}]}}}}"#
            )
        };
        let routed = |headers: &str| {
            format!(r#"{{"error":{{"message":"Rate limit exceeded","code":429,"metadata":{{"headers":{headers}}}}}}}"#)
        };
        let reset = r#"{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1700000060000"}"#;
        for (status, body, want_ms) in [
            (429, retry("34s"), Some(34_000)),
            (429, retry("58.934310785s"), Some(58_935)),
            (503, retry("34s"), Some(34_000)),
            (429, format!("[{}]", retry("34s")), Some(34_000)),
            (429, retry("0s"), None),
            (429, retry("soon"), None),
            (400, retry("34s"), None),
            (429, format!("{}{}", retry("34s"), " ".repeat(LONGEST_BODY)), None),
            (429, routed(reset), Some(60_000)),
            (429, routed(r#"{"X-RateLimit-Remaining":0,"X-RateLimit-Reset":1700000060000}"#), Some(60_000)),
            (429, routed(r#"{"Retry-After":"3"}"#), Some(3_000)),
            (429, routed("[]"), None),
            (429, r#"{"error":"rate limited"}"#.into(), None),
            (429, r#"{"error":{"details":[7,{"@type":3,"retryDelay":{}}]}}"#.into(), None),
            (429, "[]".into(), None),
            (429, "<html>".into(), None),
        ] {
            let found = until_body(status, body.as_bytes(), now).map(|end| end.since(now).millis());
            assert_eq!(found, want_ms, "{status} {body}");
        }
    }

    #[test]
    fn a_target_rests_as_long_as_the_longest_word_says() {
        let table = Table::default();
        let second = |n: u64| Time(n * 1_000_000_000);
        begin(&table, "a/b", second(10));
        begin(&table, "a/b", second(5));
        assert_eq!(rests(&table, "a/b", second(1)), Some(9));
        assert_eq!(rests(&table, "a/b", Time(second(10).0 - 1)), Some(1));
        assert_eq!(rests(&table, "a/b", second(10)), None);
        assert_eq!(rests(&table, "a/c", second(1)), None);
    }
}
