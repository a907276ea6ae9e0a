//! Credentials that Envoy puts in itself, for the attempts of the providers that they belong to and no others: AWS's
//! Signature Version 4, and access tokens of Google Cloud.
//!
//! The upstream role names the provider in [`SIGN_HEADER`]. Each provider's filter stands in a matcher that skips it where
//! the header does not name this provider. Tried on Envoy 1.40.0: the signature covers the translated body, and a path
//! in which `:` is escaped is signed as AWS does it (its `%` escaped once more).

use super::typed;
use crate::config::{Plan, Provider};
use crate::providers::{Auth, SIGN_HEADER};
use serde_json::{Value, json};

/// The cluster of Google Cloud's metadata server.
const METADATA: &str = "conduit.google.metadata";

/// What an access token must allow to ask Vertex AI.
const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// One filter for each provider whose credential is Envoy's, to stand behind the upstream role.
pub(super) fn filters(plan: &Plan) -> Vec<Value> {
    let mut filters: Vec<Value> = plan.providers.iter().filter_map(|p| Some(only_for(p, filter(p)?))).collect();
    if !filters.is_empty() {
        filters.push(super::listener::without_headers("conduit.signed", &[SIGN_HEADER], &[]));
    }
    filters
}

/// The clusters that these filters need.
pub(super) fn clusters(plan: &Plan) -> Vec<Value> {
    if !plan.providers.iter().any(|provider| provider.auth == Auth::GcpAuthn) {
        return Vec::new();
    }
    vec![json!({
        "name": METADATA,
        "type": "STATIC",
        "connect_timeout": "2s",
        "circuit_breakers": super::clusters::plenty(),
        "load_assignment": {
            "cluster_name": METADATA,
            "endpoints": [{"lb_endpoints": [{
                "endpoint": {"address": {"socket_address": {"address": "169.254.169.254", "port_value": 80}}},
            }]}],
        },
    })]
}

fn filter(provider: &Provider) -> Option<Value> {
    match provider.auth {
        Auth::AwsSigV4 => Some(json!({
            "name": "envoy.filters.http.aws_request_signing",
            "typed_config": typed("envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning", json!({
                "service_name": "bedrock",
                "region": provider.settings.region,
                // Of the rest some are taken off behind this filter, and none of it needs to be signed.
                "match_included_headers": [
                    {"exact": "host"}, {"exact": "content-type"}, {"prefix": "x-amz-"}, {"prefix": "x-amzn-"},
                ],
            })),
        })),
        Auth::GcpAuthn => Some(json!({
            "name": "envoy.filters.http.gcp_authn",
            "typed_config": typed("envoy.extensions.filters.http.gcp_authn.v3.GcpAuthnFilterConfig", json!({
                "cluster": METADATA,
                "timeout": "5s",
                "audience": {"access_token": {"scopes": [GOOGLE_SCOPE]}},
                "cache_config": {"cache_size": 8},
                "retry_policy": {"num_retries": 2},
            })),
        })),
        _ => None,
    }
}

/// A filter that is skipped unless the attempt is one of this provider's.
fn only_for(provider: &Provider, filter: Value) -> Value {
    let header = typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", json!({"header_name": SIGN_HEADER}));
    let skip = typed("envoy.extensions.filters.common.matcher.action.v3.SkipFilter", json!({}));
    let named = json!({
        "input": {"name": "envoy.matching.inputs.request_headers", "typed_config": header},
        "value_match": {"exact": provider.name},
    });
    let matcher = json!({"matcher_list": {"matchers": [{
        "predicate": {"not_matcher": {"single_predicate": named}},
        "on_match": {"action": {"name": "skip", "typed_config": skip}},
    }]}});
    json!({
        "name": format!("conduit.sign.{}", provider.name),
        "typed_config": typed(
            "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
            json!({"extension_config": filter, "xds_matcher": matcher}),
        ),
    })
}
