//! One item of a streamed response, and how much of it was told.

use super::super::super::canonical::{Part, StreamEvent};
use super::super::answer::call_id;
use super::super::response::read_logprobs;
use super::super::{characters, citations, given, kind, list, text};
use super::reasoning;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the items of a response share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// How many calls have begun.
    pub calls: u64,
    /// Characters of text so far.
    length: u64,
    /// The signature of the call that comes next.
    of_call: Option<String>,
}

/// One item.
#[derive(Debug, Default)]
pub(super) struct Item {
    pub id: String,
    /// Content parts of a message by their number.
    parts: BTreeMap<u64, Told>,
    /// Visible reasoning by the number of its piece; either the reasoning or its summary, whichever came first.
    thoughts: BTreeMap<u64, usize>,
    from: Option<Thoughts>,
    /// Its signature, or the whole of it, was told.
    sealed: bool,
    /// The number of the call that it is, and how much of its arguments was told.
    call: Option<(u64, usize)>,
}

/// How much of a content part was told.
#[derive(Debug, Default)]
struct Told {
    /// Bytes.
    bytes: usize,
    /// Where it begins in the answer's text, in characters.
    start: Option<u64>,
    annotations: u64,
    logprobs: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thoughts {
    Summary,
    Content,
}

/// What a whole text adds to the bytes of it that were told.
fn rest(whole: &str, told: usize) -> &str {
    whole.get(told..).unwrap_or_default()
}

impl Item {
    /// The item begins. What it holds already comes again in pieces, so only a call's name counts.
    pub(super) fn begin(&mut self, item: &Value, shared: &mut Shared, out: &mut Vec<StreamEvent>) {
        if let Some(id) = text(item, "id") {
            id.clone_into(&mut self.id);
        }
        // A call within a namespace is one of a tool that only this format has.
        let call = kind(item) == "function_call" && given(item, "namespace").is_none();
        if let (true, None, Some(name)) = (call, self.call, text(item, "name")) {
            let index = shared.calls;
            shared.calls = shared.calls.saturating_add(1);
            self.call = Some((index, 0));
            out.push(StreamEvent::ToolStart {
                choice: 0,
                index,
                id: call_id(item).to_owned(),
                name: name.to_owned(),
                signature: shared.of_call.take(),
            });
        }
    }

    /// The whole item.
    pub(super) fn whole(&mut self, item: &Value, shared: &mut Shared, out: &mut Vec<StreamEvent>) {
        match kind(item) {
            "message" => {
                for (number, part) in (0_u64..).zip(list(item, "content")) {
                    self.part(number, part, shared, out);
                }
            }
            "reasoning" => self.reasoning_item(item, shared, out),
            "function_call" => {
                self.begin(item, shared, out);
                self.arguments_whole(text(item, "arguments").unwrap_or_default(), out);
                self.close(out);
            }
            _ => {}
        }
    }

    /// A whole content part.
    pub(super) fn part(&mut self, number: u64, part: &Value, shared: &mut Shared, out: &mut Vec<StreamEvent>) {
        match kind(part) {
            "output_text" => {
                let whole = text(part, "text").unwrap_or_default();
                self.text_whole(number, whole, list(part, "logprobs"), shared, out);
                for (i, annotation) in (0_u64..).zip(list(part, "annotations")) {
                    self.annotation(number, Some(i), annotation, shared, out);
                }
            }
            "refusal" => self.refusal_whole(number, text(part, "refusal").unwrap_or_default(), out),
            "reasoning_text" => self.reasoning_whole(number, text(part, "text").unwrap_or_default(), out),
            _ => {}
        }
    }

    pub(super) fn text(
        &mut self,
        number: u64,
        piece: &str,
        logprobs: &[Value],
        shared: &mut Shared,
        out: &mut Vec<StreamEvent>,
    ) {
        let told = self.parts.entry(number).or_default();
        told.start.get_or_insert(shared.length);
        if !piece.is_empty() {
            told.bytes = told.bytes.saturating_add(piece.len());
            shared.length = shared.length.saturating_add(characters(piece));
            out.push(StreamEvent::Text { choice: 0, text: piece.to_owned() });
        }
        if !logprobs.is_empty() {
            told.logprobs = true;
            out.push(StreamEvent::Logprobs { choice: 0, logprobs: read_logprobs(logprobs) });
        }
    }

    pub(super) fn text_whole(
        &mut self,
        number: u64,
        whole: &str,
        logprobs: &[Value],
        shared: &mut Shared,
        out: &mut Vec<StreamEvent>,
    ) {
        let told = self.parts.entry(number).or_default();
        let logprobs = if told.logprobs { &[] } else { logprobs };
        let piece = rest(whole, told.bytes);
        self.text(number, piece, logprobs, shared, out);
    }

    /// An annotation, once. Without a number it is a further one.
    pub(super) fn annotation(
        &mut self,
        part: u64,
        number: Option<u64>,
        annotation: &Value,
        shared: &Shared,
        out: &mut Vec<StreamEvent>,
    ) {
        let told = self.parts.entry(part).or_default();
        if number.is_some_and(|number| number < told.annotations) {
            return;
        }
        told.annotations = number.unwrap_or(told.annotations).saturating_add(1);
        let citation = citations::read(annotation, told.start.unwrap_or(shared.length));
        out.push(StreamEvent::Citation { choice: 0, citation });
    }

    pub(super) fn refusal(&mut self, number: u64, piece: &str, out: &mut Vec<StreamEvent>) {
        if !piece.is_empty() {
            let told = self.parts.entry(number).or_default();
            told.bytes = told.bytes.saturating_add(piece.len());
            out.push(StreamEvent::Refusal { choice: 0, text: piece.to_owned() });
        }
    }

    pub(super) fn refusal_whole(&mut self, number: u64, whole: &str, out: &mut Vec<StreamEvent>) {
        let told = self.parts.get(&number).map_or(0, |told| told.bytes);
        self.refusal(number, rest(whole, told), out);
    }

    pub(super) fn summary(&mut self, number: u64, piece: &str, out: &mut Vec<StreamEvent>) {
        self.thought(Thoughts::Summary, number, piece, out);
    }

    pub(super) fn summary_whole(&mut self, number: u64, whole: &str, out: &mut Vec<StreamEvent>) {
        let told = self.thoughts.get(&number).copied().unwrap_or(0);
        self.thought(Thoughts::Summary, number, rest(whole, told), out);
    }

    pub(super) fn reasoning(&mut self, number: u64, piece: &str, out: &mut Vec<StreamEvent>) {
        self.thought(Thoughts::Content, number, piece, out);
    }

    pub(super) fn reasoning_whole(&mut self, number: u64, whole: &str, out: &mut Vec<StreamEvent>) {
        let told = self.thoughts.get(&number).copied().unwrap_or(0);
        self.thought(Thoughts::Content, number, rest(whole, told), out);
    }

    fn thought(&mut self, from: Thoughts, number: u64, piece: &str, out: &mut Vec<StreamEvent>) {
        if piece.is_empty() || self.sealed || *self.from.get_or_insert(from) != from {
            return;
        }
        let first = !self.thoughts.contains_key(&number);
        let separate = first && !self.thoughts.is_empty();
        let told = self.thoughts.entry(number).or_default();
        *told = told.saturating_add(piece.len());
        let text = if separate { format!("{}{piece}", reasoning::SEPARATOR) } else { piece.to_owned() };
        out.push(StreamEvent::Thinking { choice: 0, text });
    }

    /// A whole reasoning item: what was not told of it, then its signature, which ends it.
    fn reasoning_item(&mut self, item: &Value, shared: &mut Shared, out: &mut Vec<StreamEvent>) {
        if self.sealed {
            return;
        }
        match reasoning::read(item) {
            reasoning::Read::OfCall(signature) => shared.of_call = Some(signature),
            reasoning::Read::Part(Part::RedactedThinking { data }) => {
                out.push(StreamEvent::RedactedThinking { choice: 0, data });
            }
            reasoning::Read::Part(part) => {
                let content = list(item, "content");
                let shows = content.iter().any(|piece| text(piece, "text").is_some());
                let from = self.from.unwrap_or(if shows { Thoughts::Content } else { Thoughts::Summary });
                let pieces = if from == Thoughts::Content { content } else { list(item, "summary") };
                for (number, piece) in (0_u64..).zip(pieces) {
                    let whole = text(piece, "text").unwrap_or_default();
                    match from {
                        Thoughts::Content => self.reasoning_whole(number, whole, out),
                        Thoughts::Summary => self.summary_whole(number, whole, out),
                    }
                }
                if let Part::Thinking { signature: Some(signature), .. } = part {
                    out.push(StreamEvent::Signature { choice: 0, signature });
                }
            }
        }
        self.sealed = true;
    }

    pub(super) fn arguments(&mut self, piece: &str, out: &mut Vec<StreamEvent>) {
        if let Some((index, told)) = self.call.as_mut().filter(|_| !piece.is_empty() && !self.sealed) {
            *told = told.saturating_add(piece.len());
            out.push(StreamEvent::ToolArguments { choice: 0, index: *index, json: piece.to_owned() });
        }
    }

    pub(super) fn arguments_whole(&mut self, whole: &str, out: &mut Vec<StreamEvent>) {
        let told = self.call.map_or(0, |(_, told)| told);
        self.arguments(rest(whole, told), out);
    }

    /// Nothing can be added to a call. One without arguments has none.
    pub(super) fn close(&mut self, out: &mut Vec<StreamEvent>) {
        if let Some((_, 0)) = self.call {
            self.arguments("{}", out);
        }
        self.sealed |= self.call.is_some();
    }
}
