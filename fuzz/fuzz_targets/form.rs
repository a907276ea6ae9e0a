//! Forms that pass: the model's name is replaced where it stands, every other byte stays.
#![no_main]

use conduit::exchange::{Attempt, Step};
use conduit_fuzz::gateway::{NOW, exchange, post};
use libfuzzer_sys::fuzz_target;

/// What the form is sent on as.
fn sent(path: &str, content_type: &str, data: &[u8]) -> Vec<u8> {
    let head = post(path, content_type);
    let (exchange, step) = exchange(&head, data);
    if let Step::Reply(reply) = &step {
        // Several providers may know the model, or the one that does serves no such thing.
        assert!(matches!(reply.status, 400 | 404), "{reply:?}");
        return data.to_vec();
    }
    let (attempt, _, wants_body) = Attempt::begin(&exchange, 1, None, &head, NOW).expect("there is a target");
    if wants_body { attempt.request_body(data).expect("a form can be edited") } else { data.to_vec() }
}

fuzz_target!(|data: &[u8]| {
    for content_type in ["multipart/form-data; boundary=b", "multipart/form-data; boundary=\"--\""] {
        let there = sent("/v1/audio/transcriptions", content_type, data);
        // A model may also be named with its provider, which then goes.
        if there == data || data.contains(&b'/') {
            continue;
        }
        let (old, new) = (b"w", b"whisper-1");
        let before = data.iter().zip(&there).take_while(|(a, b)| a == b).count();
        let named = |at: usize| data.get(at..at + old.len()) == Some(old) && there.get(at..at + new.len()) == Some(new);
        // The new name begins like the old one.
        let at = (before.saturating_sub(old.len())..=before).find(|at| named(*at)).expect("a name was replaced");
        assert_eq!(data[..at], there[..at]);
        assert_eq!(data[at + old.len()..], there[at + new.len()..]);
    }
    let as_header = String::from_utf8_lossy(data);
    let content_type = format!("multipart/form-data; {as_header}");
    assert_eq!(sent("/v1/audio/transcriptions", &content_type, b"--b--"), b"--b--");
});
