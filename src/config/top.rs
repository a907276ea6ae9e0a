//! The top level of the file: everything but providers, targets and routing.

use super::budgets::Budgets;
use super::limits::Limits;
use super::read::{Cursor, Fields, one_of};
use super::scalars::{milliseconds, size};
use super::targets::{self, Chains};
use super::{Address, Plan, Routing, Timeouts, consumers, providers, routing};
use crate::admit::Consumers;
use crate::host::Env;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The largest `max_body` may be: Envoy's buffer limits are 32 bits wide, and the VM holds a body in memory.
const LARGEST_BODY: u64 = 1 << 30;
/// The longest any timeout may be.
const LONGEST_TIMEOUT_MS: u64 = 24 * 3_600_000;

/// The headers of dimensions.
pub(super) const DIMENSIONS: &[&str] =
    &["x-conduit-project", "x-conduit-agent", "x-conduit-agent-type", "x-conduit-session"];

const FIELDS: &[&str] = &[
    "version",
    "enabled",
    "listen",
    "admin",
    "mock",
    "max_body",
    "timeouts",
    "access_log",
    "providers",
    "models",
    "aliases",
    "routing",
    "consumers",
    "budgets",
    "limits",
    "trusted_headers",
];

/// Reads the whole file. The plan is worth something only where nothing was reported.
pub(super) fn read(root: &Cursor<'_>, env: &dyn Env) -> Plan {
    let fields = root.fields(FIELDS);
    if let Some(version) = fields.required("version", "`version: 1`") {
        version.whole(1..=1_u8);
    }
    let mut plan = Plan {
        enabled: fields.or("enabled", true, |cursor| cursor.boolean()),
        listen: listener(&fields, "listen", 10_000),
        admin: listener(&fields, "admin", 9_901),
        mock: fields.get("mock").and_then(|cursor| mock(&cursor)),
        max_body: fields.or("max_body", 32 << 20, |cursor| read_size(&cursor)),
        timeouts: timeouts(&fields),
        providers: Vec::new(),
        chains: Vec::new(),
        composites: BTreeMap::new(),
        aliases: Vec::new(),
        routing: Routing::default(),
        models: BTreeMap::new(),
        named: BTreeMap::new(),
        passthrough: None,
        variables: BTreeSet::new(),
        access_log: fields
            .get("access_log")
            .and_then(|cursor| cursor.text("a path, or `stdout`"))
            .filter(|path| *path != "stdout")
            .map(str::to_owned),
        consumers: Consumers::default(),
        budgets: Vec::new(),
        limits: Vec::new(),
        trusted_headers: trusted_headers(&fields),
    };
    if plan.listen.port == plan.admin.port
        && let Some(admin) = fields.get("admin").or_else(|| fields.get("listen"))
    {
        admin.mistake(format!("port {} for both `listen` and `admin`", plan.admin.port), "two different ports", None);
    }

    let expected = "at least one provider, such as `openai: {api_key: \"${OPENAI_API_KEY}\"}`";
    let mut names = Vec::new();
    if let Some(cursor) = fields.required("providers", expected) {
        for (name, provider) in providers::read(&cursor, &mut plan, env) {
            names.push(name);
            plan.providers.extend(provider);
        }
    }
    if let Some(models) = fields.get("models") {
        targets::read_models(&models, &names, &mut plan);
    }
    let mut chains = Chains::new(&mut plan, &names, fields.get("aliases"));
    chains.finish_aliases();
    let read = fields.get("routing").map(|cursor| routing::read(&cursor, &mut chains));
    let (mut budgets, mut limits) = (Budgets::default(), Limits::default());
    let consumers = fields
        .get("consumers")
        .map(|cursor| consumers::read(&cursor, &mut chains, &mut budgets, &mut limits))
        .unwrap_or_default();
    if let Some(cursor) = fields.get("budgets") {
        budgets.read(&cursor, &mut chains);
    }
    if let Some(cursor) = fields.get("limits") {
        limits.read(&cursor);
    }
    let named = chains.finish();
    plan.routing = read.unwrap_or_default();
    plan.consumers = consumers;
    plan.budgets = budgets.finish();
    plan.limits = limits.finish();
    plan.named = named;
    plan.passthrough = targets::passthrough(&plan);
    plan
}

/// The dimensions that clients may say themselves: all of them, unless the file knows who its clients are.
fn trusted_headers(fields: &Fields<'_>) -> Vec<&'static str> {
    let Some(cursor) = fields.get("trusted_headers") else {
        return if fields.has("consumers") { Vec::new() } else { DIMENSIONS.to_vec() };
    };
    let Some(items) = cursor.as_list() else {
        cursor.wrong(format!("a list of {}; `[]` for none", one_of(DIMENSIONS)));
        return Vec::new();
    };
    let words: Vec<(&str, &'static str)> = DIMENSIONS.iter().map(|name| (*name, *name)).collect();
    items.iter().filter_map(|item| item.word(&words)).collect()
}

fn listener(fields: &Fields<'_>, name: &str, usual: u16) -> Address {
    let mut found = Address { address: "127.0.0.1".into(), port: usual };
    if let Some(cursor) = fields.get(name) {
        let fields = cursor.fields(&["address", "port"]);
        if let Some(cursor) = fields.get("address") {
            const EXPECTED: &str = "an IP address to listen on, such as 127.0.0.1, 0.0.0.0 or \"::\"";
            if let Some(text) = cursor.text(EXPECTED) {
                if text.parse::<IpAddr>().is_err() {
                    let near = text.eq_ignore_ascii_case("localhost").then(|| "127.0.0.1".to_owned());
                    cursor.mistake(cursor.describe(), EXPECTED, near);
                }
                found.address = text.to_owned();
            }
        }
        found.port = fields.or("port", usual, |cursor| cursor.whole(1..=u16::MAX));
    }
    found
}

fn mock(cursor: &Cursor<'_>) -> Option<Address> {
    const EXPECTED: &str = "a host name or IP address";
    let fields = cursor.fields(&["address", "port"]);
    let address = fields.or("address", "127.0.0.1", |cursor| {
        let text = cursor.text(EXPECTED)?;
        let host = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'));
        if !host {
            cursor.wrong(EXPECTED);
        }
        host.then_some(text)
    });
    let port = fields.required("port", "the port of `conduit mock`").and_then(|cursor| cursor.whole(1..=u16::MAX));
    // With a wrong port there is still a mock: the keys that it makes unnecessary are no second mistake.
    Some(Address { address: address.to_owned(), port: port.unwrap_or(0) })
}

fn read_size(cursor: &Cursor<'_>) -> Option<u64> {
    let found = cursor.scalar().and_then(size).filter(|bytes| (1..=LARGEST_BODY).contains(bytes));
    if found.is_none() {
        cursor.wrong("a size from 1 to 1GiB: `32MiB`, `10MB`, `500KiB`, or a number of bytes");
    }
    found
}

fn timeouts(fields: &Fields<'_>) -> Timeouts {
    let mut found = Timeouts { connect_ms: 5_000, first_byte_ms: 300_000, idle_ms: 300_000 };
    if let Some(cursor) = fields.get("timeouts") {
        let fields = cursor.fields(&["connect", "first_byte", "idle"]);
        let duration = |cursor: Cursor<'_>| {
            let found = cursor.scalar().and_then(milliseconds).filter(|ms| (1..=LONGEST_TIMEOUT_MS).contains(ms));
            if found.is_none() {
                cursor.wrong("a duration from 1ms to 24h, with its unit: `500ms`, `5s`, `2m`");
            }
            found
        };
        found.connect_ms = fields.or("connect", found.connect_ms, duration);
        found.first_byte_ms = fields.or("first_byte", found.first_byte_ms, duration);
        found.idle_ms = fields.or("idle", found.idle_ms, duration);
    }
    found
}
