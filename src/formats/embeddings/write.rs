//! Requests: the canonical form as each provider wants it.

use super::purpose::{self, NAMES};
use super::read::whole;
use super::{EmbeddingsFormat, EmbeddingsRequest, Encoding, Input};
use crate::formats::splice::{self, Edit};
use crate::formats::{RequestError, Written, kind_of, note};
use serde_json::{Map, Value, json};

/// The most texts that Cohere's models take at once (<https://docs.cohere.com/reference/embed>, 2026-11-21).
const MOST_COHERE_TEXTS: usize = 96;

/// Other vendors' names for `dimensions`.
const DIMENSIONS: &[&str] = &["output_dimension", "output_dimensionality", "outputDimensionality"];

/// Names by which clients ask for other numbers than floats.
const DATA_TYPES: &[&str] = &["output_dtype", "embedding_type", "embedding_types", "embeddingTypes"];

pub(super) fn write_request(
    format: EmbeddingsFormat,
    request: &EmbeddingsRequest,
    model: &str,
    body: &[u8],
) -> Result<Written, RequestError> {
    let mut writing = Writing { request, taken: Vec::new() };
    let body = match format {
        EmbeddingsFormat::OpenAi => {
            let body = edited(request, model, body)?;
            return Ok(Written { body, dropped: Vec::new() });
        }
        EmbeddingsFormat::Gemini => writing.gemini(model)?,
        EmbeddingsFormat::VertexPredict => writing.vertex()?,
        EmbeddingsFormat::Titan => writing.titan(model)?,
        EmbeddingsFormat::CohereOnBedrock => writing.cohere(model)?,
    };
    Ok(Written { body: body.to_string().into_bytes(), dropped: writing.dropped() })
}

/// The client's own bytes, but for the model's name and what is meant for one provider.
fn edited(request: &EmbeddingsRequest, model: &str, body: &[u8]) -> Result<Vec<u8>, RequestError> {
    let mut edits: Vec<Edit<'_>> = request.for_provider.keys().map(|name| Edit::Remove(name)).collect();
    if request.model != model {
        edits.push(Edit::Set("model", Value::from(model).to_string()));
    }
    splice::edit(body, &edits).map_err(|_| RequestError::new("", "the request body is not a JSON object"))
}

/// A request on its way, and which of its extra members have been used.
struct Writing<'a> {
    request: &'a EmbeddingsRequest,
    taken: Vec<&'static str>,
}

impl<'a> Writing<'a> {
    fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        let value = self.request.extra.get(name)?;
        self.taken.push(name);
        Some(value)
    }

    /// What nobody here has a place for.
    fn dropped(&self) -> Vec<String> {
        let user = self.request.user.as_ref().map(|_| "user");
        let rest = self.request.extra.keys().map(String::as_str).filter(|name| !self.taken.contains(name));
        let mut notes = Vec::new();
        user.into_iter().chain(rest).for_each(|name| note(&mut notes, name));
        notes
    }

    /// The texts to embed. Refuses what only OpenAI's format can say.
    fn texts(&mut self) -> Result<Vec<&'a str>, RequestError> {
        let request = self.request;
        if request.encoding() == Encoding::Other {
            let found = request.encoding_format.as_deref().unwrap_or_default();
            let message = format!("found `{found}`, expected `float` or `base64`: this provider's numbers are floats");
            return Err(RequestError::new("encoding_format", message));
        }
        for name in DATA_TYPES {
            let Some(value) = self.take(name) else { continue };
            let words = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            if words.iter().any(|word| word.as_str() != Some("float")) {
                let message = format!("found {value}, expected `float`: other numbers have no place in this answer");
                return Err(RequestError::new(*name, message));
            }
        }
        if request.input.is_empty() {
            let found = if request.several { "an empty array" } else { "nothing" };
            return Err(RequestError::new("input", format!("found {found}, expected at least one text")));
        }
        let text = |(index, input): (usize, &'a Input)| match input {
            Input::Text(text) => Ok(text.as_str()),
            Input::Tokens(_) => Err(RequestError::new(
                request.place(index),
                "found token ids, which mean something to OpenAI's models only; send this provider text",
            )),
            Input::Other(value) => Err(RequestError::new(
                request.place(index),
                format!("found {}, expected a string: only texts can be sent to this provider", kind_of(value)),
            )),
        };
        request.input.iter().enumerate().map(text).collect()
    }

    /// How long the vectors shall be, by whatever name.
    fn dimensions(&mut self) -> Result<Option<u64>, RequestError> {
        let mut wanted = self.request.dimensions;
        for name in DIMENSIONS {
            let Some(value) = self.take(name) else { continue };
            let Some(length) = whole(value).filter(|length| *length > 0) else {
                return Err(RequestError::new(*name, format!("found {value}, expected a whole number from 1")));
            };
            wanted = wanted.or(Some(length));
        }
        Ok(wanted)
    }

    fn purpose(&mut self, format: EmbeddingsFormat) -> Result<Option<String>, RequestError> {
        NAMES.iter().for_each(|name| {
            self.take(name);
        });
        purpose::asked(format, self.request)
    }

    /// `models/{model}:batchEmbedContents` (<https://ai.google.dev/api/embeddings>, 2026-11-21).
    fn gemini(&mut self, model: &str) -> Result<Value, RequestError> {
        let texts = self.texts()?;
        let mut common = Map::new();
        put(&mut common, "taskType", self.purpose(EmbeddingsFormat::Gemini)?);
        put(&mut common, "title", self.take("title").cloned());
        put(&mut common, "outputDimensionality", self.dimensions()?);
        let name = if model.contains('/') { model.to_owned() } else { format!("models/{model}") };
        let requests: Vec<Value> = texts
            .iter()
            .map(|text| {
                let mut one = Map::new();
                one.insert("model".to_owned(), name.as_str().into());
                one.insert("content".to_owned(), json!({"parts": [{"text": text}]}));
                one.extend(common.clone());
                one.into()
            })
            .collect();
        Ok(json!({"requests": requests}))
    }

    /// `publishers/google/models/{model}:predict`
    /// (<https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>, 2026-11-21).
    fn vertex(&mut self) -> Result<Value, RequestError> {
        let texts = self.texts()?;
        let purpose = self.purpose(EmbeddingsFormat::VertexPredict)?;
        let title = self.take("title").cloned();
        let instances: Vec<Value> = texts
            .iter()
            .map(|text| {
                let mut one = Map::new();
                put(&mut one, "task_type", purpose.clone());
                put(&mut one, "title", title.clone());
                one.insert("content".to_owned(), (*text).into());
                one.into()
            })
            .collect();
        let mut parameters = Map::new();
        put(&mut parameters, "outputDimensionality", self.dimensions()?);
        let truncate = self.take("autoTruncate");
        put(&mut parameters, "autoTruncate", self.take("auto_truncate").or(truncate).cloned());
        let mut body = json!({"instances": instances});
        if let Some(body) = body.as_object_mut().filter(|_| !parameters.is_empty()) {
            body.insert("parameters".to_owned(), parameters.into());
        }
        Ok(body)
    }

    /// InvokeModel of Amazon Titan
    /// (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html>, 2026-11-21).
    fn titan(&mut self, model: &str) -> Result<Value, RequestError> {
        let texts = self.texts()?;
        let [text] = texts.as_slice() else {
            let found = texts.len();
            let message = format!("found {found} inputs, expected one: {model} embeds one text per request; send each");
            return Err(RequestError::new("input", message));
        };
        let mut body = Map::new();
        body.insert("inputText".to_owned(), (*text).into());
        let length = self.dimensions()?;
        if model.contains("titan-embed-image") {
            put(&mut body, "embeddingConfig", length.map(|length| json!({"outputEmbeddingLength": length})));
        } else {
            put(&mut body, "dimensions", length);
            put(&mut body, "normalize", self.take("normalize").cloned());
        }
        Ok(body.into())
    }

    /// InvokeModel of Cohere Embed
    /// (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html>, 2026-11-21).
    fn cohere(&mut self, model: &str) -> Result<Value, RequestError> {
        let texts = self.texts()?;
        if texts.len() > MOST_COHERE_TEXTS {
            let found = texts.len();
            let message = format!("found {found} inputs, expected at most {MOST_COHERE_TEXTS}; send them in parts");
            return Err(RequestError::new("input", message));
        }
        let purpose = self.purpose(EmbeddingsFormat::CohereOnBedrock)?;
        // The model wants to be told, and what is stored is what most clients embed first.
        let purpose = purpose.unwrap_or_else(|| "search_document".to_owned());
        let length = self.dimensions()?;
        if length.is_some() && model.contains("-v3") {
            let message = format!("{model} has vectors of one length only; leave this out or ask `cohere.embed-v4:0`");
            return Err(RequestError::new("dimensions", message));
        }
        let mut body = Map::new();
        body.insert("texts".to_owned(), texts.into());
        body.insert("input_type".to_owned(), purpose.into());
        put(&mut body, "truncate", self.take("truncate").cloned());
        put(&mut body, "output_dimension", length);
        put(&mut body, "max_tokens", self.take("max_tokens").cloned());
        Ok(body.into())
    }
}

fn put(object: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value.into());
    }
}
