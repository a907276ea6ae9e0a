//! What an answer's text rests on: OpenAI's `annotations`, and the lists of pages of Perplexity and xAI.

use super::super::Format;
use super::super::canonical::{Citation, Part};
use super::text;
use super::usage::whole;
use serde_json::{Value, json};

/// The `annotations` of a message or of a piece of a stream.
pub(super) fn read(message: &Value) -> Vec<Citation> {
    let listed = message.get("annotations").and_then(Value::as_array).into_iter().flatten();
    listed.filter(|annotation| annotation.is_object()).map(read_annotation).collect()
}

fn read_annotation(annotation: &Value) -> Citation {
    let page = annotation.get("url_citation").unwrap_or(annotation);
    let owned = |name: &str| text(page, name).map(str::to_owned);
    let place = |name: &str| page.get(name).and_then(whole);
    let mut verbatim = annotation.clone();
    // A stream's number of the annotation is not part of it.
    if let Some(members) = verbatim.as_object_mut() {
        members.shift_remove("index");
    }
    Citation {
        url: owned("url"),
        title: owned("title"),
        // OpenRouter's addition.
        cited_text: owned("content"),
        span: place("start_index").zip(place("end_index")),
        verbatim: Some((Format::OpenAiChat, verbatim)),
    }
}

/// The pages that a whole answer or a piece of a stream names as its sources without a place in the text: Perplexity's
/// `search_results` (<https://docs.perplexity.ai/api-reference/chat-completions-post>, 2026-11-21) or its and xAI's
/// `citations`.
pub(super) fn pages(body: &Value) -> Vec<Citation> {
    let list = |name: &str| body.get(name).and_then(Value::as_array).filter(|list| !list.is_empty());
    let listed = list("search_results").or_else(|| list("citations")).map(Vec::as_slice).unwrap_or_default();
    let page = |page: &Value| {
        let url = page.as_str().or_else(|| text(page, "url"))?;
        Some(Citation {
            url: Some(url.to_owned()),
            title: text(page, "title").map(str::to_owned),
            ..Citation::default()
        })
    };
    listed.iter().filter_map(page).collect()
}

/// Puts citations on the first text of a message: their places count in all of its text.
pub(super) fn attach(parts: &mut [Part], cited: Vec<Citation>) {
    let texts = parts.iter_mut().find_map(|part| match part {
        Part::Text { citations, .. } => Some(citations),
        _ => None,
    });
    if let Some(citations) = texts {
        citations.extend(cited);
    }
}

/// A citation as an annotation of a text that takes up these characters. This format has a place for pages only.
pub(super) fn write(citation: &Citation, extent: (u64, u64)) -> Option<Value> {
    if let Some((Format::OpenAiChat, annotation)) = &citation.verbatim {
        return Some(annotation.clone());
    }
    let url = citation.url.as_deref()?;
    let (start, end) = citation.span.unwrap_or(extent);
    let title = citation.title.as_deref().unwrap_or(url);
    let page = json!({"start_index": start, "end_index": end, "url": url, "title": title});
    Some(json!({"type": "url_citation", "url_citation": page}))
}

/// The length of a text in characters.
pub(super) fn length(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}
