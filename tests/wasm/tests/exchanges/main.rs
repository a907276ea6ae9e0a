//! Scripted exchanges on the built `conduit.wasm`.

mod admission;
mod answers;
mod endings;
mod failures;
mod fallback;
mod recorded;
mod refusals;
mod start;
mod support;
