//! What leaves an exchange besides the answer: one access-log record, and metrics.

pub mod metrics;
mod record;

pub use record::{Head, Outcome, Record};
