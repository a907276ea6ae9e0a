//! What comes of answers: each feature is said in a provider's format, read, and said again in a client's, whole and as
//! a stream.

use super::{CLIENTS, title_of};
use conduit::formats::canonical::{Answer, Choice, Citation, Part, StopReason, ToolCall};
use conduit::formats::events::events_of;
use conduit::formats::signature::{Vendor, tag};
use conduit::formats::{Format, Incoming, eventstream, sse};
use conduit::usage::{Tokens, Usage};
use serde_json::json;
use std::fmt::Write as _;

const PROVIDERS: [Format; 5] =
    [Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages, Format::Gemini, Format::BedrockConverse];

struct Feature {
    name: &'static str,
    answer: Answer,
    /// One of these stands in an answer that says so.
    marks: &'static [&'static str],
    /// Whether every client's format has a word for it: then it must come through.
    must: bool,
}

fn text(text: &str) -> Part {
    Part::Text { text: text.into(), cache: None, citations: Vec::new() }
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into(), ..ToolCall::default() })
}

fn answer(parts: Vec<Part>, stop: StopReason) -> Answer {
    let usage = Usage { input: Some(Tokens(11)), output: Some(Tokens(7)), ..Usage::default() };
    Answer {
        id: Some("id-1".into()),
        model: Some("model-1".into()),
        created: Some(1),
        choices: vec![Choice { parts, stop: Some(stop), ..Choice::default() }],
        usage,
        ..Answer::default()
    }
}

fn with_usage(change: impl Fn(&mut Usage)) -> Answer {
    let mut answer = answer(vec![text("hi")], StopReason::End);
    answer.usage = Usage { input: Some(Tokens(5_000)), output: Some(Tokens(3_000)), ..Usage::default() };
    change(&mut answer.usage);
    answer
}

fn features() -> Vec<Feature> {
    let end = StopReason::End;
    let thinking = |signature: Option<String>| Part::Thinking { text: "thought-mark".into(), signature };
    let cited = Part::Text {
        text: "cited".into(),
        cache: None,
        citations: vec![Citation {
            url: Some("https://example.com/cited-mark".into()),
            title: Some("t".into()),
            cited_text: Some("w".into()),
            span: Some((0, 5)),
            verbatim: None,
        }],
    };
    let mut logprobs = answer(vec![text("hi")], end.clone());
    let token = json!({"token": "logprob-mark", "logprob": -0.5, "bytes": [104], "top_logprobs": []});
    logprobs.choices[0].logprobs = Some(json!({"content": [token], "refusal": null}));
    let mut two = answer(vec![text("a")], end.clone());
    two.choices.push(Choice { parts: vec![text("second-mark")], stop: Some(end.clone()), ..Choice::default() });
    let audio = Part::Audio {
        format: "wav".into(),
        data: "YXVkaW8tbWFyaw==".into(),
        transcript: Some("spoken".into()),
        id: Some("audio_1".into()),
    };
    let list = |name, answer, marks, must| Feature { name, answer, marks, must };
    vec![
        list("text", answer(vec![text("text-mark")], end.clone()), &["text-mark"], true),
        list(
            "text of every language",
            answer(vec![text("héllo 你好 👩‍👩‍👧‍👦 \u{0}\u{1f}\"\\")], end.clone()),
            &["你好 👩‍👩‍👧‍👦 \\u0000\\u001f\\\"\\\\"],
            true,
        ),
        list(
            "a tool call",
            answer(vec![call("id_mark", "f", r#"{"a":1}"#)], StopReason::ToolCalls),
            &["id_mark"],
            true,
        ),
        list(
            "two tool calls with text before them",
            answer(
                vec![text("so"), call("c1", "f", "{}"), call("c2", "second_mark", r#"{"b":[1]}"#)],
                StopReason::ToolCalls,
            ),
            &["second_mark"],
            true,
        ),
        list(
            "stopped for tools",
            answer(vec![call("c1", "f", "{}")], StopReason::ToolCalls),
            &["\"tool_calls\"", "\"tool_use\"", "function_call"],
            true,
        ),
        list(
            "stopped at the token limit",
            answer(vec![text("a")], StopReason::Length),
            &["\"length\"", "max_output_tokens\"", "\"max_tokens\"", "MAX_TOKENS"],
            true,
        ),
        list(
            "stopped by the safety filter",
            answer(vec![text("a")], StopReason::ContentFilter),
            &["content_filter", "\"refusal\"", "SAFETY", "content_filtered"],
            true,
        ),
        list(
            "which stop sequence",
            {
                let mut a = answer(vec![text("a")], StopReason::StopSequence);
                a.choices[0].stop_sequence = Some("stop-mark".into());
                a
            },
            &["stop-mark"],
            false,
        ),
        list(
            "a refusal",
            answer(vec![Part::Refusal("refusal-mark".into())], StopReason::Refusal),
            &["refusal-mark"],
            true,
        ),
        list("visible reasoning", answer(vec![thinking(None), text("a")], end.clone()), &["thought-mark"], true),
        list(
            "Anthropic's signature of reasoning",
            answer(vec![thinking(Some("signature-mark".into())), text("a")], end.clone()),
            &["signature-mark"],
            false,
        ),
        list(
            "Gemini's signature of reasoning",
            {
                let mut a = answer(vec![call("c1", "f", "{}")], StopReason::ToolCalls);
                if let Part::ToolCall(call) = &mut a.choices[0].parts[0] {
                    call.signature = Some(tag(Vendor::Gemini, "c2lnLW1hcms="));
                }
                a
            },
            &["c2lnLW1hcms="],
            false,
        ),
        list(
            "hidden reasoning",
            answer(vec![Part::RedactedThinking { data: "cmVkYWN0ZWQ=".into() }, text("a")], end.clone()),
            &["cmVkYWN0ZWQ="],
            false,
        ),
        list("citations of pages", answer(vec![cited], end.clone()), &["https://example.com/cited-mark"], false),
        list("log probabilities", logprobs, &["logprob-mark"], false),
        list("several choices", two, &["second-mark"], false),
        list("speech", answer(vec![audio], end.clone()), &["YXVkaW8tbWFyaw=="], false),
        list("the model's name", answer(vec![text("a")], end.clone()), &["model-1"], false),
        list("prompt and completion tokens", with_usage(|_| {}), &["3000"], true),
        list("cached prompt tokens", with_usage(|u| u.cached_input = Some(Tokens(1_234))), &["1234"], true),
        list(
            "prompt tokens written to the cache",
            with_usage(|u| u.cache_write = Some(Tokens(1_234))),
            &["1234"],
            false,
        ),
        list("reasoning tokens", with_usage(|u| u.reasoning = Some(Tokens(1_234))), &["1234"], false),
        list("the service tier", with_usage(|u| u.service_tier = Some("flex".into())), &["flex"], false),
    ]
}

fn incoming() -> Incoming<'static> {
    Incoming { model: "asked", id: "x1", created: 1, counted: None, include_usage: true, request: None }
}

/// The answer as a server of that format streams it, read again.
fn streamed(server: Format, client: Format, answer: &Answer) -> (String, String) {
    let mut bytes = Vec::new();
    let mut writer = server.stream_writer(&incoming());
    events_of(answer).iter().for_each(|event| writer.write(event, &mut bytes));
    let mut events = Vec::new();
    let mut reader = server.stream_reader();
    let mut said = String::new();
    let mut each = |event: sse::Event<'_>| {
        said.push_str(event.data);
        reader.event(&event, &mut events);
    };
    if server == Format::BedrockConverse {
        let mut parser = eventstream::Parser::new(1 << 20);
        let mut message = |message: eventstream::Message<'_>| {
            each(sse::Event { name: message.name, data: std::str::from_utf8(message.payload).unwrap() });
        };
        parser.push(&bytes, &mut message).unwrap();
    } else {
        let mut parser = sse::Parser::new(1 << 20);
        parser.push(&bytes, &mut each).unwrap();
        parser.finish(&mut each).unwrap();
    }
    reader.finish(&mut events);
    let mut out = Vec::new();
    let mut writer = client.stream_writer(&incoming());
    events.iter().for_each(|event| writer.write(event, &mut out));
    (said, String::from_utf8(out).unwrap())
}

fn outcome(feature: &Feature, provider: Format, client: Format) -> Result<&'static str, String> {
    let holds = |text: &str| feature.marks.iter().any(|mark| text.contains(mark));
    let said = provider.write_answer(&feature.answer, &incoming());
    if !holds(&String::from_utf8_lossy(&said)) {
        return Ok("");
    }
    let read = provider.read_answer(&said).map_err(|e| format!("{}: {provider:?} is not read: {e:?}", feature.name))?;
    let whole = provider == client || holds(&String::from_utf8(client.write_answer(&read, &incoming())).unwrap());
    let (said, got) = streamed(provider, client, &feature.answer);
    let stream = !holds(&said) || provider == client || holds(&got);
    match (whole, stream) {
        (true, true) => Ok("●"),
        (true, false) if feature.must => {
            Err(format!("{}: {provider:?} to {client:?} lost it in a stream\n{got}", feature.name))
        }
        (true, false) => Ok("● not streamed"),
        (false, _) if feature.must => Err(format!("{}: {provider:?} to {client:?} lost it", feature.name)),
        (false, true) if holds(&said) => Ok("● streamed only"),
        (false, _) => Ok("–"),
    }
}

/// Writes the tables of answers.
pub fn tables(out: &mut String, lost: &mut Vec<String>) {
    let features = features();
    out.push_str("\n## Answers\n\n– has no place in the client's format. A blank: the provider's format has none.\n");
    for (_, client) in CLIENTS {
        let _ = writeln!(out, "\n### Answers to {} clients\n", title_of(client));
        let _ = writeln!(out, "| | {} |", PROVIDERS.map(title_of).join(" | "));
        let _ = writeln!(out, "|---|{}", ":-:|".repeat(PROVIDERS.len()));
        for feature in &features {
            let cells = PROVIDERS.map(|provider| {
                outcome(feature, provider, client).unwrap_or_else(|why| {
                    lost.push(why);
                    "?"
                })
            });
            let _ = writeln!(out, "| {} | {} |", feature.name, cells.join(" | "));
        }
    }
}
