//! `limits:`, and the limits of single consumers.

use super::read::Cursor;
use super::scopes::{Names, Owner, per};
use crate::admit::rules::Limit;

const NUMBERS: &str = "`requests_per_minute`, `tokens_per_minute` or `concurrent`";
const MOST: u64 = 1_000_000_000_000;

/// Limits as they are read.
#[derive(Default)]
pub(super) struct Limits {
    names: Names,
    limits: Vec<Limit>,
}

impl Limits {
    /// Reads `limits:`.
    pub fn read(&mut self, section: &Cursor<'_>) {
        match section.as_list() {
            Some(items) => items.iter().for_each(|item| self.one(item, None)),
            None if section.is_nothing() => {}
            None => section.wrong("a list of limits"),
        }
    }

    /// Reads one limit. A consumer's own bears its name.
    pub fn one(&mut self, cursor: &Cursor<'_>, owner: Owner<'_>) {
        const FIELDS: &[&str] = &["name", "per", "requests_per_minute", "tokens_per_minute", "concurrent"];
        let known = if owner.is_some() { FIELDS.get(2..).unwrap_or_default() } else { FIELDS };
        let fields = cursor.fields(known);
        let name = match owner {
            None => self.names.read(&fields, "limit"),
            Some((_, name)) => {
                self.names.take(cursor, name.to_owned(), "limit");
                Some(name)
            }
        };
        let scope = per(&fields, owner, "limit");
        let number = |name: &str| fields.get(name).and_then(|cursor| cursor.whole(1..=MOST));
        let (requests, tokens) = (number("requests_per_minute"), number("tokens_per_minute"));
        let concurrent = number("concurrent");
        let numbers = ["requests_per_minute", "tokens_per_minute", "concurrent"];
        if fields.is_usable() && !numbers.iter().any(|name| fields.has(name)) {
            cursor.mistake("a limit without a number", NUMBERS, None);
        }
        if let (Some(name), Some(scope)) = (name, scope) {
            let of = owner.map(|(place, _)| place);
            self.limits.push(Limit { name: name.to_owned(), per: scope, requests, tokens, concurrent, of });
        }
    }

    /// All of them.
    pub fn finish(self) -> Vec<Limit> {
        self.limits
    }
}
