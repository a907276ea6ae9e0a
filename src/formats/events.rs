//! A whole answer as a stream: for providers that ignore `stream`.

use super::canonical::{Answer, Part, StopReason, StreamEvent};

/// A whole answer as the events that would have streamed it.
pub fn events_of(answer: &Answer) -> Vec<StreamEvent> {
    let mut events = vec![StreamEvent::Start {
        id: answer.id.clone(),
        model: answer.model.clone(),
        created: answer.created,
        usage: answer.usage.clone(),
    }];
    for (choice, said) in (0_u64..).zip(&answer.choices) {
        let mut index = 0_u64;
        for part in &said.parts {
            match part {
                Part::Text { text, citations, .. } if !text.is_empty() => {
                    events.push(StreamEvent::Text { choice, text: text.clone() });
                    let cited = citations.iter().cloned();
                    events.extend(cited.map(|citation| StreamEvent::Citation { choice, citation }));
                }
                Part::Refusal(text) => events.push(StreamEvent::Refusal { choice, text: text.clone() }),
                Part::Thinking { text, signature } => {
                    events.push(StreamEvent::Thinking { choice, text: text.clone() });
                    if let Some(signature) = signature {
                        events.push(StreamEvent::Signature { choice, signature: signature.clone() });
                    }
                }
                Part::RedactedThinking { data } => {
                    events.push(StreamEvent::RedactedThinking { choice, data: data.clone() });
                }
                Part::ToolCall(call) => {
                    let (id, name) = (call.id.clone(), call.name.clone());
                    let signature = call.signature.clone();
                    events.push(StreamEvent::ToolStart { choice, index, id, name, signature });
                    let json = call.arguments.clone();
                    events.push(StreamEvent::ToolArguments { choice, index, json });
                    index = index.saturating_add(1);
                }
                _ => {}
            }
        }
        if let Some(logprobs) = &said.logprobs {
            events.push(StreamEvent::Logprobs { choice, logprobs: logprobs.clone() });
        }
        let stop = said.stop.clone().unwrap_or(StopReason::End);
        events.push(StreamEvent::Finish { choice, stop, stop_sequence: said.stop_sequence.clone() });
    }
    events.push(StreamEvent::Usage(answer.usage.clone()));
    events.push(StreamEvent::End);
    events
}
