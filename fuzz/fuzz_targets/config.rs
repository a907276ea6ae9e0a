//! Any text as `conduit.yaml`: a plan in which everything is where it points, or mistakes that say where.
#![no_main]

use conduit::config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let env = |name: &str| name.starts_with('K').then(|| "secret".to_owned());
    match config::load(&text, &env) {
        Ok(plan) => {
            for chain in &plan.chains {
                assert!(!chain.targets.is_empty());
                assert!(chain.targets.iter().all(|target| plan.provider(target.provider).is_some()));
            }
            let routing = &plan.routing;
            let classes = [routing.default, routing.background, routing.think];
            let chains = classes.into_iter().flatten().chain(plan.aliases.iter().map(|(_, chain)| *chain));
            for chain in chains.chain(routing.rules.iter().map(|rule| rule.chain)) {
                assert!(plan.chain(chain).is_some());
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            // The end of the text may be a line of its own; carriage returns alone end lines in YAML.
            let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() + 1;
            for mistake in mistakes {
                assert!((1..=lines).contains(&mistake.line) && mistake.column >= 1, "{mistake}");
                assert!(!mistake.found.is_empty() && !mistake.expected.is_empty(), "{mistake}");
            }
        }
    }
});
