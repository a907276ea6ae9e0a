//! What an answer rests on: `groundingMetadata` and `citationMetadata`
//! (<https://ai.google.dev/api/generate-content#GroundingMetadata>, 2026-11-21). Their places are counted in bytes of
//! UTF-8, the canonical ones in characters.

use super::{count, items, member, text};
use crate::formats::Format;
use crate::formats::canonical::Citation;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The most text of a streamed answer that is kept to find places in: more than any model writes.
const LONGEST: usize = 1 << 20;

/// The text of an answer so far, and where each of its parts begins.
#[derive(Debug, Default)]
pub(super) struct Said {
    text: String,
    begins: BTreeMap<u64, usize>,
    /// It became too long: places in it are unknown.
    overlong: bool,
}

impl Said {
    /// Takes the text of the part of this number.
    pub(super) fn push(&mut self, part: u64, text: &str) {
        if self.overlong || self.text.len().saturating_add(text.len()) > LONGEST {
            self.overlong = true;
            self.text = String::new();
            return;
        }
        self.begins.entry(part).or_insert(self.text.len());
        self.text.push_str(text);
    }

    /// How many characters stand before each of these places in bytes; places beyond the text are left out.
    fn characters(&self, mut places: Vec<usize>) -> BTreeMap<usize, u64> {
        places.sort_unstable();
        let mut places = places.into_iter().peekable();
        let mut out = BTreeMap::new();
        let bounds = self.text.char_indices().map(|(at, _)| at).chain([self.text.len()]);
        for (before, at) in (0_u64..).zip(bounds) {
            while let Some(place) = places.next_if(|place| *place <= at) {
                out.insert(place, before);
            }
        }
        out
    }

    /// Places in bytes of places in characters.
    fn bytes(&self, mut places: Vec<u64>) -> BTreeMap<u64, usize> {
        places.sort_unstable();
        let mut places = places.into_iter().peekable();
        let mut out = BTreeMap::new();
        let bounds = self.text.char_indices().map(|(at, _)| at).chain([self.text.len()]);
        for (before, at) in (0_u64..).zip(bounds) {
            while let Some(place) = places.next_if(|place| *place <= before) {
                out.insert(place, at);
            }
        }
        out
    }
}

/// A citation whose place is still in bytes of the whole text.
struct Found {
    citation: Citation,
    place: Option<(usize, usize)>,
}

/// What a candidate's metadata cites. `several_parts`: places count from the part that they name, as in whole answers;
/// in streams they count from the beginning of all text.
pub(super) fn read(grounding: Option<&Value>, citations: &[Value], said: &Said, several_parts: bool) -> Vec<Citation> {
    let mut found = Vec::new();
    if let Some(grounding) = grounding {
        grounded(grounding, said, several_parts, &mut found);
    }
    for cited in citations {
        let citation = Citation {
            url: text(cited, "uri").map(str::to_owned),
            title: text(cited, "title").map(str::to_owned),
            verbatim: Some((Format::Gemini, cited.clone())),
            ..Citation::default()
        };
        found.push(Found { citation, place: place(cited, 0) });
    }
    let places = found.iter().filter_map(|found| found.place).flat_map(|(from, to)| [from, to]).collect();
    let characters = if said.overlong { BTreeMap::new() } else { said.characters(places) };
    let with_span = |found: Found| {
        let span = found.place.and_then(|(from, to)| Some((*characters.get(&from)?, *characters.get(&to)?)));
        Citation { span, ..found.citation }
    };
    found.into_iter().map(with_span).collect()
}

fn grounded(grounding: &Value, said: &Said, several_parts: bool, found: &mut Vec<Found>) {
    let chunks: Vec<Option<Citation>> = items(grounding, "groundingChunks").iter().map(source).collect();
    let supports = items(grounding, "groundingSupports");
    for support in supports {
        let segment = member(support, "segment").unwrap_or(&Value::Null);
        let part = count(segment, "partIndex").unwrap_or(0);
        let begin = said.begins.get(&part).copied().filter(|_| several_parts).unwrap_or(0);
        for number in items(support, "groundingChunkIndices") {
            let at = number.as_u64().and_then(|number| usize::try_from(number).ok());
            if let Some(Some(citation)) = at.and_then(|at| chunks.get(at)) {
                found.push(Found { citation: citation.clone(), place: place(segment, begin) });
            }
        }
    }
    if supports.is_empty() {
        found.extend(chunks.into_iter().flatten().map(|citation| Found { citation, place: None }));
    }
}

/// The source in a grounding chunk: a page, a document of the user's, a place on a map.
fn source(chunk: &Value) -> Option<Citation> {
    let source = ["web", "retrievedContext", "maps"].iter().find_map(|kind| member(chunk, kind))?;
    let owned = |name: &str| text(source, name).map(str::to_owned);
    let citation =
        Citation { url: owned("uri"), title: owned("title"), cited_text: owned("text"), ..Citation::default() };
    (citation.url.is_some() || citation.title.is_some()).then_some(citation)
}

/// From and to in bytes. A beginning of zero is left out on the wire.
fn place(segment: &Value, begin: usize) -> Option<(usize, usize)> {
    let at = |name: &str| usize::try_from(count(segment, name)?).ok()?.checked_add(begin);
    let (from, to) = (at("startIndex").unwrap_or(begin), at("endIndex")?);
    (from < to).then_some((from, to))
}

/// `citationMetadata` that says these citations; `None` where there are none.
pub(super) fn write(citations: &[Citation], said: &Said) -> Option<Value> {
    if citations.is_empty() {
        return None;
    }
    let places = citations.iter().filter_map(|citation| citation.span).flat_map(|(from, to)| [from, to]).collect();
    let bytes = if said.overlong { BTreeMap::new() } else { said.bytes(places) };
    let one = |citation: &Citation| {
        if let Some((Format::Gemini, own)) = &citation.verbatim {
            return own.clone();
        }
        let mut out = Map::new();
        if let Some((from, to)) = citation.span.and_then(|(from, to)| Some((bytes.get(&from)?, bytes.get(&to)?))) {
            out.insert("startIndex".to_owned(), (*from).into());
            out.insert("endIndex".to_owned(), (*to).into());
        }
        for (name, value) in [("uri", &citation.url), ("title", &citation.title)] {
            if let Some(value) = value {
                out.insert(name.to_owned(), value.clone().into());
            }
        }
        Value::Object(out)
    };
    Some(serde_json::json!({"citations": citations.iter().map(one).collect::<Vec<Value>>()}))
}
