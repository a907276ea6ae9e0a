//! Gemini's answers, read and written in every format.
#![no_main]

use conduit::formats::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| conduit_fuzz::answer(Format::Gemini, data));
