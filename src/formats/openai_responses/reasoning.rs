//! Reasoning items. `encrypted_content` is where a client keeps what the vendor of its model needs to take reasoning
//! back; it holds OpenAI's own bare, and any other's under a name, so that it finds its way home:
//!
//! | `encrypted_content` | what it is |
//! |---|---|
//! | `gAAAA…` | OpenAI's own; the item's id belongs to it |
//! | `gemini:…`, `bedrock:…`, `openai:…` | a signature as [`signature`] holds it |
//! | `anthropic:…` | Anthropic's, which stands bare in the canonical form |
//! | `redacted:…` | a whole encrypted block |
//! | `call:…` | the signature, as above, of the function call that follows |

use super::super::canonical::Part;
use super::super::signature::{self, Vendor};
use super::{kind, list, text};
use serde_json::{Value, json};

const ANTHROPIC: &str = "anthropic:";
const REDACTED: &str = "redacted:";
const CALL: &str = "call:";

/// What a reasoning item turns out to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Read {
    /// Reasoning, seen or encrypted.
    Part(Part),
    /// The signature of the next call.
    OfCall(String),
}

/// The signature that an item carries. An id alone counts: who keeps its items at OpenAI sends no more.
pub(super) fn read_signature(id: &str, encrypted: &str) -> Option<String> {
    if let Some(own) = encrypted.strip_prefix(ANTHROPIC) {
        return Some(own.to_owned()).filter(|own| !own.is_empty());
    }
    if signature::of(encrypted).0 != Vendor::Anthropic {
        return Some(encrypted.to_owned());
    }
    (!id.is_empty() || !encrypted.is_empty()).then(|| signature::tag(Vendor::OpenAi, &signature::join(id, encrypted)))
}

/// A whole item. The visible text is the reasoning itself, where the provider shows it (gpt-oss), else its summary.
pub(super) fn read(item: &Value) -> Read {
    let encrypted = text(item, "encrypted_content").unwrap_or_default();
    if let Some(data) = encrypted.strip_prefix(REDACTED) {
        return Read::Part(Part::RedactedThinking { data: data.to_owned() });
    }
    if let Some(held) = encrypted.strip_prefix(CALL) {
        return Read::OfCall(read_signature("", held).unwrap_or_default());
    }
    let signature = read_signature(text(item, "id").unwrap_or_default(), encrypted);
    Read::Part(Part::Thinking { text: visible(item).join(SEPARATOR), signature })
}

/// What stands between two summaries of one item.
pub(super) const SEPARATOR: &str = "\n\n";

/// The visible texts of an item.
pub(super) fn visible(item: &Value) -> Vec<&str> {
    let of = |name: &str, wanted: &str| -> Vec<&str> {
        list(item, name).iter().filter(|part| kind(part) == wanted).filter_map(|part| text(part, "text")).collect()
    };
    let content = of("content", "reasoning_text");
    if content.is_empty() { of("summary", "summary_text") } else { content }
}

/// `encrypted_content` for a signature that is kept with an item of another id.
pub(super) fn carry(signature: &str) -> String {
    match signature::of(signature).0 {
        Vendor::Anthropic => format!("{ANTHROPIC}{signature}"),
        _ => signature.to_owned(),
    }
}

/// `encrypted_content` for a block that is encrypted as a whole.
pub(super) fn carry_redacted(data: &str) -> String {
    format!("{REDACTED}{data}")
}

/// `encrypted_content` for the signature of the call that follows.
pub(super) fn carry_of_call(signature: &str) -> String {
    format!("{CALL}{}", carry(signature))
}

/// OpenAI's own id and encrypted content in a signature.
pub(super) fn own(signature: &str) -> Option<(&str, &str)> {
    signature::by(Vendor::OpenAi, signature).and_then(signature::split)
}

/// A reasoning item; without an `encrypted_content` where there is none.
pub(super) fn write(id: &str, visible: &str, encrypted: Option<&str>) -> Value {
    let summary = if visible.is_empty() { json!([]) } else { json!([{"type": "summary_text", "text": visible}]) };
    let mut item = json!({"type": "reasoning", "summary": summary});
    if let Some(members) = item.as_object_mut() {
        super::put(members, "id", Some(id).filter(|id| !id.is_empty()));
        super::put(members, "encrypted_content", encrypted);
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn item(encrypted: &str) -> Value {
        json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": encrypted})
    }

    #[test]
    fn every_signature_comes_home() {
        for held in ["EqQB:x", "gemini:abc", "bedrock:abc", "openai:4:rs_9gAAA"] {
            let expected = Part::Thinking { text: String::new(), signature: Some(held.into()) };
            assert_eq!(read(&item(&carry(held))), Read::Part(expected));
            assert_eq!(read(&item(&carry_of_call(held))), Read::OfCall(held.into()));
        }
        let redacted = Part::RedactedThinking { data: "openai:d".into() };
        assert_eq!(read(&item(&carry_redacted("openai:d"))), Read::Part(redacted));
    }

    #[test]
    fn openais_own_keeps_its_id() {
        let Read::Part(Part::Thinking { signature: Some(signature), .. }) = read(&item("gAAA:b")) else { panic!() };
        assert_eq!(signature, "openai:4:rs_1gAAA:b");
        assert_eq!(own(&signature), Some(("rs_1", "gAAA:b")));
        assert_eq!(own("gemini:4:rs_1x"), None);
        assert_eq!(own("openai:9:x"), None);
        assert_eq!(read_signature("", ""), None);
        assert_eq!(read_signature("rs_1", "").as_deref(), Some("openai:4:rs_1"));
    }

    #[test]
    fn the_reasoning_itself_goes_before_its_summary() {
        let both = json!({"summary": [{"type": "summary_text", "text": "s"}], "content": [{"type": "reasoning_text", "text": "r"}]});
        assert_eq!(visible(&both), ["r"]);
        let two = json!({"summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}], "content": null});
        assert_eq!(read(&two), Read::Part(Part::Thinking { text: "a\n\nb".into(), signature: None }));
    }
}
