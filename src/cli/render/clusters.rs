//! The clusters: three per provider (its HTTP, its hop, its wire; see [`tap`]), composite clusters for chains of several
//! targets and for what may be left of them.

use super::{Options, credentials, millis, socket, tap, typed};
use crate::config::{Address, Plan, Provider, ProviderId};
use serde_json::{Value, json};
use std::net::IpAddr;

/// More than any gateway carries: what limits a provider is its own rate limit, not a default of Envoy's.
const PLENTY: u32 = 100_000;

/// Every cluster.
pub(super) fn all(plan: &Plan, options: &Options) -> Vec<Value> {
    let providers =
        plan.providers.iter().flat_map(|p| [provider(p, plan), tap::hop_cluster(p, plan), wire(p, plan, options)]);
    let chains = plan.composites.iter().map(|(members, name)| composite(name, members, plan));
    providers.chain(chains).chain(credentials::clusters(plan)).collect()
}

/// The cluster that requests go to: HTTP/1.1 to the provider's tap.
fn provider(provider: &Provider, plan: &Plan) -> Value {
    let hostname = match stand_in(provider, plan) {
        Some(mock) => format!("{}:{}", mock.address, mock.port),
        None => provider.url.authority(),
    };
    let http = typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        json!({
            "common_http_protocol_options": {"idle_timeout": "60s"},
            "explicit_http_config": {"http_protocol_options": {}},
        }),
    );
    json!({
        "name": provider.cluster,
        "type": "STATIC",
        "connect_timeout": millis(plan.timeouts.connect_ms),
        "per_connection_buffer_limit_bytes": plan.most_held(),
        "circuit_breakers": plenty(),
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http},
        "transport_socket": tap::transport(),
        "load_assignment": {
            "cluster_name": provider.cluster,
            "endpoints": [{"lb_endpoints": [{
                "endpoint": {"address": tap::address(&tap::entry(provider)), "hostname": hostname},
                "metadata": {"filter_metadata": {"conduit": {"provider": provider.name}}},
            }]}],
        },
    })
}

/// The cluster that has the provider's address: bytes, in TLS where the address says so.
fn wire(provider: &Provider, plan: &Plan, options: &Options) -> Value {
    let (address, tls) = match stand_in(provider, plan) {
        Some(mock) => (mock.clone(), false),
        None => (Address { address: provider.url.host.clone(), port: provider.url.port }, provider.url.tls),
    };
    // An IPv6 address stands in brackets in a URL, not in a socket address.
    let bare = address.address.trim_start_matches('[').trim_end_matches(']').to_owned();
    let ip = bare.parse::<IpAddr>().is_ok();
    let name = tap::wire(provider);
    let mut cluster = json!({
        "name": name,
        "type": if ip { "STATIC" } else { "STRICT_DNS" },
        "connect_timeout": millis(plan.timeouts.connect_ms),
        "circuit_breakers": plenty(),
        "upstream_connection_options": {"tcp_keepalive": {}},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{
                "endpoint": {"address": socket(&Address { address: bare.clone(), port: address.port })},
            }]}],
        },
    });
    if let Some(cluster) = cluster.as_object_mut() {
        if !ip {
            cluster.insert("dns_lookup_family".to_owned(), json!("V4_PREFERRED"));
        }
        if tls {
            cluster.insert("transport_socket".to_owned(), transport(&bare, ip, options));
        }
    }
    cluster
}

/// The mock that takes the provider's place, where one does.
fn stand_in<'a>(provider: &Provider, plan: &'a Plan) -> Option<&'a Address> {
    plan.mock.as_ref().filter(|_| provider.mocked)
}

/// No limit that a gateway would reach.
pub(super) fn plenty() -> Value {
    json!({"thresholds": [{
        "max_connections": PLENTY,
        "max_pending_requests": PLENTY,
        "max_requests": PLENTY,
        "max_retries": PLENTY,
    }]})
}

/// TLS that names the provider's host and accepts only a certificate for it.
fn transport(host: &str, ip: bool, options: &Options) -> Value {
    let mut validation = json!({"trusted_ca": {"filename": options.ca_bundle}});
    if let Some(validation) = validation.as_object_mut().filter(|_| ip) {
        let names = json!([{"san_type": "IP_ADDRESS", "matcher": {"exact": host}}]);
        validation.insert("match_typed_subject_alt_names".to_owned(), names);
    }
    let mut tls = json!({"common_tls_context": {
        "validation_context": validation,
        "alpn_protocols": ["http/1.1"],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
    }});
    if let Some(tls) = tls.as_object_mut().filter(|_| !ip) {
        tls.insert("sni".to_owned(), json!(host));
        tls.insert("auto_sni_san_validation".to_owned(), json!(true));
    }
    let tls = typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", tls);
    json!({"name": "envoy.transport_sockets.tls", "typed_config": tls})
}

/// Attempt *n* goes to the *n*-th cluster; a provider may stand in the list more than once.
fn composite(name: &str, members: &[ProviderId], plan: &Plan) -> Value {
    let members = members.iter().filter_map(|id| plan.provider(*id));
    let members: Vec<Value> = members.map(|provider| json!({"name": provider.cluster})).collect();
    json!({
        "name": name,
        "lb_policy": "CLUSTER_PROVIDED",
        // Retries count against this cluster's limit, of which Envoy's default is 3 at a time.
        "circuit_breakers": plenty(),
        "connect_timeout": millis(plan.timeouts.connect_ms),
        "cluster_type": {
            "name": "envoy.clusters.composite",
            "typed_config": typed("envoy.extensions.clusters.composite.v3.ClusterConfig", json!({"clusters": members})),
        },
    })
}
