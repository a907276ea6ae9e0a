//! Signatures as this format carries them: `thoughtSignature`, base64 of bytes that only their maker understands.
//!
//! Another vendor's signature (or encrypted reasoning) reaches a client of this format as base64 of a text that names its
//! maker, `anthropic:…`. Google's own are binary, so none is taken for such a text.

use crate::formats::canonical::Part;
use crate::formats::signature::{self, Vendor};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The vendors that name themselves in what [`foreign`] writes.
const MAKERS: [(&str, Vendor); 3] =
    [("anthropic:", Vendor::Anthropic), ("openai:", Vendor::OpenAi), ("bedrock:", Vendor::Bedrock)];

/// Stands before the data of encrypted reasoning.
const REDACTED: &str = "redacted:";

/// What a `thoughtSignature` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    /// A signature in its canonical form.
    Signature(String),
    /// The data of encrypted reasoning.
    Redacted(String),
}

pub(super) fn read(encoded: &str) -> Signed {
    let ours = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(text) = ours {
        if let Some(data) = text.strip_prefix(REDACTED) {
            return Signed::Redacted(data.to_owned());
        }
        let made = MAKERS.iter().find_map(|(name, maker)| Some((*maker, text.strip_prefix(name)?)));
        if let Some((maker, opaque)) = made {
            return Signed::Signature(signature::tag(maker, opaque));
        }
    }
    Signed::Signature(signature::tag(Vendor::Gemini, encoded))
}

/// The `thoughtSignature` for a client of this format, whoever made it.
pub(super) fn write(signature: &str) -> String {
    match signature::of(signature) {
        (Vendor::Gemini, opaque) => opaque.to_owned(),
        (maker, opaque) => {
            let name = MAKERS.iter().find(|(_, known)| *known == maker).map_or("", |(name, _)| name);
            STANDARD.encode(format!("{name}{opaque}"))
        }
    }
}

/// The `thoughtSignature` that brings encrypted reasoning to a client of this format and back.
pub(super) fn write_redacted(data: &str) -> String {
    STANDARD.encode(format!("{REDACTED}{data}"))
}

/// Puts the signature of what comes next behind `parts`: on unsigned reasoning that stands last, else alone.
pub(super) fn push(signed: Signed, parts: &mut Vec<Part>) {
    match (signed, parts.last_mut()) {
        (Signed::Redacted(data), _) => parts.push(Part::RedactedThinking { data }),
        (Signed::Signature(new), Some(Part::Thinking { signature: signature @ None, .. })) => *signature = Some(new),
        (Signed::Signature(new), _) => parts.push(Part::Thinking { text: String::new(), signature: Some(new) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn every_vendors_signature_survives() {
        let tagged = [(Vendor::Gemini, "CiQB/z8="), (Vendor::Anthropic, "EqQB"), (Vendor::OpenAi, "4:rs_1gA:b")];
        for (vendor, opaque) in tagged {
            let canonical = signature::tag(vendor, opaque);
            let encoded = write(&canonical);
            assert!(STANDARD.decode(&encoded).is_ok(), "{encoded}");
            assert_eq!(read(&encoded), Signed::Signature(canonical));
        }
        assert_eq!(read(&write_redacted("é")), Signed::Redacted("é".into()));
        assert_eq!(read("no base64!"), Signed::Signature("gemini:no base64!".into()));
    }
}
