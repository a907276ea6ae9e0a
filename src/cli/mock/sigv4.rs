//! Checks AWS Signature Version 4 of a received request
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, 2026-11-21).

use super::AwsKey;
use super::endpoint::decode_bytes;
use super::refusal::Refusal;
use hmac::{Hmac, Mac};
use hyper::HeaderMap;
use sha2::{Digest, Sha256};
use std::fmt::Write;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far the clocks may be apart, in seconds.
const SKEW: u64 = 300;

/// What was signed, as it was received.
pub(super) struct Signed<'a> {
    pub method: &'a str,
    /// As it was sent, encoded.
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

fn refuse(exception: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(403, message).code(exception)
}

/// Checks the `authorization` header for `service`. `now` is in seconds since the Unix epoch; without it the date is
/// not compared.
pub(super) fn verify(request: &Signed<'_>, key: &AwsKey, service: &str, now: Option<u64>) -> Result<(), Refusal> {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let incomplete = |part: &str| {
        let message = format!("Authorization header requires '{part}' parameter.");
        refuse("IncompleteSignatureException", message)
    };
    let parameters = header("authorization").and_then(|a| a.trim().strip_prefix(ALGORITHM)).unwrap_or_default();
    let parameter = |name: &str| {
        let mut all = parameters.split(',').filter_map(|part| part.trim().split_once('='));
        all.find(|(found, _)| *found == name).map(|(_, value)| value).ok_or_else(|| incomplete(name))
    };
    let (credential, names, signature) =
        (parameter("Credential")?, parameter("SignedHeaders")?, parameter("Signature")?);
    let date = header("x-amz-date").ok_or_else(|| incomplete("X-Amz-Date"))?;
    let day = date.get(..8).ok_or_else(|| incomplete("X-Amz-Date"))?;

    let (access, scope) = credential.split_once('/').unwrap_or((credential, ""));
    let region = match scope.split('/').collect::<Vec<_>>()[..] {
        [at, region, of, "aws4_request"] if !region.is_empty() => {
            if of != service {
                let message = format!("Credential should be scoped to correct service: '{service}'. ");
                return Err(refuse("InvalidSignatureException", message));
            }
            if at != day {
                let message = format!(
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{at}' != '{day}', from '{date}'."
                );
                return Err(refuse("InvalidSignatureException", message));
            }
            region
        }
        _ => {
            return Err(refuse(
                "IncompleteSignatureException",
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
            ));
        }
    };
    if access != key.access {
        return Err(refuse("UnrecognizedClientException", "The security token included in the request is invalid."));
    }
    if header("x-amz-security-token").is_some_and(|token| token.contains("expired")) {
        return Err(refuse("ExpiredTokenException", "The security token included in the request is expired"));
    }
    let names: Vec<&str> = names.split(';').collect();
    let must = |name: &str| name == "host" || name.starts_with("x-amz-");
    if let Some(name) = request.headers.keys().map(|n| n.as_str()).find(|n| must(n) && !names.contains(n)) {
        let message = format!("There were headers present in the request which were not signed: {name}");
        return Err(refuse("InvalidSignatureException", message));
    }
    if let Some(now) = now {
        let sent = seconds(date)
            .ok_or_else(|| refuse("IncompleteSignatureException", "Date must be in ISO-8601 'basic format'."))?;
        if sent.saturating_add(SKEW) < now {
            return Err(refuse(
                "InvalidSignatureException",
                format!("Signature expired: {date} is now earlier than the server's time (- 5 min.)"),
            ));
        }
        if sent > now.saturating_add(SKEW) {
            return Err(refuse(
                "InvalidSignatureException",
                format!("Signature not yet current: {date} is still later than the server's time (+ 5 min.)"),
            ));
        }
    }
    let payload = hex(&Sha256::digest(request.body));
    if header("x-amz-content-sha256").is_some_and(|claimed| claimed != payload) {
        return Err(refuse(
            "InvalidSignatureException",
            "The value of 'x-amz-content-sha256' is not the hash of the body.",
        ));
    }
    let canonical = canonical(request, &names, &payload);
    let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let mut secret = format!("AWS4{}", key.secret).into_bytes();
    for part in [day, region, service, "aws4_request"] {
        secret = mac(&secret, part);
    }
    if hex(&mac(&secret, &to_sign)) == signature {
        return Ok(());
    }
    Err(refuse(
        "InvalidSignatureException",
        format!(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this \
         request should have been\n'{canonical}'\n\nThe String-to-Sign should have been\n'{to_sign}'\n"
        ),
    ))
}

fn canonical(request: &Signed<'_>, names: &[&str], payload: &str) -> String {
    let mut pairs: Vec<(String, String)> = request
        .query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(&decode_bytes(name), false), encode(&decode_bytes(value), false))
        })
        .collect();
    pairs.sort();
    let query: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut headers = String::new();
    for name in names {
        let values = request.headers.get_all(*name).iter().map(|value| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
        });
        let _ = writeln!(headers, "{name}:{}", values.collect::<Vec<_>>().join(","));
    }
    let path = encode(normal(request.path).as_bytes(), true);
    format!("{}\n{path}\n{}\n{headers}\n{}\n{payload}", request.method, query.join("&"), names.join(";"))
}

/// The path without empty, `.` and `..` segments.
fn normal(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// Percent-encodes all but unreserved characters; a path's `%` once more, as every service but S3 wants it.
fn encode(bytes: &[u8], path: bool) -> String {
    let mut encoded = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || (path && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `20150830T123600Z` in seconds since the Unix epoch.
fn seconds(date: &str) -> Option<u64> {
    let number = |from: usize, to: usize| date.get(from..to)?.parse::<u64>().ok();
    if date.len() != 16 || date.get(8..9) != Some("T") || !date.ends_with('Z') {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    // Days from the civil calendar, March first: a leap day ends its year.
    let (y, m) = if month > 2 { (year, month.checked_sub(3)?) } else { (year.checked_sub(1)?, month.checked_add(9)?) };
    let leaps = (y / 4).checked_sub(y / 100)?.checked_add(y / 400)?;
    let months = m.checked_mul(153)?.checked_add(2)? / 5;
    let days = y.checked_mul(365)?.checked_add(leaps)?.checked_add(months)?.checked_add(day)?.checked_sub(719_469)?;
    let time = number(9, 11)?.checked_mul(3_600)?.checked_add(number(11, 13)?.checked_mul(60)?)?;
    days.checked_mul(86_400)?.checked_add(time)?.checked_add(number(13, 15)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    /// The parts of a raw request.
    fn parse(raw: &str) -> (String, String, HeaderMap, String) {
        let (head, body) = raw.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let first: Vec<&str> = lines.next().unwrap().split(' ').collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').unwrap();
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        (first[0].into(), first[1].into(), headers, body.into())
    }

    fn check(raw: &str, key: &AwsKey, service: &str) -> Result<(), Refusal> {
        let (method, target, headers, body) = parse(raw);
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        verify(&Signed { method: &method, path, query, headers: &headers, body: body.as_bytes() }, key, service, None)
    }

    #[test]
    fn published_requests_are_verified() {
        let Some(folder) = std::env::var_os("CONDUIT_VECTORS") else {
            eprintln!("skipped: CONDUIT_VECTORS is not set");
            return;
        };
        let text = std::fs::read_to_string(std::path::Path::new(&folder).join("auth/sigv4_suite.jsonl")).unwrap();
        let mut checked = 0;
        for line in text.lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            // Only S3 keeps a path as it is.
            if case["context"]["normalize"] == false {
                continue;
            }
            let credentials = &case["context"]["credentials"];
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            let key =
                AwsKey { access: text(&credentials["access_key_id"]), secret: text(&credentials["secret_access_key"]) };
            let raw = text(&case["header_signed_request"]);
            let verdict = check(&raw, &key, "service");
            assert_eq!(verdict, Ok(()), "{}", case["case"]);
            let forged = raw.replacen("HTTP/1.1", "HTTP/1.1\nX-Amz-Forged:1", 1);
            assert!(check(&forged, &key, "service").is_err(), "{}", case["case"]);
            let wrong = AwsKey { secret: "no".into(), ..key };
            assert!(check(&raw, &wrong, "service").unwrap_err().message.contains("does not match"), "{}", case["case"]);
            checked += 1;
        }
        assert!(checked >= 5, "{checked}");
    }

    /// AWS's own example of a signed request, its `get-vanilla` case.
    const VANILLA: &str = "GET / HTTP/1.1\nHost:example.amazonaws.com\nX-Amz-Date:20150830T123600Z\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31\n\n";

    #[test]
    fn what_is_wrong_is_said() {
        let key = AwsKey { access: "AKIDEXAMPLE".into(), secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into() };
        assert_eq!(check(VANILLA, &key, "service"), Ok(()));
        for (from, to, service, want) in [
            ("GET /", "GET /a", "service", "does not match"),
            ("AKIDEXAMPLE", "AKIDOTHER", "service", "security token included in the request is invalid"),
            ("host;", "", "service", "not signed: host"),
            ("x", "x", "bedrock", "correct service: 'bedrock'"),
            ("X-Amz-Date", "X-Date", "service", "X-Amz-Date"),
            ("/aws4_request", "", "service", "5 slash-delimited"),
            ("Signature=", "Sig=", "service", "'Signature'"),
            ("=AKIDEXAMPLE/20150830", "=AKIDEXAMPLE/20150831", "service", "Credential scope"),
            ("\n\n", "\n\nbody", "service", "does not match"),
            ("\nX-", "\nX-Amz-Content-Sha256:00\nX-", "service", "not signed"),
        ] {
            let refusal = check(&VANILLA.replacen(from, to, 1), &key, service).unwrap_err();
            assert!(refusal.status == 403 && refusal.message.contains(want), "{from}: {refusal:?}");
        }
    }

    #[test]
    fn dates_are_compared() {
        assert_eq!(seconds("20150830T123600Z"), Some(1_440_938_160));
        assert_eq!(seconds("20240229T000001Z"), Some(1_709_164_801));
        assert_eq!(seconds("19700101T000000Z"), Some(0));
        for wrong in ["", "20150830", "20150830 123600Z", "2015-08-30T12:00", "20150x30T123600Z"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
        let key = AwsKey { access: "AKIDEXAMPLE".into(), secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into() };
        let (method, path, headers, _) = parse(VANILLA);
        let at = |now| {
            verify(
                &Signed { method: &method, path: &path, query: "", headers: &headers, body: b"" },
                &key,
                "service",
                Some(now),
            )
        };
        assert_eq!(at(1_440_938_160 + 299), Ok(()));
        assert!(at(1_440_938_160 + 301).unwrap_err().message.contains("expired"));
        assert!(at(1_440_938_160 - 301).unwrap_err().message.contains("not yet current"));
    }
}
