//! Counting: any text and any request has a number of tokens.
#![no_main]

use conduit::tokens::{Tokenizer, count_request, count_text};
use conduit_fuzz::FORMATS;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let tokens = count_text(Tokenizer::O200k, &text).tokens.0;
    assert!(tokens <= text.len() as u64 && (tokens == 0) == text.is_empty());
    let Ok(body) = serde_json::from_slice(data) else { return };
    for request in FORMATS.iter().filter_map(|format| format.read_request(&body).ok()) {
        for (tokenizer, model) in [(Tokenizer::O200k, "gpt-4o"), (Tokenizer::Ratio(1_150), "claude-sonnet-4-5")] {
            let counted = count_request(tokenizer, model, &request).tokens.0;
            assert!(request.messages.is_empty() || counted > 0);
        }
    }
});
