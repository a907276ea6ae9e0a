//! An access-log record as reports read it: borrowed from its line, every field optional, unknown ones passed over.
//! What it looks like when written is [`crate::report::Record`].

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Text that stays in its line where it can: an `Option<Cow<str>>` would always be copied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Reader)
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

/// A record. Its fields mean, and are written, what and as [`crate::report::Record`] says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Entry<'a> {
    #[serde(borrow)]
    pub time: Option<Text<'a>>,
    #[serde(borrow)]
    pub request_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub consumer: Option<Text<'a>>,
    #[serde(borrow)]
    pub project: Option<Text<'a>>,
    #[serde(borrow)]
    pub agent: Option<Text<'a>>,
    #[serde(borrow)]
    pub agent_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub session: Option<Text<'a>>,
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<Text<'a>, Text<'a>>>,
    #[serde(borrow)]
    pub endpoint: Option<Text<'a>>,
    #[serde(borrow)]
    pub model: Option<Text<'a>>,
    #[serde(borrow)]
    pub target: Option<Text<'a>>,
    #[serde(borrow)]
    pub provider: Option<Text<'a>>,
    #[serde(borrow)]
    pub reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub rule: Option<Text<'a>>,
    #[serde(borrow)]
    pub attempts: Option<Vec<Tried<'a>>>,
    pub stream: Option<bool>,
    pub status: Option<u16>,
    #[serde(borrow)]
    pub outcome: Option<Text<'a>>,
    #[serde(borrow)]
    pub exceeded: Option<Text<'a>>,
    #[serde(borrow)]
    pub usage: Option<Used<'a>>,
    pub cost_picodollars: Option<u128>,
    #[serde(borrow)]
    pub cost_usd: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_picodollars: Option<u128>,
    pub priced: Option<bool>,
    pub ttft_ms: Option<u64>,
    pub duration_ms: Option<u64>,
}

/// One attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Tried<'a> {
    #[serde(borrow)]
    pub target: Option<Text<'a>>,
    pub status: Option<u16>,
    pub ms: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub billed: Option<Billed<'a>>,
}

/// What an attempt that was not the last one used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Billed<'a> {
    #[serde(borrow)]
    pub usage: Option<Used<'a>>,
    pub cost_picodollars: Option<u128>,
}

/// Tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Used<'a> {
    pub prompt_tokens: Option<u64>,
    pub cached_tokens: Option<u64>,
    pub cache_write_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_1h_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_prompt_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    pub reasoning_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_completion_tokens: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<Text<'a>>,
    #[serde(borrow)]
    pub known: Option<Text<'a>>,
    pub counted_prompt_tokens: Option<u64>,
    #[serde(borrow)]
    pub counted: Option<Text<'a>>,
}

/// The text of an optional field.
pub(crate) fn text<'t>(field: &'t Option<Text<'_>>) -> Option<&'t str> {
    field.as_ref().map(|text| text.0.as_ref())
}

impl<'a> Entry<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// Why it is no record.
    pub fn read(line: &'a [u8]) -> Result<Self, String> {
        let entry: Self = serde_json::from_slice(line).map_err(|e| format!("no record: {e}"))?;
        if entry.time.is_none() && entry.outcome.is_none() {
            return Err("no record: it has neither `time` nor `outcome`".to_owned());
        }
        Ok(entry)
    }

    /// The attempts that were billed besides the last one.
    pub fn billed(&self) -> impl Iterator<Item = (Option<&str>, &Billed<'a>)> {
        let attempts = self.attempts.iter().flatten();
        attempts.filter_map(|attempt| Some((text(&attempt.target), attempt.billed.as_ref()?)))
    }

    /// What the last attempt cost: the record's cost without that of the others.
    pub fn last_cost(&self) -> Option<u128> {
        let others = self.billed().filter_map(|(_, billed)| billed.cost_picodollars).fold(0, u128::saturating_add);
        self.cost_picodollars.map(|all| all.saturating_sub(others))
    }

    /// Whether it used tokens of which nobody knows the price.
    pub fn unpriced(&self) -> bool {
        let used = |usage: &Option<Used<'_>>| usage.as_ref().is_some_and(|usage| usage.known.is_some());
        used(&self.usage) && self.cost_picodollars.is_none()
            || self.billed().any(|(_, billed)| billed.cost_picodollars.is_none())
    }
}

/// The provider of a target, `provider/model`.
pub(crate) fn provider_of(target: &str) -> &str {
    target.split_once('/').map_or(target, |(provider, _)| provider)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;
    use crate::report::record::{AttemptRecord, Billed as BilledRecord, Labels, Record, UsageRecord};
    use crate::testing::test;
    use crate::usage::Tokens;

    fn record() -> Record {
        let usage = UsageRecord {
            prompt_tokens: Some(Tokens(12)),
            cached_tokens: Some(Tokens(0)),
            cache_write_1h_tokens: Some(Tokens(3)),
            service_tier: Some("flex".into()),
            known: Some("reported"),
            ..UsageRecord::default()
        };
        Record {
            time: "2026-11-21T01:24:58.123Z".into(),
            request_id: Some("r".into()),
            consumer: None,
            project: Some("a \"b\" \u{1F600}\n".into()),
            agent: None,
            agent_type: None,
            session: None,
            key: None,
            headers: [("x-team".to_owned(), "red".to_owned())].into(),
            endpoint: "chat",
            model: Some("smart".into()),
            target: Some("openai/gpt-4o".into()),
            provider: Some("openai".into()),
            reason: Some("alias"),
            rule: Some("smart".into()),
            attempts: vec![AttemptRecord {
                target: "house/x".into(),
                status: Some(503),
                ms: 4,
                billed: Some(BilledRecord {
                    usage: usage.clone(),
                    cost_picodollars: Some(1),
                    labels: Default::default(),
                }),
            }],
            stream: true,
            status: Some(200),
            outcome: Outcome::Ok,
            exceeded: None,
            usage,
            cost_picodollars: Some(u128::MAX),
            cost_usd: Some("1".into()),
            held_picodollars: Some(2),
            priced: true,
            ttft_ms: Some(0),
            duration_ms: 9,
            labels: Labels::default(),
        }
    }

    #[test]
    fn what_is_written_comes_back_to_the_byte() {
        for empty in [false, true] {
            let mut record = record();
            if empty {
                record.headers.clear();
                record.attempts.clear();
                record.usage = UsageRecord::default();
                record.cost_picodollars = None;
                record.target = None;
                record.ttft_ms = None;
            }
            let line = record.line();
            let entry = Entry::read(line.as_bytes()).unwrap();
            assert_eq!(serde_json::to_string(&entry).unwrap(), line);
        }
    }

    #[test]
    fn older_and_newer_records_are_read_and_others_are_not() {
        for (line, fine) in [
            (r#"{"time":"2026-11-21T01:24:58.123Z"}"#, true),
            (r#"{"outcome":"ok","colour":{"deep":[1,2]},"usage":{"more":1}}"#, true),
            (r#"{}"#, false),
            (r#"[]"#, false),
            (r#"{"error":"x"}"#, false),
            (r#"{"time":"x","status":-1}"#, false),
            (r#"{"time":"x","cost_picodollars":1.5}"#, false),
            (r#"{"time":"x""#, false),
            ("\u{7}", false),
        ] {
            assert_eq!(Entry::read(line.as_bytes()).is_ok(), fine, "{line}");
        }
        assert!(Entry::read(b"{\"time\":\"\xff\"}").is_err());
    }

    #[test]
    fn the_last_attempt_costs_what_the_others_did_not() {
        let line = r#"{"time":"x","cost_picodollars":10,"usage":{"known":"reported"},
            "attempts":[{"target":"a/b","billed":{"cost_picodollars":3}},{"target":"c/d"}]}"#;
        let entry = Entry::read(line.as_bytes()).unwrap();
        assert_eq!((entry.last_cost(), entry.unpriced()), (Some(7), false));
        let unknown = line.replace(r#""cost_picodollars":10,"#, "");
        let entry = Entry::read(unknown.as_bytes()).unwrap();
        assert_eq!((entry.last_cost(), entry.unpriced()), (None, true));
    }
}
