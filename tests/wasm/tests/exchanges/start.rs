//! The start: what configuration is taken, and the kill switch.

use crate::answers::OPENAI_ANSWER;
use crate::support::*;
use conduit_wasm::{Answer, Setup};

#[test]
fn a_bad_configuration_is_refused_with_every_mistake() {
    let bad = "version: 1\nprovidres: {}\nproviders:\n  openai: {api_key: \"${NOT_SET}\"}\naliases:\n  a: nobody/x\n";
    let mut vm = Setup::new(bad).start();
    assert!(!vm.accepted);
    let log = vm.log(4).join("\n");
    for word in ["providres", "NOT_SET", "nobody"] {
        assert!(log.contains(word), "{word} is not in the log:\n{log}");
    }
}

#[test]
fn garbage_is_refused_without_a_trap() {
    for bad in ["", "\0\0\0", "version: 1", "[", "a: &a [*a]", "{{{{{{{{", "version: 99999999999999999999"] {
        let mut vm = Setup::new(bad).start();
        assert!(!vm.accepted, "{bad:?} was taken");
        assert!(!vm.log(4).is_empty(), "{bad:?} was refused without a word");
    }
}

#[test]
fn secrets_are_not_logged() {
    let mut vm = vm();
    vm.host().log_level = 0;
    let body = r#"{"model":"openai/gpt-4o","messages":[{"role":"user","content":"hi"}]}"#;
    let outcome = chat(body).answer(Answer::json("openai", 200, OPENAI_ANSWER)).run(&mut vm);
    let record = record(&mut vm, &outcome).to_string();
    for text in vm.log(0).into_iter().chain([record]) {
        for secret in ["key-of-openai", "key-of-anthropic", CLIENT_KEY] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn the_kill_switch_passes_bodies_untouched() {
    let mut vm = setup(&format!("{CONFIG}\nenabled: false\n")).start();
    assert!(vm.accepted, "{:?}", vm.log(0));
    for body in [r#"{"model":"anything","messages":[]}"#, "not json"] {
        let outcome = chat(body).answer(Answer::json("openai", 200, OPENAI_ANSWER)).run(&mut vm);
        assert_eq!(outcome.sent[0].request.text(), body);
        assert_eq!(outcome.client.text(), OPENAI_ANSWER);
        for (name, _) in outcome.sent[0].request.headers.iter().flat_map(|map| map.pairs()) {
            assert!(!name.starts_with("x-conduit"), "{name} left the gateway");
        }
    }
}
