//! Reading the tree by hand, so that every mistake is found and not only the first: a [`Cursor`] is a value with its
//! path, [`Fields`] a map of which all fields are known.

use super::Mistake;
use super::yaml::{At, Node, Style, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// Where mistakes are collected.
#[derive(Default)]
pub(super) struct Report(RefCell<Vec<Mistake>>);

impl Report {
    /// Every mistake, in the order of the file.
    pub fn finish(self) -> Vec<Mistake> {
        let mut all = self.0.into_inner();
        all.sort_by_key(|mistake| (mistake.line, mistake.column));
        all
    }
}

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    pub node: &'a Node,
    pub path: String,
    report: &'a Report,
}

/// What a plain scalar means in YAML's core schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Boolean(bool),
    Number,
    Text,
}

impl<'a> Cursor<'a> {
    pub fn root(node: &'a Node, report: &'a Report) -> Self {
        Self { node, path: String::new(), report }
    }

    /// Reports a mistake at this value.
    pub fn mistake(&self, found: impl Into<String>, expected: impl Into<String>, near: Option<String>) {
        self.mistake_at(self.node.at, self.path.clone(), found.into(), expected.into(), near);
    }

    fn mistake_at(&self, at: At, path: String, found: String, expected: String, near: Option<String>) {
        let mistake = Mistake { line: at.line, column: at.column, path, found, expected, near };
        self.report.0.borrow_mut().push(mistake);
    }

    /// Reports that this value is not what it should be.
    pub fn wrong(&self, expected: impl Into<String>) {
        self.mistake(self.describe(), expected, None);
    }

    /// What it is, in words.
    pub fn describe(&self) -> String {
        match &self.node.value {
            Value::List(items) if items.is_empty() => "an empty list".into(),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
            Value::Scalar(text, style) => match kind(text, *style) {
                Kind::Nothing => "nothing".into(),
                Kind::Boolean(value) => value.to_string(),
                Kind::Number => format!("the number {}", short(text)),
                Kind::Text => format!("a string {:?}", short(text)),
            },
        }
    }

    /// Whether there is no value.
    pub fn is_nothing(&self) -> bool {
        matches!(&self.node.value, Value::Scalar(text, style) if kind(text, *style) == Kind::Nothing)
    }

    /// A scalar as it is written, whatever it means.
    pub fn scalar(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar(text, style) if kind(text, *style) != Kind::Nothing => Some(text),
            _ => None,
        }
    }

    /// A string, without reporting that it is none.
    pub fn as_text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar(text, style) if kind(text, *style) == Kind::Text => Some(text),
            _ => None,
        }
    }

    /// A string that is not empty.
    pub fn text(&self, expected: &str) -> Option<&'a str> {
        let found = self.as_text().filter(|text| !text.is_empty());
        if found.is_none() {
            self.wrong(match self.scalar() {
                Some("") => format!("{expected}; not an empty one"),
                Some(_) => format!("{expected}; put it in quotes"),
                None => expected.to_owned(),
            });
        }
        found
    }

    /// A boolean, without reporting that it is none.
    pub fn as_boolean(&self) -> Option<bool> {
        match &self.node.value {
            Value::Scalar(text, style) => match kind(text, *style) {
                Kind::Boolean(value) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn boolean(&self) -> Option<bool> {
        let found = self.as_boolean();
        if found.is_none() {
            let near = match self.scalar().map(str::to_ascii_lowercase).as_deref() {
                Some("yes" | "on" | "true" | "1") => Some("true".to_owned()),
                Some("no" | "off" | "false" | "0") => Some("false".to_owned()),
                _ => None,
            };
            self.mistake(self.describe(), "true or false", near);
        }
        found
    }

    /// A whole number of that range.
    pub fn whole<T>(&self, range: RangeInclusive<T>) -> Option<T>
    where
        T: Copy + PartialOrd + Display + std::str::FromStr,
    {
        let found = match &self.node.value {
            Value::Scalar(text, Style::Plain) => text.parse::<T>().ok().filter(|number| range.contains(number)),
            _ => None,
        };
        if found.is_none() {
            let (from, to) = (range.start(), range.end());
            self.wrong(if from == to {
                format!("the number {from}")
            } else {
                format!("a whole number from {from} to {to}")
            });
        }
        found
    }

    /// One word of several.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let text = self.as_text();
        let found = text.and_then(|text| words.iter().find(|(name, _)| *name == text));
        if found.is_none() {
            let near = text.and_then(|text| near(text, names.iter().copied()));
            self.mistake(self.describe(), one_of(&names), near);
        }
        found.map(|(_, value)| *value)
    }

    /// The items of a list that has some.
    pub fn list(&self, expected: &str) -> Option<Vec<Cursor<'a>>> {
        match &self.node.value {
            Value::List(items) if !items.is_empty() => Some(self.items(items)),
            _ => {
                self.wrong(expected);
                None
            }
        }
    }

    /// The items where it is a list, even an empty one.
    pub fn as_list(&self) -> Option<Vec<Cursor<'a>>> {
        match &self.node.value {
            Value::List(items) => Some(self.items(items)),
            _ => None,
        }
    }

    fn items(&self, items: &'a [Node]) -> Vec<Cursor<'a>> {
        let item = |(index, node)| Cursor { node, path: format!("{}[{index}]", self.path), report: self.report };
        items.iter().enumerate().map(item).collect()
    }

    /// Names and values of a map whose names are the user's own. Nothing counts as an empty map.
    pub fn entries(&self, expected: &str) -> Vec<Entry<'a>> {
        let pairs = match &self.node.value {
            Value::Map(pairs) => pairs.as_slice(),
            _ if self.is_nothing() => &[],
            _ => {
                self.wrong(expected);
                &[]
            }
        };
        let mut seen = BTreeSet::new();
        let mut entries = Vec::new();
        for (key, node) in pairs {
            let key = Cursor { node: key, path: self.path.clone(), report: self.report };
            let Value::Scalar(name, _) = &key.node.value else {
                key.mistake(format!("{} as a field's name", key.describe()), "a string", None);
                continue;
            };
            let path = join(&self.path, name);
            let key = Cursor { path: path.clone(), ..key };
            if seen.insert(name.as_str()) {
                entries.push(Entry { name, key, value: Cursor { node, path, report: self.report } });
            } else {
                key.mistake(format!("`{}` a second time", short(name)), "each name once", None);
            }
        }
        entries
    }

    /// A map of known fields: each unknown one is reported.
    pub fn fields(&self, known: &[&'static str]) -> Fields<'a> {
        let expected = format!("a map with {}", one_of(known));
        let entries = self.entries(&expected);
        for entry in entries.iter().filter(|entry| !known.contains(&entry.name)) {
            let found = format!("an unknown field `{}`", short(entry.name));
            entry.key.mistake(found, one_of(known), near(entry.name, known.iter().copied()));
        }
        let usable = self.is_nothing() || matches!(self.node.value, Value::Map(_));
        Fields { cursor: self.clone(), entries, usable }
    }
}

/// A named value of a map.
pub(super) struct Entry<'a> {
    pub name: &'a str,
    pub key: Cursor<'a>,
    pub value: Cursor<'a>,
}

/// A map of known fields.
pub(super) struct Fields<'a> {
    cursor: Cursor<'a>,
    entries: Vec<Entry<'a>>,
    /// Whether it is a map at all: else that is reported, and what it lacks is not.
    usable: bool,
}

impl<'a> Fields<'a> {
    /// Whether there is a map to read: that there is none is reported.
    pub fn is_usable(&self) -> bool {
        self.usable
    }

    /// The field's value, where the field is there.
    pub fn get(&self, name: &str) -> Option<Cursor<'a>> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| entry.value.clone())
    }

    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    /// The field's value; that it is missing is reported.
    pub fn required(&self, name: &str, expected: &str) -> Option<Cursor<'a>> {
        let found = self.get(name);
        if found.is_none() {
            self.missing(name, expected);
        }
        found
    }

    pub fn missing(&self, name: &str, expected: &str) {
        if self.usable {
            let path = join(&self.cursor.path, name);
            self.cursor.mistake_at(self.cursor.node.at, path, "nothing".into(), expected.into(), None);
        }
    }

    /// Reads the field where it is there; else (and where it is wrong, which is reported) takes the default.
    pub fn or<T>(&self, name: &str, default: T, read: impl FnOnce(Cursor<'a>) -> Option<T>) -> T {
        self.get(name).and_then(read).unwrap_or(default)
    }
}

fn kind(text: &str, style: Style) -> Kind {
    if style != Style::Plain {
        return Kind::Text;
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Nothing,
        "true" | "True" | "TRUE" => Kind::Boolean(true),
        "false" | "False" | "FALSE" => Kind::Boolean(false),
        _ => {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text).trim_start_matches('.');
            let number = digits.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok();
            if number { Kind::Number } else { Kind::Text }
        }
    }
}

/// The path of a field: `a.b`, or `a["b c"]` where a dot would not be clear.
fn join(path: &str, name: &str) -> String {
    let simple = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    match (simple, path.is_empty()) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{path}.{name}"),
        (false, _) => format!("{path}[{:?}]", short(name)),
    }
}

/// A text short enough for a message.
pub(super) fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    let cut: String = text.chars().take(LONGEST).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

/// `a`, `b` or `c`.
pub(super) fn one_of<S: AsRef<str>>(names: &[S]) -> String {
    let quoted = |name: &S| format!("`{}`", name.as_ref());
    match names {
        [] => "none".into(),
        [only] => quoted(only),
        [first @ .., last] => {
            format!("{} or {}", first.iter().map(quoted).collect::<Vec<_>>().join(", "), quoted(last))
        }
    }
}

/// The name that was perhaps meant: few edits away, measured by its length, or with the same beginning.
pub(crate) fn near<'n>(name: &str, known: impl IntoIterator<Item = &'n str> + Clone) -> Option<String> {
    const LONGEST: usize = 100;
    /// A shorter beginning says nothing.
    const SHORTEST_BEGINNING: usize = 4;
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let lower = name.to_lowercase();
    let few_edits = known
        .clone()
        .into_iter()
        .filter(|known| known.len() <= LONGEST)
        .map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known))
        .filter(|(edits, known)| *edits <= known.chars().count().min(lower.chars().count()).div_ceil(3))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, known)| known);
    let begins = || known.into_iter().find(|known| lower.len() >= SHORTEST_BEGINNING && known.starts_with(&lower));
    few_edits.or_else(begins).map(str::to_owned)
}
