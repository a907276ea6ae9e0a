//! A native proxy-wasm host for the **built** `conduit.wasm`, in which a test controls what Envoy would decide: where
//! chunks are cut, when a provider resets, what the clock says, which host call fails.
//!
//! It follows ABI 0.2.1 as Envoy 1.40 implements it (`source/extensions/common/wasm/context.cc` there and
//! `src/exports.cc` of proxy-wasm-cpp-host, read 2026-11-21), with `allow_on_headers_stop_iteration: true`:
//!
//! | module | what |
//! |---|---|
//! | [`headers`] | a header map and its wire form |
//! | [`state`] | what the host remembers: contexts, buffers, metrics, shared data, faults |
//! | `hostcalls`, `wasi` | the functions that the module imports |
//! | [`vm`] | one VM with both root contexts |
//! | [`filter`] | one filter of one stream: frames go in, what it lets through comes out |
//! | [`stream`] | one client request through gateway role, router, upstream role and back, step by step |
//! | [`exchange`] | the same as a script: request, provider answers, outcome |
//!
//! It stops at the first surprise: a trap, a loop, a wrong `content-length` panic with the module's log.

pub mod exchange;
pub mod filter;
pub mod headers;
mod hostcalls;
pub mod state;
pub mod stream;
pub mod vm;
mod wasi;

pub use exchange::{Answer, Ending, Exchange, Outcome, chunks, every_byte};
pub use headers::Headers;
pub use state::{Direction, Status};
pub use stream::Teardown;
pub use vm::{Setup, Vm};
