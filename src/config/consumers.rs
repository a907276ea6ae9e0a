//! `consumers:`: who may call. What stands in place of a hash may be the key itself, so it is never shown.

use super::budgets::Budgets;
use super::conditions::is_header_name;
use super::limits::Limits;
use super::read::{Cursor, Entry, Fields, short};
use super::scalars::time;
use super::targets::Chains;
use crate::admit::{Allowed, Consumer, Consumers, Identity, LONGEST_VALUE};
use std::collections::BTreeMap;

const FIELDS: &[&str] =
    &["sha256", "header", "principal", "project", "agent", "models", "expires", "admin", "budgets", "limits"];
/// What a consumer's name is.
pub(crate) const CONSUMER_NAME: &str =
    "a consumer's name of at most 64 letters, digits, `_`, `-`, `.` and `@`, that begins with a letter or digit";
/// What `expires` is.
pub(crate) const EXPIRES: &str = "a date such as 2027-01-01, or a time such as 2027-01-01T12:00:00Z";

/// Headers that clients present keys in.
const KEY_HEADERS: &[&str] = &["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// Whether a consumer may be called that.
pub(crate) fn is_consumer_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.@".contains(&b))
}

/// Reads the section, each consumer's own budgets and limits included.
pub(super) fn read<'a>(
    section: &Cursor<'a>,
    chains: &mut Chains<'a, '_>,
    budgets: &mut Budgets<'a>,
    limits: &mut Limits,
) -> Consumers {
    const NONE: &str = "at least one consumer; without `consumers:` everyone is let in";
    if !section.node.is_map() && !section.is_nothing() {
        section.mistake(unseen(section), "a map from a consumer's name to what shows who it is", None);
        return Consumers::default();
    }
    let entries = section.entries("a map of consumers");
    if entries.is_empty() {
        section.mistake("no consumer", NONE, None);
    }
    let mut list = Vec::new();
    let mut seen = Seen::default();
    for entry in &entries {
        list.push(one(entry, list.len(), &mut seen, chains, budgets, limits));
    }
    Consumers::new(list)
}

fn one<'a>(
    entry: &Entry<'a>,
    place: usize,
    seen: &mut Seen,
    chains: &mut Chains<'a, '_>,
    budgets: &mut Budgets<'a>,
    limits: &mut Limits,
) -> Consumer {
    let name = entry.name;
    let mut consumer = Consumer {
        name: name.to_owned(),
        identities: Vec::new(),
        project: None,
        agent: None,
        allowed: Allowed::default(),
        expires: None,
        admin: false,
    };
    if !is_consumer_name(name) {
        entry.key.mistake(format!("the name {:?}", short(name)), CONSUMER_NAME, None);
    }
    let hint = format!("`conduit key new {}`", if is_consumer_name(name) { name } else { "NAME" });
    if !entry.value.node.is_map() && !entry.value.is_nothing() {
        let expected = format!("a map with `sha256`, `header` or `principal`; {hint} makes a key and its entry");
        entry.value.mistake(unseen(&entry.value), expected, None);
        return consumer;
    }
    let fields = entry.value.fields(FIELDS);
    consumer.identities = identities(&fields, name, &hint, seen);
    if !["sha256", "header", "principal"].iter().any(|field| fields.has(field)) {
        let expected = format!("the hash of its key ({hint} makes both), or else `header` or `principal`");
        fields.missing("sha256", &expected);
    }
    consumer.project = fields.get("project").and_then(|cursor| value(&cursor, "the name of a project"));
    consumer.agent = fields.get("agent").and_then(|cursor| value(&cursor, "the name of an agent"));
    consumer.allowed.names = fields.get("models").map(|cursor| models(&cursor, chains));
    consumer.expires = fields.get("expires").and_then(|cursor| {
        let found = cursor.scalar().and_then(time);
        if found.is_none() {
            cursor.wrong(EXPIRES);
        }
        found
    });
    consumer.admin = fields.or("admin", false, |cursor| cursor.boolean());
    if let Some(own) = fields.get("budgets") {
        budgets.read_own(&own, place, name, chains);
    }
    if let Some(own) = fields.get("limits") {
        limits.one(&own, Some((place, name)));
    }
    consumer
}

/// What was found where a secret may stand.
fn unseen(cursor: &Cursor<'_>) -> String {
    match cursor.scalar() {
        Some(_) => "a text (not shown)".into(),
        None => cursor.describe(),
    }
}

/// Whose an identity is.
#[derive(Default)]
struct Seen(BTreeMap<Identity, String>);

impl Seen {
    /// An identity of this consumer; that it is another's is reported.
    fn take(&mut self, at: &Cursor<'_>, identity: Identity, name: &str) -> Identity {
        let what = match &identity {
            Identity::Key(_) => "key",
            Identity::Header(..) => "header and value",
            Identity::Principal(_) => "principal",
        };
        match self.0.get(&identity) {
            Some(other) if other == name => at.mistake(format!("the same {what} a second time"), "each once", None),
            Some(other) => {
                let found = format!("the {what} of `{}` a second time", short(other));
                at.mistake(found, "what shows one consumer only", None);
            }
            None => {
                self.0.insert(identity.clone(), name.to_owned());
            }
        }
        identity
    }
}

fn identities(fields: &Fields<'_>, name: &str, hint: &str, seen: &mut Seen) -> Vec<Identity> {
    let mut found = Vec::new();
    for cursor in each(fields, "sha256") {
        match cursor.scalar().and_then(digest) {
            Some(digest) => found.push(seen.take(&cursor, Identity::Key(digest), name)),
            None => {
                let what = match cursor.scalar() {
                    Some(_) => "no SHA-256 (not shown)".to_owned(),
                    None => cursor.describe(),
                };
                let expected =
                    format!("the SHA-256 of the key as 64 hexadecimal digits; {hint} makes a key and its hash");
                cursor.mistake(what, expected, None);
            }
        }
    }
    for cursor in each(fields, "header") {
        let fields = cursor.fields(&["name", "value"]);
        const HEADER: &str = "the name of a header that an earlier filter sets, such as x-jwt-sub";
        let header = fields.required("name", HEADER).and_then(|cursor| {
            let header = cursor.text(HEADER)?.to_ascii_lowercase();
            if KEY_HEADERS.contains(&header.as_str()) {
                let found = format!("`{header}`, in which clients send keys");
                cursor.mistake(found, format!("{HEADER}; the hash of a key belongs in `sha256`"), None);
            } else if !is_header_name(&header) {
                cursor.wrong(HEADER);
            } else {
                return Some(header);
            }
            None
        });
        let text = fields.or("value", Some(name.to_owned()), |cursor| Some(value(&cursor, "the header's value")));
        if let (Some(header), Some(text)) = (header, text) {
            found.push(seen.take(&cursor, Identity::Header(header, text), name));
        }
    }
    for cursor in each(fields, "principal") {
        const PRINCIPAL: &str = "a name in the client's certificate, such as \"spiffe://cluster.local/ns/a/sa/b\"";
        if let Some(text) = line(&cursor, PRINCIPAL, 2_048) {
            found.push(seen.take(&cursor, Identity::Principal(text), name));
        }
    }
    found
}

/// A field's value, or the items of its list.
fn each<'a>(fields: &Fields<'a>, name: &str) -> Vec<Cursor<'a>> {
    let Some(cursor) = fields.get(name) else { return Vec::new() };
    match cursor.as_list() {
        Some(items) if !items.is_empty() => items,
        _ => vec![cursor],
    }
}

/// The 32 bytes of 64 hexadecimal digits.
fn digest(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some((digit(high)? << 4) | digit(low)?)).collect();
    bytes.filter(|_| rest.is_empty())?.try_into().ok()
}

/// A dimension's value: what a request header could say as well.
fn value(cursor: &Cursor<'_>, expected: &str) -> Option<String> {
    line(cursor, expected, LONGEST_VALUE)
}

/// Whether a text can be a dimension's value: one line, nothing around it.
pub(crate) fn is_dimension(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && text.trim() == text && !text.contains(char::is_control)
}

fn line(cursor: &Cursor<'_>, expected: &str, longest: usize) -> Option<String> {
    let text = cursor.text(expected)?;
    let good = is_dimension(text, longest);
    if !good {
        cursor.wrong(format!("{expected}: at most {longest} bytes on one line, without spaces around it"));
    }
    good.then(|| text.to_owned())
}

fn models(cursor: &Cursor<'_>, chains: &Chains<'_, '_>) -> Vec<String> {
    const MODELS: &str = "a list of aliases, `provider/model` and patterns such as \"openai/*\"";
    let mut names = Vec::new();
    for item in cursor.list(MODELS).unwrap_or_default() {
        if let Some(name) = item.text("an alias, `provider/model`, or a pattern such as \"openai/*\"") {
            match name.contains('*') {
                true => chains.check_pattern(&item, name),
                false => chains.check_name(&item, name),
            }
            names.push(name.to_owned());
        }
    }
    names
}
