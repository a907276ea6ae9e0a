//! Answers: each provider's vectors as OpenAI's list. Floats keep the provider's digits; base64 is that of
//! little-endian 32-bit floats, which OpenAI's SDKs ask for unless told otherwise.

use super::EmbeddingsFormat;
use super::read::whole;
use crate::formats::canonical::ApiError;
use crate::usage::Tokens;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// How a client wants its vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Arrays of numbers.
    Float,
    /// Base64 of little-endian 32-bit floats.
    Base64,
    /// Something that only the provider knows.
    Other,
}

/// A provider's answer.
#[derive(Debug)]
pub struct Embeddings<'a> {
    /// The vectors in the order of the inputs: JSON arrays of numbers, as the provider wrote them.
    pub vectors: Vec<&'a RawValue>,
    /// The prompt tokens that the provider reports.
    pub tokens: Option<Tokens>,
}

#[derive(Deserialize)]
struct OpenAi<'a> {
    #[serde(borrow)]
    data: Vec<OpenAiVector<'a>>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct OpenAiVector<'a> {
    #[serde(borrow)]
    embedding: &'a RawValue,
}

#[derive(Deserialize)]
struct Values<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
    statistics: Option<Value>,
}

#[derive(Deserialize)]
struct Gemini<'a> {
    #[serde(borrow)]
    embeddings: Vec<Values<'a>>,
    #[serde(rename = "usageMetadata")]
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Prediction<'a> {
    #[serde(borrow)]
    embeddings: Values<'a>,
}

#[derive(Deserialize)]
struct Vertex<'a> {
    #[serde(borrow)]
    predictions: Vec<Prediction<'a>>,
}

#[derive(Deserialize)]
struct Titan<'a> {
    #[serde(borrow)]
    embedding: &'a RawValue,
    #[serde(rename = "inputTextTokenCount")]
    tokens: Option<Value>,
}

#[derive(Deserialize)]
struct Cohere<'a> {
    /// An array of vectors, or an object of such arrays by type.
    #[serde(borrow)]
    embeddings: &'a RawValue,
    meta: Option<Value>,
}

#[derive(Deserialize)]
struct ByType<'a> {
    #[serde(borrow)]
    float: Vec<&'a RawValue>,
}

pub(super) fn read_answer(format: EmbeddingsFormat, body: &[u8]) -> Result<Embeddings<'_>, ApiError> {
    let read = match format {
        EmbeddingsFormat::OpenAi => serde_json::from_slice(body).map(|answer: OpenAi<'_>| Embeddings {
            vectors: answer.data.iter().map(|vector| vector.embedding).collect(),
            tokens: answer.usage.as_ref().and_then(|usage| whole(usage.get("prompt_tokens")?)).map(Tokens),
        }),
        EmbeddingsFormat::Gemini => serde_json::from_slice(body).map(|answer: Gemini<'_>| Embeddings {
            vectors: answer.embeddings.iter().map(|vector| vector.values).collect(),
            tokens: answer.usage.as_ref().and_then(|usage| whole(usage.get("promptTokenCount")?)).map(Tokens),
        }),
        EmbeddingsFormat::VertexPredict => serde_json::from_slice(body).map(|answer: Vertex<'_>| {
            let counted = answer.predictions.iter().map(|one| {
                let count = one.embeddings.statistics.as_ref()?.get("token_count")?;
                whole(count).map(Tokens)
            });
            Embeddings {
                tokens: counted.reduce(|sum, next| Some(sum?.plus(next?))).flatten(),
                vectors: answer.predictions.iter().map(|one| one.embeddings.values).collect(),
            }
        }),
        EmbeddingsFormat::Titan => serde_json::from_slice(body).map(|answer: Titan<'_>| Embeddings {
            vectors: vec![answer.embedding],
            tokens: answer.tokens.as_ref().and_then(whole).map(Tokens),
        }),
        EmbeddingsFormat::CohereOnBedrock => serde_json::from_slice(body).and_then(|answer: Cohere<'_>| {
            let text = answer.embeddings.get();
            let vectors = if text.starts_with('{') {
                serde_json::from_str::<ByType<'_>>(text)?.float
            } else {
                serde_json::from_str(text)?
            };
            let billed = answer.meta.as_ref().and_then(|meta| meta.pointer("/billed_units/input_tokens"));
            Ok(Embeddings { vectors, tokens: billed.and_then(whole).map(Tokens) })
        }),
    };
    read.map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(why: &str) -> ApiError {
    ApiError::new(502, format!("the provider's answer holds no embeddings that can be read: {why}"))
}

impl Embeddings<'_> {
    /// OpenAI's list. `tokens` are the prompt's, as its usage must name them.
    pub fn write(&self, encoding: Encoding, model: &str, tokens: Tokens) -> Result<Vec<u8>, ApiError> {
        let mut out = br#"{"object":"list","data":["#.to_vec();
        for (index, vector) in self.vectors.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(format!(r#"{{"object":"embedding","index":{index},"embedding":"#).as_bytes());
            let floats: Vec<f32> =
                serde_json::from_str(vector.get()).map_err(|error| unreadable(&format!("vector {index}: {error}")))?;
            if encoding == Encoding::Base64 {
                out.push(b'"');
                out.extend_from_slice(base64_of(&floats).as_bytes());
                out.push(b'"');
            } else {
                // Numbers hold no white space, so that all of it can go.
                out.extend(vector.get().bytes().filter(|byte| !byte.is_ascii_whitespace()));
            }
            out.push(b'}');
        }
        out.extend_from_slice(br#"],"model":"#);
        out.extend_from_slice(Value::from(model).to_string().as_bytes());
        let tokens = tokens.0;
        out.extend_from_slice(format!(r#","usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#).as_bytes());
        Ok(out)
    }
}

fn base64_of(floats: &[f32]) -> String {
    STANDARD.encode(floats.iter().flat_map(|float| float.to_le_bytes()).collect::<Vec<u8>>())
}

/// An answer in OpenAI's format whose vectors are not in the encoding that was asked for, put into it: some servers
/// ignore `encoding_format`, and SDKs that asked for base64 expect it. `None`: it can stay as it is.
pub fn conform(body: &[u8], encoding: Encoding) -> Option<Vec<u8>> {
    let answer: OpenAi<'_> = serde_json::from_slice(body).ok()?;
    let first = |vector: &OpenAiVector<'_>| vector.embedding.get().bytes().next();
    let differs = |vector: &OpenAiVector<'_>| match encoding {
        Encoding::Float => first(vector) == Some(b'"'),
        Encoding::Base64 => first(vector) == Some(b'['),
        Encoding::Other => false,
    };
    if !answer.data.iter().any(differs) {
        return None;
    }
    let mut json: Value = serde_json::from_slice(body).ok()?;
    for (vector, object) in answer.data.iter().zip(json.get_mut("data")?.as_array_mut()?) {
        if differs(vector) {
            let text = vector.embedding.get();
            let put = match encoding {
                Encoding::Base64 => base64_of(&serde_json::from_str::<Vec<f32>>(text).ok()?).into(),
                _ => floats_of(&serde_json::from_str::<String>(text).ok()?)?,
            };
            object.as_object_mut()?.insert("embedding".to_owned(), put);
        }
    }
    Some(json.to_string().into_bytes())
}

/// The numbers of a base64 text, each with the fewest digits that mean the same 32 bits.
fn floats_of(text: &str) -> Option<Value> {
    let bytes = STANDARD.decode(text).ok()?;
    let (floats, []) = bytes.as_chunks::<4>() else { return None };
    let texts: Vec<String> = floats.iter().map(|four| f32::from_le_bytes(*four).to_string()).collect();
    serde_json::from_str(&format!("[{}]", texts.join(","))).ok()
}
