//! `when:`: conditions become typed tests. What a field can be compared with is decided here, once.

use super::read::{Cursor, Fields, near, one_of, short};
use crate::exchange::Endpoint;
use crate::route::{Condition, FlagField, NumberField, NumberTest, TextField, TextTest};
use regex::RegexBuilder;

/// The deepest conditions may nest.
const DEEPEST: usize = 32;
/// The most memory a compiled regular expression may take.
const LARGEST_REGEX: usize = 1 << 20;

const CONDITION: &str = "`all:` or `any:` with a list, `not:` with a condition, or `field:`, `op:` and `value:`";

const OPERATORS: &[(&str, Op)] = &[
    (">", Op::Above),
    ("<", Op::Below),
    (">=", Op::AtLeast),
    ("<=", Op::AtMost),
    ("=", Op::Is),
    ("!=", Op::IsNot),
    ("contains", Op::Contains),
    ("matches", Op::Matches),
    ("in", Op::In),
];

/// What people write who know the operators from elsewhere.
const SYNONYMS: &[(&str, &str)] = &[
    ("==", "="),
    ("===", "="),
    ("eq", "="),
    ("is", "="),
    ("equal", "="),
    ("equals", "="),
    ("<>", "!="),
    ("ne", "!="),
    ("gt", ">"),
    ("above", ">"),
    ("lt", "<"),
    ("below", "<"),
    ("gte", ">="),
    ("ge", ">="),
    ("=>", ">="),
    ("lte", "<="),
    ("le", "<="),
    ("=<", "<="),
    ("includes", "contains"),
    ("has", "contains"),
    ("like", "contains"),
    ("regex", "matches"),
    ("=~", "matches"),
    ("~", "matches"),
    ("one_of", "in"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Above,
    Below,
    AtLeast,
    AtMost,
    Is,
    IsNot,
    Contains,
    Matches,
    In,
}

/// A field of the configuration. `tools` and `images` are numbers, and against a boolean they mean "any at all".
enum Field {
    Number(NumberField),
    Counted(NumberField, FlagField),
    Flag(FlagField),
    Text(TextField),
}

const FIELDS: &[&str] = &[
    "tokens",
    "model",
    "message",
    "system",
    "stream",
    "tools",
    "images",
    "thinking",
    "max_tokens",
    "endpoint",
    "header.<name>",
    "consumer",
    "project",
    "agent",
    "agent_type",
    "session",
];

/// Reads a condition; what is wrong in it is reported.
pub(super) fn read(cursor: &Cursor<'_>) -> Option<Condition> {
    read_below(cursor, 1)
}

fn read_below(cursor: &Cursor<'_>, depth: usize) -> Option<Condition> {
    if depth > DEEPEST {
        cursor.mistake("a deeper condition", format!("at most {DEEPEST} levels"), None);
        return None;
    }
    if !cursor.node.is_map() || cursor.node.is_empty_map() {
        cursor.wrong(CONDITION);
        return None;
    }
    let fields = cursor.fields(&["all", "any", "not", "field", "op", "value"]);
    let comparison = ["field", "op", "value"].into_iter().filter(|name| fields.has(name)).take(1);
    let forms: Vec<&str> =
        ["all", "any", "not"].into_iter().filter(|name| fields.has(name)).chain(comparison).collect();
    match forms.as_slice() {
        ["all"] => read_list(&fields, "all", depth).map(Condition::All),
        ["any"] => read_list(&fields, "any", depth).map(Condition::Any),
        ["not"] => {
            let inner = read_below(&fields.get("not")?, depth.saturating_add(1))?;
            Some(Condition::Not(Box::new(inner)))
        }
        [_] => read_comparison(&fields),
        // Only unknown fields, each reported.
        [] => None,
        [first, second, ..] => {
            cursor.mistake(format!("`{first}` and `{second}` side by side"), format!("one of {CONDITION}"), None);
            None
        }
    }
}

fn read_list(fields: &Fields<'_>, name: &str, depth: usize) -> Option<Vec<Condition>> {
    let items = fields.get(name)?.list("a list of conditions")?;
    let read: Vec<Option<Condition>> = items.iter().map(|item| read_below(item, depth.saturating_add(1))).collect();
    read.into_iter().collect()
}

fn read_comparison(fields: &Fields<'_>) -> Option<Condition> {
    let field = fields.required("field", &format!("one of {}", one_of(FIELDS))).and_then(|cursor| read_field(&cursor));
    let names: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).collect();
    let op_at = fields.required("op", &one_of(&names));
    let op = op_at.as_ref().and_then(read_op);
    let value = fields.required("value", "what to compare with");
    let (field, op, op_at, value) = (field?, op?, op_at?, value?);
    match field {
        Field::Flag(field) => flag(field, op, &op_at, &value),
        Field::Counted(_, field) if value.as_boolean().is_some() => flag(field, op, &op_at, &value),
        Field::Counted(field, _) | Field::Number(field) => number(field, op, &op_at, &value),
        Field::Text(field) => text(field, op, &op_at, &value),
    }
}

fn read_field(cursor: &Cursor<'_>) -> Option<Field> {
    let name = cursor.text(&one_of(FIELDS))?;
    let field = match name {
        "tokens" => Field::Number(NumberField::Tokens),
        "max_tokens" => Field::Number(NumberField::MaxTokens),
        "tools" => Field::Counted(NumberField::Tools, FlagField::Tools),
        "images" => Field::Counted(NumberField::Images, FlagField::Images),
        "stream" => Field::Flag(FlagField::Stream),
        "thinking" => Field::Flag(FlagField::Thinking),
        "model" => Field::Text(TextField::Model),
        "message" => Field::Text(TextField::Message),
        "system" => Field::Text(TextField::System),
        "endpoint" => Field::Text(TextField::Endpoint),
        "consumer" => Field::Text(TextField::Consumer),
        "project" => Field::Text(TextField::Project),
        "agent" => Field::Text(TextField::Agent),
        "agent_type" => Field::Text(TextField::AgentType),
        "session" => Field::Text(TextField::Session),
        _ => match name.strip_prefix("header.") {
            Some(header) if is_header_name(header) => Field::Text(TextField::Header(header.to_ascii_lowercase())),
            Some(_) => {
                cursor.mistake(cursor.describe(), "`header.` and the name of a header, such as `header.x-team`", None);
                return None;
            }
            None => {
                let near = match name.strip_prefix("headers.") {
                    Some(header) => Some(format!("header.{header}")),
                    None => near(name, FIELDS.iter().copied()),
                };
                cursor.mistake(format!("an unknown field `{}`", short(name)), one_of(FIELDS), near);
                return None;
            }
        },
    };
    Some(field)
}

/// RFC 9110, 5.1: a token.
pub(super) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn read_op(cursor: &Cursor<'_>) -> Option<Op> {
    let written = cursor.scalar().unwrap_or_default().trim();
    let found = OPERATORS.iter().find(|(name, _)| *name == written).map(|(_, op)| *op);
    if found.is_none() {
        let names: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).collect();
        if cursor.node.is_block() {
            // Without quotes `op: >` begins a text that goes on in the next line.
            cursor.mistake("the beginning of a text block", one_of(&names), Some("\">\"".into()));
            return None;
        }
        let synonym =
            SYNONYMS.iter().find(|(word, _)| written.eq_ignore_ascii_case(word)).map(|(_, op)| (*op).to_owned());
        let words = names.iter().copied().filter(|name| name.len() > 1 && name.is_ascii());
        let words = words.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()));
        cursor.mistake(cursor.describe(), one_of(&names), synonym.or_else(|| near(written, words)));
    }
    found
}

fn number(field: NumberField, op: Op, op_at: &Cursor<'_>, value: &Cursor<'_>) -> Option<Condition> {
    let single = |test: fn(u64) -> NumberTest| value.whole(0..=u64::MAX).map(test);
    let test = match op {
        Op::Above => single(NumberTest::Above)?,
        Op::Below => single(NumberTest::Below)?,
        Op::AtLeast => single(NumberTest::AtLeast)?,
        Op::AtMost => single(NumberTest::AtMost)?,
        Op::Is => single(NumberTest::Is)?,
        Op::IsNot => single(NumberTest::IsNot)?,
        Op::In => {
            let items = value.list("a list of whole numbers")?;
            let numbers: Vec<Option<u64>> = items.iter().map(|item| item.whole(0..=u64::MAX)).collect();
            NumberTest::In(numbers.into_iter().collect::<Option<_>>()?)
        }
        Op::Contains | Op::Matches => return wrong_op(op_at, "a number", &[">", "<", ">=", "<=", "=", "!=", "in"]),
    };
    Some(Condition::Number(field, test))
}

fn text(field: TextField, op: Op, op_at: &Cursor<'_>, value: &Cursor<'_>) -> Option<Condition> {
    const EXPECTED: &str = "a string";
    if matches!(field, TextField::Endpoint) && matches!(op, Op::Is | Op::IsNot | Op::In) {
        // One that does not exist would make a rule that never holds, or always.
        let words: Vec<(&str, ())> = Endpoint::NAMES.iter().map(|name| (*name, ())).collect();
        let items = if matches!(op, Op::In) { value.as_list().unwrap_or_default() } else { vec![value.clone()] };
        let known =
            |item: &Cursor<'_>| item.as_text().is_none_or(|text| text.is_empty()) || item.word(&words).is_some();
        if !items.iter().fold(true, |all, item| known(item) & all) {
            return None;
        }
    }
    let test = match op {
        Op::Is => TextTest::Is(value.text(EXPECTED)?.to_owned()),
        Op::IsNot => TextTest::IsNot(value.text(EXPECTED)?.to_owned()),
        Op::Contains => TextTest::Contains(value.text(EXPECTED)?.to_owned()),
        Op::Matches => TextTest::Matches(regex(value)?),
        Op::In => {
            let items = value.list("a list of strings")?;
            let texts: Vec<Option<String>> = items.iter().map(|item| item.text(EXPECTED).map(str::to_owned)).collect();
            TextTest::In(texts.into_iter().collect::<Option<_>>()?)
        }
        Op::Above | Op::Below | Op::AtLeast | Op::AtMost => {
            return wrong_op(op_at, "a text", &["=", "!=", "contains", "matches", "in"]);
        }
    };
    Some(Condition::Text(field, test))
}

fn flag(field: FlagField, op: Op, op_at: &Cursor<'_>, value: &Cursor<'_>) -> Option<Condition> {
    match op {
        Op::Is => Some(Condition::Flag(field, value.boolean()?)),
        Op::IsNot => Some(Condition::Flag(field, !value.boolean()?)),
        _ => wrong_op(op_at, "a boolean", &["=", "!="]),
    }
}

fn wrong_op(op: &Cursor<'_>, what: &str, fitting: &[&str]) -> Option<Condition> {
    op.mistake(format!("`{}` for {what}", op.scalar().unwrap_or_default()), one_of(fitting), None);
    None
}

fn regex(value: &Cursor<'_>) -> Option<regex::Regex> {
    let text = value.text("a regular expression")?;
    let compiled = RegexBuilder::new(text).size_limit(LARGEST_REGEX).dfa_size_limit(LARGEST_REGEX).build();
    compiled
        .map_err(|error| {
            // A syntax error is drawn over several lines; its last one says what it is.
            let whole = error.to_string();
            let why = whole.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
            let expected = "a regular expression of the Rust `regex` syntax (no look-around, no back-references)";
            value.mistake(format!("{} ({why})", value.describe()), expected, None);
        })
        .ok()
}
