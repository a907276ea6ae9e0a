//! Credentials that Envoy puts in itself, for the attempts of the providers that they belong to and no others: AWS's
//! Signature Version 4, and access tokens of Google Cloud.
//!
//! The upstream role names the provider to sign for in [`SIGN_HEADER`]. Each provider's filter stands in a matcher that
//! skips it where the header does not name this provider. Tried on Envoy 1.40.0: the signature covers the translated
//! body, and a path in which `:` is escaped is signed as AWS does it (its `%` escaped once more).
//!
//! Envoy's filter for Google's tokens is none of those that an attempt can pass. So it stands before the router, asks
//! where the gateway role says so, and hands the token to the upstream role in a header that no provider sees.

use super::typed;
use crate::config::{Plan, Provider};
use crate::providers::{Auth, GOOGLE_TOKEN_HEADER, SIGN_HEADER, WANTS_GOOGLE_HEADER};
use serde_json::{Value, json};

/// The cluster of Google Cloud's metadata server.
const METADATA: &str = "conduit.google.metadata";

/// What an access token must allow to ask Vertex AI.
const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// One filter for each provider that Envoy signs for, to stand behind the upstream role.
pub(super) fn signing(plan: &Plan) -> Vec<Value> {
    let signed = plan.providers.iter().filter(|provider| provider.auth == Auth::AwsSigV4);
    let mut filters: Vec<Value> = signed
        .map(|p| only_where(&format!("conduit.sign.{}", p.name), SIGN_HEADER, &p.name, &aws_signing(p)))
        .collect();
    if !filters.is_empty() {
        filters.push(super::listener::without_headers("conduit.signed", &[SIGN_HEADER]));
    }
    filters
}

fn needs_google(plan: &Plan) -> bool {
    plan.providers.iter().any(|provider| provider.auth == Auth::GcpAuthn)
}

/// The filter that fetches Google's access tokens, to stand behind the gateway role.
pub(super) fn google(plan: &Plan) -> Option<Value> {
    needs_google(plan).then(|| only_where("conduit.google", WANTS_GOOGLE_HEADER, "1", &google_token()))
}

/// The clusters that these filters need.
pub(super) fn clusters(plan: &Plan) -> Vec<Value> {
    if !needs_google(plan) {
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

fn aws_signing(provider: &Provider) -> Value {
    json!({
        "name": "envoy.filters.http.aws_request_signing",
        "typed_config": typed("envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning", json!({
            "service_name": "bedrock",
            "region": provider.settings.region,
            // Of the rest some are taken off behind this filter, and none of it needs to be signed.
            "match_included_headers": [
                {"exact": "host"}, {"exact": "content-type"}, {"prefix": "x-amz-"}, {"prefix": "x-amzn-"},
            ],
        })),
    })
}

fn google_token() -> Value {
    json!({
        "name": "envoy.filters.http.gcp_authn",
        "typed_config": typed("envoy.extensions.filters.http.gcp_authn.v3.GcpAuthnFilterConfig", json!({
            "cluster": METADATA,
            "timeout": "5s",
            "audience": {"access_token": {"scopes": [GOOGLE_SCOPE]}},
            "token_header": {"name": GOOGLE_TOKEN_HEADER},
            "cache_config": {"cache_size": 8},
            "retry_policy": {"num_retries": 2},
        })),
    })
}

/// A filter that is skipped unless a request header has that value.
fn only_where(name: &str, header: &str, value: &str, filter: &Value) -> Value {
    let input = typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", json!({"header_name": header}));
    let skip = typed("envoy.extensions.filters.common.matcher.action.v3.SkipFilter", json!({}));
    let matches = json!({
        "input": {"name": "envoy.matching.inputs.request_headers", "typed_config": input},
        "value_match": {"exact": value},
    });
    let matcher = json!({"matcher_list": {"matchers": [{
        "predicate": {"not_matcher": {"single_predicate": matches}},
        "on_match": {"action": {"name": "skip", "typed_config": skip}},
    }]}});
    json!({
        "name": name,
        "typed_config": typed(
            "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
            json!({"extension_config": filter, "xds_matcher": matcher}),
        ),
    })
}
