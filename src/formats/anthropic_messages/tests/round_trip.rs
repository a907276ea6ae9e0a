//! What Chat Completions and Messages can both hold comes back from a trip through the other.

use super::INCOMING;
use crate::formats::canonical::{Answer, ChatRequest, StreamEvent};
use crate::formats::events::events_of;
use crate::formats::signature::Vendor;
use crate::formats::testing::{
    Holds, answer_of, answers, kept, kept_answer, requests, without_marks, without_reasoning,
};
use crate::formats::{Format, Outgoing, sse};
use proptest::prelude::*;
use serde_json::Value;

const HOLDS: Holds = Holds {
    image_urls: true,
    documents: true,
    thinking: Some(Vendor::Anthropic),
    redacted: true,
    cache: true,
    effort: true,
    schema: true,
    strict: true,
    serial_calls: true,
    user: true,
    citations: true,
    // No images in results, which Chat Completions moves elsewhere, and no top-k, for which it has no word.
    ..Holds::LEAST
};

/// A request as it is after it was said in a format.
fn said(request: &ChatRequest, format: Format) -> ChatRequest {
    // A Claude and a reasoner that take all that their formats have.
    let model = if format == Format::AnthropicMessages { "claude-sonnet-4-5" } else { "gpt-oss-120b" };
    let outgoing = Outgoing { model, default_max_tokens: 4096, rejects: &[] };
    let written = format.write_request(request, &outgoing).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    format.read_request(&body).unwrap()
}

fn told(answer: &Answer, format: Format) -> Answer {
    format.read_answer(&format.write_answer(answer, &INCOMING)).unwrap()
}

fn streamed(events: &[StreamEvent], format: Format) -> Vec<StreamEvent> {
    let mut writer = format.stream_writer(&INCOMING);
    let mut bytes = Vec::new();
    for event in events {
        writer.write(event, &mut bytes);
    }
    let mut reader = format.stream_reader();
    let mut parser = sse::Parser::new(1 << 20);
    let mut again = Vec::new();
    parser.push(&bytes, &mut |event| reader.event(&event, &mut again)).unwrap();
    parser.finish(&mut |event| reader.event(&event, &mut again)).unwrap();
    reader.finish(&mut again);
    again
}

const PAIRS: [(Format, Format); 2] =
    [(Format::OpenAiChat, Format::AnthropicMessages), (Format::AnthropicMessages, Format::OpenAiChat)];

proptest! {
    #[test]
    fn requests_come_back(mut request in requests(HOLDS)) {
        for (client, provider) in PAIRS {
            request.source = Some(client);
            let asked = said(&request, client);
            // In the client's own words nothing is lost but how much to reason, which each says in its own unit.
            let effort = ChatRequest { reasoning: asked.reasoning.clone(), ..request.clone() };
            prop_assert_eq!(kept(&asked), kept(&effort));
            let passed = said(&asked, provider);
            if provider == Format::AnthropicMessages {
                // Marks and reasoning reach the vendor that they are for.
                let passed = ChatRequest { reasoning: asked.reasoning.clone(), ..passed.clone() };
                prop_assert_eq!(kept(&passed), kept(&asked));
            }
            let back = said(&passed, client);
            let bare = |request: &ChatRequest| without_marks(without_reasoning(kept(request)));
            prop_assert_eq!(bare(&back), bare(&asked));
        }
    }

    #[test]
    fn answers_come_back(answer in answers(Holds { call_signatures: Some(Vendor::Gemini), ..HOLDS })) {
        for (client, provider) in PAIRS {
            let first = told(&answer, provider);
            prop_assert_eq!(kept_answer(&first), kept_answer(&answer));
            let second = told(&told(&first, client), provider);
            prop_assert_eq!(kept_answer(&second), kept_answer(&answer));
        }
    }

    #[test]
    fn streams_come_back(answer in answers(HOLDS)) {
        let events = events_of(&answer);
        for (client, provider) in PAIRS {
            let first = streamed(&events, provider);
            prop_assert_eq!(kept_answer(&answer_of(&first)), kept_answer(&answer));
            let second = streamed(&streamed(&first, client), provider);
            prop_assert_eq!(kept_answer(&answer_of(&second)), kept_answer(&answer));
        }
    }
}
