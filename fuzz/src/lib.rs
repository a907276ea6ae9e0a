//! What the fuzz targets share: cutting input into pieces, and what must hold for every request, answer and stream.

pub mod gateway;

use conduit::formats::canonical::{Answer, Part, StreamEvent};
use conduit::formats::{Format, Incoming, Outgoing, eventstream, sse};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Every format that the gateway speaks.
pub const FORMATS: [Format; 5] =
    [Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages, Format::Gemini, Format::BedrockConverse];

const INCOMING: Incoming<'static> =
    Incoming { model: "asked", id: "x1", created: 1_700_000_000, counted: None, include_usage: true, request: None };

/// Models with rules of their own in the writers: reasoning or not, old and new ways to say the same.
const MODELS: [&str; 6] =
    ["gpt-4o", "o3", "claude-sonnet-4-5", "claude-opus-4-7", "gemini-3-pro-preview", "amazon.nova-pro-v1:0"];

/// `data` cut into pieces, in several ways.
pub fn pieces(data: &[u8]) -> Vec<Vec<&[u8]>> {
    let first = data.first().copied().unwrap_or_default();
    let middle =
        data.iter().fold(usize::from(first), |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let (head, tail) = data.split_at(middle % (data.len() + 1));
    vec![data.chunks(1).collect(), data.chunks(2 + usize::from(first) % 61).collect(), vec![head, &[], tail]]
}

/// A request is read, and written for every format and model as JSON that its own reader takes; or the mistake is named.
pub fn request(format: Format, data: &[u8]) {
    let Ok(body) = serde_json::from_slice::<Value>(data) else { return };
    let request = match format.read_request(&body) {
        Ok(request) => request,
        Err(error) => return assert!(!error.message.is_empty()),
    };
    for target in FORMATS {
        for model in MODELS {
            let outgoing = Outgoing { model, default_max_tokens: 4096, rejects: &["logprobs"] };
            match target.write_request(&request, &outgoing) {
                Ok(written) => {
                    let body: Value = serde_json::from_slice(&written.body).expect("what is written is JSON");
                    let again = target.read_request(&body).expect("what is written can be read");
                    // Google's and Amazon's formats say both in the path.
                    if !matches!(target, Format::Gemini | Format::BedrockConverse) {
                        assert_eq!(body["model"], model);
                        assert_eq!(again.stream, request.stream);
                    }
                }
                Err(error) => assert!(!error.message.is_empty()),
            }
        }
    }
}

/// A whole answer is read, and written in every format as an answer that says the same; or it is an error.
pub fn answer(format: Format, data: &[u8]) {
    let answer = match format.read_answer(data) {
        Ok(answer) => answer,
        Err(error) => return assert!((400..600).contains(&error.status) && !error.message.is_empty()),
    };
    for target in FORMATS {
        let written = target.write_answer(&answer, &INCOMING);
        serde_json::from_slice::<Value>(&written).expect("what is written is JSON");
        let again = target.read_answer(&written).expect("what is written can be read");
        assert_eq!(answer_text(&again), answer_text(&answer), "{}", String::from_utf8_lossy(&written));
        assert_eq!(answer_calls(&again), answer_calls(&answer), "{}", String::from_utf8_lossy(&written));
    }
}

/// What the first choice says, refusals included: Anthropic has one word for both.
fn answer_text(answer: &Answer) -> String {
    let parts = answer.choices.first().map(|choice| choice.parts.as_slice()).unwrap_or_default();
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text { text: said, .. } | Part::Refusal(said) => text.push_str(said),
            _ => {}
        }
    }
    text
}

/// What the first choice calls, by name, with arguments as JSON values: a format may space them otherwise. Calls that no
/// format's rules allow, without a name or with arguments that are no object, are not compared.
fn answer_calls(answer: &Answer) -> Vec<(String, Value)> {
    let parts = answer.choices.first().map(|choice| choice.parts.as_slice()).unwrap_or_default();
    let calls = parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => usable_call(&call.name, &call.arguments),
        _ => None,
    });
    calls.collect()
}

fn usable_call(name: &str, arguments: &str) -> Option<(String, Value)> {
    let arguments: Value = serde_json::from_str(arguments).ok().filter(Value::is_object)?;
    (!name.is_empty() && arguments.get("_raw").is_none()).then(|| (name.to_owned(), arguments))
}

/// A stream makes one well-formed answer, however its bytes are cut, and says the same in every format.
pub fn stream(format: Format, data: &[u8]) {
    let Some(events) = read_stream(format, &[data]) else { return };
    check_events(&events);
    // One way to cut each input: there are many inputs, and to read is what takes the time.
    let cuts = pieces(data);
    let cut = cuts.get(data.len() % cuts.len()).expect("there are ways to cut");
    assert_eq!(read_stream(format, cut).as_ref(), Some(&events), "the pieces make a difference");
    for target in FORMATS {
        let mut writer = target.stream_writer(&INCOMING);
        let mut written = Vec::new();
        events.iter().for_each(|event| writer.write(event, &mut written));
        let shown = String::from_utf8_lossy(&written);
        let again =
            if target == Format::BedrockConverse { read_binary(&written) } else { read_stream(target, &[&written]) };
        let again = again.expect("events stay small");
        check_events(&again);
        assert_eq!(failed(&again), failed(&events), "{shown}");
        assert_eq!(stream_text(&again), stream_text(&events), "{shown}");
        if !failed(&events) {
            assert_eq!(stream_calls(&again), stream_calls(&events), "{shown}");
        }
    }
}

/// The events of a stream of server-sent events; `None`: one is too large.
pub fn read_stream(format: Format, pieces: &[&[u8]]) -> Option<Vec<StreamEvent>> {
    let mut parser = sse::Parser::new(1 << 20);
    let mut reader = format.stream_reader();
    let mut events = Vec::new();
    let mut each = |event: sse::Event<'_>| reader.event(&event, &mut events);
    for piece in pieces {
        parser.push(piece, &mut each).ok()?;
    }
    parser.finish(&mut each).ok()?;
    reader.finish(&mut events);
    Some(events)
}

/// The events of a stream in Amazon's framing.
pub fn read_binary(bytes: &[u8]) -> Option<Vec<StreamEvent>> {
    let mut parser = eventstream::Parser::new(1 << 24);
    let mut reader = Format::BedrockConverse.stream_reader();
    let mut events = Vec::new();
    let mut each = |message: eventstream::Message<'_>| {
        let data = std::str::from_utf8(message.payload).expect("what is written is text");
        reader.event(&sse::Event { name: message.name, data }, &mut events);
    };
    parser.push(bytes, &mut each).expect("what is written is framed");
    parser.finish().expect("what is written is whole");
    reader.finish(&mut events);
    Some(events)
}

/// What `StreamEvent` promises: one start, first; one end, last; nothing but the end after an error; a choice says
/// nothing after its finish; calls are numbered from 0 and begin before their arguments.
pub fn check_events(events: &[StreamEvent]) {
    let (mut finished, mut calls) = (BTreeSet::new(), BTreeSet::new());
    for (place, event) in events.iter().enumerate() {
        assert_eq!(place == 0, matches!(event, StreamEvent::Start { .. }), "{events:?}");
        assert_eq!(place + 1 == events.len(), matches!(event, StreamEvent::End), "{events:?}");
        if matches!(event, StreamEvent::Error(_)) {
            assert_eq!(place + 2, events.len(), "{events:?}");
        }
        match event {
            StreamEvent::Text { choice, text } | StreamEvent::Refusal { choice, text } => {
                assert!(!text.is_empty() && !finished.contains(choice), "{events:?}");
            }
            StreamEvent::Thinking { choice, .. }
            | StreamEvent::Signature { choice, .. }
            | StreamEvent::RedactedThinking { choice, .. } => assert!(!finished.contains(choice), "{events:?}"),
            StreamEvent::ToolStart { choice, index, .. } => {
                assert!(!finished.contains(choice), "{events:?}");
                assert!(*index == 0 || calls.contains(&(*choice, *index - 1)), "{events:?}");
                assert!(calls.insert((*choice, *index)), "{events:?}");
            }
            StreamEvent::ToolArguments { choice, index, .. } => {
                assert!(!finished.contains(choice) && calls.contains(&(*choice, *index)), "{events:?}");
            }
            StreamEvent::Finish { choice, .. } => assert!(finished.insert(*choice), "{events:?}"),
            _ => {}
        }
    }
    assert!(!events.is_empty());
}

/// Whether a stream says that it failed.
pub fn failed(events: &[StreamEvent]) -> bool {
    events.iter().any(|event| matches!(event, StreamEvent::Error(_)))
}

/// What the first choice of a stream says, refusals included.
pub fn stream_text(events: &[StreamEvent]) -> String {
    let mut text = String::new();
    for event in events {
        match event {
            StreamEvent::Text { choice: 0, text: said } | StreamEvent::Refusal { choice: 0, text: said } => {
                text.push_str(said);
            }
            _ => {}
        }
    }
    text
}

/// What the first choice of a stream calls, as [`answer_calls`] has it.
pub fn stream_calls(events: &[StreamEvent]) -> Vec<(String, Value)> {
    let mut calls: BTreeMap<u64, (String, String)> = BTreeMap::new();
    for event in events {
        match event {
            StreamEvent::ToolStart { choice: 0, index, name, .. } => {
                calls.insert(*index, (name.clone(), String::new()));
            }
            StreamEvent::ToolArguments { choice: 0, index, json } => {
                calls.entry(*index).or_default().1.push_str(json);
            }
            _ => {}
        }
    }
    let whole = |arguments: &str| if arguments.trim().is_empty() { "{}".to_owned() } else { arguments.to_owned() };
    calls.values().filter_map(|(name, arguments)| usable_call(name, &whole(arguments))).collect()
}
