//! Ids of calls that other providers made, in the form that the target takes.

/// What ids a target takes. The same id always becomes the same one, so that a result still finds its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ids {
    /// As they are.
    Any,
    /// At most 40 characters: OpenAI (<https://platform.openai.com/docs/api-reference/chat/create>, 2026-11-21; a longer
    /// one is `string_above_max_length`).
    Short,
    /// Nine letters and digits: Mistral (<https://docs.mistral.ai/capabilities/function_calling>, 2026-11-21).
    Nine,
}

/// Names that Mistral's models begin with.
const MISTRALS: [&str; 8] =
    ["mistral", "ministral", "magistral", "codestral", "devstral", "pixtral", "voxtral", "open-mi"];

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl Ids {
    pub(super) fn of(model: &str) -> Self {
        let name = super::base_name(model);
        if MISTRALS.iter().any(|family| name.starts_with(family)) { Self::Nine } else { Self::Short }
    }

    /// The same for a client of this format, which may speak to a server whose own ids are longer.
    pub(super) fn native(model: &str) -> Self {
        let name = super::base_name(model);
        let openai = super::wants_completion_tokens(model) || name.starts_with("gpt-4") || name.starts_with("gpt-3");
        match Self::of(model) {
            Self::Short if !openai => Self::Any,
            ids => ids,
        }
    }

    pub(super) fn fit(self, id: &str) -> String {
        match self {
            Self::Nine if !(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())) => {
                let digit = |place: u32| {
                    let digit = hash(id).checked_div(36_u64.pow(place)).unwrap_or(0) % 36;
                    usize::try_from(digit)
                        .ok()
                        .and_then(|digit| DIGITS.get(digit))
                        .map_or('0', |digit| char::from(*digit))
                };
                (0..9).map(digit).collect()
            }
            Self::Short if id.chars().count() > 40 => {
                let head: String = id.chars().take(23).collect();
                format!("{head}_{:016x}", hash(id))
            }
            _ => id.to_owned(),
        }
    }
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn ids_take_the_targets_form_and_stay_apart() {
        let long = "toolu_vrtx_01AbCdEfGhIjKlMnOpQrStUvWxYz0123456789";
        for (model, id, length) in [
            ("gpt-4o", "toolu_01", 8),
            ("gpt-4o", long, 40),
            ("mistral-large-latest", "toolu_01", 9),
            ("mistralai/devstral-2512", long, 9),
        ] {
            let ids = Ids::of(model);
            let fit = ids.fit(id);
            assert_eq!(fit.len(), length, "{model}");
            assert_eq!(fit, ids.fit(id));
            assert_ne!(fit, ids.fit(&format!("{id}{long}")));
            assert!(length != 9 || fit.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{fit}");
            // What fits stays.
            assert_eq!(ids.fit(&fit), fit);
        }
        for (model, stays) in [("gpt-4o", false), ("ministral-8b-latest", false), ("qwen3-coder", true)] {
            assert_eq!(Ids::native(model).fit(long) == long, stays, "{model}");
        }
    }
}
