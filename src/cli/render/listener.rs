//! The listener: HTTP in, the gateway and upstream roles of the module, one route for everything.

use super::{Options, credentials, millis, socket, tap, typed};
use crate::admit::opening;
use crate::config::Plan;
use crate::exchange::CLUSTER_HEADER;
use serde_json::{Value, json};

/// What no provider shall see: where the client is, and how Envoy and Conduit talk to each other.
const PRIVATE: &[&str] = &[
    "forwarded",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-original-path",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
];

/// Statuses below 500 that the next target may do better with.
const RETRIED: [u32; 3] = [408, 409, 429];

/// Every listener.
pub(super) fn all(plan: &Plan, text: &str, options: &Options) -> Vec<Value> {
    let taps = plan.providers.iter().flat_map(|provider| tap::listeners(provider, plan, options));
    let front = json!({
        "name": "conduit",
        "address": socket(&plan.listen),
        "per_connection_buffer_limit_bytes": plan.most_held(),
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": connection_manager(plan, text, options),
        }]}],
    });
    std::iter::once(front).chain(taps).collect()
}

fn connection_manager(plan: &Plan, text: &str, options: &Options) -> Value {
    typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        json!({
            "stat_prefix": "conduit",
            "codec_type": "AUTO",
            "stream_idle_timeout": millis(longest_silence(plan)),
            "request_headers_timeout": "30s",
            "request_timeout": "300s",
            "common_http_protocol_options": {"idle_timeout": "3600s"},
            "http2_protocol_options": {"max_concurrent_streams": 1000},
            "use_remote_address": true,
            "skip_xff_append": true,
            "normalize_path": true,
            "merge_slashes": true,
            "generate_request_id": true,
            "server_header_transformation": "PASS_THROUGH",
            "access_log": [access_log(options)],
            "route_config": routes(plan),
            "http_filters": filters(plan, text, options),
        }),
    )
}

/// What each request passes.
fn filters(plan: &Plan, text: &str, options: &Options) -> Vec<Value> {
    let router = typed(
        "envoy.extensions.filters.http.router.v3.Router",
        json!({"suppress_envoy_headers": true, "upstream_http_filters": upstream_filters(plan, text, options)}),
    );
    let mut filters = vec![module("conduit.gateway", plan, text, options)];
    filters.extend(credentials::google(plan));
    filters.push(json!({"name": "envoy.filters.http.router", "typed_config": router}));
    filters
}

/// How long a client may see nothing: every target of the longest chain may use up its time, then the answer its own.
/// Longer than the hop waits for a provider (see [`tap`]), which ends a silent stream better than this limit does.
fn longest_silence(plan: &Plan) -> u64 {
    let attempts = plan.chains.iter().map(|chain| chain.targets.len()).max().unwrap_or(1).max(1);
    let attempts = u64::try_from(attempts).unwrap_or(u64::MAX);
    plan.timeouts.first_byte_ms.saturating_mul(attempts).saturating_add(plan.timeouts.idle_ms).saturating_add(10_000)
}

/// One role of the module as an HTTP filter.
fn module(role: &str, plan: &Plan, text: &str, options: &Options) -> Value {
    let mut config = plugin(role, text, plan, options);
    if let Some(config) = config.as_object_mut() {
        config.insert("allow_on_headers_stop_iteration".to_owned(), json!(true));
    }
    json!({"name": role, "typed_config": typed("envoy.extensions.filters.http.wasm.v3.Wasm", json!({"config": config}))})
}

/// One role of the module. All name the same machine, so that they share its memory on each worker.
pub(super) fn plugin(role: &str, text: &str, plan: &Plan, options: &Options) -> Value {
    let variables: Vec<&str> = plan.variables.iter().map(String::as_str).collect();
    let mut environment = json!({"host_env_keys": variables});
    if let (Some(opening), Some(environment)) = (&options.opening, environment.as_object_mut()) {
        environment.insert("key_values".to_owned(), json!({opening::VARIABLE: opening}));
    }
    json!({
        "name": role,
        "root_id": role,
        "failure_policy": "FAIL_RELOAD",
        "configuration": typed("google.protobuf.StringValue", json!({"value": text})),
        "vm_config": {
            "vm_id": "conduit",
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": options.wasm}},
            // Envoy keeps a machine whose code and configuration stay the same, with the environment it started
            // with: naming the variables here gives a document with other variables a machine of its own.
            "configuration": typed("google.protobuf.StringValue", json!({"value": variables.join(" ")})),
            "environment_variables": environment,
        },
    })
}

/// What each attempt passes on its way out: the upstream role; [`PRIVATE`] taken off, so that none of it is signed;
/// Envoy's own credentials.
fn upstream_filters(plan: &Plan, text: &str, options: &Options) -> Vec<Value> {
    let codec = typed("envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec", json!({}));
    let mut filters = vec![
        module("conduit.upstream", plan, text, options),
        without_headers("envoy.filters.http.header_mutation", PRIVATE),
    ];
    filters.extend(credentials::signing(plan));
    filters.push(json!({"name": "envoy.filters.http.upstream_codec", "typed_config": codec}));
    filters
}

/// A filter that takes headers off requests.
pub(super) fn without_headers(name: &str, headers: &[&str]) -> Value {
    let removals: Vec<Value> = headers.iter().map(|name| json!({"remove": name})).collect();
    json!({
        "name": name,
        "typed_config": typed(
            "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            json!({"mutations": {"request_mutations": removals}}),
        ),
    })
}

fn routes(plan: &Plan) -> Value {
    json!({
        "name": "conduit",
        "virtual_hosts": [{
            "name": "conduit",
            "domains": ["*"],
            "include_request_attempt_count": true,
            "routes": [{
                "name": "conduit",
                "match": {"prefix": "/"},
                "request_headers_to_remove": [CLUSTER_HEADER],
                "route": {
                    "cluster_header": CLUSTER_HEADER,
                    "timeout": "0s",
                    "auto_host_rewrite": true,
                    "retry_policy": {
                        "retry_on": "connect-failure,reset,refused-stream,5xx,retriable-status-codes",
                        "retriable_status_codes": RETRIED,
                        // The gateway role sets `x-envoy-max-retries` to what the request's chain has left.
                        "num_retries": 0,
                        "per_try_timeout": millis(plan.timeouts.first_byte_ms),
                        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.050s"},
                    },
                },
            }],
        }],
    })
}

/// The filter's own line, where it left one.
fn access_log(options: &Options) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "filter": {"extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": typed(
                "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                json!({"expression": "'wasm.conduit.record' in filter_state"}),
            ),
        }},
        "typed_config": typed("envoy.extensions.access_loggers.file.v3.FileAccessLog", json!({
            "path": options.access_log,
            "log_format": {"text_format_source": {"inline_string": "%FILTER_STATE(wasm.conduit.record:PLAIN)%\n"}},
        })),
    })
}
