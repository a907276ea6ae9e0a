//! What an answer's text rests on (<https://platform.claude.com/docs/en/build-with-claude/citations>, 2026-11-21).

use super::blocks::Object;
use crate::formats::Format;
use crate::formats::canonical::{Citation, Part};
use serde_json::{Value, json};

/// The `citations` of a text block.
pub(super) fn read(block: &Object) -> Vec<Citation> {
    block.get("citations").and_then(Value::as_array).into_iter().flatten().filter_map(read_citation).collect()
}

/// One citation, of a block or a `citations_delta`.
pub(super) fn read_citation(citation: &Value) -> Option<Citation> {
    let kind = citation.get("type").and_then(Value::as_str)?;
    let word =
        |name: &str| citation.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    // A search result that the client gave says where it is from in any words.
    let source = || word("source").filter(|source| kind == "search_result_location" && source.contains("://"));
    Some(Citation {
        url: word("url").or_else(source),
        title: word("title").or_else(|| word("document_title")),
        cited_text: word("cited_text"),
        span: None,
        verbatim: Some((Format::AnthropicMessages, citation.clone())),
    })
}

/// Says where each citation's block stands in all of an answer's text.
pub(super) fn place(parts: &mut [Part]) {
    let mut start: u64 = 0;
    for part in parts {
        if let Part::Text { text, citations, .. } = part {
            let end = start.saturating_add(length(text));
            for citation in citations {
                citation.span.get_or_insert((start, end));
            }
            start = end;
        }
    }
}

/// The length of a text in characters.
pub(super) fn length(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}

/// A citation for a client. A page becomes a web search result, without the `encrypted_index` by which Anthropic would
/// find it again: see [`write_back`]. What is neither a page nor was said in this format or Bedrock's has no place.
pub(super) fn write(citation: &Citation) -> Option<Value> {
    match &citation.verbatim {
        Some((Format::AnthropicMessages, verbatim)) => return Some(verbatim.clone()),
        Some((Format::BedrockConverse, verbatim)) => {
            if let Some(written) = of_bedrock(verbatim, citation) {
                return Some(written);
            }
        }
        _ => {}
    }
    Some(json!({
        "type": "web_search_result_location",
        "url": citation.url.as_ref()?,
        "title": citation.title,
        "cited_text": citation.cited_text.as_deref().unwrap_or_default(),
        "encrypted_index": "",
    }))
}

/// Converse's words for the same places in documents
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CitationLocation.html>, 2026-11-21).
fn of_bedrock(verbatim: &Value, citation: &Citation) -> Option<Value> {
    let locations = verbatim.get("location")?;
    let known = [
        ("documentChar", "char_location", "start_char_index", "end_char_index"),
        ("documentPage", "page_location", "start_page_number", "end_page_number"),
        ("documentChunk", "content_block_location", "start_block_index", "end_block_index"),
    ];
    known.iter().find_map(|(name, kind, start, end)| {
        let location = locations.get(*name)?;
        let number = |name: &str| location.get(name).and_then(Value::as_u64);
        Some(json!({
            "type": kind,
            "cited_text": citation.cited_text.as_deref().unwrap_or_default(),
            "document_index": number("documentIndex")?,
            "document_title": citation.title,
            *start: number("start")?,
            *end: number("end")?,
        }))
    })
}

/// A citation that a client sends back, for Anthropic: only its own are accepted.
pub(super) fn write_back(citation: &Citation) -> Option<Value> {
    let Some((Format::AnthropicMessages, verbatim)) = &citation.verbatim else { return None };
    let empty = verbatim.get("encrypted_index").is_some_and(|index| index == "");
    (!empty).then(|| verbatim.clone())
}
