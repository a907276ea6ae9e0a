//! What budgets and limits have in common: names, and over what they add up.

use super::conditions::is_header_name;
use super::read::{Cursor, Fields, near, one_of, short};
use super::top::DIMENSIONS;
use crate::admit::rules::Scope;
use std::collections::BTreeSet;

const NAME: &str = "a name, unique in its list, of at most 64 letters, digits, `_`, `-` and `.`";

const SCOPES: &[(&str, Scope)] = &[
    ("all", Scope::All),
    ("consumer", Scope::Consumer),
    ("key", Scope::Key),
    ("ip", Scope::Ip),
    ("project", Scope::Project),
    ("agent", Scope::Agent),
    ("session", Scope::Session),
    ("provider", Scope::Provider),
    ("model", Scope::Model),
];

/// Words in a header's name that say that its value must not stand in a record.
const CREDENTIALS: &[&str] = &["authorization", "cookie", "token", "secret", "password", "credential", "assertion"];

/// The consumer that a budget or limit is for, alone: its place and name.
pub(super) type Owner<'a> = Option<(usize, &'a str)>;

/// Names that are taken.
#[derive(Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// Reads `name`; that it is missing is reported.
    pub fn read<'a>(&mut self, fields: &Fields<'a>, what: &str) -> Option<&'a str> {
        let cursor = fields.required("name", NAME)?;
        let name = name(&cursor)?;
        self.take(&cursor, name.to_owned(), what);
        Some(name)
    }

    /// Takes a name; that it is taken already is reported.
    pub fn take(&mut self, at: &Cursor<'_>, name: String, what: &str) {
        if self.0.contains(&name) {
            at.mistake(format!("a second {what} `{}`", short(&name)), NAME, None);
        }
        self.0.insert(name);
    }
}

/// A name that can stand in the name of an account, a header and a metric.
pub(super) fn name<'a>(cursor: &Cursor<'a>) -> Option<&'a str> {
    let name = cursor.text(NAME)?;
    let good = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if !good {
        cursor.wrong(NAME);
    }
    good.then_some(name)
}

/// Reads `per`. What is for one consumer has none.
pub(super) fn per(fields: &Fields<'_>, owner: Owner<'_>, what: &str) -> Option<Scope> {
    let words: Vec<&str> = SCOPES.iter().map(|(word, _)| *word).chain(["header.NAME"]).collect();
    if owner.is_some() {
        return Some(Scope::Consumer);
    }
    let cursor = fields.required("per", &format!("over what the {what} adds up: {}", one_of(&words)))?;
    let text = cursor.as_text().unwrap_or_default();
    if let Some((_, scope)) = SCOPES.iter().find(|(word, _)| *word == text) {
        return Some(scope.clone());
    }
    let Some(header) = text.strip_prefix("header.").map(str::to_ascii_lowercase) else {
        let meant = near(text, SCOPES.iter().map(|(word, _)| *word));
        let meant = meant.or_else(|| text.strip_prefix("headers.").map(|header| format!("header.{header}")));
        cursor.mistake(cursor.describe(), one_of(&words), meant);
        return None;
    };
    let dimension = header.strip_prefix("x-conduit-").filter(|_| DIMENSIONS.contains(&header.as_str()));
    if !is_header_name(&header) {
        cursor.mistake(cursor.describe(), "`header.` and the name of a header, such as `header.x-team`", None);
    } else if CREDENTIALS.iter().any(|word| header.contains(word)) || header.ends_with("key") {
        let found = format!("the header `{}`, which may hold a credential", short(&header));
        cursor.mistake(found, "a header whose values may stand in records, or `key`", None);
    } else if let Some(word) = dimension.filter(|word| SCOPES.iter().any(|(known, _)| known == word)) {
        // Read as a header, a client's word would count that is not trusted.
        let found = format!("the header `{header}`, which a client may have set");
        cursor.mistake(found, format!("`{word}`"), Some(word.to_owned()));
    } else {
        return Some(Scope::Header(header));
    }
    None
}
