//! The canonical form: what a chat exchange means, whichever format says it. It keeps what it does not know.

use super::RequestError;
pub use super::api_error::{ApiError, ErrorKind};
use super::signature::{self, Vendor};
use crate::usage::Usage;
use serde_json::{Map, Number, Value};

/// A chat request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatRequest {
    /// The format that it was read from.
    pub source: Option<super::Format>,
    /// The model as the client named it.
    pub model: String,
    /// The conversation, system and developer turns included, in the client's order. Anthropic's top-level `system`
    /// becomes a first message of role [`Role::System`].
    pub messages: Vec<Message>,
    /// Tools that the model may call.
    pub tools: Vec<Tool>,
    /// How the model shall choose among them; `None` where the client did not say.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several calls may come at once; `None` where the client did not say.
    pub parallel_tool_calls: Option<bool>,
    /// The most output tokens (`max_tokens`, `max_completion_tokens`).
    pub max_tokens: Option<u64>,
    /// Sampling temperature, as the client's number.
    pub temperature: Option<Number>,
    /// Nucleus sampling.
    pub top_p: Option<Number>,
    /// Top-k sampling.
    pub top_k: Option<u64>,
    /// Stop sequences.
    pub stop: Vec<String>,
    /// Whether the answer shall be streamed.
    pub stream: bool,
    /// Whether the client asked for usage in its stream (OpenAI's `stream_options.include_usage`; Anthropic always).
    pub include_usage: bool,
    /// Reasoning asked for.
    pub reasoning: Option<Reasoning>,
    /// Structured output asked for.
    pub response_format: Option<ResponseFormat>,
    /// Who the end user is (`user`, `metadata.user_id`).
    pub user: Option<String>,
    /// Everything else at the top level, in the client's order: by its name in Chat Completions for the formats of
    /// OpenAI where it has one (Responses' `text.verbosity` is `verbosity`), else by its name in the client's format.
    pub extra: Map<String, Value>,
    /// Parameters for one provider only, by its kind or configured name: `{"anthropic": {"top_k": 5}}`. The provider
    /// gets the members, no other gets to see them.
    pub for_provider: Map<String, Value>,
    /// Members of known places that the canonical form has no field for, by their path in the client's request
    /// (`messages[0].content[1].context`, `tools[2].defer_loading`): written back for a provider of the same format,
    /// and noted by [`unplaced_names`](Self::unplaced_names) or said in other words for any other.
    pub unplaced: Map<String, Value>,
}

impl ChatRequest {
    /// How many tokens of reasoning are asked for, where a number is.
    pub fn thinking_budget(&self) -> Option<u64> {
        match self.reasoning {
            Some(Reasoning::Budget(tokens)) => Some(tokens),
            _ => None,
        }
    }

    /// The last members' names of what is [`unplaced`](Self::unplaced).
    pub fn unplaced_names(&self) -> impl Iterator<Item = &str> {
        self.unplaced.keys().map(|path| path.rsplit('.').next().unwrap_or(path))
    }

    /// Fails where the request leans on what OpenAI's servers keep for Responses: without it the conversation would be
    /// another one (<https://platform.openai.com/docs/api-reference/responses/create>, 2026-11-21).
    pub fn refuse_server_state(&self) -> Result<(), RequestError> {
        let kept = |name: &&str| match self.extra.get(*name) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(_) => true,
        };
        match ["previous_response_id", "conversation", "prompt", "background"].iter().find(|name| kept(name)) {
            None => Ok(()),
            Some(name) => Err(RequestError::new(
                *name,
                "this target keeps nothing between requests; send the whole conversation in this one, or name an OpenAI target",
            )),
        }
    }

    /// Whether it holds reasoning that this vendor would not take for its own: another's, or (where the vendor signs
    /// all of it) unsigned.
    pub fn holds_foreign_reasoning(&self, vendor: Vendor) -> bool {
        let foreign = |signature: &str| signature::of(signature).0 != vendor;
        self.messages.iter().flat_map(|message| &message.parts).any(|part| match part {
            Part::Thinking { signature: Some(signature), .. } => foreign(signature),
            Part::Thinking { signature: None, .. } => vendor == Vendor::Anthropic,
            Part::ToolCall(ToolCall { signature: Some(signature), .. }) => foreign(signature),
            // Only of Anthropic's format and Bedrock's: its own a Responses client has as reasoning items.
            Part::RedactedThinking { .. } => matches!(vendor, Vendor::OpenAi | Vendor::Gemini),
            _ => false,
        })
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The operator's instructions, as OpenAI's reasoning models call them.
    Developer,
    /// The person (or a tool's result, as a [`Part::ToolResult`]).
    User,
    /// The model.
    Assistant,
}

/// One turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// OpenAI's `name`.
    pub name: Option<String>,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

/// A piece of a turn or of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// Anthropic's `cache_control` on this block, verbatim.
        cache: Option<Value>,
        /// What the text rests on.
        citations: Vec<Citation>,
    },
    /// Sound.
    Audio {
        /// `wav`, `mp3`…, the part of the media type after `audio/`.
        format: String,
        /// Base64, standard alphabet, as the client sent it.
        data: String,
        /// What is said in it, where the provider says so.
        transcript: Option<String>,
        /// The provider's id of spoken output, by which a later turn may name it.
        id: Option<String>,
    },
    /// An image.
    Image {
        /// Where its bytes are.
        source: Source,
        /// OpenAI's `detail` (`low`, `high`, `auto`).
        detail: Option<String>,
        /// Anthropic's `cache_control`, verbatim.
        cache: Option<Value>,
    },
    /// A document (PDF).
    Document {
        /// Where its bytes are.
        source: Source,
        /// File name or title.
        name: Option<String>,
        /// Anthropic's `cache_control`, verbatim.
        cache: Option<Value>,
    },
    /// The model calls a tool.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult {
        /// The id of the call that this answers.
        id: String,
        /// Its content: text, images, documents.
        parts: Vec<Part>,
        /// Whether the tool failed.
        is_error: bool,
        /// Anthropic's `cache_control`, verbatim.
        cache: Option<Value>,
    },
    /// The model's visible reasoning.
    Thinking {
        /// The text.
        text: String,
        /// What the provider needs to take the block back: see [`signature`](super::signature).
        signature: Option<String>,
    },
    /// Reasoning that the provider encrypted.
    RedactedThinking {
        /// The opaque bytes, as the provider encoded them.
        data: String,
    },
    /// The model refuses, in OpenAI's `refusal`.
    Refusal(String),
    /// A part of a kind that the canonical form has no word for, verbatim.
    Unknown {
        /// The format that it was read from.
        format: super::Format,
        /// The part.
        value: Value,
    },
}

/// Where the bytes of an image or document are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// At a URL that the provider fetches.
    Url(String),
    /// Here.
    Base64 {
        /// Such as `image/png`.
        media_type: String,
        /// Base64, standard alphabet, as the client sent it.
        data: String,
    },
    /// In the provider's file store.
    FileId(String),
    /// Plain text that stands for a document.
    Text(String),
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// The call's id.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments as JSON text, exactly as the model (or client) wrote them. Anthropic's `input` object is
    /// serialised; OpenAI's string is kept, also where it is not valid JSON. Never empty: no arguments are `{}`.
    pub arguments: String,
    /// Anthropic's `cache_control`, as JSON text.
    pub cache: Option<String>,
    /// What the provider needs to take the call back (Gemini's `thoughtSignature`): see
    /// [`signature`](super::signature).
    pub signature: Option<String>,
}

/// What a piece of text rests on: Anthropic's `citations`, OpenAI's `annotations`, Gemini's grounding and citation
/// metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation {
    /// The page.
    pub url: Option<String>,
    /// Its title, or the document's.
    pub title: Option<String>,
    /// The source's words.
    pub cited_text: Option<String>,
    /// Where in the answer's text (of all its text parts together) the cited passage stands: from and to, in characters
    /// (Unicode scalar values).
    pub span: Option<(u64, u64)>,
    /// The citation as the provider wrote it, for a client of the same format.
    pub verbatim: Option<(super::Format, Value)>,
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// JSON Schema of its arguments.
    pub parameters: Option<Value>,
    /// OpenAI's `strict`.
    pub strict: Option<bool>,
    /// Anthropic's `cache_control`, verbatim.
    pub cache: Option<Value>,
    /// A tool that is no function (a provider's own, such as web search), verbatim; then only `name` is filled.
    pub builtin: Option<Value>,
}

/// How the model shall choose a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// None at all.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// Reasoning asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reasoning {
    /// OpenAI's `reasoning_effort`: `none`, `minimal`, `low`, `medium`, `high`, `xhigh`.
    Effort(String),
    /// Anthropic's `thinking: {type: enabled, budget_tokens}`.
    Budget(u64),
    /// Anthropic's `thinking: {type: adaptive}`: as much as the model likes.
    Adaptive,
    /// Anthropic's `thinking: {type: disabled}`.
    Off,
}

/// Structured output asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum ResponseFormat {
    /// Plain text, said explicitly.
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON of this schema.
    JsonSchema {
        /// The schema's name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Option<Value>,
        /// OpenAI's `strict`.
        strict: Option<bool>,
    },
}

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The provider's id.
    pub id: Option<String>,
    /// The model that answered, as the provider names it.
    pub model: Option<String>,
    /// Seconds since the epoch, where the provider says so.
    pub created: Option<u64>,
    /// The choices; all formats but OpenAI's have exactly one.
    pub choices: Vec<Choice>,
    /// What was used.
    pub usage: Usage,
    /// Everything else at the top level that the other format may want (`system_fingerprint`, `service_tier`…).
    pub extra: Map<String, Value>,
}

/// One choice of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// What the model said, in order.
    pub parts: Vec<Part>,
    /// Why it stopped.
    pub stop: Option<StopReason>,
    /// Which stop sequence it met, where the provider says so.
    pub stop_sequence: Option<String>,
    /// OpenAI's `logprobs`, verbatim.
    pub logprobs: Option<Value>,
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// It was done.
    End,
    /// It met the token limit.
    Length,
    /// It met a stop sequence (OpenAI does not tell this from [`StopReason::End`]).
    StopSequence,
    /// It calls tools.
    ToolCalls,
    /// The provider withheld or cut the answer for safety.
    ContentFilter,
    /// The model declined (Anthropic's `refusal`).
    Refusal,
    /// A server-side tool paused the turn (Anthropic's `pause_turn`).
    Pause,
    /// Anything else, in the provider's word.
    Other(String),
}

/// One thing that happens in a streamed answer. Parts are numbered in order of appearance, per choice.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent {
    /// The answer begins. Always first, once.
    Start {
        /// The provider's id.
        id: Option<String>,
        /// The model that answers.
        model: Option<String>,
        /// Seconds since the epoch.
        created: Option<u64>,
        /// Usage as known so far (Anthropic reports the input here).
        usage: Usage,
    },
    /// More text.
    Text {
        /// Which choice.
        choice: u64,
        /// The text, at least one character, never part of one.
        text: String,
    },
    /// More visible reasoning.
    Thinking {
        /// Which choice.
        choice: u64,
        /// The text.
        text: String,
    },
    /// The signature of the reasoning so far; it ends that block.
    Signature {
        /// Which choice.
        choice: u64,
        /// The signature.
        signature: String,
    },
    /// A whole encrypted reasoning block.
    RedactedThinking {
        /// Which choice.
        choice: u64,
        /// The opaque bytes.
        data: String,
    },
    /// More of a refusal.
    Refusal {
        /// Which choice.
        choice: u64,
        /// The text.
        text: String,
    },
    /// A tool call begins.
    ToolStart {
        /// Which choice.
        choice: u64,
        /// The call's number within the choice: 0, 1, 2…
        index: u64,
        /// Its id.
        id: String,
        /// The tool's name.
        name: String,
        /// What the provider needs to take the call back: see [`signature`](super::signature).
        signature: Option<String>,
    },
    /// More of a call's arguments.
    ToolArguments {
        /// Which choice.
        choice: u64,
        /// The call's number within the choice.
        index: u64,
        /// A piece of JSON text.
        json: String,
    },
    /// What the text so far rests on.
    Citation {
        /// Which choice.
        choice: u64,
        /// The source.
        citation: Citation,
    },
    /// Log probabilities of the tokens that came last, in OpenAI's form (`{"content": […], "refusal": […]}`).
    Logprobs {
        /// Which choice.
        choice: u64,
        /// As Chat Completions has them.
        logprobs: Value,
    },
    /// A choice ends.
    Finish {
        /// Which choice.
        choice: u64,
        /// Why.
        stop: StopReason,
        /// Which stop sequence it met.
        stop_sequence: Option<String>,
    },
    /// Usage, cumulative: it replaces what it repeats.
    Usage(Usage),
    /// A sign of life.
    Ping,
    /// The provider failed in mid-stream. Nothing but [`StreamEvent::End`] follows.
    Error(ApiError),
    /// The answer is over. Always last, once.
    End,
}
