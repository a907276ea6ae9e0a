//! Envoy's configuration. Placeholder.
#![allow(missing_docs)]

use crate::config::Plan;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub dynamic_dir: Option<PathBuf>,
}

pub fn bootstrap(_plan: &Plan, _text: &str, _wasm: &Path, _options: &Options) -> Value {
    json!({})
}

/// `(lds, cds)`.
pub fn resources(_plan: &Plan, _text: &str, _wasm: &Path, _options: &Options) -> (Value, Value) {
    (json!({"resources": []}), json!({"resources": []}))
}
