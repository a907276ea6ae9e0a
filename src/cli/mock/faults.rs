//! Misbehaviour on demand: from headers (`x-mock-status: 503`) or from the model's name (`gpt-4o+status=503`).

use super::squeeze::Coding;
use std::time::Duration;

/// What a request asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    /// Answer with this error status.
    pub status: Option<u16>,
    /// …and this `retry-after`.
    pub retry_after: Option<String>,
    /// Wait before the answer.
    pub delay_ms: u64,
    /// Wait before each piece of the body.
    pub drip_ms: u64,
    /// Close after this many bytes of the body.
    pub cut: Option<usize>,
    /// Close without an answer.
    pub hangup: bool,
    /// Bytes that are not the format.
    pub garbage: bool,
    /// Report no usage.
    pub no_usage: bool,
    /// Report usage in an error too: what failed had used tokens.
    pub usage: bool,
    /// Close a stream right before its last event.
    pub cut_end: bool,
    /// Say more than the request's limit allows.
    pub no_limit: bool,
    /// End a stream cleanly without its terminal events.
    pub end_early: bool,
    /// An error event inside a stream.
    pub error_in_stream: bool,
    /// Say this.
    pub text: Option<String>,
    /// Say this many words.
    pub words: Option<usize>,
    /// This many prompt tokens came from the cache.
    pub cached: Option<u64>,
    /// This many prompt tokens were written to the cache.
    pub written: Option<u64>,
    /// The answer is withheld for safety.
    pub safety: bool,
    /// The prompt is refused for safety.
    pub prompt_block: bool,
    /// Compress the body, asked for or not.
    pub coding: Option<Coding>,
    /// Only the first requests that ask for the same.
    pub times: Option<u64>,
}

/// The longest wait that can be asked for: no connection stays for ever.
const LONGEST_MS: u64 = 600_000;
const MOST_WORDS: usize = 200_000;

impl Faults {
    /// Sets one by its name. `value` is empty for those that need none.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
            value.trim().parse().map_err(|_| format!("the mock's `{name}` needs a whole number, not `{value}`"))
        }
        let on = !matches!(value.trim(), "0" | "false");
        match name {
            "status" => {
                let status: u16 = number(name, value)?;
                if !(200..600).contains(&status) {
                    return Err(format!("the mock's `status` is a number from 200 to 599, not {status}"));
                }
                self.status = Some(status);
            }
            "retry-after" => self.retry_after = Some(value.trim().to_owned()),
            "delay" | "delay-ms" => self.delay_ms = number::<u64>(name, value)?.min(LONGEST_MS),
            "drip" | "drip-ms" => self.drip_ms = number::<u64>(name, value)?.min(LONGEST_MS),
            "cut" => self.cut = Some(number(name, value)?),
            "hangup" => self.hangup = on,
            "garbage" => self.garbage = on,
            "no-usage" => self.no_usage = on,
            "usage" => self.usage = on,
            "cut-end" => self.cut_end = on,
            "no-limit" => self.no_limit = on,
            "end-early" => self.end_early = on,
            "error-in-stream" => self.error_in_stream = on,
            "text" => self.text = Some(value.to_owned()),
            "tokens" => self.words = Some(number::<usize>(name, value)?.min(MOST_WORDS)),
            "cached" => self.cached = Some(number(name, value)?),
            "cache-write" => self.written = Some(number(name, value)?),
            "safety" => self.safety = on,
            "prompt-block" => self.prompt_block = on,
            "gzip" | "deflate" | "br" | "zstd" => self.coding = Coding::named(name).filter(|_| on),
            "times" => self.times = Some(number(name, value)?),
            _ => return Err(format!("the mock knows no `{name}`; `conduit mock --help` lists what it knows")),
        }
        Ok(())
    }

    /// Takes over what the suffix of a model's name asks for; returns the name without it.
    pub fn take_from_model<'m>(&mut self, model: &'m str) -> Result<&'m str, String> {
        let mut parts = model.split('+');
        let base = parts.next().unwrap_or_default();
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            self.set(name, value)?;
        }
        Ok(base)
    }

    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_name_carries_faults() {
        let mut faults = Faults::default();
        assert_eq!(faults.take_from_model("gpt-4o+status=503+delay=20+garbage+times=2"), Ok("gpt-4o"));
        let want = Faults { status: Some(503), delay_ms: 20, garbage: true, times: Some(2), ..Faults::default() };
        assert_eq!(faults, want);
    }

    #[test]
    fn a_plain_name_carries_none() {
        let mut faults = Faults::default();
        assert_eq!(faults.take_from_model("llama-3.3:70b/x"), Ok("llama-3.3:70b/x"));
        assert_eq!(faults, Faults::default());
    }

    #[test]
    fn what_is_not_known_is_said() {
        for (model, want) in [
            ("m+sttus=503", "no `sttus`"),
            ("m+status=abc", "not `abc`"),
            ("m+status=99", "not 99"),
            ("m+cut", "`cut` needs"),
        ] {
            let why = Faults::default().take_from_model(model).unwrap_err();
            assert!(why.contains(want), "{model}: {why}");
        }
    }
}
