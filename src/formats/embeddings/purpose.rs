//! What vectors are for: models that embed a query otherwise than a document are told which it is.

use super::{EmbeddingsFormat, EmbeddingsRequest};
use crate::formats::RequestError;
use serde_json::Value;

/// The members by which clients say it, in the order in which they count.
pub(super) const NAMES: &[&str] = &["input_type", "task_type", "taskType", "task"];

/// A purpose by its words: those of clients (in lower case, `_` for any other mark), Google's, Cohere's.
///
/// <https://ai.google.dev/gemini-api/docs/embeddings>, <https://docs.cohere.com/reference/embed>,
/// <https://docs.voyageai.com/reference/embeddings-api>, <https://jina.ai/embeddings/>, 2026-11-21.
type Purpose = (&'static [&'static str], &'static str, Option<&'static str>);

const PURPOSES: &[Purpose] = &[
    (&["query", "search_query", "retrieval_query"], "RETRIEVAL_QUERY", Some("search_query")),
    (
        &["document", "passage", "search_document", "retrieval_document", "retrieval_passage"],
        "RETRIEVAL_DOCUMENT",
        Some("search_document"),
    ),
    (&["classification"], "CLASSIFICATION", Some("classification")),
    (&["clustering", "separation"], "CLUSTERING", Some("clustering")),
    (&["semantic_similarity", "similarity", "text_matching"], "SEMANTIC_SIMILARITY", None),
    (&["question_answering"], "QUESTION_ANSWERING", Some("search_query")),
    (&["fact_verification"], "FACT_VERIFICATION", Some("search_query")),
    (&["code_retrieval_query"], "CODE_RETRIEVAL_QUERY", Some("search_query")),
];

/// The purpose in the words of `format`, where the client named one. A word that nobody here knows passes as it is: the
/// provider is the one to refuse it.
pub(super) fn asked(format: EmbeddingsFormat, request: &EmbeddingsRequest) -> Result<Option<String>, RequestError> {
    let Some((name, value)) = NAMES.iter().find_map(|name| Some((*name, request.extra.get(*name)?))) else {
        return Ok(None);
    };
    let Value::String(word) = value else {
        let found = crate::formats::kind_of(value);
        return Err(RequestError::new(name, format!("found {found}, expected a string such as `search_query`")));
    };
    let plain: String =
        word.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let known = PURPOSES.iter().find(|(words, ..)| words.contains(&plain.as_str()));
    match (format, known) {
        (EmbeddingsFormat::CohereOnBedrock, Some((_, _, None))) => Err(RequestError::new(
            name,
            format!(
                "found `{word}`, for which Cohere's models have no word; expected `search_query`, `search_document`, \
                 `classification` or `clustering`"
            ),
        )),
        (EmbeddingsFormat::CohereOnBedrock, Some((_, _, Some(cohere)))) => Ok(Some((*cohere).to_owned())),
        (_, Some((_, google, _))) => Ok(Some((*google).to_owned())),
        (_, None) => Ok(Some(word.clone())),
    }
}
