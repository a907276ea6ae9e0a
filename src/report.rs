//! What leaves an exchange besides the answer: one access-log record, and metrics.

pub mod metrics;
pub(crate) mod record;

pub use record::{Head, Outcome, Record};
