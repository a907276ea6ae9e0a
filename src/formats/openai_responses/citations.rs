//! Annotations of a text. Their places count characters of the text that they stand on; the canonical form counts from
//! the beginning of the whole answer.

use super::super::Format;
use super::super::canonical::Citation;
use super::{kind, list, text, whole};
use serde_json::{Value, json};

/// An annotation of a text that begins at `start` in the answer.
pub(super) fn read(annotation: &Value, start: u64) -> Citation {
    let at = |name: &str| annotation.get(name).and_then(whole).map(|place| place.saturating_add(start));
    Citation {
        url: text(annotation, "url").map(str::to_owned),
        title: text(annotation, "title").or_else(|| text(annotation, "filename")).map(str::to_owned),
        cited_text: None,
        span: at("start_index").zip(at("end_index")),
        verbatim: Some((Format::OpenAiResponses, annotation.clone())),
    }
}

/// All annotations of a text part.
pub(super) fn read_all(part: &Value, start: u64) -> Vec<Citation> {
    list(part, "annotations").iter().map(|annotation| read(annotation, start)).collect()
}

/// The annotation that says this of a text which begins at `start` and is `length` characters long. Without a place of
/// its own it stands on the whole of that text. A source without an address has no word here.
pub(super) fn write(citation: &Citation, start: u64, length: u64) -> Option<Value> {
    let own = citation.verbatim.as_ref().filter(|(format, _)| *format == Format::OpenAiResponses);
    if let Some((_, annotation)) = own.filter(|(_, annotation)| kind(annotation) != "url_citation") {
        return Some(annotation.clone());
    }
    let url = citation.url.as_deref()?;
    let (from, to) = citation.span.unwrap_or((start, start.saturating_add(length)));
    let place = |at: u64| at.saturating_sub(start).min(length);
    Some(json!({
        "type": "url_citation",
        "url": url,
        "title": citation.title.as_deref().unwrap_or(url),
        "start_index": place(from),
        "end_index": place(to),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn places_move_with_the_text() {
        let annotation =
            json!({"type": "url_citation", "url": "https://a", "title": "A", "start_index": 1, "end_index": 3});
        let citation = read(&annotation, 10);
        assert_eq!(citation.span, Some((11, 13)));
        assert_eq!(write(&citation, 10, 5), Some(annotation.clone()));
        // A place beyond the text ends with it.
        assert_eq!(write(&citation, 12, 1).unwrap()["end_index"], 1);
    }

    #[test]
    fn what_has_no_place_stands_on_the_whole_text() {
        let cited = Citation { url: Some("https://a".into()), ..Citation::default() };
        let expected =
            json!({"type": "url_citation", "url": "https://a", "title": "https://a", "start_index": 0, "end_index": 4});
        assert_eq!(write(&cited, 7, 4), Some(expected));
        assert_eq!(write(&Citation { title: Some("t".into()), ..Citation::default() }, 0, 4), None);
        let file = json!({"type": "file_citation", "file_id": "f", "filename": "n", "index": 2});
        assert_eq!(write(&read(&file, 3), 3, 4), Some(file));
    }
}
