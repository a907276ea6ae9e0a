//! The clusters: one per provider, one composite cluster per chain of several targets.

use super::listener::buffer_limit;
use super::{Options, millis, socket, typed};
use crate::config::{Address, Chain, Plan, Provider};
use serde_json::{Value, json};
use std::net::IpAddr;

/// More than any gateway carries: what limits a provider is its own rate limit, not a default of Envoy's.
const PLENTY: u32 = 100_000;

/// Every cluster.
pub(super) fn all(plan: &Plan, options: &Options) -> Vec<Value> {
    let providers = plan.providers.iter().map(|p| provider(p, plan, options));
    let chains = plan.chains.iter().filter(|chain| chain.targets.len() > 1).map(|c| composite(c, plan));
    providers.chain(chains).collect()
}

fn provider(provider: &Provider, plan: &Plan, options: &Options) -> Value {
    let stand_in = plan.mock.as_ref().filter(|_| provider.mocked);
    let (address, tls) = match stand_in {
        Some(mock) => (mock.clone(), false),
        None => (Address { address: provider.url.host.clone(), port: provider.url.port }, provider.url.tls),
    };
    // An IPv6 address stands in brackets in a URL, not in a socket address.
    let bare = address.address.trim_start_matches('[').trim_end_matches(']').to_owned();
    let ip = bare.parse::<IpAddr>().ok();
    let hostname =
        if stand_in.is_some() { format!("{}:{}", address.address, address.port) } else { provider.url.authority() };
    let socket = socket(&Address { address: bare.clone(), port: address.port });
    let mut cluster = json!({
        "name": provider.cluster,
        "type": if ip.is_some() { "STATIC" } else { "STRICT_DNS" },
        "connect_timeout": millis(plan.timeouts.connect_ms),
        "per_connection_buffer_limit_bytes": buffer_limit(plan),
        "circuit_breakers": {"thresholds": [{
            "max_connections": PLENTY,
            "max_pending_requests": PLENTY,
            "max_requests": PLENTY,
            "max_retries": PLENTY,
        }]},
        "upstream_connection_options": {"tcp_keepalive": {}},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol(tls),
        },
        "load_assignment": {
            "cluster_name": provider.cluster,
            "endpoints": [{"lb_endpoints": [{
                "endpoint": {"address": socket, "hostname": hostname},
                "metadata": {"filter_metadata": {"conduit": {"provider": provider.name}}},
            }]}],
        },
    });
    if let Some(cluster) = cluster.as_object_mut() {
        if ip.is_none() {
            cluster.insert("dns_lookup_family".to_owned(), json!("V4_PREFERRED"));
        }
        if tls {
            cluster.insert("transport_socket".to_owned(), transport(&bare, ip.is_some(), options));
        }
    }
    cluster
}

/// HTTP/2 where TLS lets both sides agree on it, HTTP/1.1 otherwise.
fn protocol(tls: bool) -> Value {
    let idle = json!({"idle_timeout": "60s"});
    let version = if tls {
        json!({"auto_config": {"http_protocol_options": {}, "http2_protocol_options": {}}})
    } else {
        json!({"explicit_http_config": {"http_protocol_options": {}}})
    };
    let mut options = json!({"common_http_protocol_options": idle});
    if let (Some(options), Value::Object(version)) = (options.as_object_mut(), version) {
        options.extend(version);
    }
    typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", options)
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
fn composite(chain: &Chain, plan: &Plan) -> Value {
    let members = chain.targets.iter().filter_map(|target| plan.provider(target.provider));
    let members: Vec<Value> = members.map(|provider| json!({"name": provider.cluster})).collect();
    json!({
        "name": chain.cluster,
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": millis(plan.timeouts.connect_ms),
        "cluster_type": {
            "name": "envoy.clusters.composite",
            "typed_config": typed("envoy.extensions.clusters.composite.v3.ClusterConfig", json!({"clusters": members})),
        },
    })
}
