//! Admission: who is calling. (Budgets and limits stand here when they come.)

/// Who calls, as far as known. Dimensions of the record and fields of routing rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The consumer.
    pub consumer: Option<String>,
    /// `x-conduit-project`.
    pub project: Option<String>,
    /// `x-conduit-agent`.
    pub agent: Option<String>,
    /// `x-conduit-agent-type`.
    pub agent_type: Option<String>,
    /// `x-conduit-session`.
    pub session: Option<String>,
}

/// The longest dimension value that is kept, in bytes; the rest is cut at a character's end.
pub const LONGEST_VALUE: usize = 128;

/// Reads the dimensions from request headers.
pub fn caller(header: &dyn Fn(&str) -> Option<String>) -> Caller {
    let value = |name| {
        let text = header(name)?;
        let text = text.trim();
        let end = text.floor_char_boundary(LONGEST_VALUE);
        text.get(..end).filter(|t| !t.is_empty()).map(str::to_owned)
    };
    Caller {
        consumer: None,
        project: value("x-conduit-project"),
        agent: value("x-conduit-agent"),
        agent_type: value("x-conduit-agent-type"),
        session: value("x-conduit-session"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn dimensions_are_trimmed_bounded_and_never_empty() {
        let long = "é".repeat(200);
        let caller = caller(&|name| match name {
            "x-conduit-project" => Some("  web ".into()),
            "x-conduit-agent" => Some("   ".into()),
            "x-conduit-session" => Some(long.clone()),
            _ => None,
        });
        assert_eq!(caller.project.as_deref(), Some("web"));
        assert_eq!(caller.agent, None);
        assert_eq!(caller.session.as_deref(), Some("é".repeat(64).as_str()));
    }
}
