//! Embeddings. Clients speak OpenAI's format (<https://platform.openai.com/docs/api-reference/embeddings>, 2026-11-21);
//! providers have their own.

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
