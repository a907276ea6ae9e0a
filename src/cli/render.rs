//! `conduit render`: the Envoy configuration that runs a [`Plan`].
//!
//! Everything but the three roles of the module is stock Envoy (1.40): listener, routes, retries, clusters, TLS, statistics
//! and access log. The output holds no secret: the document names environment variables, and the module's machine gets
//! exactly those from Envoy's own environment.

mod clusters;
mod credentials;
mod listener;
pub mod metrics;
mod tap;

use crate::config::{Address, Plan};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What the configuration depends on besides the document.
#[derive(Clone, Debug)]
pub struct Options {
    /// The module, `conduit.wasm`, as Envoy shall find it.
    pub wasm: PathBuf,
    /// The file that gets one JSON line per exchange; may be `/dev/stdout`.
    pub access_log: PathBuf,
    /// The certificate authorities that providers are checked against, see [`find_ca_bundle`].
    pub ca_bundle: PathBuf,
    /// Where `lds.json` and `cds.json` are: Envoy then follows changes of them. `None`: all is in the bootstrap.
    pub dynamic_dir: Option<PathBuf>,
    /// What budgets' accounts have spent already, as [`crate::admit::opening::write`] says it.
    pub opening: Option<String>,
}

/// Where Linux distributions, macOS and FreeBSD keep the bundle of certificate authorities, most common first.
const CA_BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// The system's bundle of certificate authorities: `SSL_CERT_FILE` where it is set, else the first usual place that
/// exists, else the most common one (Envoy then names it as missing).
pub fn find_ca_bundle() -> PathBuf {
    if let Some(file) = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty()) {
        return PathBuf::from(file);
    }
    let found = CA_BUNDLES.iter().map(Path::new).find(|path| path.is_file());
    found.or_else(|| CA_BUNDLES.first().map(Path::new)).map(Path::to_path_buf).unwrap_or_default()
}

/// A complete Envoy bootstrap. `text` is the document that `plan` was made of: it becomes the module's configuration.
/// With [`Options::dynamic_dir`] the listener and the clusters are left to the files that [`resources`] describes.
pub fn bootstrap(plan: &Plan, text: &str, options: &Options) -> Value {
    let mut whole = json!({
        "admin": {"address": socket(&plan.admin)},
        "node": {"id": "conduit", "cluster": "conduit"},
        "stats_config": metrics::stats_config(),
        "stats_flush_interval": "1s",
    });
    let (place, content) = match &options.dynamic_dir {
        Some(dir) => {
            let dynamic = json!({"lds_config": followed(dir, "lds.json"), "cds_config": followed(dir, "cds.json")});
            ("dynamic_resources", dynamic)
        }
        None => {
            let listeners = listener::all(plan, text, options);
            ("static_resources", json!({"listeners": listeners, "clusters": clusters::all(plan, options)}))
        }
    };
    if let Some(whole) = whole.as_object_mut() {
        whole.extend(tap::bootstrap().map(|(field, value)| (field.to_owned(), value)));
        whole.insert(place.to_owned(), content);
    }
    whole
}

/// What `lds.json` and `cds.json` shall contain. Write each beside its place and rename it: Envoy follows the rename.
/// Write the clusters first, so that no listener names one that is not there yet.
pub fn resources(plan: &Plan, text: &str, options: &Options) -> (Value, Value) {
    let listeners = listener::all(plan, text, options).into_iter();
    let clusters = clusters::all(plan, options).into_iter();
    (
        json!({"resources": listeners.map(|l| typed("envoy.config.listener.v3.Listener", l)).collect::<Vec<_>>()}),
        json!({"resources": clusters.map(|c| typed("envoy.config.cluster.v3.Cluster", c)).collect::<Vec<_>>()}),
    )
}

fn followed(dir: &Path, name: &str) -> Value {
    json!({
        "resource_api_version": "V3",
        "path_config_source": {"path": dir.join(name), "watched_directory": {"path": dir}},
    })
}

/// `fields` as a `google.protobuf.Any` of that type.
fn typed(name: &str, fields: Value) -> Value {
    let mut any = serde_json::Map::new();
    any.insert("@type".to_owned(), Value::String(format!("type.googleapis.com/{name}")));
    if let Value::Object(fields) = fields {
        any.extend(fields);
    }
    Value::Object(any)
}

fn socket(address: &Address) -> Value {
    json!({"socket_address": {"address": address.address, "port_value": address.port}})
}

/// A duration as protobuf's JSON writes it: `1.500s`.
fn millis(milliseconds: u64) -> String {
    format!("{}.{:03}s", milliseconds / 1_000, milliseconds % 1_000)
}
