//! Consumers: who may call, how they show who they are, and what they may ask for.

use super::{Caller, LONGEST_VALUE};
use crate::config::Plan;
use crate::exchange::{Headers, percent_decoded};
use crate::host::{Peer, Time};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// What the file says of consumers.
#[derive(Clone, Debug, Default)]
pub struct Consumers {
    /// In the order of the file.
    pub list: Vec<Consumer>,
    /// The hashes of keys, and the place of the consumer whose it is.
    keys: Vec<([u64; 4], u64)>,
    /// Places by header and value.
    headers: BTreeMap<String, BTreeMap<String, usize>>,
    /// Places by name in a certificate.
    principals: BTreeMap<String, usize>,
}

impl Consumers {
    /// Of these; no identity is that of two.
    pub fn new(list: Vec<Consumer>) -> Self {
        let mut all = Self::default();
        for (place, consumer) in list.iter().enumerate() {
            for identity in &consumer.identities {
                match identity {
                    Identity::Key(digest) => all.keys.push((words(digest), u64::try_from(place).unwrap_or(NOBODY))),
                    Identity::Header(name, value) => {
                        all.headers.entry(name.clone()).or_default().insert(value.clone(), place);
                    }
                    Identity::Principal(name) => {
                        all.principals.insert(name.clone(), place);
                    }
                }
            }
        }
        Self { list, ..all }
    }

    /// Whose key has that hash. Every key is looked at, and none of them decides how long that takes: the time tells
    /// nothing of the hashes, nor whose key it was.
    fn of_key(&self, digest: &[u8; 32]) -> Option<usize> {
        let presented = words(digest);
        let mut found = NOBODY;
        for (known, place) in &self.keys {
            let differing = known.iter().zip(&presented).fold(0, |all, (known, presented)| all | (known ^ presented));
            found.conditional_assign(place, differing.ct_eq(&0));
        }
        usize::try_from(found).ok().filter(|place| *place < self.list.len())
    }

    /// Whether a header shows who calls: it is not for providers to see.
    pub fn is_shown_by(&self, header: &str) -> bool {
        self.headers.contains_key(header)
    }

    /// Whose header that is. One that is there twice is nobody's: the filter that sets it may have put its own beside
    /// the client's.
    fn of_headers<'a>(&'a self, headers: &'a Headers) -> impl Iterator<Item = usize> + 'a {
        self.headers.iter().filter_map(|(name, places)| {
            let mut values = headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
            let only = values.next().filter(|_| values.next().is_none())?;
            places.get(only.trim()).copied()
        })
    }
}

/// No place in a list.
const NOBODY: u64 = u64::MAX;

fn words(digest: &[u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    let (chunks, _) = digest.as_chunks::<8>();
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u64::from_le_bytes(*chunk);
    }
    words
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// How it shows who it is; one of them is enough.
    pub identities: Vec<Identity>,
    /// Whose project its requests are; no header changes it.
    pub project: Option<String>,
    /// Which agent its requests are of; no header changes it.
    pub agent: Option<String>,
    /// What it may ask for.
    pub allowed: Allowed,
    /// From when on it is refused.
    pub expires: Option<Time>,
    /// Whether it may see the status page.
    pub admin: bool,
}

/// What shows who calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// The SHA-256 of an API key, presented as `authorization: Bearer`, `x-api-key`, `api-key`, `x-goog-api-key` or
    /// `?key=`.
    Key([u8; 32]),
    /// A header that a filter before this one sets, such as JWT authentication: name (lower-case) and value. That filter
    /// must overwrite or remove what the client sent under this name: whoever can set the header is that consumer.
    Header(String, String),
    /// A name in the client's certificate: a SPIFFE id, a DNS name, the subject.
    Principal(String),
}

/// Which aliases and models a consumer may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Aliases, `provider/model` and patterns in which `*` stands for any text; `None`: everything.
    pub names: Option<Vec<String>>,
}

impl Allowed {
    /// Whether a request that names `asked` and would go to `target` (`provider/model`) is allowed: one of the two is.
    pub fn takes(&self, asked: &str, target: &str) -> bool {
        let fits = |name: &String| matches(name, asked) || matches(name, target);
        self.names.as_ref().is_none_or(|names| names.iter().any(fits))
    }
}

/// Whether a text is what a pattern says, in which `*` stands for any text, also for none.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = text.strip_prefix(start).and_then(|text| text.strip_suffix(end));
    // The first place is as good as any: what follows has the most text left there.
    let place = |text: &str, part: &str| text.split_once(part).map(|(_, rest)| rest.len());
    inner.is_some_and(|inner| {
        let mut left = inner;
        middle.split('*').filter(|part| !part.is_empty()).all(|part| {
            let rest = place(left, part).and_then(|length| left.get(left.len().saturating_sub(length)..));
            left = rest.unwrap_or_default();
            rest.is_some()
        })
    })
}

/// Why a caller is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Nothing shows who calls: 401.
    Anonymous,
    /// What was presented is nobody's: 401.
    Unknown,
    /// The consumer was known until then: 401.
    Expired(String),
}

/// What the caller is told.
impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Other words would be masked as a credential on their way to some clients.
            Self::Anonymous => f.write_str(
                "an API key is missing: send it in the header `x-api-key`, or in `authorization` after the word `Bearer`",
            ),
            Self::Unknown => f.write_str("this API key is not known here: check it, or ask for a new one"),
            Self::Expired(since) => write!(f, "this API key expired on {since}: ask for a new one"),
        }
    }
}

/// Says who calls. Where the file names no consumers everyone is let in.
///
/// A request may present several identities: any that is a consumer's lets it in, so that a client in a mesh may send a
/// key that means nothing, as SDKs want one. Where several are, a key counts before a certificate, and that before a
/// header. Headers are trusted because the file says so (see [`Identity::Header`]).
///
/// # Errors
/// Why not.
pub fn identify(plan: &Plan, headers: &Headers, peer: &Peer, now: Time) -> Result<(Caller, Option<usize>), Denied> {
    let keys = presented(headers);
    let mut caller = Caller { key: keys.first().map(fingerprint), address: peer.address.clone(), ..Caller::default() };
    let consumers = &plan.consumers;
    let mut who = None;
    if !consumers.list.is_empty() {
        // Each key is looked for whatever became of the others.
        let of_keys: Vec<(usize, Option<&[u8; 32]>)> =
            keys.iter().filter_map(|key| Some((consumers.of_key(key)?, Some(key)))).collect();
        let of_principals = peer.principals.iter().filter_map(|name| consumers.principals.get(name).copied());
        let others = of_principals.chain(consumers.of_headers(headers)).map(|place| (place, None));
        let found: Vec<_> = of_keys.into_iter().chain(others).collect();
        let consumer = |place: usize| consumers.list.get(place);
        let expiry = |place: usize| consumer(place)?.expires.filter(|expires| *expires <= now);
        let Some((place, key)) = found.iter().find(|(place, _)| expiry(*place).is_none()) else {
            let nothing = keys.is_empty() && peer.principals.is_empty();
            return Err(match found.first().and_then(|(place, _)| expiry(*place)) {
                Some(expired) => Denied::Expired(moment(expired)),
                None if nothing => Denied::Anonymous,
                None => Denied::Unknown,
            });
        };
        if let Some(consumer) = consumer(*place) {
            caller.consumer = Some(consumer.name.clone());
            caller.project.clone_from(&consumer.project);
            caller.agent.clone_from(&consumer.agent);
            // A key that lets nobody in is anyone's word: a limit per key must not be counted by it.
            caller.key = key.map(fingerprint);
        }
        who = Some(*place);
    }
    let said = |name: &'static str| plan.trusted_headers.contains(&name).then(|| value(headers, name)).flatten();
    caller.project = caller.project.or_else(|| said("x-conduit-project"));
    caller.agent = caller.agent.or_else(|| said("x-conduit-agent"));
    caller.agent_type = said("x-conduit-agent-type");
    caller.session = said("x-conduit-session");
    Ok((caller, who))
}

/// What is known of a caller who was not let in.
pub fn stranger(headers: &Headers, peer: &Peer) -> Caller {
    let key = presented(headers).first().map(fingerprint);
    Caller { key, address: peer.address.clone(), ..Caller::default() }
}

/// The hashes of the keys that a request presents.
fn presented(headers: &Headers) -> Vec<[u8; 32]> {
    let bearer = headers.get("authorization").and_then(|value| {
        let (scheme, key) = value.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key)
    });
    let plain = ["x-api-key", "api-key", "x-goog-api-key"].map(|name| headers.get(name));
    let query = headers.get(":path").and_then(|path| path.split_once('?')).and_then(|(_, query)| {
        let key = query.split('&').find_map(|pair| pair.strip_prefix("key="))?;
        Some(percent_decoded(key))
    });
    let all = [bearer].into_iter().chain(plain).chain([query.as_deref()]).flatten();
    all.map(str::trim).filter(|key| !key.is_empty()).map(|key| Sha256::digest(key).into()).collect()
}

/// The first 16 hexadecimal digits.
fn fingerprint(digest: &[u8; 32]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A header's value as a dimension.
fn value(headers: &Headers, name: &str) -> Option<String> {
    let text = headers.get(name)?.trim();
    let end = text.floor_char_boundary(LONGEST_VALUE);
    text.get(..end).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A date where it is the beginning of a day in UTC, else a time.
fn moment(time: Time) -> String {
    let text = time.rfc3339();
    text.strip_suffix("T00:00:00.000Z").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests;
