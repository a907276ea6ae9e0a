//! YAML text to a small tree in which every key and value knows where it stands.

use super::Mistake;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};
use std::collections::BTreeMap;

/// The deepest nesting of lists and maps.
const DEEPEST: usize = 128;
/// The most values in a file once its aliases are expanded. A file of hundreds of rules has some thousands.
const MOST_NODES: usize = 100_000;

/// A place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes: it may be a number, a boolean or nothing.
    Plain,
    /// In quotes: always a string.
    Quoted,
    /// A `|` or `>` block: always a string.
    Block,
}

/// A value of the file.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: At,
    pub value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Scalar(String, Style),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    pub fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    pub fn is_block(&self) -> bool {
        matches!(self.value, Value::Scalar(_, Style::Block))
    }

    pub fn is_empty_map(&self) -> bool {
        matches!(&self.value, Value::Map(pairs) if pairs.is_empty())
    }

    /// How many values it holds, itself included.
    fn size(&self) -> usize {
        let below = match &self.value {
            Value::Scalar(..) => 0,
            Value::List(items) => items.iter().map(Node::size).fold(0, usize::saturating_add),
            Value::Map(pairs) => {
                pairs.iter().map(|(k, v)| k.size().saturating_add(v.size())).fold(0, usize::saturating_add)
            }
        };
        below.saturating_add(1)
    }
}

/// Parses the file's only document. What is wrong here leaves nothing to read further, so it is the only mistake.
pub(super) fn parse(text: &str) -> Result<Node, Mistake> {
    // Editors on Windows write a byte order mark; YAML allows it, and it has no column.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let found = format!("text that is not YAML ({})", error.info());
            mistake(
                place(error.marker()),
                found,
                "YAML 1.2; check indentation, quotes and brackets here and just before",
            )
        })?;
        builder.event(event, span)?;
    }
    builder
        .root
        .ok_or_else(|| mistake(At { line: 1, column: 1 }, "an empty file".into(), "a configuration: `version: 1`…"))
}

/// A list or map that is not closed yet.
struct Open {
    at: At,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(Vec<(Node, Node)>, Option<Node>),
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    /// Anchored nodes that are complete, by the parser's number, with their size.
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
    documents: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Mistake> {
        let at = place(&span.start);
        match event {
            Event::DocumentStart(_) => {
                self.documents = self.documents.saturating_add(1);
                if self.documents > 1 {
                    return Err(mistake(at, "a second YAML document".into(), "one document per file"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(at, tag.as_deref())?;
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                self.count(at, 1)?;
                self.place(Node { at, value: Value::Scalar(text.into_owned(), style) }, anchor);
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(at, tag.as_deref())?;
                self.open(at, anchor, Content::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(at, tag.as_deref())?;
                self.open(at, anchor, Content::Map(Vec::new(), None))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(mistake(at, "an alias to a value that contains it".into(), "a value that ends"));
                };
                self.count(at, size)?;
                self.place(node, 0);
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn count(&mut self, at: At, more: usize) -> Result<(), Mistake> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MOST_NODES {
            let expected = format!("at most {MOST_NODES} values, aliases (`*name`) expanded");
            return Err(mistake(at, "more values than that".into(), expected));
        }
        Ok(())
    }

    fn open(&mut self, at: At, anchor: usize, content: Content) -> Result<(), Mistake> {
        self.count(at, 1)?;
        if self.open.len() >= DEEPEST {
            return Err(mistake(at, "deeper nesting".into(), format!("at most {DEEPEST} levels of lists and maps")));
        }
        self.open.push(Open { at, anchor, content });
        Ok(())
    }

    fn close(&mut self) {
        if let Some(Open { at, anchor, content }) = self.open.pop() {
            let value = match content {
                Content::List(items) => Value::List(items),
                Content::Map(pairs, _) => Value::Map(pairs),
            };
            self.place(Node { at, value }, anchor);
        }
    }

    /// Puts a complete node where it belongs.
    fn place(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            let size = node.size();
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(pairs, key)) => match key.take() {
                None => *key = Some(node),
                Some(key) => {
                    // An absent value has no place of its own; its key has.
                    let absent = matches!(&node.value, Value::Scalar(text, Style::Plain) if text.is_empty());
                    let node = if absent { Node { at: key.at, ..node } } else { node };
                    pairs.push((key, node));
                }
            },
        }
    }
}

fn refuse_tag(at: At, tag: Option<&saphyr_parser::Tag>) -> Result<(), Mistake> {
    match tag {
        None => Ok(()),
        Some(tag) => {
            let found = format!("the YAML tag `{tag}`");
            Err(mistake(at, found, "no tag; put a text that begins with `!` in quotes"))
        }
    }
}

fn place(marker: &Marker) -> At {
    At { line: marker.line().max(1), column: marker.col().saturating_add(1) }
}

fn mistake(at: At, found: String, expected: impl Into<String>) -> Mistake {
    Mistake { line: at.line, column: at.column, path: String::new(), found, expected: expected.into(), near: None }
}
