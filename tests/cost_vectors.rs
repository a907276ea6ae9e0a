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

use conduit::cost::{catalog_knows, catalog_price, context_window, cost, cost_at};
use conduit::host::Time;
use conduit::usage::{Tokens, Usage};
use genai_prices::{Calculator, PriceRequest, UsageKey};
use serde_json::Value;
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
