//! The catalog and the cost formula against two independent truths: the `genai-prices` crate's own engine, over every
//! model of the catalog, and recorded usages with the price that two catalogs agree on (in the folder that
//! `CONDUIT_VECTORS` names).
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs
)]

use conduit::cost::{ListedRate, Price, PriceList, catalog_knows, catalog_price, context_window, cost, cost_at};
use conduit::formats::Format;
use conduit::host::Time;
use conduit::usage::{Tokens, Usage};
use genai_prices::{Calculator, PriceRequest, UsageKey};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

const CATALOG: &str = include_str!("../src/cost/catalog.json");

/// Input, cached, written, written for an hour, output, reasoning.
const USAGES: &[[u64; 6]] = &[
    [0, 0, 0, 0, 0, 0],
    [1, 0, 0, 0, 1, 0],
    [1_000, 0, 0, 0, 100, 40],
    [1_000, 400, 0, 0, 100, 0],
    [1_000, 400, 300, 0, 100, 0],
    [1_000, 400, 300, 100, 100, 100],
    [32_001, 1, 0, 0, 7, 0],
    [100_001, 50_000, 0, 0, 10, 0],
    [128_001, 0, 0, 0, 10, 0],
    [199_999, 0, 0, 0, 10, 0],
    [200_000, 100_000, 0, 0, 1_000, 0],
    [200_001, 100_000, 50_000, 0, 1_000, 500],
    [272_001, 100_000, 0, 0, 64_000, 32_000],
    [999_999, 0, 999_999, 999_999, 128_000, 0],
];

/// 2024-06-01, 2025-07-01 at 02:00 and 17:00, 2026-11-21 at 00:00, 07:30 and 12:00, 2027-02-01.
const TIMES: &[u64] =
    &[1_717_200_000, 1_751_335_200, 1_751_389_200, 1_795_219_200, 1_795_246_200, 1_795_262_400, 1_801_440_000];

#[test]
fn every_model_costs_what_genai_prices_says() {
    let theirs = Calculator::bundled();
    let catalog: Value = serde_json::from_str(CATALOG).unwrap();
    let mut tally = Tally::default();
    for (id, provider) in catalog["providers"].as_object().unwrap() {
        let info = theirs.find_provider(Some(id), None).unwrap().unwrap();
        let contexts: BTreeMap<&str, Option<u64>> = info.models().map(|m| (m.id(), m.context_window())).collect();
        let mut names = Vec::new();
        for model in provider["models"].as_array().unwrap() {
            let name = model["id"].as_str().unwrap();
            for time in TIMES {
                for tier in ["", "batch", "flex", "priority", "fast", "unheard-of"] {
                    for usage in [3, 5, 9, 12] {
                        tally.compare(theirs, id, name, *time, tier, &USAGES[usage]);
                    }
                }
            }
            for usage in USAGES {
                tally.compare(theirs, id, name, TIMES[4], "default", usage);
            }
            names.push(name.to_owned());
            literals(&model["match"], &mut names);
        }
        for fallback in provider["fallback"].as_array().unwrap() {
            let models = catalog["providers"][fallback.as_str().unwrap()]["models"].as_array().unwrap();
            names.extend(models.iter().map(|model| model["id"].as_str().unwrap().to_owned()));
        }
        for name in names.clone() {
            names.extend([format!("{name}-20260102"), format!("{name}-latest"), name.to_uppercase()]);
        }
        names.sort();
        names.dedup();
        for name in &names {
            let Some(model) = tally.compare(theirs, id, name, TIMES[4], "batch", &USAGES[12]) else { continue };
            if let Some(Some(context)) = contexts.get(model.as_str()) {
                assert_eq!(context_window(Some(id), name), Some(*context), "{id}/{name}");
            }
        }
    }
    eprintln!("{tally:?}");
    assert!(tally.equal > 100_000 && tally.unknown > 1_000, "{tally:?}");
}

#[derive(Debug, Default)]
struct Tally {
    equal: usize,
    /// Models that neither knows.
    unknown: usize,
    /// Models that genai-prices prices by something other than tokens, or whose output it has no price for and bills
    /// as nothing. We call them unpriced.
    unpriced: usize,
}

impl Tally {
    /// The id of their model, where they know it.
    fn compare(
        &mut self,
        theirs: &Calculator,
        id: &str,
        name: &str,
        time: u64,
        tier: &str,
        usage: &[u64; 6],
    ) -> Option<String> {
        let [input, cached, written, written_1h, output, reasoning] = *usage;
        let their_usage = genai_prices::Usage::from([
            (UsageKey::INPUT_TOKENS, input as f64),
            (UsageKey::CACHE_READ_TOKENS, cached as f64),
            (UsageKey::CACHE_WRITE_TOKENS, written as f64),
            (UsageKey::CACHE_WRITE_1H_TOKENS, written_1h as f64),
            (UsageKey::OUTPUT_TOKENS, output as f64),
            (UsageKey::OUTPUT_REASONING_TOKENS, reasoning as f64),
        ]);
        let mut request = PriceRequest::new(name, &their_usage)
            .with_provider_id(id)
            .with_timestamp(UNIX_EPOCH + Duration::from_secs(time));
        match tier {
            "" => {}
            "batch" => request = request.with_price_context("processing", "batch"),
            tier => request = request.with_price_context("service_tier", tier),
        }
        let Ok(their_cost) = theirs.calculate(&request) else {
            assert!(id == "zhipuai" || !catalog_knows(Some(id), name), "{id}/{name} is known to us alone");
            assert_eq!(catalog_price(Some(id), name), None, "{id}/{name} is priced by us alone");
            self.unknown += 1;
            return None;
        };
        assert!(catalog_knows(Some(id), name), "{id}/{name} is unknown to us");
        let usage = Usage {
            input: Some(Tokens(input)),
            cached_input: Some(Tokens(cached)),
            cache_write: Some(Tokens(written)),
            cache_write_1h: Some(Tokens(written_1h)),
            output: Some(Tokens(output)),
            reasoning: Some(Tokens(reasoning)),
            service_tier: (!tier.is_empty()).then(|| tier.to_owned()),
            ..Usage::default()
        };
        let price = catalog_price(Some(id), name);
        match price.as_ref().and_then(|price| cost_at(price, &usage, Time(time * 1_000_000_000))) {
            Some(cost) => {
                let (ours, theirs) = (cost.0 as f64 / 1e12, their_cost.total_price);
                let near = (ours - theirs).abs() <= 1e-12 * theirs.max(1e-6);
                assert!(near, "{id}/{name} {tier} at {time}: {usage:?}: {ours} instead of {theirs}");
                self.equal += 1;
            }
            None => {
                assert!(price.is_none() || their_cost.output_price == 0.0, "{id}/{name} {tier} at {time}: {usage:?}");
                self.unpriced += 1;
            }
        }
        Some(their_cost.model_id)
    }
}

/// Names that a match rule speaks of, with digits for the `#` of shapes.
fn literals(rule: &Value, names: &mut Vec<String>) {
    for (op, value) in rule.as_object().unwrap() {
        match value {
            Value::String(text) if op == "shape" => names.push(text.replace('$', "").replace('#', "1")),
            Value::String(text) => names.extend([text.clone(), format!("{text}x"), format!("x{text}")]),
            Value::Array(rules) => rules.iter().for_each(|rule| literals(rule, names)),
            rule => literals(rule, names),
        }
    }
}

/// One line of a file of vectors each; `None` where there are none.
fn vectors(path: &str) -> Option<Vec<Value>> {
    let Some(folder) = std::env::var_os("CONDUIT_VECTORS") else {
        eprintln!("skipped: CONDUIT_VECTORS is not set");
        return None;
    };
    let text = std::fs::read_to_string(std::path::Path::new(&folder).join(path)).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn tokens(value: &Value) -> Option<Tokens> {
    value.as_u64().map(Tokens)
}

#[test]
fn recorded_usages_cost_what_two_catalogs_agree_on() {
    let Some(cases) = vectors("cost/recorded_usage_cost.jsonl") else { return };
    let mut compared = 0;
    for case in cases.iter().filter(|case| case["peers_agree"] == true) {
        let (usage, truth) = (&case["normalised_usage"], &case["genai_prices"]);
        let prompt = &usage["prompt_tokens_details"];
        let usage = Usage {
            input: tokens(&usage["prompt_tokens"]),
            cached_input: tokens(&prompt["cached_tokens"]),
            cache_write: tokens(&prompt["cache_creation_tokens"]),
            cache_write_1h: tokens(&prompt["cache_creation_token_details"]["ephemeral_1h_input_tokens"]),
            output: tokens(&usage["completion_tokens"]),
            reasoning: tokens(&usage["completion_tokens_details"]["reasoning_tokens"]),
            image_input: None,
            audio_input: tokens(&prompt["audio_tokens"]),
            audio_output: tokens(&usage["completion_tokens_details"]["audio_tokens"]),
            service_tier: None,
        };
        let model = case["model"].as_str().unwrap();
        let name = format!("{} {}/{model}", case["recording_id"], truth["provider_id"]);
        let price = catalog_price(truth["provider_id"].as_str(), model).unwrap_or_else(|| panic!("{name} is unpriced"));
        let ours = cost(&price, &usage).unwrap_or_else(|| panic!("{name}: no cost of {usage:?}")).0 as f64 / 1e12;
        let theirs: f64 = truth["total_price_usd"].as_str().unwrap().parse().unwrap();
        assert!((ours - theirs).abs() < 1e-9, "{name}: {ours} instead of {theirs} for {usage:?}");
        compared += 1;
    }
    assert!(compared >= 600, "only {compared} cases");
}

/// 2026-11-21, the day of the catalog.
const TODAY: Time = Time(1_795_219_200_000_000_000);

/// The format of an answer whose usage looks like that.
fn format_of(usage: &Value) -> Format {
    let has = |name: &str| usage.get(name).is_some();
    if has("promptTokenCount") || has("candidatesTokenCount") || has("totalTokenCount") {
        Format::Gemini
    } else if has("inputTokens") || has("outputTokens") {
        Format::BedrockConverse
    } else if has("cache_creation_input_tokens") || has("invocationMetrics") {
        Format::AnthropicMessages
    } else if has("input_tokens") && has("total_tokens") {
        Format::OpenAiResponses
    } else if has("input_tokens") {
        Format::AnthropicMessages
    } else {
        Format::OpenAiChat
    }
}

/// What our reader of that format makes of a usage.
fn read(format: Format, usage: &Value) -> Option<Usage> {
    let name = if format == Format::Gemini { "usageMetadata" } else { "usage" };
    format.reported_usage(&json!({name: usage}))
}

#[test]
fn recorded_usages_as_providers_wrote_them_cost_the_same() {
    let Some(cases) = vectors("cost/recorded_usage_cost.jsonl") else { return };
    let mut compared = 0;
    let mut wrong = String::new();
    for case in cases.iter().filter(|case| case["peers_agree"] == true) {
        let raw = &case["usage_raw"];
        let id = case["genai_prices"]["provider_id"].as_str().unwrap();
        let model = case["model"].as_str().unwrap();
        let Some(mut usage) = read(format_of(raw), raw) else {
            wrong += &format!("{id}/{model}: nothing read of {raw}\n");
            continue;
        };
        // One recording names the answer's tokens alone. Both catalogs price that as no prompt; Conduit counts the prompt.
        usage.input = usage.input.or(Some(Tokens(0)));
        let price = catalog_price(Some(id), model).unwrap();
        let ours = cost(&price, &usage).map(|cost| cost.0 as f64 / 1e12);
        let theirs: f64 = case["genai_prices"]["total_price_usd"].as_str().unwrap().parse().unwrap();
        if ours.is_none_or(|ours| (ours - theirs).abs() >= 1e-9) {
            wrong += &format!("{id}/{model}: {ours:?} instead of {theirs} for {raw}\n");
        }
        compared += 1;
    }
    assert!(wrong.is_empty() && compared >= 600, "{compared} compared\n{wrong}");
}

#[test]
fn xai_billed_what_we_say_to_the_picodollar() {
    // Its answers hold its own bill, in 10⁻¹⁰ USD: <https://docs.x.ai/developers/cost-tracking>, 2026-11-21. It counts
    // reasoning beside `completion_tokens`, which neither catalog bills so.
    const PICODOLLARS_PER_TICK: u128 = 100;
    let Some(cases) = vectors("cost/recorded_usage_cost.jsonl") else { return };
    let mut compared = 0;
    for case in &cases {
        let raw = &case["usage_raw"];
        let Some(ticks) = raw.get("cost_in_usd_ticks").and_then(Value::as_u64) else { continue };
        let usage = read(format_of(raw), raw).unwrap();
        let price = catalog_price(Some("x-ai"), case["model"].as_str().unwrap()).unwrap();
        let ours = cost(&price, &usage).unwrap().0;
        assert_eq!(ours, u128::from(ticks) * PICODOLLARS_PER_TICK, "{} {raw}", case["model"]);
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}

/// The format that genai-prices calls so, where a body of that shape comes from that provider.
fn flavor(provider: &str, flavor: &str) -> Option<Format> {
    Some(match (provider, flavor) {
        ("anthropic", "default") | (_, "anthropic") => Format::AnthropicMessages,
        ("aws", "default") => Format::BedrockConverse,
        ("google", "default") => Format::Gemini,
        (_, "responses") => Format::OpenAiResponses,
        (_, "chat" | "default") => Format::OpenAiChat,
        _ => return None,
    })
}

#[test]
fn usage_is_taken_out_of_answers_as_genai_prices_does() {
    let Some(cases) = vectors("cost/genai_prices_usages_dataset.jsonl") else { return };
    let (mut read_same, mut priced) = (0, 0);
    let mut wrong = String::new();
    for case in &cases {
        let body = &case["body"];
        let Some(reported) = body.get("usage").or_else(|| body.get("usageMetadata")) else { continue };
        let shape = format_of(reported);
        let model = body.get("model").or_else(|| body.get("modelVersion")).and_then(Value::as_str).unwrap_or_default();
        for extracted in case["extracted"].as_array().unwrap() {
            let theirs = &extracted["usage"];
            for extractor in extracted["extractors"].as_array().unwrap() {
                let provider = extractor["provider_id"].as_str().unwrap();
                // They read each body as every provider's whose paths it has; an answer has one format, and a provider
                // sells its own models.
                let foreign = !model.is_empty() && !catalog_knows(Some(provider), model);
                if foreign || flavor(provider, extractor["api_flavor"].as_str().unwrap()) != Some(shape) {
                    continue;
                }
                let Some(ours) = shape.reported_usage(body) else {
                    wrong += &format!("nothing read of {body}\n");
                    continue;
                };
                let of = |name: &str| theirs.get(name).and_then(Value::as_u64).unwrap_or(0);
                let figure = |tokens: Option<Tokens>| tokens.unwrap_or_default().0;
                // Theirs leave out what these members say; the price is the same but for Mistral's cache.
                let silent = |name: &str| match name {
                    "output_reasoning_tokens" => shape == Format::AnthropicMessages,
                    "cache_read_tokens" => reported.get("num_cached_tokens").is_some(),
                    _ => false,
                };
                for (name, ours) in [
                    ("input_tokens", ours.input),
                    ("output_tokens", ours.output),
                    ("cache_read_tokens", ours.cached_input),
                    ("cache_write_tokens", ours.cache_write),
                    ("output_reasoning_tokens", ours.reasoning),
                    ("input_audio_tokens", ours.audio_input),
                ] {
                    if figure(ours) != of(name) && !(silent(name) && of(name) == 0) {
                        wrong += &format!(
                            "{provider} {model} {name}: {} instead of {} of {reported}\n",
                            figure(ours),
                            of(name)
                        );
                    }
                }
                read_same += 1;
                let usd =
                    |name: &str| extractor.get(name).and_then(Value::as_str).and_then(|usd| usd.parse::<f64>().ok());
                let (Some(input), Some(output)) = (usd("input_price"), usd("output_price")) else { continue };
                let Some(price) = catalog_price(Some(provider), model) else { continue };
                if silent("cache_read_tokens") {
                    continue;
                }
                // Their prices are those of the day on which the data was made, which it does not say.
                let near = |now: u64| {
                    let cost = cost_at(&price, &ours, Time(now * 1_000_000_000)).map(|cost| cost.0 as f64 / 1e12);
                    cost.is_some_and(|cost| (cost - input - output).abs() < 1e-9)
                };
                // Noon, once a month from 2025 on.
                if !(0..23).any(|month| near(1_735_732_800 + month * 30 * 86_400)) {
                    wrong += &format!("{provider}/{model}: not {input} + {output} for {reported}\n");
                }
                priced += 1;
            }
        }
    }
    assert!(wrong.is_empty() && read_same > 500 && priced > 200, "{read_same} read, {priced} priced\n{wrong}");
}

#[test]
fn cases_of_genai_prices_to_the_picodollar() {
    let Some(cases) = vectors("cost/genai_prices_test_cases.jsonl") else { return };
    let mut compared = 0;
    for case in &cases {
        let model = case["model_ref"].as_str().unwrap();
        let provider = case.get("provider_id").and_then(Value::as_str);
        let knows = |id: &&str| catalog_knows(Some(id), model);
        let found = provider.or_else(|| ["openai", "anthropic", "google"].into_iter().find(knows));
        let Some(price) = catalog_price(found, model) else {
            assert_eq!(provider, Some("openrouter"), "{model} is unpriced");
            continue;
        };
        let count = |name: &str| tokens(&case["usage"][name]);
        let usage = Usage {
            input: count("input_tokens"),
            output: count("output_tokens").or(Some(Tokens(0))),
            cached_input: count("cache_read_tokens"),
            cache_write: count("cache_write_tokens"),
            ..Usage::default()
        };
        let early =
            case.get("other_args").and_then(Value::as_str).is_some_and(|args| args.contains("datetime(2025, 6, 1)"));
        let now = if early { Time(1_748_736_000_000_000_000) } else { TODAY };
        let cost = cost_at(&price, &usage, now).unwrap();
        assert_eq!(cost.to_string(), case["expected"]["total_price"].as_str().unwrap(), "{model} {usage:?}");
        compared += 1;
    }
    assert!(compared >= 9, "{compared}");
}

/// A kind's rates for a tier of service, as litellm's flat names give them: of the thresholds that a prompt passes the
/// highest counts, at the tier's own rate where it has one there.
fn flat_rate(prices: &Value, name: &str, kind: &'static str, tier: &str) -> Option<ListedRate> {
    let pico = |value: &Value| (value.as_f64().unwrap() * 1e12).round() as u64;
    let mut base = prices.get(name).map(pico)?;
    let mut tiers: BTreeMap<u64, (bool, u64)> = BTreeMap::new();
    for (key, value) in prices.as_object().unwrap() {
        let Some(rest) = key.strip_prefix(name) else { continue };
        let (rest, own) = match rest.strip_suffix(&format!("_{tier}")).filter(|_| !tier.is_empty()) {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        if rest.is_empty() && own {
            base = pico(value);
        } else if let Some(above) = rest.strip_prefix("_above_").and_then(|rest| rest.strip_suffix("k_tokens")) {
            let tier = tiers.entry(above.parse::<u64>().unwrap() * 1_000).or_insert((own, pico(value)));
            if own {
                *tier = (true, pico(value));
            }
        }
    }
    Some(ListedRate { kind, base, tiers: tiers.into_iter().map(|(above, (_, rate))| (above, rate)).collect() })
}

#[test]
fn cases_of_litellm_to_the_picodollar() {
    let Some(cases) = vectors("cost/litellm_test_cases.jsonl") else { return };
    let folder = std::env::var_os("CONDUIT_VECTORS").unwrap();
    let all = std::path::Path::new(&folder).join("reference/litellm_model_prices_1.106.2.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(all).unwrap()).unwrap();
    let names = [
        ("input_cost_per_token", "input"),
        ("output_cost_per_token", "output"),
        ("cache_read_input_token_cost", "cached_input"),
    ];
    for case in &cases {
        let key = case["prices"].get("model_key").and_then(Value::as_str);
        let prices = key.map_or(&case["prices"], |key| &all[key]);
        let tier = case["usage"].get("service_tier").and_then(Value::as_str).unwrap_or_default();
        let rates = |tier| names.iter().filter_map(|(name, kind)| flat_rate(prices, name, kind, tier)).collect();
        let mut lists = vec![PriceList { rates: rates(""), ..PriceList::default() }];
        let service = Some("priority".to_owned());
        lists.push(PriceList { service, rates: rates("priority"), ..PriceList::default() });
        let own = Price::from_lists(&lists).unwrap();
        let price = match key {
            Some("o1") => catalog_price(Some("openai"), "o1").unwrap(),
            Some(key) => catalog_price(Some("google"), key).unwrap(),
            None => own.clone(),
        };
        let (input, output) = (tokens(&case["usage"]["prompt_tokens"]), tokens(&case["usage"]["completion_tokens"]));
        let service_tier = Some(tier.to_owned()).filter(|tier| !tier.is_empty());
        let of = |price: &Price, cached: Option<Tokens>, output: Option<Tokens>| {
            let usage =
                Usage { input, cached_input: cached, output, service_tier: service_tier.clone(), ..Usage::default() };
            cost_at(price, &usage, TODAY).map(|cost| cost.0)
        };
        // What one token more or less costs is its rate.
        let Tokens(prompt) = input.unwrap();
        let Tokens(answer) = output.unwrap();
        let none = Some(Tokens(0));
        let (name, expected) = (&case["case"], &case["expected"]);
        if let (Some(prompt_rate), Some(completion_rate)) = (expected.get("prompt"), expected.get("completion")) {
            let rate = |of: &Value| {
                let (name, count) = of.as_str().unwrap().split_once('*').unwrap();
                (prices[name].as_f64().unwrap() * 1e12).round() as u128 * count.parse::<u128>().unwrap()
            };
            assert_eq!(of(&price, None, none), Some(rate(prompt_rate)), "{name}");
            let both = rate(prompt_rate) + rate(completion_rate);
            assert_eq!(of(&price, None, output), Some(both), "{name}");
            continue;
        }
        let pico = |name: &str| expected.get(name).map(|rate| (rate.as_f64().unwrap() * 1e12).round() as u128);
        let priced = prices.get("output_cost_per_token").is_some();
        if let Some(rate) = pico("prompt_rate") {
            assert_eq!(of(&price, None, none), Some(rate * u128::from(prompt)), "{name}");
        }
        if let Some(rate) = pico("completion_rate") {
            let answered = of(&price, None, output).unwrap() - of(&price, None, none).unwrap();
            assert_eq!(answered, rate * u128::from(answer), "{name}");
        }
        if let Some(rate) = pico("cache_read_rate") {
            assert!(!priced, "{name}");
            assert_eq!(of(&price, input, none), Some(rate * u128::from(prompt)), "{name}");
        }
    }
    assert_eq!(cases.len(), 7);
}
