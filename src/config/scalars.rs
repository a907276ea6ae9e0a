//! Texts with a meaning of their own: sizes, durations, prices, URLs, `${VARIABLES}`.

use super::Url;
use crate::cost::Usd;
use crate::host::Time;
use std::net::Ipv6Addr;

/// Bytes of `32MiB`, `10MB`, `500KiB`, `4096`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(bytes)
}

/// Milliseconds of `500ms`, `5s`, `2m`, `1h`. A number without a unit could mean anything, so it means nothing.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(milliseconds)
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, unit.trim_start_matches(' ')))
}

/// Picodollars per token of a price in USD per million tokens, from its decimal digits: `0.10` is 100 000. `None` for
/// what is no such number, is negative, or is finer than a picodollar per token (more than six decimals).
pub(super) fn decimal_to_picodollars_per_token(text: &str) -> Option<u64> {
    decimal::<6>(text)?.try_into().ok()
}

/// Picodollars of an amount in USD, in the same way.
pub(super) fn decimal_to_picodollars(text: &str) -> Option<u64> {
    decimal::<12>(text)?.try_into().ok()
}

/// An amount in USD from its decimal digits, exactly; at most a trillion.
pub(super) fn usd(text: &str) -> Option<Usd> {
    const MOST: u128 = 1_000_000_000_000 * 1_000_000_000_000;
    decimal::<12>(text).filter(|amount| *amount <= MOST).map(Usd)
}

/// Thousandths of a share from its decimal digits: `0.5` is 500. `None` for what is 0, above 1, or finer.
pub(super) fn thousandths(text: &str) -> Option<u32> {
    decimal::<3>(text).filter(|share| (1..=1_000).contains(share))?.try_into().ok()
}

/// A date (its beginning in UTC) or an RFC 3339 time. What lies outside of the years that [`Time`] knows is its nearest.
pub(crate) fn time(text: &str) -> Option<Time> {
    /// The last year that fits whole.
    const LAST_YEAR: i16 = 2553;
    let date: jiff::civil::Date = text.get(.."2027-01-01".len())?.parse().ok()?;
    let far = date.year() > LAST_YEAR;
    // The parser knows no times at the very end of the year 9999, which people write for "never".
    let year = if far { "2000" } else { text.get(..4)? };
    let rest = text.get(4..)?;
    let zoned = if rest.len() == "-01-01".len() { format!("{year}{rest}T00:00:00Z") } else { format!("{year}{rest}") };
    // It takes more than RFC 3339 has: a zone in brackets, a time without seconds.
    let plain = zoned.len() >= "2027-01-01T00:00:00Z".len() && !zoned.contains('[');
    let parsed: jiff::Timestamp = zoned.parse().ok().filter(|_| plain)?;
    let nanoseconds = u64::try_from(parsed.as_nanosecond().max(0)).unwrap_or(u64::MAX);
    Some(Time(if far { u64::MAX } else { nanoseconds }))
}

/// A decimal number times 10 to the power of `DECIMALS`, where that is whole.
fn decimal<const DECIMALS: usize>(text: &str) -> Option<u128> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let decimals = decimals.trim_end_matches('0');
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let some_digit = text.bytes().any(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(decimals) || !some_digit || decimals.len() > DECIMALS {
        return None;
    }
    format!("{whole}{decimals:0<DECIMALS$}").parse().ok()
}

/// A provider's URL; the error says what is wrong with it.
pub(super) fn url(text: &str) -> Result<Url, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("has no scheme")?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err("has another scheme"),
    };
    if rest.contains(['?', '#']) {
        return Err("has a query or fragment");
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii() || c == '\\') {
        return Err("has characters that must be escaped");
    }
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err("has a user name");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, port) = v6.split_once(']').ok_or("has no `]` after its IPv6 address")?;
            host.parse::<Ipv6Addr>().map_err(|_| "has a wrong IPv6 address")?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or("has a wrong port")?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err("has no host");
    }
    let host_characters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if !host.chars().all(host_characters) {
        return Err("has a wrong host");
    }
    let port = match port {
        None if tls => 443,
        None => 80,
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => {
            port.parse().ok().filter(|port| *port != 0).ok_or("has a wrong port")?
        }
        Some(_) => return Err("has a wrong port"),
    };
    Ok(Url { tls, host: host.to_ascii_lowercase(), port, path: path.trim_end_matches('/').to_owned() })
}

/// A piece of a text with `${VARIABLES}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Literal(&'a str),
    Variable(&'a str),
}

/// The pieces of a text; `None` where a `${` is not closed or holds no name of a variable.
pub(super) fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}')?;
        if !is_variable(name) {
            return None;
        }
        if !before.is_empty() {
            pieces.push(Piece::Literal(before));
        }
        pieces.push(Piece::Variable(name));
        rest = tail;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Some(pieces)
}

/// Whether a shell would take it as the name of a variable.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn sizes_and_durations_need_a_unit_that_exists() {
        for (text, want) in [
            ("4096", Some(4096)),
            ("32MiB", Some(33_554_432)),
            ("10MB", Some(10_000_000)),
            ("500KiB", Some(512_000)),
            ("1 GiB", Some(1_073_741_824)),
            ("7B", Some(7)),
            ("32Mib", None),
            ("MiB", None),
            ("-1MB", None),
            ("1.5MB", None),
            ("99999999999GiB", None),
            ("", None),
        ] {
            assert_eq!(size(text), want, "{text}");
        }
        for (text, want) in [
            ("500ms", Some(500)),
            ("5s", Some(5_000)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("5", None),
            ("5sec", None),
            ("s", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(milliseconds(text), want, "{text}");
        }
    }

    #[test]
    fn prices_are_exact_or_refused() {
        for (text, want) in [
            ("0.10", Some(100_000)),
            ("15", Some(15_000_000)),
            ("0", Some(0)),
            (".5", Some(500_000)),
            ("3.", Some(3_000_000)),
            ("0.000001", Some(1)),
            ("0.0000010000", Some(1)),
            ("0.0000001", None),
            ("18446744073709.551615", Some(u64::MAX)),
            ("18446744073709.551616", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("1,5", None),
            (".", None),
            ("", None),
            ("0.1.2", None),
            ("٣", None),
        ] {
            assert_eq!(decimal_to_picodollars_per_token(text), want, "{text}");
        }
        assert_eq!(decimal_to_picodollars("0.005"), Some(5_000_000_000));
        assert_eq!(decimal_to_picodollars("0.0000000000001"), None);
        assert_eq!(usd("20000000.000000000001"), Some(Usd(20_000_000_000_000_000_001)));
        assert_eq!((usd("1000000000000").is_some(), usd("1000000000000.01"), usd("-1")), (true, None, None));
    }

    #[test]
    fn shares_are_above_0_and_at_most_1() {
        for (text, want) in [
            ("0.5", Some(500)),
            ("1", Some(1_000)),
            ("1.000", Some(1_000)),
            (".001", Some(1)),
            ("0", None),
            ("0.0005", None),
            ("1.001", None),
            ("80", None),
            ("50%", None),
        ] {
            assert_eq!(thousandths(text), want, "{text}");
        }
    }

    #[test]
    fn a_date_begins_in_utc_and_a_time_says_its_offset() {
        let at = |seconds: u64| Some(Time(seconds * 1_000_000_000));
        for (text, want) in [
            ("2027-01-01", at(1_798_761_600)),
            ("2027-01-01T00:00:00Z", at(1_798_761_600)),
            ("2027-01-01T02:00:00+02:00", at(1_798_761_600)),
            ("2027-01-01T00:00:00.5Z", Some(Time(1_798_761_600_500_000_000))),
            ("1960-01-01", Some(Time(0))),
            ("9999-12-31", Some(Time(u64::MAX))),
            ("9999-12-31T23:59:59Z", Some(Time(u64::MAX))),
            ("9999-12-31T25:00:00Z", None),
            ("9999-02-29", None),
            ("2027-02-29", None),
            ("2027-01-01T00:00:00", None),
            ("2027-01-01T00:00:00+02:00[Europe/Berlin]", None),
            ("2027-1-1", None),
            ("01/02/2027", None),
            ("20270101", None),
            ("never", None),
            ("", None),
        ] {
            assert_eq!(time(text), want, "{text}");
        }
    }

    #[test]
    fn urls_are_http_with_a_host_and_nothing_after_the_path() {
        let read = |text| url(text).map(|url| (url.tls, url.host, url.port, url.path));
        let ok = |tls, host: &str, port, path: &str| Ok((tls, host.to_owned(), port, path.to_owned()));
        for (text, want) in [
            ("https://api.openai.com/v1", ok(true, "api.openai.com", 443, "/v1")),
            ("http://127.0.0.1:8000/v1/", ok(false, "127.0.0.1", 8000, "/v1")),
            ("HTTP://House", ok(false, "house", 80, "")),
            ("https://[::1]:8443/a/b", ok(true, "::1", 8443, "/a/b")),
            ("https://[::1]", ok(true, "::1", 443, "")),
            ("api.openai.com/v1", Err("has no scheme")),
            ("ftp://x", Err("has another scheme")),
            ("https://", Err("has no host")),
            ("https:///v1", Err("has no host")),
            ("https://:80", Err("has no host")),
            ("https://a?b=c", Err("has a query or fragment")),
            ("https://a#b", Err("has a query or fragment")),
            ("https://u:p@a", Err("has a user name")),
            ("https://a:0", Err("has a wrong port")),
            ("https://a:65536", Err("has a wrong port")),
            ("https://a:+80", Err("has a wrong port")),
            ("https://a:", Err("has a wrong port")),
            ("https://a b/", Err("has characters that must be escaped")),
            ("https://a/\r\nx", Err("has characters that must be escaped")),
            ("https://[::g]/", Err("has a wrong IPv6 address")),
            ("https://[::1", Err("has no `]` after its IPv6 address")),
            ("https://a*b/", Err("has a wrong host")),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
    }

    #[test]
    fn variables_are_cut_out_of_a_text() {
        use Piece::{Literal, Variable};
        for (text, want) in [
            ("${A}", Some(vec![Variable("A")])),
            (
                "http://${A_1}:${B}/v1",
                Some(vec![Literal("http://"), Variable("A_1"), Literal(":"), Variable("B"), Literal("/v1")]),
            ),
            ("plain $A", Some(vec![Literal("plain $A")])),
            ("", Some(vec![])),
            ("${A", None),
            ("${}", None),
            ("${1A}", None),
            ("${A B}", None),
            ("${A${B}}", None),
        ] {
            assert_eq!(pieces(text), want, "{text}");
        }
    }
}
