//! Wire formats: one file per format, all of them read into and written from one canonical form.
//!
//! | | request | whole answer | streamed answer | error |
//! |---|---|---|---|---|
//! | [`openai_chat`] | `read_request` `write_request` | `read_answer` `write_answer` | `StreamReader` `StreamWriter` | `read_error` `write_error` |
//! | [`openai_responses`] | the same | the same | the same | the same |
//! | [`anthropic_messages`] | the same | the same | the same | the same |
//! | [`gemini`] | the same | the same | the same | the same |
//! | [`bedrock_converse`] | the same | the same | the same | the same |
//!
//! Where client and provider speak the same format nothing goes through the canonical form: [`splice`] edits the bytes.

pub mod anthropic_messages;
mod api_error;
pub mod bedrock_converse;
pub mod canonical;
pub mod embeddings;
pub mod events;
pub mod eventstream;
pub mod gemini;
pub mod invoke;
mod members;
pub mod openai_chat;
pub mod openai_responses;
mod schema;
pub(crate) mod secrets;
pub mod signature;
pub mod splice;
pub mod sse;
// `proptest` is for native tests only.
#[cfg(all(test, not(target_family = "wasm")))]
mod round_trips;
#[cfg(all(test, not(target_family = "wasm")))]
pub(crate) mod testing;

use crate::usage::Usage;
use canonical::{Answer, ApiError, ChatRequest, Part, StreamEvent};
use serde_json::Value;
use std::fmt;

/// A wire format, as a client or a provider speaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// OpenAI Chat Completions, `POST /v1/chat/completions`.
    OpenAiChat,
    /// Anthropic Messages, `POST /v1/messages`.
    AnthropicMessages,
    /// OpenAI Responses, `POST /v1/responses`.
    OpenAiResponses,
    /// Google Gemini, `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.
    Gemini,
    /// Amazon Bedrock Converse, `POST /model/{model}/converse` and `/converse-stream`.
    BedrockConverse,
}

/// Why a request body cannot be used. Rendered as a 400 in the client's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    /// Where: a path such as `messages[2].content[0].image_url`, or empty for the whole body.
    pub param: String,
    /// What was found, what was expected, what to do.
    pub message: String,
}

impl RequestError {
    /// An error at `param`.
    pub fn new(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { param: param.into(), message: message.into() }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.param.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.param, self.message) }
    }
}

/// What a JSON value is, in words for a message: `a string`, `null`.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A request in a provider's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The body to send.
    pub body: Vec<u8>,
    /// Parameters that the target's format has no place for and that do not change the meaning of the answer. Each is
    /// logged once, by name; a parameter that does change it is a [`RequestError`] instead.
    pub dropped: Vec<String>,
}

/// As many names as one request's notes hold.
const MOST_NOTES: usize = 100;

/// Notes the name of what was dropped, once. A client may send any number of names, so there is an end to them: the last
/// note says that there is more.
fn note(notes: &mut Vec<String>, name: &str) {
    if notes.len() < MOST_NOTES && !notes.iter().any(|known| known == name) {
        let last = notes.len().saturating_add(1) == MOST_NOTES;
        notes.push(if last { "…" } else { name }.to_owned());
    }
}

/// Refuses a limit of no output at all, for targets that take none from 0: OpenAI's format and Google's do.
fn some_output(request: &ChatRequest) -> Result<(), RequestError> {
    if request.max_tokens != Some(0) {
        return Ok(());
    }
    let name = match request.source {
        Some(Format::OpenAiResponses) => "max_output_tokens",
        Some(Format::Gemini) => "generationConfig.maxOutputTokens",
        Some(Format::BedrockConverse) => "inferenceConfig.maxTokens",
        Some(Format::OpenAiChat | Format::AnthropicMessages) | None => "max_tokens",
    };
    Err(RequestError::new(name, "found 0; this provider expects a positive integer: leave it out or raise it"))
}

/// What a request writer needs to know about the target.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// The model name that the provider knows.
    pub model: &'a str,
    /// The `max_tokens` to send where the format requires one and the client gave none.
    pub default_max_tokens: u64,
    /// Names of body parameters that this provider rejects; they are dropped with a note.
    pub rejects: &'a [&'a str],
}

/// What an answer writer needs to know about the exchange.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    /// The model name to report where the provider named none.
    pub model: &'a str,
    /// An id to report where the provider gave none; unique per exchange.
    pub id: &'a str,
    /// Seconds since the epoch, for `created`.
    pub created: u64,
    /// Prompt tokens as the gateway counted them: for formats whose streams name them before the provider has.
    pub counted: Option<u64>,
    /// Whether the client asked for usage in its stream (`stream_options.include_usage`).
    pub include_usage: bool,
    /// The client's request, which the answers of some formats repeat in part.
    pub request: Option<&'a ChatRequest>,
}

/// Reads one provider's stream, event by event. It must not fail: what it cannot read becomes [`StreamEvent::Error`].
pub trait ReadStream {
    /// Takes one whole server-sent event and pushes what it means onto `out`.
    fn event(&mut self, event: &sse::Event<'_>, out: &mut Vec<StreamEvent>);
    /// The provider's bytes ended. Where its terminal event is missing, pushes an error (or, where the answer was
    /// complete but for the terminator, the missing end).
    fn finish(&mut self, out: &mut Vec<StreamEvent>);
}

/// Writes one client's stream.
pub trait WriteStream {
    /// Appends to `out` the bytes that say `event` in the client's format (none where it has no word for it).
    fn write(&mut self, event: &StreamEvent, out: &mut Vec<u8>);
}

impl Format {
    /// Reads a request. The body is JSON already; types are checked where the gateway depends on them.
    pub fn read_request(self, body: &Value) -> Result<ChatRequest, RequestError> {
        match self {
            Format::OpenAiChat => openai_chat::read_request(body),
            Format::AnthropicMessages => anthropic_messages::read_request(body),
            Format::OpenAiResponses => openai_responses::read_request(body),
            Format::Gemini => gemini::read_request(body),
            Format::BedrockConverse => bedrock_converse::read_request(body),
        }
    }

    /// Writes a request for a provider that speaks this format.
    pub fn write_request(self, request: &ChatRequest, outgoing: &Outgoing<'_>) -> Result<Written, RequestError> {
        if self != Format::OpenAiResponses {
            openai_responses::stateful(request)?;
        }
        match self {
            Format::OpenAiChat => openai_chat::write_request(request, outgoing),
            Format::AnthropicMessages => anthropic_messages::write_request(request, outgoing),
            Format::OpenAiResponses => openai_responses::write_request(request, outgoing),
            Format::Gemini => gemini::write_request(request, outgoing),
            Format::BedrockConverse => bedrock_converse::write_request(request, outgoing),
        }
    }

    /// Whether the ids of a request's calls are such as this format takes for the model. Where other providers answered
    /// before they may not be, and the request must be written anew, also for a client of this format.
    pub fn takes_ids(self, request: &ChatRequest, model: &str) -> bool {
        let fits: &dyn Fn(&str) -> bool = match self {
            Format::OpenAiChat => &|id| openai_chat::takes_id(id, model),
            Format::AnthropicMessages => &anthropic_messages::takes_id,
            Format::OpenAiResponses => &openai_responses::takes_id,
            Format::Gemini | Format::BedrockConverse => return true,
        };
        request.messages.iter().flat_map(|message| &message.parts).all(|part| match part {
            Part::ToolCall(call) => fits(&call.id),
            Part::ToolResult { id, .. } => fits(id),
            _ => true,
        })
    }

    /// Reads a whole (unary) answer with a 2xx status.
    pub fn read_answer(self, body: &[u8]) -> Result<Answer, ApiError> {
        match self {
            Format::OpenAiChat => openai_chat::read_answer(body),
            Format::AnthropicMessages => anthropic_messages::read_answer(body),
            Format::OpenAiResponses => openai_responses::read_answer(body),
            Format::Gemini => gemini::read_answer(body),
            Format::BedrockConverse => bedrock_converse::read_answer(body),
        }
    }

    /// Writes a whole answer for a client.
    pub fn write_answer(self, answer: &Answer, incoming: &Incoming<'_>) -> Vec<u8> {
        match self {
            Format::OpenAiChat => openai_chat::write_answer(answer, incoming),
            Format::AnthropicMessages => anthropic_messages::write_answer(answer, incoming),
            Format::OpenAiResponses => openai_responses::write_answer(answer, incoming),
            Format::Gemini => gemini::write_answer(answer, incoming),
            Format::BedrockConverse => bedrock_converse::write_answer(answer, incoming),
        }
    }

    /// The usage that an answer's JSON (or that of one event of a stream) reports, where it reports any.
    pub fn reported_usage(self, value: &Value) -> Option<Usage> {
        let name = if self == Format::Gemini { "usageMetadata" } else { "usage" };
        let holder = if value.get(name).is_some() { value } else { value.get("response")? };
        let reported = holder.get(name).filter(|usage| usage.is_object())?;
        // Bedrock's tier stands beside its usage.
        let tier = if self == Format::BedrockConverse { "/serviceTier/type" } else { "/service_tier" };
        let mut usage = match self {
            Format::OpenAiChat => openai_chat::read_usage(reported),
            Format::AnthropicMessages => anthropic_messages::read_usage(reported),
            Format::OpenAiResponses => openai_responses::read_usage(reported),
            Format::Gemini => gemini::read_usage(reported),
            Format::BedrockConverse => bedrock_converse::read_usage(reported),
        };
        if usage.service_tier.is_none() {
            usage.service_tier =
                holder.pointer(tier).and_then(Value::as_str).filter(|tier| !tier.is_empty()).map(str::to_owned);
        }
        Some(usage).filter(|usage| !usage.is_empty())
    }

    /// Reads a provider's error body. Never fails: a body that is not of the format becomes the message, cut short.
    pub fn read_error(self, status: u16, body: &[u8]) -> ApiError {
        match self {
            Format::OpenAiChat => openai_chat::read_error(status, body),
            Format::AnthropicMessages => anthropic_messages::read_error(status, body),
            Format::OpenAiResponses => openai_responses::read_error(status, body),
            Format::Gemini => gemini::read_error(status, body),
            Format::BedrockConverse => bedrock_converse::read_error(status, body),
        }
    }

    /// Writes an error body for a client.
    pub fn write_error(self, error: &ApiError) -> Vec<u8> {
        match self {
            Format::OpenAiChat => openai_chat::write_error(error),
            Format::AnthropicMessages => anthropic_messages::write_error(error),
            Format::OpenAiResponses => openai_responses::write_error(error),
            Format::Gemini => gemini::write_error(error),
            Format::BedrockConverse => bedrock_converse::write_error(error),
        }
    }

    /// A reader of this format's streams.
    pub fn stream_reader(self) -> Box<dyn ReadStream> {
        match self {
            Format::OpenAiChat => Box::new(openai_chat::StreamReader::default()),
            Format::AnthropicMessages => Box::new(anthropic_messages::StreamReader::default()),
            Format::OpenAiResponses => Box::new(openai_responses::StreamReader::default()),
            Format::Gemini => Box::new(gemini::StreamReader::default()),
            Format::BedrockConverse => Box::new(bedrock_converse::StreamReader::default()),
        }
    }

    /// A writer of this format's streams.
    pub fn stream_writer(self, incoming: &Incoming<'_>) -> Box<dyn WriteStream> {
        match self {
            Format::OpenAiChat => Box::new(openai_chat::StreamWriter::new(incoming)),
            Format::AnthropicMessages => Box::new(anthropic_messages::StreamWriter::new(incoming)),
            Format::OpenAiResponses => Box::new(openai_responses::StreamWriter::new(incoming)),
            Format::Gemini => Box::new(gemini::StreamWriter::new(incoming)),
            Format::BedrockConverse => Box::new(bedrock_converse::StreamWriter::new(incoming)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;
    use serde_json::json;

    const ALL: [Format; 5] = [
        Format::OpenAiChat,
        Format::AnthropicMessages,
        Format::OpenAiResponses,
        Format::Gemini,
        Format::BedrockConverse,
    ];
    const MANY: usize = 10_000;

    fn written(target: Format, request: &ChatRequest) -> Result<Written, RequestError> {
        let outgoing = Outgoing { model: "m", default_max_tokens: 9, rejects: &[] };
        target.write_request(request, &outgoing)
    }

    #[test]
    fn a_limit_of_no_output_is_refused_where_the_target_would_refuse_it() {
        let chat = json!({"model": "m", "max_tokens": 0, "messages": [{"role": "user", "content": "hi"}]});
        let responses = json!({"model": "m", "max_output_tokens": 0, "input": "hi"});
        for (format, body, name) in
            [(Format::OpenAiChat, chat, "max_tokens"), (Format::OpenAiResponses, responses, "max_output_tokens")]
        {
            let request = format.read_request(&body).unwrap();
            for target in ALL {
                let refused = written(target, &request).err().map(|error| error.param);
                let expected = matches!(target, Format::AnthropicMessages | Format::BedrockConverse).then_some(name);
                assert_eq!(refused.as_deref(), expected, "{format:?} {target:?}");
            }
        }
    }

    #[test]
    fn notes_have_an_end() {
        let mut notes = Vec::new();
        (0..MANY).for_each(|i| note(&mut notes, &format!("p{}", i / 2)));
        assert_eq!((notes.len(), notes[0].as_str(), notes[98].as_str(), notes[99].as_str()), (100, "p0", "p98", "…"));
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        body.as_object_mut().unwrap().extend((0..MANY).map(|i| (format!("p{i}"), json!(1))));
        let request = Format::OpenAiChat.read_request(&body).unwrap();
        for target in ALL {
            assert!(written(target, &request).is_ok_and(|written| written.dropped.len() <= MOST_NOTES), "{target:?}");
        }
    }

    #[test]
    fn results_find_their_calls_among_many() {
        let call = |i: usize| json!({"functionCall": {"name": format!("f{i}"), "args": {}}});
        let result = |i: usize| json!({"functionResponse": {"name": format!("f{i}"), "response": {"output": "x"}}});
        let calls: Vec<Value> = (0..5_000).map(call).collect();
        let results: Vec<Value> = (0..5_000).rev().map(result).collect();
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": calls},
            {"role": "user", "parts": results}]});
        let request = Format::Gemini.read_request(&body).unwrap();
        let sent: Value = serde_json::from_slice(&written(Format::Gemini, &request).unwrap().body).unwrap();
        for (place, name) in [(0, "f4999"), (4_999, "f0")] {
            let response = &sent["contents"][2]["parts"][place]["functionResponse"];
            assert_eq!(response["name"], name);
            let called = sent["contents"][1]["parts"].as_array().unwrap();
            let called = called.iter().find(|part| part["functionCall"]["name"] == name).unwrap();
            assert_eq!(response["id"], called["functionCall"]["id"]);
        }
    }
}
