//! The rendered Envoy configuration: reviewed output, no secret in it, and what must hold for any document.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used
)]

use conduit::cli::render::{Options, bootstrap, metrics, resources};
use conduit::config::{Plan, load};
use serde_json::Value;
use std::path::{Path, PathBuf};

const DOCUMENT: &str = r#"version: 1
listen: {address: 127.0.0.1, port: 10000}
admin: {address: 127.0.0.1, port: 9901}
max_body: 1MiB
providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
  anthropic: {api_key: "${ANTHROPIC_API_KEY}"}
  house: {kind: openai-compatible, url: "http://127.0.0.1:8000/v1"}
  inside: {kind: openai-compatible, url: "https://10.1.2.3:8443/v1"}
  bedrock: {region: us-east-1}
  keyed: {kind: bedrock, region: eu-west-1, api_key: "${OPENAI_API_KEY}"}
  vertex: {project: my-project, location: europe-west1}
aliases:
  fast: house/llama-3.3-70b
  smart: [anthropic/claude-sonnet-4-5, openai/gpt-4o, openai/gpt-4o-mini]
routing:
  default: smart
"#;

const SECRETS: [(&str, &str); 2] =
    [("OPENAI_API_KEY", "sk-openai-4711-secret"), ("ANTHROPIC_API_KEY", "sk-ant-0815-secret")];

fn plan(text: &str) -> Plan {
    let env = |name: &str| SECRETS.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    load(text, &env).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

fn options(dynamic_dir: Option<&Path>) -> Options {
    Options {
        wasm: PathBuf::from("/opt/conduit/conduit.wasm"),
        access_log: PathBuf::from("/dev/stdout"),
        ca_bundle: PathBuf::from("/etc/ssl/certs/ca-certificates.crt"),
        dynamic_dir: dynamic_dir.map(Path::to_path_buf),
        opening: None,
    }
}

fn rendered() -> Value {
    rendered_from(DOCUMENT)
}

fn rendered_from(text: &str) -> Value {
    bootstrap(&plan(text), text, &options(None))
}

fn cluster<'a>(bootstrap: &'a Value, name: &str) -> &'a Value {
    let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
    clusters.iter().find(|cluster| cluster["name"] == name).unwrap_or_else(|| panic!("no cluster {name}"))
}

/// Every value below `key`, wherever it stands.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key));
            fields.values().for_each(|field| all(field, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        _ => {}
    }
}

/// `UPDATE_GOLDEN=1 cargo test --test render` rewrites the file; read the difference before committing it.
#[test]
fn the_whole_is_as_reviewed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bootstrap.json");
    let now = format!("{}\n", serde_json::to_string_pretty(&rendered()).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &now).unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap();
    for (number, (now, reviewed)) in now.lines().zip(reviewed.lines()).enumerate() {
        assert_eq!(now, reviewed, "line {}", number + 1);
    }
    assert_eq!(now.lines().count(), reviewed.lines().count());
}

#[test]
fn no_secret_is_in_any_output() {
    let dir = PathBuf::from("/run/conduit");
    let plan = plan(DOCUMENT);
    let (listeners, clusters) = resources(&plan, DOCUMENT, &options(Some(&dir)));
    let dynamic = bootstrap(&plan, DOCUMENT, &options(Some(&dir)));
    for output in [rendered(), listeners, clusters, dynamic] {
        let text = output.to_string();
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn all_roles_share_one_machine_that_gets_the_named_variables_only() {
    let bootstrap = rendered();
    let mut configurations = Vec::new();
    all(&bootstrap, "config", &mut configurations);
    let roles: Vec<&Value> = configurations.iter().map(|configuration| &configuration["root_id"]).collect();
    assert_eq!(roles[..2], ["conduit.gateway", "conduit.upstream"]);
    for configuration in &configurations {
        assert_eq!(configuration["vm_config"], configurations[0]["vm_config"]);
        assert_eq!(configuration["failure_policy"], "FAIL_RELOAD");
    }
    for tap in &configurations[2..] {
        assert_eq!(tap["root_id"], "conduit.tap");
        assert_eq!(tap["configuration"]["value"], "");
    }
    for configuration in &configurations[..2] {
        assert_eq!(configuration["allow_on_headers_stop_iteration"], true);
        assert_eq!(configuration["configuration"]["value"], DOCUMENT);
    }
    let keys = &configurations[0]["vm_config"]["environment_variables"]["host_env_keys"];
    assert_eq!(*keys, serde_json::json!(["ANTHROPIC_API_KEY", "OPENAI_API_KEY"]));
}

#[test]
fn a_cluster_of_a_chain_names_its_providers_in_order_and_more_than_once() {
    let plan = plan(DOCUMENT);
    let chain = plan.chain(plan.alias("smart").unwrap()).unwrap();
    let bootstrap = rendered();
    let members = &cluster(&bootstrap, &chain.cluster)["cluster_type"]["typed_config"]["clusters"];
    let names: Vec<&str> = members.as_array().unwrap().iter().map(|member| member["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["conduit.provider.anthropic", "conduit.provider.openai", "conduit.provider.openai"]);
}

/// What is left of a chain when some of its targets are left out has a cluster; equal lists of providers share one.
#[test]
fn every_selection_of_a_short_chain_has_a_cluster_and_none_stands_twice() {
    let composites = |count: usize, providers: usize| {
        let names = |at: usize| format!("p{}", at % providers);
        let text: String = (0..providers)
            .map(|at| format!("  p{at}: {{kind: openai-compatible, url: \"http://127.0.0.1:8000/v1\"}}\n"))
            .collect();
        let chain: Vec<String> = (0..count).map(|at| format!("{}/m{at}", names(at))).collect();
        let bootstrap = rendered_from(&format!(
            "version: 1\nproviders:\n{text}aliases: {{a: [{0}], b: [{0}]}}\n",
            chain.join(", ")
        ));
        let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
        let members = |cluster: &Value| {
            let members = cluster["cluster_type"]["typed_config"]["clusters"].as_array()?;
            Some(members.iter().map(|member| member["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
        };
        let found: Vec<Vec<String>> = clusters.iter().filter_map(members).collect();
        let distinct: std::collections::BTreeSet<&Vec<String>> = found.iter().collect();
        assert_eq!(distinct.len(), found.len());
        assert!(found.iter().all(|members| members.len() > 1));
        let by_name: std::collections::BTreeSet<&str> =
            clusters.iter().map(|cluster| cluster["name"].as_str().unwrap()).collect();
        assert_eq!(by_name.len(), clusters.len());
        found.len()
    };
    for (count, providers, want) in [(1, 1, 0), (2, 2, 1), (3, 3, 4), (5, 5, 26), (5, 1, 4), (6, 6, 27), (9, 9, 30)] {
        assert_eq!(composites(count, providers), want, "{count} targets at {providers} providers");
    }
}

/// Envoy's own limits (1,024 requests, 3 retries at a time) would fail what a chain is there to save.
#[test]
fn no_cluster_is_left_with_envoys_default_limits() {
    let bootstrap = rendered();
    for cluster in bootstrap["static_resources"]["clusters"].as_array().unwrap() {
        let limits = &cluster["circuit_breakers"]["thresholds"][0];
        for limit in ["max_connections", "max_pending_requests", "max_requests", "max_retries"] {
            assert!(limits[limit].as_u64().is_some_and(|n| n >= 10_000), "{} {limit}", cluster["name"]);
        }
    }
}

#[test]
fn a_certificate_is_always_checked_for_the_name_or_address_that_was_dialled() {
    let bootstrap = rendered();
    let tls = |name: &str| cluster(&bootstrap, name)["transport_socket"]["typed_config"].clone();
    let named = tls("conduit.wire.anthropic");
    assert_eq!(named["sni"], "api.anthropic.com");
    assert_eq!(named["auto_sni_san_validation"], true);
    let numbered = tls("conduit.wire.inside");
    let validation = &numbered["common_tls_context"]["validation_context"];
    assert_eq!(validation["match_typed_subject_alt_names"][0]["matcher"]["exact"], "10.1.2.3");
    for tls in [named, numbered.clone()] {
        let validation = &tls["common_tls_context"]["validation_context"];
        assert_eq!(validation["trusted_ca"]["filename"], "/etc/ssl/certs/ca-certificates.crt");
    }
    assert!(cluster(&bootstrap, "conduit.wire.house").get("transport_socket").is_none());
}

#[test]
fn every_attempt_says_which_provider_it_is_for() {
    let bootstrap = rendered();
    for provider in ["openai", "anthropic", "house", "inside", "bedrock", "keyed", "vertex"] {
        let mut metadata = Vec::new();
        all(cluster(&bootstrap, &format!("conduit.provider.{provider}")), "filter_metadata", &mut metadata);
        assert_eq!(metadata.len(), 1);
        assert_eq!(metadata[0]["conduit"]["provider"], provider);
    }
}

fn upstream_filters(bootstrap: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    all(bootstrap, "upstream_http_filters", &mut found);
    found[0].as_array().unwrap().clone()
}

fn names(filters: &[Value]) -> Vec<&str> {
    filters.iter().map(|filter| filter["name"].as_str().unwrap()).collect()
}

/// The header and value without which a filter is skipped, and the filter.
fn condition(filter: &Value) -> (&str, &str, &Value) {
    let matcher = &filter["typed_config"]["xds_matcher"]["matcher_list"]["matchers"][0];
    let skip = matcher["on_match"]["action"]["typed_config"]["@type"].as_str().unwrap();
    assert!(skip.ends_with("SkipFilter"), "{skip}");
    let wanted = &matcher["predicate"]["not_matcher"]["single_predicate"];
    let header = wanted["input"]["typed_config"]["header_name"].as_str().unwrap();
    (header, wanted["value_match"]["exact"].as_str().unwrap(), &filter["typed_config"]["extension_config"])
}

#[test]
fn envoy_puts_its_own_credentials_into_what_asks_for_them_only() {
    let bootstrap = rendered();
    let upstream = upstream_filters(&bootstrap);
    // What is private goes before anything is signed, and the sign itself after.
    assert_eq!(
        names(&upstream),
        [
            "conduit.upstream",
            "envoy.filters.http.header_mutation",
            "conduit.sign.bedrock",
            "conduit.signed",
            "envoy.filters.http.upstream_codec",
        ]
    );
    let (header, value, signing) = condition(&upstream[2]);
    assert_eq!((header, value), ("x-conduit-sign", "bedrock"));
    assert_eq!(signing["name"], "envoy.filters.http.aws_request_signing");
    assert_eq!(signing["typed_config"]["region"], "us-east-1");
    assert_eq!(upstream[3]["typed_config"]["mutations"]["request_mutations"][0]["remove"], "x-conduit-sign");

    let mut downstream = Vec::new();
    all(&bootstrap, "http_filters", &mut downstream);
    let downstream = downstream[0].as_array().unwrap();
    assert_eq!(names(downstream), ["conduit.gateway", "conduit.google", "envoy.filters.http.router"]);
    let (header, value, google) = condition(&downstream[1]);
    assert_eq!((header, value), ("x-conduit-google", "1"));
    assert_eq!(google["typed_config"]["token_header"]["name"], "x-conduit-google-token");

    // A document without such providers has no such filter.
    let plain = "version: 1\nproviders: {house: {kind: openai-compatible, url: \"http://127.0.0.1:1/v1\"}}\n";
    let plain = rendered_from(plain).to_string();
    assert!(!plain.contains("x-conduit-sign") && !plain.contains("conduit.google"), "{plain}");
}

/// Follows the way of bytes from a provider's cluster to its address.
#[test]
fn the_way_to_a_provider_passes_the_tap_and_ends_at_its_address() {
    let bootstrap = rendered();
    let listeners = bootstrap["static_resources"]["listeners"].as_array().unwrap();
    let endpoint = |name: &str| {
        cluster(&bootstrap, name)["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"].clone()
    };
    let behind = |address: &Value| {
        let name = &address["envoy_internal_address"]["server_listener_name"];
        let listener = listeners.iter().find(|listener| listener["name"] == *name).expect("listens");
        assert!(listener.get("internal_listener").is_some());
        let filters = listener["filter_chains"][0]["filters"].as_array().unwrap();
        let names: Vec<&str> = filters.iter().map(|filter| filter["name"].as_str().unwrap()).collect();
        let next = filters.last().unwrap()["typed_config"]["cluster"].as_str().unwrap();
        (names.join(" "), endpoint(next))
    };
    let (filters, hop) = behind(&endpoint("conduit.provider.house"));
    assert_eq!(filters, "conduit.tap envoy.filters.network.tcp_proxy");
    let (filters, wire) = behind(&hop);
    assert_eq!(filters, "envoy.filters.network.tcp_proxy");
    assert_eq!(wire["socket_address"], serde_json::json!({"address": "127.0.0.1", "port_value": 8000}));
}

#[test]
fn what_is_followed_is_what_would_be_static() {
    let dir = PathBuf::from("/run/conduit");
    let plan = plan(DOCUMENT);
    let followed = bootstrap(&plan, DOCUMENT, &options(Some(&dir)));
    let dynamic = &followed["dynamic_resources"];
    assert_eq!(dynamic["lds_config"]["path_config_source"]["path"], "/run/conduit/lds.json");
    assert_eq!(dynamic["cds_config"]["path_config_source"]["watched_directory"]["path"], "/run/conduit");
    let (listeners, clusters) = resources(&plan, DOCUMENT, &options(Some(&dir)));
    for (files, place) in [(listeners, "listeners"), (clusters, "clusters")] {
        let mut found = files["resources"].as_array().unwrap().clone();
        for resource in &mut found {
            let kind = resource.as_object_mut().unwrap().remove("@type").unwrap();
            assert!(kind.as_str().unwrap().starts_with("type.googleapis.com/envoy.config."));
        }
        assert_eq!(Value::Array(found), rendered()["static_resources"][place]);
    }
}

#[test]
fn a_label_is_cut_out_of_a_metric_name_whole() {
    let bootstrap = rendered();
    let tags = bootstrap["stats_config"]["stats_tags"].as_array().unwrap();
    let mut name = format!("{}.conduit_requests", metrics::NAMESPACE);
    for label in metrics::LABELS {
        name = format!("{name}{}{label}=a/b.c-{label}", metrics::SEPARATOR);
    }
    let mut left = name.clone();
    for (tag, label) in tags.iter().zip(metrics::LABELS) {
        assert_eq!(tag["tag_name"], *label);
        let groups = regex::Regex::new(tag["regex"].as_str().unwrap()).unwrap().captures(&name).expect("matches");
        assert_eq!(&groups[2], format!("a/b.c-{label}"));
        left = left.replace(&groups[1], "");
    }
    assert_eq!(left, "wasmcustom.conduit_requests");
}

#[test]
fn every_role_gets_what_was_spent_so_that_all_share_one_machine() {
    let opening = r#"[["b \"day\" all=",1,2,3,4]]"#;
    let options = Options { opening: Some(opening.to_owned()), ..options(None) };
    let whole = bootstrap(&plan(DOCUMENT), DOCUMENT, &options);
    let mut machines = Vec::new();
    fn walk(value: &Value, machines: &mut Vec<Value>) {
        match value {
            Value::Object(fields) => {
                machines.extend(fields.get("vm_config").cloned());
                fields.values().for_each(|value| walk(value, machines));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, machines)),
            _ => {}
        }
    }
    walk(&whole, &mut machines);
    assert!(machines.len() >= 3, "{}", machines.len());
    for machine in &machines {
        assert_eq!(machine, &machines[0]);
        assert_eq!(machine["environment_variables"]["key_values"]["CONDUIT_OPENING"], opening);
    }
}
