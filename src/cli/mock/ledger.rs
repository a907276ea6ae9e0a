//! What the mock received and what it would have billed.

use super::json::put;
use super::meter::Bill;
use super::reply::Used;
use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

const MOST_REQUESTS: usize = 1_000;
const MOST_BYTES: usize = 64 << 20;
const MOST_MODELS: usize = 1_000;
const MOST_KEPT: usize = 10_000;

struct Seen {
    method: String,
    path: String,
    headers: Value,
    body: Bytes,
}

#[derive(Clone, Copy, Default)]
struct Total {
    requests: u64,
    used: Used,
}

impl Total {
    fn add(&mut self, used: Used) {
        self.requests = self.requests.saturating_add(1);
        let into = &mut self.used;
        for (sum, more) in [
            (&mut into.prompt, used.prompt),
            (&mut into.cached, used.cached),
            (&mut into.written, used.written),
            (&mut into.written_1h, used.written_1h),
            (&mut into.completion, used.completion),
            (&mut into.reasoning, used.reasoning),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    fn show(&self) -> Value {
        json!({
            "requests": self.requests,
            "prompt_tokens": self.used.prompt,
            "cached_tokens": self.used.cached,
            "cache_write_tokens": self.used.written,
            "cache_write_1h_tokens": self.used.written_1h,
            "completion_tokens": self.used.completion,
            "reasoning_tokens": self.used.reasoning,
        })
    }
}

/// What a model was billed for.
#[derive(Default)]
struct Account {
    all: Total,
    /// Of it, what no client was told: the answer was cut, hung up on or silent of its usage.
    untold: Total,
    /// Of it, what was billed at other service tiers than the usual one, without what no client was told.
    tiers: BTreeMap<String, Total>,
}

impl Account {
    fn show(&self) -> Value {
        let mut shown = self.all.show();
        if self.untold.requests > 0 {
            put(&mut shown, "untold", self.untold.show());
        }
        if !self.tiers.is_empty() {
            let tiers: Map<String, Value> =
                self.tiers.iter().map(|(tier, total)| (tier.clone(), total.show())).collect();
            put(&mut shown, "tiers", Value::Object(tiers));
        }
        shown
    }
}

/// Requests and totals since the start or the last reset.
#[derive(Default)]
pub(super) struct Ledger {
    seen: VecDeque<Seen>,
    bytes: usize,
    requests: u64,
    bill: BTreeMap<String, Account>,
    uses: BTreeMap<String, u64>,
    /// Hashes of the beginnings of prompts that are cached.
    prefixes: BTreeSet<[u8; 32]>,
    /// The ids of stored responses, each with the calls that wait for their outputs.
    responses: BTreeMap<String, Vec<String>>,
}

impl Ledger {
    /// Notes a request; the oldest ones make room.
    pub fn note(&mut self, method: &str, path: &str, headers: &HeaderMap, body: Bytes) {
        self.requests = self.requests.saturating_add(1);
        self.bytes = self.bytes.saturating_add(body.len());
        self.seen.push_back(Seen {
            method: method.into(),
            path: show_path(path),
            headers: show_headers(headers),
            body,
        });
        while self.seen.len() > MOST_REQUESTS || (self.bytes > MOST_BYTES && self.seen.len() > 1) {
            let gone = self.seen.pop_front().map_or(0, |seen| seen.body.len());
            self.bytes = self.bytes.saturating_sub(gone);
        }
    }

    /// Bills an answer; `told` is whether its usage was reported to whom it was sent.
    pub fn bill(&mut self, bill: &Bill, told: bool) {
        let model = bill.model.as_str();
        let name = if self.bill.contains_key(model) || self.bill.len() < MOST_MODELS { model } else { "(other)" };
        let account = self.bill.entry(name.to_owned()).or_default();
        account.all.add(bill.used);
        match &bill.tier {
            _ if !told => account.untold.add(bill.used),
            Some(tier) => account.tiers.entry(tier.clone()).or_default().add(bill.used),
            None => {}
        }
    }

    /// How often `key` was used before now; counts this use.
    pub fn uses(&mut self, key: &str) -> u64 {
        if self.uses.len() >= MOST_MODELS && !self.uses.contains_key(key) {
            self.uses.clear();
        }
        let uses = self.uses.entry(key.to_owned()).or_default();
        let before = *uses;
        *uses = uses.saturating_add(1);
        before
    }

    /// Whether a prompt that begins so is cached.
    pub fn cached(&self, prefix: &[u8; 32]) -> bool {
        self.prefixes.contains(prefix)
    }

    /// Caches the beginning of a prompt.
    pub fn keep(&mut self, prefix: [u8; 32]) {
        if self.prefixes.len() >= MOST_KEPT {
            self.prefixes.clear();
        }
        self.prefixes.insert(prefix);
    }

    /// Keeps a response and its open calls, so that a later request can go on from it.
    pub fn store(&mut self, id: String, calls: Vec<String>) {
        if self.responses.len() >= MOST_KEPT {
            self.responses.clear();
        }
        self.responses.insert(id, calls);
    }

    /// The open calls of a stored response.
    pub fn stored(&self, id: &str) -> Option<Vec<String>> {
        self.responses.get(id).cloned()
    }

    pub fn reset(&mut self) {
        *self = Self::default();
    }

    pub fn requests(&self) -> Value {
        let show = |seen: &Seen| {
            let body = serde_json::from_slice(&seen.body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&seen.body).into_owned()));
            let hash = hex(&Sha256::digest(&seen.body));
            let Seen { method, path, headers, .. } = seen;
            json!({"method": method, "path": path, "headers": headers, "body": body, "body_sha256": hash})
        };
        Value::Array(self.seen.iter().map(show).collect())
    }

    pub fn totals(&self) -> Value {
        let models: Map<String, Value> =
            self.bill.iter().map(|(model, account)| (model.clone(), account.show())).collect();
        let sum =
            |pick: fn(&Used) -> u64| self.bill.values().fold(0_u64, |sum, t| sum.saturating_add(pick(&t.all.used)));
        json!({
            "requests": self.requests,
            "prompt_tokens": sum(|used| used.prompt),
            "completion_tokens": sum(|used| used.completion),
            "models": models,
        })
    }
}

/// Headers with credentials as their scheme and the beginning of their hash: enough to compare, nothing to steal.
fn show_headers(headers: &HeaderMap) -> Value {
    let mut shown: Map<String, Value> = Map::new();
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes());
        let text = match name.as_str() {
            "authorization"
            | "proxy-authorization"
            | "x-api-key"
            | "api-key"
            | "x-goog-api-key"
            | "cookie"
            | "x-amz-security-token" => fingerprint(&text),
            _ => text.into_owned(),
        };
        match shown.get_mut(name.as_str()) {
            Some(Value::String(before)) => {
                before.push_str(", ");
                before.push_str(&text);
            }
            _ => {
                shown.insert(name.as_str().to_owned(), Value::String(text));
            }
        }
    }
    Value::Object(shown)
}

/// A path whose query carries no key.
fn show_path(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    let show = |pair: &str| match pair.strip_prefix("key=") {
        Some(key) => format!("key={}", fingerprint(key)),
        None => pair.to_owned(),
    };
    format!("{path}?{}", query.split('&').map(show).collect::<Vec<_>>().join("&"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A credential that can be told from another, but not used. A signature is good for its own request alone and is shown.
fn fingerprint(credential: &str) -> String {
    if credential.starts_with("AWS4-HMAC-SHA256 ") {
        return credential.to_owned();
    }
    let (scheme, secret) = match credential.split_once(' ') {
        Some((scheme, secret)) => (format!("{scheme} "), secret),
        None => (String::new(), credential),
    };
    let hash = hex(&Sha256::digest(secret.trim().as_bytes()));
    format!("{scheme}sha256:{}", hash.get(..12).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_shown_as_hashes() {
        // echo -n sk-abc | sha256sum
        assert_eq!(fingerprint("Bearer sk-abc"), "Bearer sha256:1460db1b6902");
        assert_eq!(fingerprint("sk-abc"), "sha256:1460db1b6902");
        assert_eq!(fingerprint("AWS4-HMAC-SHA256 Credential=a"), "AWS4-HMAC-SHA256 Credential=a");
        assert_eq!(show_path("/m:x?alt=sse&key=sk-abc"), "/m:x?alt=sse&key=sha256:1460db1b6902");
    }

    #[test]
    fn the_log_is_bounded() {
        let mut ledger = Ledger::default();
        for _ in 0..MOST_REQUESTS + 5 {
            ledger.note("POST", "/", &HeaderMap::new(), Bytes::from_static(b"{}"));
        }
        assert_eq!(ledger.seen.len(), MOST_REQUESTS);
        assert_eq!(ledger.totals()["requests"], MOST_REQUESTS + 5);
        ledger.note("POST", "/", &HeaderMap::new(), Bytes::from(vec![b'x'; MOST_BYTES + 1]));
        assert_eq!(ledger.seen.len(), 1);
    }
}
