//! Embeddings. Clients speak OpenAI's format (<https://platform.openai.com/docs/api-reference/embeddings>, 2026-11-21);
//! providers have their own.
//!
//! | | request | several inputs | token ids | dimensions | purpose of the vectors | reported usage |
//! |---|---|---|---|---|---|---|
//! | OpenAI | as it came | yes | yes | yes | as it came | yes |
//! | Gemini `batchEmbedContents` | `requests` | yes | refused | `outputDimensionality` | `taskType` | newer models |
//! | Vertex `predict` | `instances` | yes | refused | `outputDimensionality` | `task_type` | yes |
//! | Titan | `inputText` | refused | refused | `dimensions` | dropped: it knows one | yes |
//! | Cohere on Bedrock | `texts` | up to 96 | refused | v4: `output_dimension` | `input_type` | a header |
//!
//! Clients name the purpose of the vectors `input_type`, `task_type` or `task`, in the words of any vendor.

mod answer;
mod purpose;
mod read;
mod write;

pub use answer::{Embeddings, Encoding, conform};
pub use read::read_request;

use super::{RequestError, Written};
use serde_json::{Map, Value};

/// A provider's way to be asked for embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbeddingsFormat {
    /// OpenAI's, and of all that are compatible.
    OpenAi,
    /// Gemini's `batchEmbedContents`.
    Gemini,
    /// Vertex's `predict`.
    VertexPredict,
    /// Amazon Titan on Bedrock's InvokeModel: one text per request.
    Titan,
    /// Cohere on Bedrock's InvokeModel.
    CohereOnBedrock,
}

/// A request for embeddings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddingsRequest {
    /// The model as the client named it.
    pub model: String,
    /// What to embed, in the client's order. Empty where the client named no `input`: some servers take `messages`.
    pub input: Vec<Input>,
    /// Whether `input` is an array of inputs and not one alone.
    pub several: bool,
    /// How long the vectors shall be.
    pub dimensions: Option<u64>,
    /// `float`, `base64`, or what else the client asks for.
    pub encoding_format: Option<String>,
    /// Who the end user is.
    pub user: Option<String>,
    /// Everything else, in the client's order. A null says nothing and is left out.
    pub extra: Map<String, Value>,
    /// Parameters for one provider only, by its kind or configured name.
    pub for_provider: Map<String, Value>,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A text.
    Text(String),
    /// So many ids of tokens, in the model's own vocabulary.
    Tokens(u64),
    /// An object, such as the images that some servers embed.
    Other(Value),
}

impl EmbeddingsRequest {
    /// How the client wants its vectors.
    pub fn encoding(&self) -> Encoding {
        match self.encoding_format.as_deref() {
            None | Some("float") => Encoding::Float,
            Some("base64") => Encoding::Base64,
            Some(_) => Encoding::Other,
        }
    }

    /// Where an input stands, for messages.
    fn place(&self, index: usize) -> String {
        if self.several { format!("input[{index}]") } else { "input".to_owned() }
    }
}

impl EmbeddingsFormat {
    /// Whether a request is translated; else the client's own bytes are edited.
    pub fn translates(self) -> bool {
        self != Self::OpenAi
    }

    /// Writes a request for a provider that speaks this format; `body` is what the client sent.
    pub fn write_request(self, request: &EmbeddingsRequest, model: &str, body: &[u8]) -> Result<Written, RequestError> {
        write::write_request(self, request, model, body)
    }

    /// Reads a provider's answer with a 2xx status.
    pub fn read_answer(self, body: &[u8]) -> Result<Embeddings<'_>, super::canonical::ApiError> {
        answer::read_answer(self, body)
    }
}

#[cfg(test)]
mod tests;
