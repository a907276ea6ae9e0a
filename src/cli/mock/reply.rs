//! What the mock says, in no format: decided from what was asked, written by the vendors' modules.

use super::faults::Faults;
use super::sample::sample;
use crate::tokens::{self, Tokenizer};
use serde_json::{Value, json};

/// What a request asks, as far as the mock listens.
#[derive(Debug, Default)]
pub(super) struct Ask {
    /// The last message.
    pub last: Last,
    /// The tools offered.
    pub tools: Vec<Tool>,
    /// Whether one must be called.
    pub choice: Choice,
    /// Whether several may be called at once.
    pub parallel: bool,
    /// JSON is asked for; of this schema, where it is not null.
    pub json: Option<Value>,
    /// Reasoning is asked for.
    pub reasoning: bool,
    /// The most tokens to answer with.
    pub limit: Option<u64>,
    /// Where to stop.
    pub stops: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) enum Last {
    /// The user said this.
    User(String),
    /// A tool returned this.
    ToolResult(String),
    #[default]
    Other,
}

#[derive(Debug)]
pub(super) struct Tool {
    pub name: String,
    pub schema: Value,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Choice {
    #[default]
    Auto,
    None,
    Any,
    Named(String),
}

/// What the mock says.
#[derive(Debug, PartialEq)]
pub(super) struct Reply {
    pub thinking: Option<String>,
    pub text: String,
    /// Name and arguments of each call.
    pub calls: Vec<(String, Value)>,
    pub stop: Stop,
    pub usage: Used,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    End,
    Length,
    Tools,
    Sequence(String),
    /// Withheld for safety.
    Blocked,
}

/// Tokens, as both vendors' reports need them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// All prompt tokens.
    pub prompt: u64,
    /// Of them, from the cache.
    pub cached: u64,
    /// Of them, written to the cache.
    pub written: u64,
    /// Of those, kept there for an hour.
    pub written_1h: u64,
    /// All completion tokens.
    pub completion: u64,
    /// Of them, reasoning.
    pub reasoning: u64,
}

const ECHO_MOST: usize = 4_000;

/// The tokens of `text`, at least one.
pub(super) fn count(tokenizer: Tokenizer, text: &str) -> u64 {
    tokens::count_text(tokenizer, text).tokens.0.max(1)
}

/// Decides what to say.
pub(super) fn reply(ask: &Ask, faults: &Faults, tokenizer: Tokenizer, prompt: u64) -> Reply {
    if faults.safety || faults.prompt_block {
        let usage = Used { prompt, completion: u64::from(!faults.prompt_block), ..Used::default() };
        return Reply { thinking: None, text: String::new(), calls: Vec::new(), stop: Stop::Blocked, usage };
    }
    let calls = calls(ask, faults);
    let mut text = if calls.is_empty() { say(ask, faults) } else { String::new() };
    let mut stop = if calls.is_empty() { Stop::End } else { Stop::Tools };
    let found = ask.stops.iter().filter(|s| !s.is_empty()).filter_map(|s| text.find(s.as_str()).map(|at| (at, s)));
    if let Some((at, sequence)) = found.min() {
        text.truncate(at);
        stop = Stop::Sequence(sequence.clone());
    }
    let thinking = ask.reasoning.then(|| "The user wants an answer. A short one will do.".to_owned());
    let reasoning = thinking.as_deref().map_or(0, |thinking| count(tokenizer, thinking));
    let mut spoken = if text.is_empty() { 0 } else { count(tokenizer, &text) };
    if let Some(limit) = ask.limit.filter(|_| !faults.no_limit)
        && spoken > limit.saturating_sub(reasoning)
    {
        let room = limit.saturating_sub(reasoning);
        let mut pieces = pieces(&text);
        pieces.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        loop {
            let kept = pieces.concat();
            spoken = if kept.is_empty() { 0 } else { count(tokenizer, &kept) };
            text = kept;
            if spoken <= room || pieces.pop().is_none() {
                break;
            }
        }
        stop = Stop::Length;
    }
    for (name, arguments) in &calls {
        spoken = spoken.saturating_add(count(tokenizer, name)).saturating_add(count(tokenizer, &arguments.to_string()));
    }
    let cached = faults.cached.unwrap_or(0).min(prompt);
    let usage = Used {
        prompt,
        cached,
        written: faults.written.unwrap_or(0).min(prompt.saturating_sub(cached)),
        written_1h: 0,
        completion: spoken.saturating_add(reasoning).max(1),
        reasoning,
    };
    Reply { thinking, text, calls, stop, usage }
}

fn say(ask: &Ask, faults: &Faults) -> String {
    if let Some(text) = &faults.text {
        return text.clone();
    }
    if let Some(words) = faults.words {
        return (0..words).map(|n| if n == 0 { "word" } else { " word" }).collect();
    }
    let said = match &ask.last {
        Last::User(text) => format!("You said: {}", cut(text)),
        Last::ToolResult(text) => format!("The tool says: {}", cut(text)),
        Last::Other => "Hello from the mock.".to_owned(),
    };
    match &ask.json {
        None => said,
        Some(Value::Null) => json!({"answer": said}).to_string(),
        Some(schema) => sample(schema).to_string(),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(ECHO_MOST).collect()
}

fn calls(ask: &Ask, faults: &Faults) -> Vec<(String, Value)> {
    let text = match &ask.last {
        Last::User(text) => text.to_lowercase(),
        _ => String::new(),
    };
    let named = |wanted: &str| ask.tools.iter().find(|tool| tool.name == wanted);
    let said = || ask.tools.iter().find(|tool| text.contains(&tool.name.to_lowercase()));
    let first = || ask.tools.first();
    let chosen = match &ask.choice {
        Choice::None => None,
        Choice::Named(name) => named(name),
        Choice::Any => said().or_else(first),
        // An answer that was asked for by its words is not replaced by a tool call.
        Choice::Auto if faults.text.is_some() || faults.words.is_some() => None,
        Choice::Auto => said()
            .or_else(|| first().filter(|_| ["weather", "tool", "parallel"].iter().any(|word| text.contains(word)))),
    };
    let Some(chosen) = chosen else { return Vec::new() };
    let mut calls = vec![(chosen.name.clone(), sample(&chosen.schema))];
    if ask.parallel && text.contains("parallel") {
        let other = ask.tools.iter().find(|tool| tool.name != chosen.name).unwrap_or(chosen);
        calls.push((other.name.clone(), sample(&other.schema)));
    }
    calls
}

/// `text` in pieces as a stream would bring them: a word with the space before it, at most a few letters of it.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut letters = 0_usize;
    let mut in_word = false;
    for c in text.chars() {
        let starts = c.is_whitespace() && in_word;
        in_word = !c.is_whitespace();
        match pieces.last_mut().filter(|_| !starts && letters < 12) {
            Some(last) => {
                last.push(c);
                letters = letters.saturating_add(1);
            }
            None => {
                pieces.push(c.to_string());
                letters = 1;
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Ask {
        let tool = |name: &str| Tool { name: name.into(), schema: json!({"properties": {"city": {}}}) };
        Ask {
            last: Last::User(text.into()),
            tools: vec![tool("get_time"), tool("get_weather")],
            parallel: true,
            ..Ask::default()
        }
    }

    fn called(ask: &Ask) -> Vec<String> {
        reply(ask, &Faults::default(), Tokenizer::O200k, 1).calls.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn tools_are_called_when_named_or_forced() {
        assert_eq!(called(&asked("hi")), Vec::<String>::new());
        assert_eq!(called(&asked("use GET_WEATHER please")), ["get_weather"]);
        assert_eq!(called(&asked("the weather?")), ["get_time"]);
        assert_eq!(called(&asked("in parallel")), ["get_time", "get_weather"]);
        assert_eq!(called(&Ask { choice: Choice::Any, ..asked("hi") }), ["get_time"]);
        assert_eq!(called(&Ask { choice: Choice::Named("get_weather".into()), ..asked("hi") }), ["get_weather"]);
        assert_eq!(called(&Ask { choice: Choice::None, ..asked("weather") }), Vec::<String>::new());
        assert_eq!(called(&Ask { parallel: false, ..asked("parallel") }), ["get_time"]);
    }

    #[test]
    fn limits_and_stop_sequences_cut_the_text() {
        let ask = Ask { limit: Some(3), ..asked("one two three four five six") };
        let said = reply(&ask, &Faults::default(), Tokenizer::O200k, 1);
        assert_eq!(said.stop, Stop::Length);
        assert!("You said: one".starts_with(&said.text) && said.usage.completion <= 3, "{said:?}");

        let ask = Ask { stops: vec!["four".into(), "three".into()], ..asked("one two three four") };
        let said = reply(&ask, &Faults::default(), Tokenizer::O200k, 1);
        assert_eq!((said.text.as_str(), said.stop), ("You said: one two ", Stop::Sequence("three".into())));
    }

    #[test]
    fn pieces_are_the_text() {
        for text in ["", "a", "You said: hello there", " a  b\n\nc", "一二三四五六七八九十一二三四五六七八九十"]
        {
            assert_eq!(pieces(text).concat(), text);
        }
        assert_eq!(pieces("You said: hi"), ["You", " said:", " hi"]);
    }
}
