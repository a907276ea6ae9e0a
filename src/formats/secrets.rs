//! Credentials in texts that providers write: some echo the key that they refuse.

use regex::Regex;
use std::sync::LazyLock;

/// `text` with everything that looks like a credential replaced by `***`.
pub(super) fn mask(text: &str) -> String {
    static KEYS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let patterns = [
            // Said to be one, whatever it looks like.
            r#"(?P<said>(?i:api[-_ ]?key|authorization|access[-_ ]token|secret)(?i: provided)?["']?\s*[:=]\s*["']?(?i:bearer\s+)?)[^\s"',;<>]*[^\s"',;<>.]"#,
            r#"(?P<bearer>(?-u:\b)(?i:bearer)\s+)[^\s"',;<>]*[^\s"',;<>.]"#,
            // The shapes of providers' keys, JWTs, GLM's `id.secret`; long words without any meaning.
            r"(?-u:\b)(?:sk|rk|pk|gsk|xai|pplx|csk|hf|r8)[-_][A-Za-z0-9_*-]{6,}(?:\.[A-Za-z0-9_*-]+)*",
            r"(?-u:\b)AIza[A-Za-z0-9_-]{20,}|(?-u:\b)A(?:KIA|SIA)[A-Z0-9]{12,}",
            r"(?-u:\b)eyJ[A-Za-z0-9_-]{7,}(?:\.[A-Za-z0-9_-]+){0,2}",
            r"(?-u:\b)[A-Za-z0-9]{16,}\.[A-Za-z0-9]{12,}(?-u:\b)|(?-u:\b)[0-9a-f]{32}\.[A-Za-z0-9]{8,}",
            r"(?-u:\b)[A-Za-z0-9]{36,}(?-u:\b)",
        ];
        // Word boundaries are those of ASCII: with Unicode's, one letter beyond ASCII makes the search many times slower.
        Regex::new(&patterns.join("|")).ok()
    });
    match KEYS.as_ref() {
        Some(keys) => keys.replace_all(text, "${said}${bearer}***").into_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked_and_other_words_are_not() {
        let plain = [
            "Incorrect API key provided. You can",
            "the task-oriented key-management store rejects risk-averse",
            "max_tokens: 5 is below 16",
            "claude-3-5-sonnet-20241022 was not found",
            "messages.3.content.0: key 'a' is not allowed",
            "prompt is too long: 209763 tokens > 200000 maximum",
            "request 0b6b7b39-8d0e-4b8e-9d1b-0123456789ab failed",
        ];
        for (text, want) in [
            ("Incorrect API key provided: sk-fake-key. You can", "Incorrect API key provided: ***. You can"),
            ("Invalid API key: hunter2, sorry", "Invalid API key: ***, sorry"),
            ("bad sk-proj-abcDEF_123-456 here", "bad *** here"),
            ("bad sk-proj-ab**********yz12.", "bad ***."),
            ("é sk-ant-api03-AbCdEf123456 é", "é *** é"),
            ("gsk_abcdefgh1234 xai-abcdefgh1234", "*** ***"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
            ("got 'Bearer tok123'", "got 'Bearer ***'"),
            (r#"{"api_key": "s3cret"}"#, r#"{"api_key": "***"}"#),
            ("eyJhbGciOi.eyJhcGlf.c2ln-_ is expired", "*** is expired"),
            ("0123456789abcdef0123456789abcdef.AbCdEfGh is bad", "*** is bad"),
            ("AIzaSyA0123456789abcdefghij!", "***!"),
            ("0123456789abcdef0123456789abcdef01234567", "***"),
        ]
        .into_iter()
        .chain(plain.map(|text| (text, text)))
        {
            let masked = mask(text);
            assert_eq!(masked, want);
            assert_eq!(mask(&masked), want, "masked twice is masked once");
        }
    }
}
