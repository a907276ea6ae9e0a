//! The table of providers in `docs/providers.md`, written from the registry. `UPDATE_GOLDEN=1` writes it anew.
#![cfg(not(target_family = "wasm"))]
#![allow(missing_docs, clippy::disallowed_methods, clippy::panic, clippy::unwrap_used)]

use conduit::formats::Format;
use conduit::providers::{Ask, Auth, Body, Operation, REGISTRY, Settings, Spec};
use std::fmt::Write as _;

const BEGIN: &str = "<!-- written by tests/providers_table.rs -->";
const END: &str = "<!-- end -->";

fn word(format: Format) -> &'static str {
    match format {
        Format::OpenAiChat => "`chat`",
        Format::OpenAiResponses => "`responses`",
        Format::AnthropicMessages => "`messages`",
        Format::Gemini => "`generate_content`",
        Format::BedrockConverse => "`converse`",
    }
}

/// The formats whose clients are not translated by default.
fn native(spec: &Spec) -> Vec<&'static str> {
    let settings = Settings { project: Some("p".into()), location: Some("l".into()), ..Settings::default() };
    let own = |format: &&Format| {
        let model = match (spec.kind, format) {
            ("bedrock", Format::AnthropicMessages) => "anthropic.claude-x",
            ("vertex", Format::AnthropicMessages) => "claude-x",
            _ => "m",
        };
        let ask = Ask { operation: Operation::Chat, client: **format, model, stream: false, settings: &settings };
        (spec.call)(&ask).is_some_and(|call| matches!(call.body, Body::Chat(spoken, _) if spoken == **format))
    };
    spec.formats.iter().filter(own).map(|format| word(*format)).collect()
}

fn serves(spec: &Spec) -> String {
    let settings = Settings { project: Some("p".into()), location: Some("l".into()), ..Settings::default() };
    let models = ["m", "amazon.titan-embed-text-v2:0", "text-embedding-005", "gemini-embedding-001"];
    let asked = |operation| {
        models.iter().any(|model| {
            let ask = Ask { operation, client: Format::OpenAiChat, model, stream: false, settings: &settings };
            (spec.call)(&ask).is_some()
        })
    };
    let mut all = Vec::new();
    for (name, operation) in [
        ("embeddings", Operation::Embeddings),
        ("images", Operation::Pass("/images/generations")),
        ("audio", Operation::Pass("/audio/speech")),
        ("completions", Operation::Pass("/completions")),
        ("rerank", Operation::Pass("/rerank")),
    ] {
        if asked(operation) {
            all.push(name);
        }
    }
    all.join(", ")
}

fn credential(spec: &Spec) -> String {
    let way = match spec.auth {
        Auth::Bearer => "bearer",
        Auth::XApiKey => "`x-api-key`",
        Auth::ApiKey => "`api-key`, or `bearer:`",
        Auth::XGoogApiKey => "`x-goog-api-key`",
        Auth::GlmJwt => "a signed token made from `id.secret`",
        Auth::AwsSigV4 => "bearer with `api_key`, else signed by Envoy (AWS Signature Version 4)",
        Auth::GcpAuthn => "`bearer:`, else fetched by Envoy from Google's metadata server",
    };
    match spec.key_variable {
        "" => way.to_owned(),
        variable if spec.key_optional => format!("{way}; optional (`{variable}`)"),
        variable => format!("{way} (`{variable}`)"),
    }
}

#[test]
fn the_table_of_providers_is_the_registrys() {
    let mut table = String::new();
    let _ = writeln!(
        table,
        "| kind | where | credential | `api:` (plain: its own clients are not translated) | also serves | drops |"
    );
    let _ = writeln!(table, "|---|---|---|---|---|---|");
    for spec in REGISTRY {
        let natives = native(spec);
        let formats = spec.formats.iter().map(|format| match natives.contains(&word(*format)) {
            true => word(*format).to_owned(),
            false => format!("({})", word(*format)),
        });
        let place = spec.url.map_or("`url:`, or told by the fields below".to_owned(), |url| format!("`{url}`"));
        let rejects: Vec<String> = spec.rejects.iter().map(|name| format!("`{name}`")).collect();
        let formats = formats.collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            table,
            "| `{}` | {place} | {} | {formats} | {} | {} |",
            spec.kind,
            credential(spec),
            serves(spec),
            rejects.join(" ")
        );
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/providers.md");
    let text = std::fs::read_to_string(file).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let new = format!("{before}{BEGIN}\n{table}{END}{after}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, &new).unwrap();
    }
    assert!(
        new == std::fs::read_to_string(file).unwrap(),
        "docs/providers.md is not what the registry says: run UPDATE_GOLDEN=1 cargo test --test providers_table"
    );
}
