//! Conduit: an LLM gateway that lives inside Envoy.
//!
//! One request takes this path, and the modules below stand in its order:
//!
//! ```text
//! client ─▶ 1 parse ─▶ 2 count ─▶ 3 admit ─▶ 4 route ─▶ 5 translate ─▶ provider (Envoy carries it)
//! client ◀─ 9 report ◀─ 8 account ◀─────────────────── 7 translate ◀─┘
//! ```
//!
//! | step | question it answers | room |
//! |---|---|---|
//! | 1 parse | which endpoint and format is this, and what does it ask? | [`formats`] |
//! | 2 count | how many prompt tokens, exactly or estimated? | [`tokens`] |
//! | 3 admit | who is calling, and is there room within budgets and limits? | [`admit`] |
//! | 4 route | which ordered list of targets shall be tried, and why? | [`route`] |
//! | 5 translate | what bytes, path and headers does this attempt's provider want? | [`formats`], [`providers`] |
//! | 7 translate | what does the client's format call this answer, chunk by chunk? | [`formats`] |
//! | 8 account | what was used, what did it cost? settle the reservation | [`usage`], [`cost`] |
//! | 9 report | metrics, access-log record, response headers | [`report`] |
//!
//! [`exchange`] is that path as a state machine without input or output: bytes, headers and the time go in, a step comes
//! out. [`tap`] stands beside the path: it completes the framing of streams that a dying provider tore. Only `filter` (the proxy-wasm binding) and the native command touch a host.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::string_slice, clippy::disallowed_methods))]

pub mod exchange;
pub mod tap;

pub mod config;

pub mod admit;
pub mod formats;
pub mod providers;
pub mod route;
pub mod tokens;

pub mod cost;
pub mod report;
pub mod usage;

pub mod host;

#[cfg(target_os = "wasi")]
mod filter;

#[cfg(not(target_family = "wasm"))]
pub mod cli;

/// `#[test]` for the target at hand: cargo's own, or wasm-bindgen's where the tests run under Node. Rust's would compile
/// there and never run.
#[cfg(test)]
mod testing {
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub(crate) use core::prelude::v1::test;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    pub(crate) use wasm_bindgen_test::wasm_bindgen_test as test;
}
