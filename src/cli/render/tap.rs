//! The way from a provider's cluster to its socket.
//!
//! When a provider dies in the middle of an answer, Envoy cuts the client off too: no HTTP filter is asked. So between
//! Envoy's HTTP client and the provider's socket there stands a network filter of the module, the tap, which ends a
//! torn event stream properly; the upstream role then tells the client what happened. All of it is inside Envoy:
//!
//! ```text
//! conduit.provider.x (HTTP) ─▶ [tap, TCP proxy] ─▶ conduit.hop.x ─▶ [TCP proxy] ─▶ conduit.wire.x (TLS) ─▶ provider
//! ```
//!
//! The hop turns a reset, which Envoy does not show to network filters, into an end, which it does; it also ends a
//! connection on which nothing has moved for too long. Tried on Envoy 1.40.0.

use super::{Options, listener, millis, typed};
use crate::config::{Plan, Provider};
use serde_json::{Value, json};

/// The bootstrap's part: internal listeners, and no reset between them.
pub(super) fn bootstrap() -> [(&'static str, Value); 2] {
    let internal = typed("envoy.extensions.bootstrap.internal_listener.v3.InternalListener", json!({}));
    let guard = json!({"envoy.reloadable_features.enable_send_rst_on_user_space_socket": false});
    [
        ("bootstrap_extensions", json!([{"name": "envoy.bootstrap.internal_listener", "typed_config": internal}])),
        ("layered_runtime", json!({"layers": [{"name": "conduit", "static_layer": guard}]})),
    ]
}

/// The name of the cluster that has the provider's real address.
pub(super) fn wire(provider: &Provider) -> String {
    format!("conduit.wire.{}", provider.name)
}

/// The name of the listener that the provider's cluster connects to.
pub(super) fn entry(provider: &Provider) -> String {
    format!("conduit.tap.{}", provider.name)
}

fn hop(provider: &Provider) -> String {
    format!("conduit.hop.{}", provider.name)
}

/// The provider's two internal listeners.
pub(super) fn listeners(provider: &Provider, plan: &Plan, options: &Options) -> [Value; 2] {
    let tap = json!({
        "name": "conduit.tap",
        "typed_config": typed(
            "envoy.extensions.filters.network.wasm.v3.Wasm",
            json!({"config": listener::plugin("conduit.tap", "", plan, options)}),
        ),
    });
    let limit = plan.timeouts.idle_ms.max(plan.timeouts.first_byte_ms);
    [
        internal(&entry(provider), vec![tap, tcp_proxy(&hop(provider), "0s")]),
        internal(&hop(provider), vec![tcp_proxy(&wire(provider), &millis(limit))]),
    ]
}

fn internal(name: &str, filters: Vec<Value>) -> Value {
    json!({"name": name, "internal_listener": {}, "filter_chains": [{"filters": filters}]})
}

fn tcp_proxy(cluster: &str, idle_timeout: &str) -> Value {
    json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": typed(
            "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            json!({"stat_prefix": cluster, "cluster": cluster, "idle_timeout": idle_timeout}),
        ),
    })
}

/// The cluster between the provider's two internal listeners.
pub(super) fn hop_cluster(provider: &Provider, plan: &Plan) -> Value {
    let name = hop(provider);
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": millis(plan.timeouts.connect_ms),
        "circuit_breakers": super::clusters::plenty(),
        "transport_socket": transport(),
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(&name)}}]}],
        },
    })
}

/// The address of an internal listener.
pub(super) fn address(listener: &str) -> Value {
    json!({"envoy_internal_address": {"server_listener_name": listener}})
}

/// How an internal listener is connected to.
pub(super) fn transport() -> Value {
    let raw = typed("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", json!({}));
    json!({
        "name": "envoy.transport_sockets.internal_upstream",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
            json!({"transport_socket": {"name": "envoy.transport_sockets.raw_buffer", "typed_config": raw}}),
        ),
    })
}
