//! Credentials in texts that providers write: some echo the key that they refuse.

use crate::host::Secret;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// Shorter values are words that texts hold by chance.
const SHORTEST: usize = 8;

/// `text` with everything that looks like a credential replaced by `***`.
pub(super) fn mask(text: &str) -> String {
    static KEYS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let patterns = [
            // Said to be one, whatever it looks like.
            r#"(?P<said>(?i:api[-_ ]?key|authorization|(?:access|security)[-_ ]token|secret)(?i: provided)?["']?\s*[:=]\s*["']?(?i:bearer\s+)?)[^\s"',;<>]*[^\s"',;<>.]"#,
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

/// The credentials that a request carried or was made with: what its answer must not repeat to a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials(Vec<Secret>);

impl Credentials {
    /// Of a request to a provider.
    pub fn new(all: Vec<Secret>) -> Self {
        Self(all.into_iter().filter(|key| key.reveal().len() >= SHORTEST).collect())
    }

    /// Whether `text` holds one.
    pub fn are_in(&self, text: &str) -> bool {
        self.0.iter().any(|key| text.contains(key.reveal()))
    }

    /// `text` without them; `None` where it holds none.
    pub fn struck(&self, text: &str) -> Option<String> {
        if !self.are_in(text) {
            return None;
        }
        let struck = |text: String, key: &Secret| text.replace(key.reveal(), "***");
        Some(self.0.iter().fold(text.to_owned(), struck))
    }

    /// JSON without them where its strings hold any, as they are once their escapes are read; `None`: they hold none.
    pub fn struck_json(&self, json: &str) -> Option<String> {
        let mut value = serde_json::from_str::<Value>(json).ok()?;
        let mut struck = |text: &mut String| self.struck(text).map(|struck| *text = struck).is_some();
        each_string(&mut value, &mut struck).then(|| value.to_string())
    }

    /// As [`Credentials::struck`], for bytes.
    pub fn struck_bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.struck(&String::from_utf8_lossy(bytes)).map(String::into_bytes)
    }
}

/// A provider's error without them, and without what looks like one; `None` where it holds neither.
pub(crate) fn mask_error(body: &[u8], credentials: &Credentials) -> Option<Vec<u8>> {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut json) => mask_strings(&mut json, credentials).then(|| json.to_string().into_bytes()),
        Err(_) => credentials.struck_bytes(body),
    }
}

/// Masks every string of a JSON value; says whether one changed.
fn mask_strings(value: &mut Value, credentials: &Credentials) -> bool {
    each_string(value, &mut |text| {
        let known = credentials.struck(text);
        let masked = mask(known.as_deref().unwrap_or(text));
        let changed = masked != *text;
        *text = masked;
        changed
    })
}

/// Changes every string of a JSON value; says whether one changed. The parser bounds the depth.
fn each_string(value: &mut Value, change: &mut dyn FnMut(&mut String) -> bool) -> bool {
    match value {
        Value::String(text) => change(text),
        Value::Array(all) => all.iter_mut().fold(false, |changed, value| each_string(value, change) | changed),
        Value::Object(all) => all.values_mut().fold(false, |changed, value| each_string(value, change) | changed),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_loses_the_key_that_was_sent_whatever_its_shape() {
        let keys = ["house/+key=1", "signed.of.it"].map(|key| Secret::new(key.into())).to_vec();
        let keys = Credentials::new(keys);
        for (body, want) in [
            (
                r#"{"error":{"message":"no house/+key=1, sorry"},"n":1.50}"#,
                Some(r#"{"error":{"message":"no ***, sorry"},"n":1.5}"#),
            ),
            (r#"{"error":{"message":"no \u0068ouse/+key=1"}}"#, Some(r#"{"error":{"message":"no ***"}}"#)),
            (r#"{"error":{"param":"sk-proj-abcdef123456"}}"#, Some(r#"{"error":{"param":"***"}}"#)),
            ("<p>house/+key=1</p>", Some("<p>***</p>")),
            ("signed.of.it of house/+key=1", Some("*** of ***")),
            (r#"{"error": {"message":"house/+key=2","code":"invalid_api_key"}}"#, None),
            ("plain", None),
        ] {
            let masked = mask_error(body.as_bytes(), &keys);
            assert_eq!(masked.map(|bytes| String::from_utf8(bytes).unwrap()).as_deref(), want, "{body}");
        }
        let mock = Credentials::new(vec![Secret::new("mock".into())]);
        assert_eq!(mask_error(br#"{"error":{"message":"the mock failed"}}"#, &mock), None);
    }

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
            // What AWS quotes of a request whose signature is wrong.
            ("x-amz-security-token:IQoJb3/+x==\n", "x-amz-security-token:***\n"),
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
