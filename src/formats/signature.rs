//! Signatures of reasoning: opaque texts without which a provider does not take its own reasoning (or a call that came
//! of it) back. Only the vendor that made one can read it, and to any other it is an error; so each names its vendor on
//! its way through a client that speaks another format.
//!
//! In the canonical form, and in what a client of another format sees, a signature is `vendor:opaque`. Anthropic's own
//! stands bare, because clients of that format compare and store it as it came.

/// Who made a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Anthropic, on its own API, Bedrock or Vertex: `signature` of a `thinking` block.
    Anthropic,
    /// Google: `thoughtSignature` of a part.
    Gemini,
    /// OpenAI's Responses: a reasoning item's id and `encrypted_content`, joined by [`join`].
    OpenAi,
    /// A model on Bedrock that is not Anthropic's: `reasoningText.signature`.
    Bedrock,
}

const TAGGED: [(Vendor, &str); 3] =
    [(Vendor::Gemini, "gemini:"), (Vendor::OpenAi, "openai:"), (Vendor::Bedrock, "bedrock:")];

/// A vendor's signature as the canonical form holds it.
pub fn tag(vendor: Vendor, opaque: &str) -> String {
    let tag = TAGGED.iter().find(|(known, _)| *known == vendor).map_or("", |(_, tag)| tag);
    format!("{tag}{opaque}")
}

/// Who made a signature, and the vendor's own text.
pub fn of(signature: &str) -> (Vendor, &str) {
    let tagged = TAGGED.iter().find_map(|(vendor, tag)| Some((*vendor, signature.strip_prefix(tag)?)));
    tagged.unwrap_or((Vendor::Anthropic, signature))
}

/// The vendor's own text, where that vendor made it.
pub fn by(vendor: Vendor, signature: &str) -> Option<&str> {
    let (maker, opaque) = of(signature);
    (maker == vendor && !opaque.is_empty()).then_some(opaque)
}

/// Two texts as one: the length of the first stands before both.
pub fn join(first: &str, second: &str) -> String {
    format!("{}:{first}{second}", first.len())
}

/// The two texts that [`join`] made one.
pub fn split(joined: &str) -> Option<(&str, &str)> {
    let (length, rest) = joined.split_once(':')?;
    rest.split_at_checked(length.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn a_signature_is_its_vendors_alone() {
        for vendor in [Vendor::Anthropic, Vendor::Gemini, Vendor::OpenAi, Vendor::Bedrock] {
            let tagged = tag(vendor, "a:b");
            assert_eq!(of(&tagged), (vendor, "a:b"));
            assert_eq!(by(vendor, &tagged), Some("a:b"));
            assert!([Vendor::Anthropic, Vendor::Gemini].iter().all(|v| *v == vendor || by(*v, &tagged).is_none()));
        }
        assert_eq!(by(Vendor::Anthropic, ""), None);
    }

    #[test]
    fn two_texts_stay_apart() {
        for (first, second) in [("rs_1", "gAAA:b"), ("", "x"), ("a:b", ""), ("é", "è")] {
            assert_eq!(split(&join(first, second)), Some((first, second)));
        }
        for broken in ["", "x", "9:ab", "1:é"] {
            assert_eq!(split(broken), None);
        }
    }
}
