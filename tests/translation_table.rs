//! What each pair of formats carries, approximates and refuses: found by trying, written to `docs/translation.md`.
//!
//! Each feature of `tests/table/requests.json` is a request in a client's format that has this feature and nothing else
//! besides, and words that the provider's request must hold if the feature came through. A feature that neither came
//! through nor was noted nor refused is lost, and that fails the test. `UPDATE_GOLDEN=1` writes the document anew.
#![cfg(not(target_family = "wasm"))]
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "table/answers.rs"]
mod answers;

use conduit::formats::{Format, Outgoing};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub const CLIENTS: [(&str, Format); 3] =
    [("chat", Format::OpenAiChat), ("responses", Format::OpenAiResponses), ("messages", Format::AnthropicMessages)];

/// A column: its title, the format, and a model that the provider would know.
pub const PROVIDERS: [(&str, Format, &str); 6] = [
    ("Chat Completions", Format::OpenAiChat, "gpt-4o"),
    ("Responses", Format::OpenAiResponses, "gpt-4o"),
    ("Anthropic", Format::AnthropicMessages, "claude-sonnet-4-5"),
    ("Gemini", Format::Gemini, "gemini-2.5-flash"),
    ("Converse, Claude", Format::BedrockConverse, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("Converse, Nova", Format::BedrockConverse, "amazon.nova-pro-v1:0"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Feature {
    name: String,
    /// What the request has beyond the base, by client; absent: that format has no such thing.
    requests: BTreeMap<String, Value>,
    /// One of these stands in the provider's request if the feature came through.
    marks: Vec<String>,
    /// Names by which it may be noted as dropped or refused.
    names: Vec<String>,
    /// Models to ask in place of the usual ones, by the provider's column.
    #[serde(default)]
    models: BTreeMap<String, String>,
    /// Why nothing has to be there: what the provider does anyway.
    #[serde(default)]
    implied: Vec<String>,
}

fn base(client: Format) -> Value {
    serde_json::from_str(match client {
        Format::OpenAiChat => r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
        Format::OpenAiResponses => r#"{"model":"m","input":"hi","store":false}"#,
        _ => r#"{"model":"m","max_tokens":4096,"messages":[{"role":"user","content":"hi"}]}"#,
    })
    .unwrap()
}

/// What becomes of a feature: a sign for the table, or how it was lost.
fn outcome(feature: &Feature, client: Format, provider: (&str, Format, &str)) -> Result<&'static str, String> {
    let (title, format, model) = provider;
    let patch = &feature.requests[CLIENTS.iter().find(|(_, f)| *f == client).unwrap().0];
    if format == client {
        return Ok("●");
    }
    let mut body = base(client);
    for (name, value) in patch.as_object().unwrap() {
        body[name] = value.clone();
    }
    let request = client.read_request(&body).map_err(|e| format!("{}: cannot be read: {e}", feature.name))?;
    let model = feature.models.get(title).map_or(model, String::as_str);
    let outgoing = Outgoing { model, default_max_tokens: 4096, rejects: &[] };
    let written = match format.write_request(&request, &outgoing) {
        Ok(written) => written,
        Err(error) => {
            let named = feature.names.iter().any(|name| error.param.contains(name) || error.message.contains(name));
            return if named { Ok("✗") } else { Err(format!("{} to {title}: refused as {error}", feature.name)) };
        }
    };
    let text = String::from_utf8(written.body).unwrap();
    let there = feature.marks.iter().any(|mark| text.contains(mark));
    let noted = written.dropped.iter().any(|dropped| feature.names.iter().any(|name| dropped.contains(name)));
    match (there, noted) {
        (true, false) => Ok("●"),
        (true, true) => Ok("◐"),
        (false, true) => Ok("○"),
        (false, false) if feature.implied.iter().any(|implied| implied == title) => Ok("●"),
        (false, false) => Err(format!(
            "{} from {client:?} to {title} is lost without a word\n    {text}\n    noted: {:?}",
            feature.name, written.dropped
        )),
    }
}

fn requests(out: &mut String, lost: &mut Vec<String>) {
    let features: Vec<Feature> = serde_json::from_str(include_str!("table/requests.json")).unwrap();
    for (client, format) in CLIENTS {
        let _ = writeln!(out, "\n### Requests of {} clients\n", title_of(format));
        let _ = writeln!(out, "| | {} |", PROVIDERS.map(|(title, ..)| title).join(" | "));
        let _ = writeln!(out, "|---|{}", ":-:|".repeat(PROVIDERS.len()));
        for feature in features.iter().filter(|feature| feature.requests.contains_key(client)) {
            let cells = PROVIDERS.map(|provider| match outcome(feature, format, provider) {
                Ok(sign) => sign,
                Err(why) => {
                    lost.push(why);
                    "?"
                }
            });
            let _ = writeln!(out, "| {} | {} |", feature.name, cells.join(" | "));
        }
    }
}

pub fn title_of(format: Format) -> &'static str {
    match format {
        Format::OpenAiChat => "Chat Completions",
        Format::OpenAiResponses => "Responses",
        Format::AnthropicMessages => "Anthropic Messages",
        Format::Gemini => "Gemini",
        Format::BedrockConverse => "Bedrock Converse",
    }
}

const HEAD: &str = "\
# What is translated

A client that speaks one vendor's format may be answered by any other's model. Where client and provider speak the same
format, the request's bytes go as they came, but for the model's name and what the provider must have; so do the
answer's. Where they do not, this is what comes through. `tests/translation_table.rs` writes these tables by trying each
feature; a feature that was neither carried nor noted nor refused would fail it.

- ● is carried
- ◐ is approximated, and the log says so once
- ○ is left out, because it only steers, and the log says so once
- ✗ is refused with a 400 that names it, because the answer would mean something else; at a chain's beginning the next target is asked
- (blank) the provider's or the client's format has no such thing

`conduit explain conduit.yaml request.json --show-request PROVIDER/MODEL` shows the request that any target would get.
";

#[test]
fn the_table_in_the_docs_is_what_happens() {
    let mut out = HEAD.to_owned();
    let mut lost = Vec::new();
    requests(&mut out, &mut lost);
    answers::tables(&mut out, &mut lost);
    assert!(lost.is_empty(), "{} lost:\n{}", lost.len(), lost.join("\n"));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/translation.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, &out).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == out,
        "docs/translation.md is not what happens: run UPDATE_GOLDEN=1 cargo test --test translation_table"
    );
}
