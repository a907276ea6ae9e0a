//! The proxy-wasm binding.
