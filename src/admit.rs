//! Admission: who is calling, and whether there is room for what is asked.
//!
//! [`identify`] says who calls. [`rules`] are the budgets and limits that the file names, [`accounts`] the accounts that
//! all workers share: what a request may cost at most is reserved there before it leaves, and what it did cost takes
//! that place when it is over.

pub mod accounts;
mod consumer;
pub mod opening;
pub mod rules;

pub use consumer::{Allowed, Consumer, Consumers, Denied, Identity, identify, stranger};

/// Who calls, as far as known. Dimensions of the record and fields of routing rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The consumer's name; `None` where the file names no consumers: everyone is one.
    pub consumer: Option<String>,
    /// The API key's fingerprint: the first 16 hexadecimal digits of its SHA-256. Never the key.
    pub key: Option<String>,
    /// The client's IP address.
    pub address: Option<String>,
    /// The consumer's project, or `x-conduit-project`.
    pub project: Option<String>,
    /// The consumer's agent, or `x-conduit-agent`.
    pub agent: Option<String>,
    /// `x-conduit-agent-type`.
    pub agent_type: Option<String>,
    /// `x-conduit-session`.
    pub session: Option<String>,
}

/// The longest dimension value that is kept, in bytes; the rest is cut at a character's end.
pub const LONGEST_VALUE: usize = 128;

/// A value, trimmed and bounded to [`LONGEST_VALUE`].
pub(crate) fn bounded(value: &str) -> String {
    let value = value.trim();
    value.get(..value.floor_char_boundary(LONGEST_VALUE)).unwrap_or_default().to_owned()
}
