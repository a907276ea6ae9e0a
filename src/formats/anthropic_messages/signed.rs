//! Calls that another vendor signed. This format signs thinking only, so the signature of a call stands in a `thinking`
//! block of its own before the `tool_use`, without text: the vendor's tag, then the call's id and the signature as one
//! (see [`signature`]). Clients send thinking back as it came.

use crate::formats::canonical::{Part, ToolCall};
use crate::formats::signature::{self, Vendor};
use serde_json::{Value, json};

/// What the block before a call has for its signature, where the call has one that needs it.
pub(super) fn carrier(id: &str, signature: Option<&str>) -> Option<String> {
    match signature::of(signature?) {
        (Vendor::Anthropic, _) | (_, "") => None,
        (vendor, own) => Some(signature::tag(vendor, &signature::join(id, own))),
    }
}

/// The block before a call.
pub(super) fn block(call: &ToolCall) -> Option<Value> {
    let carrier = carrier(&call.id, call.signature.as_deref())?;
    Some(json!({"type": "thinking", "thinking": "", "signature": carrier}))
}

/// Puts the signatures that such blocks carry back on their calls; the blocks go.
pub(super) fn restore(parts: &mut Vec<Part>) {
    let mut carried: Vec<(String, String)> = Vec::new();
    parts.retain(|part| {
        let found = carried_by(part);
        let keep = found.is_none();
        carried.extend(found);
        keep
    });
    for part in parts {
        if let Part::ToolCall(call) = part
            && let Some((_, own)) = carried.iter().find(|(id, _)| *id == call.id)
        {
            call.signature = Some(own.clone());
        }
    }
}

/// A call's id and its signature.
fn carried_by(part: &Part) -> Option<(String, String)> {
    let Part::Thinking { text, signature: Some(signature) } = part else { return None };
    let (vendor, joined) = signature::of(signature);
    if !text.is_empty() || vendor != Vendor::Gemini {
        return None;
    }
    let (id, own) = signature::split(joined)?;
    Some((id.to_owned(), signature::tag(vendor, own)))
}
