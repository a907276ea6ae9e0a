//! Conditions of rules: typed tests over what routing sees of a request.

use super::Facts;
use crate::formats::canonical::{ChatRequest, Message, Part, Reasoning, Role};
use regex::Regex;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

/// A compiled condition.
#[derive(Clone, Debug)]
pub enum Condition {
    /// All of them hold.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A number is as tested. What the request does not have passes no test but [`NumberTest::IsNot`].
    Number(NumberField, NumberTest),
    /// A text is as tested. What the request does not have passes no test but [`TextTest::IsNot`].
    Text(TextField, TextTest),
    /// It is so, or (`false`) is not.
    Flag(FlagField, bool),
}

/// Numbers of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberField {
    /// Prompt tokens.
    Tokens,
    /// The most output tokens that it asks for, where it says so.
    MaxTokens,
    /// How many tools it offers.
    Tools,
    /// How many images it holds, those in tool results included.
    Images,
}

/// Texts of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextField {
    /// The model that it names.
    Model,
    /// The text of the last user turn that has text, its parts joined by line breaks.
    Message,
    /// All system and developer text, joined by line breaks.
    System,
    /// The endpoint.
    Endpoint,
    /// A header, by its lower-case name.
    Header(String),
    /// Who calls.
    Consumer,
    /// For which project.
    Project,
    /// As which agent.
    Agent,
    /// As which kind of agent.
    AgentType,
    /// In which session.
    Session,
}

/// What is or is not so of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagField {
    /// It wants a stream.
    Stream,
    /// It asks for reasoning.
    Thinking,
    /// It offers tools.
    Tools,
    /// It holds images.
    Images,
}

/// Tests of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberTest {
    /// `>`
    Above(u64),
    /// `<`
    Below(u64),
    /// `>=`
    AtLeast(u64),
    /// `<=`
    AtMost(u64),
    /// `=`
    Is(u64),
    /// `!=`
    IsNot(u64),
    /// `in`
    In(Vec<u64>),
}

/// Tests of a text, in which case matters.
#[derive(Clone, Debug)]
pub enum TextTest {
    /// `=`
    Is(String),
    /// `!=`
    IsNot(String),
    /// `contains`
    Contains(String),
    /// `matches`: the expression is found anywhere, in time linear in the text.
    Matches(Regex),
    /// `in`
    In(Vec<String>),
}

/// A request as conditions see it. Texts that are put together are put together once.
pub(super) struct View<'a> {
    facts: &'a Facts<'a>,
    message: OnceCell<Option<Cow<'a, str>>>,
    system: OnceCell<Option<Cow<'a, str>>>,
    images: OnceCell<u64>,
}

impl<'a> View<'a> {
    pub fn new(facts: &'a Facts<'a>) -> Self {
        Self { facts, message: OnceCell::new(), system: OnceCell::new(), images: OnceCell::new() }
    }

    fn number(&self, field: NumberField) -> Option<u64> {
        match field {
            NumberField::Tokens => Some(self.facts.tokens),
            NumberField::MaxTokens => self.facts.request.max_tokens,
            NumberField::Tools => u64::try_from(self.facts.request.tools.len()).ok(),
            NumberField::Images => Some(*self.images.get_or_init(|| {
                self.facts.request.messages.iter().map(|message| images(&message.parts)).fold(0, u64::saturating_add)
            })),
        }
    }

    fn text(&self, field: &TextField) -> Option<Cow<'_, str>> {
        let request: &'a ChatRequest = self.facts.request;
        let caller = self.facts.caller;
        let known = |value: &'a Option<String>| value.as_deref().map(Cow::Borrowed);
        match field {
            TextField::Model => Some(Cow::Borrowed(&request.model)),
            TextField::Message => borrowed(self.message.get_or_init(|| last_user_text(request))),
            TextField::System => borrowed(self.system.get_or_init(|| system_text(request))),
            TextField::Endpoint => Some(Cow::Borrowed(self.facts.endpoint)),
            TextField::Header(name) => (self.facts.header)(name).map(Cow::Owned),
            TextField::Consumer => known(&caller.consumer),
            TextField::Project => known(&caller.project),
            TextField::Agent => known(&caller.agent),
            TextField::AgentType => known(&caller.agent_type),
            TextField::Session => known(&caller.session),
        }
    }

    fn flag(&self, field: FlagField) -> bool {
        match field {
            FlagField::Stream => self.facts.request.stream,
            FlagField::Thinking => asks_for_reasoning(self.facts.request),
            FlagField::Tools => !self.facts.request.tools.is_empty(),
            FlagField::Images => self.number(NumberField::Images).is_some_and(|images| images > 0),
        }
    }
}

fn borrowed<'t>(text: &'t Option<Cow<'_, str>>) -> Option<Cow<'t, str>> {
    text.as_deref().map(Cow::Borrowed)
}

/// Whether a request asks the model to reason more than it does of itself.
pub(super) fn asks_for_reasoning(request: &ChatRequest) -> bool {
    match &request.reasoning {
        None | Some(Reasoning::Off) => false,
        Some(Reasoning::Effort(effort)) => !matches!(effort.as_str(), "none" | "minimal"),
        Some(Reasoning::Budget(_) | Reasoning::Adaptive) => true,
    }
}

fn texts(message: &Message) -> impl Iterator<Item = &str> {
    message.parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } if !text.is_empty() => Some(text.as_str()),
        _ => None,
    })
}

fn joined<'t>(mut texts: impl Iterator<Item = &'t str>) -> Option<Cow<'t, str>> {
    let mut whole = Cow::Borrowed(texts.next()?);
    for text in texts {
        let whole = whole.to_mut();
        whole.push('\n');
        whole.push_str(text);
    }
    Some(whole)
}

fn last_user_text(request: &ChatRequest) -> Option<Cow<'_, str>> {
    let mut turns = request.messages.iter().rev().filter(|message| message.role == Role::User);
    turns.find_map(|message| joined(texts(message)))
}

fn system_text(request: &ChatRequest) -> Option<Cow<'_, str>> {
    let operator = |message: &&Message| matches!(message.role, Role::System | Role::Developer);
    joined(request.messages.iter().filter(operator).flat_map(texts))
}

fn images(parts: &[Part]) -> u64 {
    let count = |part: &Part| match part {
        Part::Image { .. } => 1,
        Part::ToolResult { parts, .. } => images(parts),
        _ => 0,
    };
    parts.iter().map(count).fold(0, u64::saturating_add)
}

impl NumberTest {
    fn holds(&self, number: Option<u64>) -> bool {
        let Some(number) = number else { return matches!(self, Self::IsNot(_)) };
        match self {
            Self::Above(than) => number > *than,
            Self::Below(than) => number < *than,
            Self::AtLeast(than) => number >= *than,
            Self::AtMost(than) => number <= *than,
            Self::Is(other) => number == *other,
            Self::IsNot(other) => number != *other,
            Self::In(others) => others.contains(&number),
        }
    }
}

impl TextTest {
    fn holds(&self, text: Option<&str>) -> bool {
        let Some(text) = text else { return matches!(self, Self::IsNot(_)) };
        match self {
            Self::Is(other) => text == other,
            Self::IsNot(other) => text != other,
            Self::Contains(part) => text.contains(part.as_str()),
            Self::Matches(regex) => regex.is_match(text),
            Self::In(others) => others.iter().any(|other| other == text),
        }
    }
}

impl Condition {
    /// Whether it looks at what a request says, beyond the model that it names.
    pub(super) fn reads_content(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::reads_content),
            Self::Not(part) => part.reads_content(),
            Self::Text(field, _) => matches!(field, TextField::Message | TextField::System),
            Self::Number(..) | Self::Flag(..) => true,
        }
    }

    pub(super) fn holds(&self, view: &View<'_>) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(view)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(view)),
            Self::Not(condition) => !condition.holds(view),
            Self::Number(field, test) => test.holds(view.number(*field)),
            Self::Text(field, test) => test.holds(view.text(field).as_deref()),
            Self::Flag(field, wanted) => view.flag(*field) == *wanted,
        }
    }

    /// Why it does not hold, for people; only called where it does not.
    pub(super) fn why_not(&self, view: &View<'_>) -> String {
        match self {
            Self::All(conditions) => {
                conditions.iter().find(|condition| !condition.holds(view)).map_or_else(String::new, |c| c.why_not(view))
            }
            Self::Any(conditions) => {
                conditions.iter().map(|condition| condition.why_not(view)).collect::<Vec<_>>().join("; ")
            }
            Self::Not(condition) => format!("it holds that {condition}"),
            Self::Number(field, test) => match view.number(*field) {
                Some(number) => format!("{field} {number} is not {test}"),
                None => format!("{field} is not given"),
            },
            Self::Text(field, test) => match view.text(field) {
                Some(text) => format!("{field} {:?} {}", shortened(&text), negated(test)),
                None => format!("{field} is not given"),
            },
            Self::Flag(field, wanted) => format!("{field} is {}", !wanted),
        }
    }
}

fn negated(test: &TextTest) -> String {
    match test {
        TextTest::Is(_) | TextTest::IsNot(_) | TextTest::In(_) => format!("is not {test}"),
        TextTest::Contains(part) => format!("does not contain {part:?}"),
        TextTest::Matches(regex) => format!("does not match {:?}", regex.as_str()),
    }
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    let cut: String = text.chars().take(LONGEST).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

/// The condition in one line, much as the file says it.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, name: &str, conditions: &[Condition]| {
            write!(f, "{name}(")?;
            for (index, condition) in conditions.iter().enumerate() {
                write!(f, "{}{condition}", if index == 0 { "" } else { ", " })?;
            }
            write!(f, ")")
        };
        match self {
            Self::All(conditions) => list(f, "all", conditions),
            Self::Any(conditions) => list(f, "any", conditions),
            Self::Not(condition) => write!(f, "not({condition})"),
            Self::Number(field, test) => write!(f, "{field} {test}"),
            Self::Text(field, test) => write!(f, "{field} {test}"),
            Self::Flag(field, wanted) => write!(f, "{field} = {wanted}"),
        }
    }
}

impl fmt::Display for NumberTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Above(n) => write!(f, "> {n}"),
            Self::Below(n) => write!(f, "< {n}"),
            Self::AtLeast(n) => write!(f, ">= {n}"),
            Self::AtMost(n) => write!(f, "<= {n}"),
            Self::Is(n) => write!(f, "= {n}"),
            Self::IsNot(n) => write!(f, "!= {n}"),
            Self::In(numbers) => write!(f, "in {numbers:?}"),
        }
    }
}

impl fmt::Display for TextTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(text) => write!(f, "= {text:?}"),
            Self::IsNot(text) => write!(f, "!= {text:?}"),
            Self::Contains(part) => write!(f, "contains {part:?}"),
            Self::Matches(regex) => write!(f, "matches {:?}", regex.as_str()),
            Self::In(texts) => write!(f, "in {texts:?}"),
        }
    }
}

impl fmt::Display for NumberField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tokens => "tokens",
            Self::MaxTokens => "max_tokens",
            Self::Tools => "tools",
            Self::Images => "images",
        })
    }
}

impl fmt::Display for TextField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Message => "message",
            Self::System => "system",
            Self::Endpoint => "endpoint",
            Self::Header(name) => return write!(f, "header.{name}"),
            Self::Consumer => "consumer",
            Self::Project => "project",
            Self::Agent => "agent",
            Self::AgentType => "agent_type",
            Self::Session => "session",
        })
    }
}

impl fmt::Display for FlagField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream => "stream",
            Self::Thinking => "thinking",
            Self::Tools => "tools",
            Self::Images => "images",
        })
    }
}
