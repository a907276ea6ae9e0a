//! `conduit.yaml`: read once, validated whole, compiled into a [`Plan`] in which nothing is left to look up by name.
//!
//! The text becomes a tree that knows lines and columns (`yaml`); each section is decoded by hand (`read` has the
//! tools, one file per section the rest), so that one reading finds every mistake.

mod budgets;
mod conditions;
mod consumers;
mod limits;
mod plan;
mod prices;
mod providers;
mod read;
mod routing;
mod scalars;
mod scopes;
mod targets;
mod top;
mod yaml;

#[cfg(not(target_family = "wasm"))]
pub(crate) use consumers::{CONSUMER_NAME, EXPIRES, is_consumer_name, is_dimension};
pub use plan::*;
#[cfg(not(target_family = "wasm"))]
pub(crate) use read::near;
#[cfg(not(target_family = "wasm"))]
pub(crate) use scalars::time;
pub(crate) use targets::AUTO;

use crate::host::Env;
use std::fmt;

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in the line, from 1, in characters.
    pub column: usize,
    /// Where in the document: `routing.rules[0].when.all[1].op`. Empty for the document as a whole.
    pub path: String,
    /// What was found there.
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// A near name that was perhaps meant.
    pub near: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "found {}, expected {}", self.found, self.expected)?;
        match &self.near {
            Some(near) => write!(f, " (did you mean `{near}`?)"),
            None => Ok(()),
        }
    }
}

/// Reads, validates and compiles a configuration. On failure every mistake is reported, in the order of the file; text
/// that is not YAML is one mistake.
pub fn load(text: &str, env: &dyn Env) -> Result<Plan, Vec<Mistake>> {
    let root = yaml::parse(text).map_err(|mistake| vec![mistake])?;
    let report = read::Report::default();
    let plan = top::read(&read::Cursor::root(&root, &report), env);
    let mistakes = report.finish();
    if mistakes.is_empty() { Ok(plan) } else { Err(mistakes) }
}

#[cfg(test)]
mod tests;
