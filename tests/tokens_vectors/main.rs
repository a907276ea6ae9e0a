//! Token counts against independent truths: another implementation of the same vocabularies, published and derived
//! token counts, and prompt tokens that providers reported (in the folder that `CONDUIT_VECTORS` names).
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs
)]

mod reported;

use conduit::formats::Format;
use conduit::tokens::{Tokenizer, count_request, count_text, tokenizer_for};
use conduit::usage::Known;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// One line of a file of vectors each; `None` where there are none.
fn vectors(path: &str) -> Option<Vec<Value>> {
    let Some(folder) = std::env::var_os("CONDUIT_VECTORS") else {
        eprintln!("skipped: CONDUIT_VECTORS is not set");
        return None;
    };
    let text = std::fs::read_to_string(std::path::Path::new(&folder).join(path)).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn tokens(tokenizer: Tokenizer, text: &str) -> usize {
    usize::try_from(count_text(tokenizer, text).tokens.0).unwrap()
}

fn assert_same(text: &str) {
    let theirs = tiktoken_rs::o200k_base_singleton().encode_ordinary(text).len();
    assert_eq!(tokens(Tokenizer::O200k, text), theirs, "o200k of {text:?}");
    let theirs = tiktoken_rs::cl100k_base_singleton().encode_ordinary(text).len();
    assert_eq!(tokens(Tokenizer::Cl100k, text), theirs, "cl100k of {text:?}");
}

#[test]
fn hard_strings_count_as_in_tiktoken_rs() {
    let samples = [
        "",
        " ",
        "\n",
        "\r\n\r\n",
        "\t \u{a0}\u{3000}",
        "'s 'T 'LL don'T",
        "{\n//",
        ";\n\n//",
        "a\u{301}e\u{301}",
        "\u{feff}x",
        "<|endoftext|><|im_start|>user<|im_sep|>",
        "0123456789 1234567 ½ ⅷ ٣٤٥",
        "日本語のテキスト、漢字かな交じり文。",
        "ไทยไม่มีช่องว่าง",
        "العربية من اليمين",
        "עברית",
        "हिन्दी में लिखा हुआ",
        "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪",
        "Zalgo t̷̢̛͚e̸x̶t̷",
        "ǅ Ǆ ǆ ſ K",
        "fn main() {\n    let x = vec![1, 2];\n}\n",
        "\u{1}\u{7f}\u{85}\u{200b}\u{2028}",
        "𝕬𝖇𝖈 𐐷 𠜎",
        "HELLOWorld helloWORLD camelCaseXMLHttp",
    ];
    for text in samples {
        assert_same(text);
        assert_same(&format!("x{text} {text}\n{text}"));
    }
    for unit in ["a", " ", "\n", "^", "0", "'s", "ab ", "\u{301}", "漢", "= ", "\t\n"] {
        assert_same(&unit.repeat(500));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_strings_count_as_in_tiktoken_rs(
        any in "\\PC{0,60}",
        spaced in "[ \\t\\r\\n'a-zA-Z0-9/{};,.\u{e9}\u{df}\u{4e2d}\u{3042}\u{301}\u{a0}]{0,80}",
        chars in prop::collection::vec(any::<char>(), 0..30),
    ) {
        assert_same(&any);
        assert_same(&spaced);
        assert_same(&chars.into_iter().collect::<String>());
    }
}

#[test]
fn repetitive_inputs_are_linear() {
    for unit in ["a", " ", "\n", "^", "0", "'s", "漢", "\u{301}", "aA", "x/"] {
        for tokenizer in [Tokenizer::O200k, Tokenizer::Cl100k, Tokenizer::Llama3, Tokenizer::Glm] {
            conduit::tokens::warm(tokenizer);
            let text = unit.repeat(1_000_000 / unit.len());
            let start = Instant::now();
            assert!(tokens(tokenizer, &text) > 1_000);
            let took = start.elapsed();
            assert!(took < Duration::from_secs(10), "a megabyte of {unit:?} took {took:?} with {tokenizer:?}");
        }
    }
}

#[test]
fn published_and_derived_counts() {
    let Some(derived) = vectors("tokens/tokenizer_derived.jsonl") else { return };
    let mut compared = 0;
    for case in derived.iter().chain(&vectors("hostile/blns.jsonl").unwrap()) {
        let Some(text) = case["text"].as_str().or(case.as_str()) else { continue };
        assert_same(text);
        for (field, tokenizer) in [("o200k_base", Tokenizer::O200k), ("cl100k_base", Tokenizer::Cl100k)] {
            if let Some(ids) = case[field].as_array() {
                assert_eq!(tokens(tokenizer, text), ids.len(), "{field} of {text:?}");
                compared += 1;
            }
        }
    }
    for case in vectors("tokens/tokenizer_published.jsonl").unwrap() {
        let tokenizer = match case["encoding"].as_str() {
            Some("o200k_base") => Tokenizer::O200k,
            Some("cl100k_base") => Tokenizer::Cl100k,
            _ => continue,
        };
        if case["mode"] == "ordinary" {
            let text = case["text"].as_str().unwrap();
            assert_eq!(Some(tokens(tokenizer, text) as u64), case["n"].as_u64(), "{text:?}");
            compared += 1;
        }
    }
    for case in vectors("tokens/tokenizer_repetitive.jsonl").unwrap() {
        let part = |name: &str| case[name].as_str().unwrap().to_owned();
        let count = usize::try_from(case["count"].as_u64().unwrap()).unwrap();
        let text = part("prefix") + &part("unit").repeat(count) + &part("suffix");
        for (field, tokenizer) in [("o200k_base", Tokenizer::O200k), ("cl100k_base", Tokenizer::Cl100k)] {
            if let Some(want) = case[field].as_u64() {
                assert_eq!(tokens(tokenizer, &text) as u64, want, "{field} of {:?} x {count}", part("unit"));
                compared += 1;
            }
        }
    }
    assert!(compared > 1_000, "only {compared} counts");
}

/// How counts compare with what providers reported.
#[derive(Default)]
struct Tally {
    exact_right: usize,
    exact_wrong: Vec<String>,
    /// Relative errors of estimates, in percent.
    errors: Vec<f64>,
    estimates: Vec<String>,
}

impl Tally {
    fn add(&mut self, kind: &str, model: &str, format: Format, body: &Value, truth: u64, name: &str) {
        let request = format.read_request(body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let count = count_request(tokenizer_for(kind, model), model, &request);
        let line = format!("{name} {model}: counted {} {:?}, reported {truth}", count.tokens.0, count.known);
        if count.known == Known::Exact {
            if count.tokens.0 == truth { self.exact_right += 1 } else { self.exact_wrong.push(line) }
        } else {
            self.errors.push((count.tokens.0 as f64 - truth as f64).abs() / truth as f64 * 100.0);
            self.estimates.push(line);
        }
    }

    /// Percent of the counts called exact that are right.
    fn right(&self) -> f64 {
        let all = self.exact_right + self.exact_wrong.len();
        if all == 0 { 100.0 } else { self.exact_right as f64 / all as f64 * 100.0 }
    }

    fn mean_error(&self) -> f64 {
        self.errors.iter().sum::<f64>() / self.errors.len().max(1) as f64
    }

    fn median_error(&self) -> f64 {
        let mut errors = self.errors.clone();
        errors.sort_by(f64::total_cmp);
        errors.get(errors.len() / 2).copied().unwrap_or(0.0)
    }

    fn report(&self, name: &str) {
        eprintln!(
            "{name}: {} of {} called exact are right; {} estimates, error {:.1} % mean, {:.1} % median",
            self.exact_right,
            self.exact_right + self.exact_wrong.len(),
            self.errors.len(),
            self.mean_error(),
            self.median_error()
        );
        for line in self.exact_wrong.iter().chain(&self.estimates) {
            eprintln!("  {line}");
        }
    }
}

fn openai(path: &str, tally: &mut Tally) -> Option<()> {
    for case in vectors(path)? {
        if case["request"].get("messages").is_none() {
            continue;
        }
        let mut body = case["request"].clone();
        body["model"] = case["model"].clone();
        let model = case["response_model"].as_str().or(case["request"]["model"].as_str()).unwrap().to_owned();
        body["model"] = model.as_str().into();
        let truth = case["truth"]["prompt_tokens"].as_u64().unwrap();
        tally.add("openai", &model, Format::OpenAiChat, &body, truth, case["id"].as_str().unwrap_or_default());
    }
    Some(())
}

#[test]
fn openai_text_requests() {
    let mut tally = Tally::default();
    if openai("tokens/openai_chat_text.jsonl", &mut tally).is_none() {
        return;
    }
    openai("tokens/cookbook_api_counts.jsonl", &mut tally);
    tally.report("OpenAI text");
    assert!(tally.right() >= 98.0, "{:?}", tally.exact_wrong);
    assert!(tally.exact_right >= 90, "{}", tally.exact_right);
}

#[test]
fn openai_requests_with_tools_formats_and_media() {
    let mut tally = Tally::default();
    for path in ["tools", "response_format", "media"] {
        if openai(&format!("tokens/openai_chat_{path}.jsonl"), &mut tally).is_none() {
            return;
        }
    }
    tally.report("OpenAI tools, formats, media");
    assert!(tally.right() >= 95.0, "{:?}", tally.exact_wrong);
    assert!(tally.median_error() < 5.0, "{:?}", tally.estimates);
}

/// Requests of the recordings by their id.
fn recordings(paths: &[&str]) -> HashMap<String, Value> {
    let all = paths.iter().flat_map(|path| vectors(&format!("recordings/{path}.jsonl")).unwrap());
    all.filter_map(|case| Some((case["id"].as_str()?.to_owned(), case))).collect()
}

/// The body of a recorded request, whichever way it was kept.
fn body_of(recording: &Value) -> Option<Value> {
    let request = &recording["request"];
    let body = ["body", "body_json", "json"].iter().find_map(|key| request.get(key)).unwrap_or(request);
    match body {
        Value::String(text) => serde_json::from_str(text).ok(),
        body => Some(body.clone()),
    }
}

#[test]
fn claude_requests() {
    let Some(cases) = vectors("tokens/anthropic_messages.jsonl") else { return };
    let recordings = recordings(&["anthropic_messages", "anthropic_misc"]);
    let (mut text, mut tools) = (Tally::default(), Tally::default());
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let Some(body) = recordings.get(id).and_then(body_of) else { continue };
        let all = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
        let truth = all.iter().filter_map(|kind| case["truth_usage"][kind].as_u64()).sum();
        // A provider's own tools bring prompts of thousands of tokens that no request shows.
        let declared = body["tools"].as_array().map_or(&[][..], Vec::as_slice);
        if declared.iter().any(|tool| tool.get("input_schema").is_none()) || body.get("messages").is_none() {
            continue;
        }
        let tally = if declared.is_empty() && body.get("output_config").is_none() { &mut text } else { &mut tools };
        tally.add("anthropic", case["model"].as_str().unwrap(), Format::AnthropicMessages, &body, truth, id);
    }
    text.report("Claude text");
    tools.report("Claude tools and formats");
    assert!(text.errors.len() + tools.errors.len() >= 60);
    assert!(text.exact_right == 0 && text.median_error() < 15.0 && tools.median_error() < 15.0);
}

#[test]
fn groq_xai_and_glm_requests() {
    let Some(cases) = vectors("tokens/groq_xai_glm.jsonl") else { return };
    let recordings = recordings(&["groq_chat", "xai_chat", "glm_chat"]);
    let mut tally = Tally::default();
    for case in &cases {
        let (id, model) = (case["id"].as_str().unwrap(), case["model"].as_str().unwrap());
        let Some(body) = recordings.get(id).and_then(body_of) else { continue };
        let Some(truth) = case["truth_usage"]["prompt_tokens"].as_u64() else { continue };
        // Groq's agents add what they searched for.
        if !model.starts_with("groq/") && body.get("messages").is_some() {
            tally.add(case["provider"].as_str().unwrap(), model, Format::OpenAiChat, &body, truth, id);
        }
    }
    tally.report("Groq, xAI, GLM");
    assert!(tally.exact_wrong.is_empty() && tally.exact_right >= 4, "{:?}", tally.exact_wrong);
    assert!(tally.median_error() < 20.0);
}

#[test]
fn dump() {
    let Some(all) = reported::all() else { return };
    for r in all {
        let tools = r.request.tools.len();
        let media = r
            .request
            .messages
            .iter()
            .flat_map(|m| &m.parts)
            .filter(|p| {
                matches!(
                    p,
                    conduit::formats::canonical::Part::Image { .. }
                        | conduit::formats::canonical::Part::Document { .. }
                        | conduit::formats::canonical::Part::Audio { .. }
                        | conduit::formats::canonical::Part::Unknown { .. }
                )
            })
            .count();
        let calls = r
            .request
            .messages
            .iter()
            .flat_map(|m| &m.parts)
            .filter(|p| matches!(p, conduit::formats::canonical::Part::ToolCall(_)))
            .count();
        println!(
            "ROW {}",
            serde_json::json!([
                r.id,
                r.vendor,
                r.model,
                r.count.known,
                r.count.tokens,
                r.count.most,
                r.truth,
                r.served,
                tools,
                media,
                calls,
                r.request.messages.len(),
                r.request.response_format.is_some()
            ])
        );
    }
}
