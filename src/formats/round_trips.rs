//! What every format can hold comes back from a trip through any other: to a provider of it, and back to the client.
#![allow(clippy::unwrap_used)]

use super::canonical::{Answer, ChatRequest, Part, Role, ToolChoice};
use super::testing::{Holds, answers, requests};
use super::{Format, Incoming, Outgoing};
use proptest::prelude::*;
use serde_json::Value;

const CLIENTS: [Format; 3] = [Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages];
/// Providers, with a model that takes all that its format has.
const PROVIDERS: [(Format, &str); 5] = [
    (Format::OpenAiChat, "gpt-oss-120b"),
    (Format::OpenAiResponses, "gpt-oss-120b"),
    (Format::AnthropicMessages, "claude-sonnet-4-5"),
    (Format::Gemini, "gemini-3-pro-preview"),
    (Format::BedrockConverse, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
];
const INCOMING: Incoming<'static> =
    Incoming { model: "asked", id: "x1", created: 1, counted: None, include_usage: true, request: None };

fn said(request: &ChatRequest, format: Format, model: &str) -> ChatRequest {
    let outgoing = Outgoing { model, default_max_tokens: 4096, rejects: &[] };
    let written = format.write_request(request, &outgoing).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    format.read_request(&body).unwrap()
}

/// Who says what, calls and results with their names and words; ids and the borders of turns are each format's own.
fn gist(request: &ChatRequest) -> Vec<(&'static str, String)> {
    let mut out: Vec<(&'static str, String)> = Vec::new();
    let mut add = |kind, words: &str| match out.last_mut() {
        Some((last, said)) if *last == kind && matches!(kind, "user" | "assistant" | "system") => said.push_str(words),
        _ => out.push((kind, words.to_owned())),
    };
    for message in &request.messages {
        let who = match message.role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        for part in &message.parts {
            match part {
                Part::Text { text, .. } | Part::Refusal(text) => add(who, text),
                Part::Image { source, .. } => add("image", &format!("{source:?}")),
                Part::ToolCall(call) => {
                    let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
                    add("call", &format!("{} {arguments}", call.name));
                }
                Part::ToolResult { parts, .. } => {
                    // Gemini's results are one text, in which the parts are lines.
                    let text = |part: &Part| match part {
                        Part::Text { text, .. } => text.clone(),
                        _ => String::new(),
                    };
                    add("result", &parts.iter().map(text).collect::<Vec<_>>().join("\n"));
                }
                _ => {}
            }
        }
    }
    out
}

fn told(answer: &Answer, format: Format) -> Answer {
    format.read_answer(&format.write_answer(answer, &INCOMING)).unwrap()
}

/// What an answer says and calls, and what it used.
fn sense(answer: &Answer) -> (String, Vec<(String, Value)>, [Option<u64>; 3]) {
    let parts = answer.choices.iter().flat_map(|choice| &choice.parts);
    let text =
        parts.clone().filter_map(|part| if let Part::Text { text, .. } = part { Some(text.as_str()) } else { None });
    let calls = parts.filter_map(|part| match part {
        Part::ToolCall(call) => Some((call.name.clone(), serde_json::from_str(&call.arguments).unwrap())),
        _ => None,
    });
    let usage = &answer.usage;
    let counts = [usage.input, usage.output, usage.cached_input].map(|tokens| tokens.map(|tokens| tokens.0));
    (text.collect(), calls.collect(), counts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn requests_come_back_from_every_provider(mut request in requests(Holds::LEAST)) {
        // Responses has no stop sequences; Converse says "no tool" by naming none.
        request.stop.clear();
        request.tool_choice = request.tool_choice.filter(|choice| *choice != ToolChoice::None);
        for client in CLIENTS {
            request.source = Some(client);
            let asked = said(&request, client, "gpt-oss-120b");
            for (provider, model) in PROVIDERS {
                let passed = said(&asked, provider, model);
                prop_assert_eq!(gist(&passed), gist(&asked), "{:?} to {:?}", client, provider);
                let tools = |request: &ChatRequest| {
                    request.tools.iter().map(|tool| (tool.name.clone(), tool.description.clone())).collect::<Vec<_>>()
                };
                prop_assert_eq!(tools(&passed), tools(&asked), "{:?} to {:?}", client, provider);
                let back = said(&passed, client, "gpt-oss-120b");
                prop_assert_eq!(gist(&back), gist(&asked), "{:?} by {:?}", client, provider);
            }
        }
    }

    #[test]
    fn answers_come_back_from_every_provider(answer in answers(Holds::LEAST)) {
        for (provider, _) in PROVIDERS {
            let first = told(&answer, provider);
            prop_assert_eq!(sense(&first), sense(&answer), "{:?}", provider);
            for client in CLIENTS {
                prop_assert_eq!(sense(&told(&first, client)), sense(&answer), "{:?} for {:?}", provider, client);
            }
        }
    }
}
