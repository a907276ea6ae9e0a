//! A record as a row: every field a column, nested ones as JSON text.

use crate::cli::usage::entry::{Entry, Text};
use serde::Deserialize;
use std::borrow::Cow;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// JSON as text.
    Json,
    /// A whole number up to 2⁶⁴ − 1.
    Number,
    /// Picodollars, up to 10³⁸ − 1 in Parquet.
    Money,
    /// True or false.
    Flag,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Text(Cow<'a, str>),
    Number(u64),
    Money(u128),
    Flag(bool),
}

impl Cell<'_> {
    /// A value of that kind as text says it.
    ///
    /// # Errors
    /// What was expected.
    pub fn read(kind: Kind, text: String) -> Result<Cell<'static>, String> {
        let wrong = |expected: &str| format!("found {text:?}, expected {expected}");
        Ok(match kind {
            Kind::Number => Cell::Number(text.parse().map_err(|_| wrong("a whole number"))?),
            Kind::Money => Cell::Money(text.parse().map_err(|_| wrong("a whole number of picodollars"))?),
            Kind::Flag => Cell::Flag(text.parse().map_err(|_| wrong("true or false"))?),
            Kind::Text | Kind::Json => Cell::Text(Cow::Owned(text)),
        })
    }

    fn text(self) -> Result<Text<'static>, String> {
        match self {
            Cell::Text(text) => Ok(Text(Cow::Owned(text.into_owned()))),
            other => Err(format!("found {other:?}, expected text")),
        }
    }

    fn number<N: TryFrom<u128>>(self) -> Result<N, String> {
        let number = match self {
            Cell::Number(number) => u128::from(number),
            Cell::Money(number) => number,
            other => return Err(format!("found {other:?}, expected a whole number")),
        };
        N::try_from(number).map_err(|_| format!("found {number}, expected a smaller number"))
    }

    fn flag(self) -> Result<bool, String> {
        match self {
            Cell::Flag(flag) => Ok(flag),
            other => Err(format!("found {other:?}, expected true or false")),
        }
    }

    fn json<T: Deserialize<'static>>(self) -> Result<T, String> {
        let text = self.text()?;
        // A reader's text is never borrowed from, so that the value may outlive it.
        let mut from = serde_json::Deserializer::from_reader(text.0.as_bytes());
        let value = T::deserialize(&mut from).and_then(|value| from.end().map(|()| value));
        value.map_err(|e| format!("found no JSON of its kind: {e}"))
    }
}

/// A column.
pub(super) struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// A record's value.
    pub get: for<'e> fn(&'e Entry<'_>) -> Option<Cell<'e>>,
    /// Puts a value into a record.
    pub set: fn(&mut Entry<'static>, Cell<'_>) -> Result<(), String>,
}

macro_rules! column {
    (text $field:ident) => {
        Column {
            name: stringify!($field),
            kind: Kind::Text,
            get: |entry| entry.$field.as_ref().map(|text| Cell::Text(Cow::Borrowed(text.0.as_ref()))),
            set: |entry, cell| cell.text().map(|text| entry.$field = Some(text)),
        }
    };
    (usage text $field:ident) => {
        Column {
            name: stringify!($field),
            kind: Kind::Text,
            get: |entry| {
                let text = entry.usage.as_ref()?.$field.as_ref()?;
                Some(Cell::Text(Cow::Borrowed(text.0.as_ref())))
            },
            set: |entry, cell| cell.text().map(|text| entry.usage.get_or_insert_default().$field = Some(text)),
        }
    };
    (usage $field:ident) => {
        Column {
            name: stringify!($field),
            kind: Kind::Number,
            get: |entry| entry.usage.as_ref()?.$field.map(Cell::Number),
            set: |entry, cell| cell.number().map(|number| entry.usage.get_or_insert_default().$field = Some(number)),
        }
    };
    (number $field:ident) => {
        Column {
            name: stringify!($field),
            kind: Kind::Number,
            get: |entry| entry.$field.map(|number| Cell::Number(number.into())),
            set: |entry, cell| cell.number().map(|number| entry.$field = Some(number)),
        }
    };
    (flag $field:ident) => {
        Column {
            name: stringify!($field),
            kind: Kind::Flag,
            get: |entry| entry.$field.map(Cell::Flag),
            set: |entry, cell| cell.flag().map(|flag| entry.$field = Some(flag)),
        }
    };
    (json $field:ident) => {
        Column {
            name: stringify!($field),
            kind: Kind::Json,
            get: |entry| {
                let text = serde_json::to_string(entry.$field.as_ref()?).ok()?;
                Some(Cell::Text(Cow::Owned(text)))
            },
            set: |entry, cell| cell.json().map(|value| entry.$field = Some(value)),
        }
    };
}

/// A record of which nothing is known yet. Every record says something of usage, if only that nothing is known.
pub(super) fn blank() -> Entry<'static> {
    Entry { usage: Some(Default::default()), ..Entry::default() }
}

/// Every column, in order.
pub(super) const COLUMNS: &[Column] = &[
    column!(text time),
    column!(text request_id),
    column!(text consumer),
    column!(text project),
    column!(text agent),
    column!(text agent_type),
    column!(text session),
    column!(text key),
    column!(json headers),
    column!(text endpoint),
    column!(text model),
    column!(text target),
    column!(text provider),
    column!(text reason),
    column!(text rule),
    column!(json attempts),
    column!(flag stream),
    column!(number status),
    column!(text outcome),
    column!(text exceeded),
    column!(usage prompt_tokens),
    column!(usage cached_tokens),
    column!(usage cache_write_tokens),
    column!(usage cache_write_1h_tokens),
    column!(usage audio_prompt_tokens),
    column!(usage image_prompt_tokens),
    column!(usage completion_tokens),
    column!(usage reasoning_tokens),
    column!(usage audio_completion_tokens),
    column!(usage text service_tier),
    column!(usage text known),
    column!(usage counted_prompt_tokens),
    column!(usage text counted),
    Column {
        name: "cost_picodollars",
        kind: Kind::Money,
        get: |entry| entry.cost_picodollars.map(Cell::Money),
        set: |entry, cell| cell.number().map(|number| entry.cost_picodollars = Some(number)),
    },
    column!(text cost_usd),
    column!(flag priced),
    column!(number ttft_ms),
    column!(number duration_ms),
];

/// The column of that name.
pub(super) fn named(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}
