//! Arbitrary requests and answers in the canonical form, for tests of the formats. They are made of what the formats in
//! question can all hold, so that a round trip through any two of them must give the same again.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use super::canonical::*;
use super::signature::{self, Vendor};
use crate::usage::{Tokens, Usage};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Number, Value, json};

/// What the formats in question can all hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holds {
    /// Images by URL (their bytes are held by all).
    pub image_urls: bool,
    /// PDFs, as bytes with a file name.
    pub documents: bool,
    /// Images in tool results.
    pub images_in_results: bool,
    /// Reasoning signed by this vendor.
    pub thinking: Option<Vendor>,
    /// Encrypted reasoning.
    pub redacted: bool,
    /// Calls signed by this vendor.
    pub call_signatures: Option<Vendor>,
    /// Cache marks on text and tools.
    pub cache: bool,
    /// Efforts of `low`, `medium`, `high`, where the conversation has no calls and no call is forced.
    pub effort: bool,
    /// A strict JSON Schema of the answer.
    pub schema: bool,
    /// Strict tools.
    pub strict: bool,
    /// `parallel_tool_calls: false`.
    pub serial_calls: bool,
    /// Top-k sampling.
    pub top_k: bool,
    /// The most stop sequences.
    pub stops: usize,
    /// The end user's name.
    pub user: bool,
    /// Pages as sources of an answer's text.
    pub citations: bool,
}

impl Holds {
    /// What every format holds.
    pub(crate) const LEAST: Holds = Holds {
        image_urls: false,
        documents: false,
        images_in_results: false,
        thinking: None,
        redacted: false,
        call_signatures: None,
        cache: false,
        effort: false,
        schema: false,
        strict: false,
        serial_calls: false,
        top_k: false,
        stops: 4,
        user: false,
        citations: false,
    };
}

/// Sometimes a value, where it is held.
fn maybe<T: std::fmt::Debug>(held: bool, value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    option::weighted(0.3, value).prop_map(move |value| value.filter(|_| held))
}

fn text() -> impl Strategy<Value = String> {
    // With a letter in it: blank text is refused by some.
    ("\\PC{0,8}", "[a-zäß日🌦]", "\\PC{0,8}").prop_map(|(before, letter, after)| format!("{before}{letter}{after}"))
}

fn text_part(cache: bool) -> impl Strategy<Value = Part> {
    let mark = maybe(cache, Just(json!({"type": "ephemeral"})));
    (text(), mark).prop_map(|(text, cache)| Part::Text { text, cache, citations: Vec::new() })
}

fn base64() -> impl Strategy<Value = String> {
    "([A-Za-z0-9+/]{4}){1,6}"
}

fn image(urls: bool) -> impl Strategy<Value = Part> {
    let bytes = base64().prop_map(|data| Source::Base64 { media_type: "image/png".into(), data });
    let url = "[a-z]{1,8}".prop_map(|name| Source::Url(format!("https://example.com/{name}.png")));
    let url = url.boxed();
    let bytes = bytes.boxed();
    let source = if urls { prop_oneof![bytes, url].boxed() } else { bytes };
    source.prop_map(|source| Part::Image { source, detail: None, cache: None })
}

fn document() -> impl Strategy<Value = Part> {
    (base64(), "[a-z]{1,8}").prop_map(|(data, name)| Part::Document {
        source: Source::Base64 { media_type: "application/pdf".into(), data },
        name: Some(format!("{name}.pdf")),
        cache: None,
    })
}

/// What a person says.
fn said(holds: Holds) -> impl Strategy<Value = Vec<Part>> {
    let mut kinds = vec![text_part(holds.cache).boxed(), image(holds.image_urls).boxed()];
    if holds.documents {
        kinds.push(document().boxed());
    }
    vec(proptest::strategy::Union::new(kinds), 1..4)
}

/// A JSON object, small.
fn object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(2, 6, 3, |inner| vec(inner, 0..3).prop_map(Value::from));
    vec(("[a-z]{1,4}", value), 0..3).prop_map(|members| members.into_iter().collect::<Map<String, Value>>().into())
}

fn signed(vendor: Vendor) -> impl Strategy<Value = String> {
    base64().prop_map(move |own| signature::tag(vendor, &own))
}

fn thinking(holds: Holds) -> BoxedStrategy<Vec<Part>> {
    let redacted = base64().prop_map(|data| Part::RedactedThinking { data });
    let redacted = vec(redacted, 0..=usize::from(holds.redacted)).boxed();
    match holds.thinking {
        None => Just(Vec::new()).boxed(),
        Some(vendor) => option::of((text(), signed(vendor), redacted))
            .prop_map(|found| {
                let parts = found.into_iter().flat_map(|(text, signature, redacted)| {
                    [Part::Thinking { text, signature: Some(signature) }].into_iter().chain(redacted)
                });
                parts.collect()
            })
            .boxed(),
    }
}

/// Calls, without ids.
fn calls(holds: Holds, most: usize) -> impl Strategy<Value = Vec<ToolCall>> {
    let signature = match holds.call_signatures {
        None => Just(None).boxed(),
        Some(vendor) => option::of(signed(vendor)).boxed(),
    };
    let call = (select(vec!["look", "find", "now"]), object(), signature);
    vec(call, 0..=most).prop_map(|calls| {
        let call = |(name, arguments, signature): (&str, Value, _)| ToolCall {
            name: name.to_owned(),
            arguments: arguments.to_string(),
            signature,
            ..ToolCall::default()
        };
        calls.into_iter().map(call).collect()
    })
}

/// What the model says: reasoning, words, calls, in this order and at least one of the last two.
fn answered(holds: Holds, calls_too: bool) -> impl Strategy<Value = Vec<Part>> {
    let words = option::of(text_part(false));
    (thinking(holds), words, calls(holds, if calls_too { 3 } else { 0 }), text_part(false)).prop_map(
        |(mut parts, words, calls, else_)| {
            let words = if calls.is_empty() { words.or(Some(else_)) } else { words };
            parts.extend(words);
            parts.extend(calls.into_iter().map(Part::ToolCall));
            parts
        },
    )
}

fn results(holds: Holds) -> impl Strategy<Value = Vec<Part>> {
    if holds.images_in_results {
        vec(prop_oneof![text_part(false).boxed(), image(false).boxed()], 1..3).boxed()
    } else {
        vec(text_part(false), 1..3).boxed()
    }
}

/// A conversation: instructions, then turn by turn; each call has its id and its result.
fn conversation(holds: Holds) -> impl Strategy<Value = Vec<Message>> {
    let turn = (said(holds), answered(holds, true), vec(results(holds), 3));
    (option::of(vec(text_part(holds.cache), 1..3)), vec(turn, 0..3), said(holds)).prop_map(|(system, turns, last)| {
        let message = |role, parts| Message { role, name: None, parts };
        let mut messages: Vec<Message> = system.map(|parts| message(Role::System, parts)).into_iter().collect();
        let mut next = 0;
        let mut open: Vec<Part> = Vec::new();
        for (said, mut answered, results) in turns {
            open.extend(said);
            messages.push(message(Role::User, std::mem::take(&mut open)));
            let mut results = results.into_iter();
            for part in &mut answered {
                if let Part::ToolCall(call) = part {
                    call.id = format!("call_{next}");
                    next += 1;
                    let parts = results.next().unwrap_or_default();
                    open.push(Part::ToolResult { id: call.id.clone(), parts, is_error: false, cache: None });
                }
            }
            messages.push(message(Role::Assistant, answered));
        }
        open.extend(last);
        messages.push(message(Role::User, open));
        messages
    })
}

fn tools(holds: Holds) -> impl Strategy<Value = Vec<Tool>> {
    let mark = maybe(holds.cache, Just(json!({"type": "ephemeral"})));
    let strict = maybe(holds.strict, Just(true));
    let tool = (option::of(text()), strict, mark, "[a-z]{1,5}").prop_map(|(description, strict, cache, property)| {
        Tool { name: String::new(), description, parameters: Some(schema(&property)), strict, cache, builtin: None }
    });
    vec(tool, 3).prop_map(|mut tools| {
        for (tool, name) in tools.iter_mut().zip(["look", "find", "now"]) {
            tool.name = name.to_owned();
        }
        tools
    })
}

fn schema(property: &str) -> Value {
    json!({"type": "object", "properties": {property: {"type": "string"}}, "required": [property], "additionalProperties": false})
}

fn fraction() -> impl Strategy<Value = Number> {
    (0..=100_u32).prop_map(|percent| Number::from_f64(f64::from(percent) / 100.0).unwrap())
}

/// Requests that are made of what is held.
pub(crate) fn requests(holds: Holds) -> impl Strategy<Value = ChatRequest> {
    let choice = option::of(prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::Required),
        Just(ToolChoice::None),
        Just(ToolChoice::Named("find".into())),
    ]);
    let efforts = select(vec!["low", "medium", "high"]).prop_map(|word| Reasoning::Effort(word.into()));
    let format = maybe(holds.schema, "[a-z]{1,5}").prop_map(|property| {
        property.map(|property| ResponseFormat::JsonSchema {
            name: "response".into(),
            description: None,
            schema: Some(schema(&property)),
            strict: Some(true),
        })
    });
    let sampling = (option::of((any::<bool>(), fraction())), maybe(holds.top_k, 1..100_u64));
    let limits = (5000..100_000_u64, vec("[a-zA-Z#]{1,5}", 0..=holds.stops), any::<bool>());
    let asked =
        (tools(holds), any::<bool>(), choice, maybe(holds.serial_calls, Just(false)), maybe(holds.effort, efforts));
    let rest = (format, maybe(holds.user, "[a-z0-9-]{1,9}"));
    (conversation(holds), asked, sampling, limits, rest).prop_map(
        |(messages, (tools, with_tools, choice, serial, effort), (sampling, top_k), (most, stop, stream), rest)| {
            let is_call = |part: &Part| matches!(part, Part::ToolCall(_));
            let calls = messages.iter().flat_map(|message| &message.parts).any(is_call);
            // Who calls has tools; a choice is among some; reasoning and a forced call exclude each other, as do
            // reasoning and sampling.
            let tools = if calls || with_tools { tools } else { Vec::new() };
            let tool_choice = choice.filter(|_| !tools.is_empty());
            let free = tool_choice.is_none() || tool_choice == Some(ToolChoice::Auto);
            let reasoning = effort.filter(|_| free && !calls);
            let chosen = matches!(tool_choice, Some(ToolChoice::Auto | ToolChoice::Required | ToolChoice::Named(_)));
            let sampling = sampling.filter(|_| reasoning.is_none());
            ChatRequest {
                model: "m".into(),
                messages,
                tools,
                tool_choice,
                parallel_tool_calls: serial.filter(|_| chosen),
                max_tokens: Some(most),
                temperature: sampling.clone().filter(|(heat, _)| *heat).map(|(_, number)| number),
                top_p: sampling.filter(|(heat, _)| !heat).map(|(_, number)| number),
                top_k: top_k.filter(|_| reasoning.is_none()),
                stop,
                stream,
                include_usage: true,
                reasoning,
                response_format: rest.0,
                user: rest.1,
                ..ChatRequest::default()
            }
        },
    )
}

fn usage() -> impl Strategy<Value = Usage> {
    (0..500_u64, 0..500_u64, 0..500_u64, 0..500_u64).prop_map(|(fresh, cached, reasoning, said)| Usage {
        input: Some(Tokens(fresh + cached)),
        cached_input: Some(Tokens(cached)),
        output: Some(Tokens(reasoning + said)),
        reasoning: Some(Tokens(reasoning)),
        ..Usage::default()
    })
}

/// Answers that are made of what is held.
pub(crate) fn answers(holds: Holds) -> impl Strategy<Value = Answer> {
    let pages = ("[a-z]{1,6}", text()).prop_map(|(name, title)| (format!("https://example.com/{name}"), title));
    let pages = vec(pages, 0..=if holds.citations { 2 } else { 0 });
    (answered(holds, true), any::<bool>(), usage(), pages).prop_map(|(mut parts, cut, usage, pages)| {
        let mut calls = 0;
        for part in &mut parts {
            match part {
                Part::ToolCall(call) => {
                    call.id = format!("call_{calls}");
                    calls += 1;
                }
                Part::Text { text, citations, .. } => {
                    let length = u64::try_from(text.chars().count()).unwrap();
                    citations.extend(pages.iter().map(|(url, title)| Citation {
                        url: Some(url.clone()),
                        title: Some(title.clone()),
                        span: Some((0, length)),
                        ..Citation::default()
                    }));
                }
                _ => {}
            }
        }
        let stop = match (calls, cut) {
            (0, false) => StopReason::End,
            (0, true) => StopReason::Length,
            _ => StopReason::ToolCalls,
        };
        let choice = Choice { parts, stop: Some(stop), ..Choice::default() };
        Answer { id: Some("a1".into()), model: Some("m".into()), choices: vec![choice], usage, ..Answer::default() }
    })
}

/// The part of a request that a round trip must keep: turns of one role are one, results first; whose request it was and
/// what only one format has do not count.
pub(crate) fn kept(request: &ChatRequest) -> ChatRequest {
    let mut kept = ChatRequest {
        source: None,
        model: String::new(),
        include_usage: false,
        extra: Map::new(),
        unplaced: Map::new(),
        messages: Vec::new(),
        ..request.clone()
    };
    for message in &request.messages {
        match kept.messages.last_mut() {
            Some(last) if last.role == message.role => last.parts.extend(message.parts.iter().cloned()),
            _ => kept.messages.push(message.clone()),
        }
    }
    for message in &mut kept.messages {
        message.parts.sort_by_key(|part| !matches!(part, Part::ToolResult { .. }));
    }
    kept
}

/// The same without reasoning and its signatures, which only its own vendor takes back.
pub(crate) fn without_reasoning(mut request: ChatRequest) -> ChatRequest {
    for message in &mut request.messages {
        message.parts.retain(|part| !matches!(part, Part::Thinking { .. } | Part::RedactedThinking { .. }));
        for part in &mut message.parts {
            if let Part::ToolCall(call) = part {
                call.signature = None;
            }
        }
    }
    request
}

/// The same without cache marks.
pub(crate) fn without_marks(mut request: ChatRequest) -> ChatRequest {
    for message in &mut request.messages {
        for part in &mut message.parts {
            if let Part::Text { cache, .. } = part {
                *cache = None;
            }
        }
    }
    request.tools.iter_mut().for_each(|tool| tool.cache = None);
    request
}

/// The part of an answer that a round trip must keep: what a citation looked like in one format does not count.
pub(crate) fn kept_answer(answer: &Answer) -> Answer {
    let mut kept = Answer { created: None, extra: Map::new(), ..answer.clone() };
    kept.usage.service_tier = None;
    for choice in &mut kept.choices {
        for part in &mut choice.parts {
            if let Part::Text { citations, .. } = part {
                citations.iter_mut().for_each(|citation| citation.verbatim = None);
            }
        }
    }
    kept
}

/// The answer that a stream told (its first choice).
pub(crate) fn answer_of(events: &[StreamEvent]) -> Answer {
    let mut answer = Answer::default();
    let mut choice = Choice::default();
    let mut calls: Vec<usize> = Vec::new();
    for event in events {
        match event {
            StreamEvent::Start { id, model, usage, .. } => {
                (answer.id, answer.model) = (id.clone(), model.clone());
                answer.usage.merge(usage);
            }
            StreamEvent::Text { text: more, .. } => match choice.parts.last_mut() {
                Some(Part::Text { text, .. }) => text.push_str(more),
                _ => choice.parts.push(Part::Text { text: more.clone(), cache: None, citations: Vec::new() }),
            },
            StreamEvent::Citation { citation, .. } => {
                if let Some(Part::Text { citations, .. }) =
                    choice.parts.iter_mut().rfind(|part| matches!(part, Part::Text { .. }))
                {
                    citations.push(citation.clone());
                }
            }
            StreamEvent::Thinking { text: more, .. } => match choice.parts.last_mut() {
                Some(Part::Thinking { text, signature: None }) => text.push_str(more),
                _ => choice.parts.push(Part::Thinking { text: more.clone(), signature: None }),
            },
            StreamEvent::Signature { signature: own, .. } => match choice.parts.last_mut() {
                Some(Part::Thinking { signature: signature @ None, .. }) => *signature = Some(own.clone()),
                _ => choice.parts.push(Part::Thinking { text: String::new(), signature: Some(own.clone()) }),
            },
            StreamEvent::RedactedThinking { data, .. } => {
                choice.parts.push(Part::RedactedThinking { data: data.clone() });
            }
            StreamEvent::Refusal { text, .. } => choice.parts.push(Part::Refusal(text.clone())),
            StreamEvent::ToolStart { id, name, signature, .. } => {
                calls.push(choice.parts.len());
                choice.parts.push(Part::ToolCall(ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    signature: signature.clone(),
                    ..ToolCall::default()
                }));
            }
            StreamEvent::ToolArguments { index, json, .. } => {
                if let Part::ToolCall(call) = &mut choice.parts[calls[usize::try_from(*index).unwrap()]] {
                    call.arguments.push_str(json);
                }
            }
            StreamEvent::Finish { stop, stop_sequence, .. } => {
                (choice.stop, choice.stop_sequence) = (Some(stop.clone()), stop_sequence.clone());
            }
            StreamEvent::Usage(usage) => answer.usage.merge(usage),
            StreamEvent::Logprobs { .. } | StreamEvent::Ping | StreamEvent::End => {}
            StreamEvent::Error(error) => panic!("{error:?}"),
        }
    }
    answer.choices.push(choice);
    answer
}
