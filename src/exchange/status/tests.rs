use super::*;
use crate::admit::accounts::{Claim, Gauge};
use crate::admit::rules::{Period, Scope, Zone};
use crate::config::load;
use crate::exchange::Exchange;
use crate::host::{Peer, Table, World};
use crate::testing::test;
use serde_json::Value;
use std::rc::Rc;

const CONFIG: &str = r#"
version: 1
providers:
  openai: {api_key: "${KEY}"}
  anthropic: {api_key: "${KEY}"}
aliases:
  smart: [anthropic/claude-sonnet-4-5, openai/gpt-4o]
  fast: openai/gpt-4o-mini
"#;

const NOW: Time = Time(1_763_688_298_000_000_000);
const DOLLAR: u128 = 1_000_000_000_000;

fn budget(name: &str, per: Scope, limit: u128) -> Budget {
    Budget {
        name: name.into(),
        per,
        period: Period::Day,
        zone: Zone::default(),
        limit: Usd(limit),
        warn_at: Vec::new(),
        on_exceed: OnExceed::Block,
        clamp: false,
        unpriced: false,
        of: None,
    }
}

fn plan() -> Plan {
    let mut plan = load(CONFIG, &|_: &str| Some("key".to_owned())).unwrap();
    let fast = plan.alias("fast").unwrap();
    let downgrade = Budget { on_exceed: OnExceed::Downgrade(fast), ..budget("project", Scope::Project, 20 * DOLLAR) };
    plan.budgets = vec![budget("company", Scope::All, 100 * DOLLAR), downgrade, budget("idle", Scope::Agent, DOLLAR)];
    plan.limits = vec![Limit {
        name: "team".into(),
        per: Scope::Consumer,
        requests: None,
        tokens: Some(60_000),
        concurrent: Some(8),
        of: None,
    }];
    plan
}

fn take(table: &Table, account: String, gauge: Gauge, spent: u128, reserved: u128) {
    let claim = |amount| vec![Claim { account: account.clone(), gauge, amount, forced: true }];
    accounts::reserve(table, claim(spent), NOW).unwrap().settle(table, &[Some(spent)], NOW);
    if reserved > 0 {
        accounts::reserve(table, claim(reserved), NOW).unwrap();
    }
}

/// Some spending, one target that rests, and a hostile name.
fn used(plan: &Plan) -> Table {
    let table = Table::default();
    begins(&table, Time(NOW.0 - 3_600_000_000_000));
    begins(&table, NOW);
    let [company, project, _] = plan.budgets.as_slice() else { panic!() };
    take(&table, company.account(""), company.gauge(NOW), 12_345 * DOLLAR / 1_000, DOLLAR / 2);
    take(&table, project.account("web"), project.gauge(NOW), DOLLAR / 4, 0);
    take(&table, project.account("<script>alert(1)</script>"), project.gauge(NOW), 25 * DOLLAR, 0);
    take(&table, project.account(""), project.gauge(NOW), 7, 0);
    let limit = &plan.limits[0];
    take(&table, limit.account("tokens", "ann"), Gauge::Bucket { capacity: 60_000 }, 15_000, 0);
    let slot = Claim {
        account: limit.account("concurrent", "ann"),
        gauge: Gauge::Slots { most: 8 },
        amount: 1,
        forced: false,
    };
    accounts::reserve(&table, vec![slot], NOW).unwrap();
    cooldown::begin(&table, "openai/gpt-4o", Time(NOW.0 + 200_000_000_000));
    table
}

fn asked(plan: Plan, world: World, header: &Option<(&str, &str)>) -> Reply {
    let head = [(":method", "GET"), (":path", "/conduit/status?a=1")];
    let head = head.iter().chain(header).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let head = Headers::new(head.collect());
    let (exchange, step) = Exchange::begin_in(world, Arc::new(plan), "1".into(), head, true, NOW);
    assert!(!exchange.is_recorded());
    let Step::Reply(reply) = step else { panic!("{step:?}") };
    reply
}

fn local(table: Table) -> World {
    World { shared: Rc::new(table), peer: Peer { address: Some("127.0.0.1".into()), principals: Vec::new() } }
}

#[test]
fn all_that_is_known_is_told() {
    let plan = plan();
    let table = used(&plan);
    let reply = asked(plan, local(table), &None);
    assert_eq!(reply.status, 200);
    assert!(reply.headers.contains(&("cache-control".into(), "no-store".into())));
    let status: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (&status["time"], &status["since"]),
        (&"2025-11-21T01:24:58.000Z".into(), &"2025-11-21T00:24:58.000Z".into())
    );
    let targets = status["targets"].as_array().unwrap();
    let names: Vec<&Value> = targets.iter().map(|target| &target["name"]).collect();
    assert_eq!(names, ["anthropic/claude-sonnet-4-5", "openai/gpt-4o", "openai/gpt-4o-mini"]);
    assert_eq!((&targets[0]["status"], &targets[0]["resting_until"]), (&"READY".into(), &Value::Null));
    assert_eq!(targets[1]["status"], "NOT READY");
    assert_eq!(targets[1]["resting_until"], "2025-11-21T01:28:18.000Z");
    let [company, project, idle] = status["budgets"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!(
        (&company["limit_usd"], &company["per"], &company["period"]),
        (&"100".into(), &"all".into(), &"day".into())
    );
    let account = &company["accounts"][0];
    assert_eq!((&account["spent_usd"], &account["reserved_usd"]), (&"12.345".into(), &"0.5".into()));
    assert_eq!((&account["left_usd"], &account["value"]), (&"87.155".into(), &"".into()));
    assert_eq!(account["resets"], "2025-11-22T00:00:00.000Z");
    assert_eq!(project["on_exceed"], "downgrade to openai/gpt-4o-mini");
    let values: Vec<&Value> = project["accounts"].as_array().unwrap().iter().map(|account| &account["value"]).collect();
    assert_eq!(values, ["<script>alert(1)</script>", "web", ""], "the fullest first");
    assert_eq!(project["accounts"][0]["left_usd"], "0");
    assert_eq!(project["accounts"][2]["spent_usd"], "0.000000000007");
    assert_eq!(idle["accounts"], Value::Array(Vec::new()));
    let [tokens, concurrent] = status["limits"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!((&tokens["of"], &tokens["limit"]), (&"tokens".into(), &60_000.into()));
    assert_eq!((&tokens["accounts"][0]["used"], &tokens["accounts"][0]["left"]), (&15_000.into(), &45_000.into()));
    assert_eq!((&concurrent["accounts"][0]["used"], &concurrent["accounts"][0]["left"]), (&1.into(), &7.into()));
    assert_eq!(status["more"], false);
}

#[test]
fn a_browser_gets_a_page_in_which_nothing_of_a_clients_is_markup() {
    let plan = plan();
    let table = used(&plan);
    let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let reply = asked(plan, local(table), &Some(("accept", accept)));
    assert!(reply.headers.contains(&("content-type".into(), "text/html; charset=utf-8".into())));
    let page = String::from_utf8(reply.body).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script"));
    for said in [
        "$12.345",
        "$0.50",
        "$100.00",
        "&lt; $0.0001",
        "width:12.8%",
        "width:12.3%",
        "nothing spent of $1",
        "in 22 h 35 min",
        "ready in 3 min 20 s",
        "60,000",
        "15,000",
        "everything",
        "no project",
        "bar over",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    // Each element that is opened is closed, in its order.
    let mut open = Vec::new();
    for tag in page.split('<').skip(1) {
        let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '!')).collect();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name), "<{tag}"),
            None if matches!(name.as_str(), "!doctype" | "meta") => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn what_an_accept_header_prefers() {
    for (accept, want) in [
        (None, false),
        (Some("*/*"), false),
        (Some("application/json"), false),
        (Some("text/html"), true),
        (Some("TEXT/HTML;level=1"), true),
        (Some("text/html, application/json"), false),
        (Some("text/html, application/json;q=0.9"), true),
        (Some("text/html;q=0.5, application/json;q=0.9"), false),
        (Some("text/html;q=0"), false),
        (Some("text/html;q=much"), false),
        (Some("image/png,,;,text/*"), false),
    ] {
        let headers = accept.map(|accept| ("accept".to_owned(), accept.to_owned()));
        assert_eq!(prefers_html(&Headers::new(headers.into_iter().collect())), want, "{accept:?}");
    }
}

#[test]
fn only_an_admin_or_else_the_gateways_own_host_sees_it() {
    const CONSUMERS: &str = "consumers:
  ann: {header: {name: x-sub, value: ann}}
  root: {header: {name: x-sub, value: root}, admin: true}
";
    for (consumers, who, address, want) in [
        ("", None, Some("127.0.0.1"), 200),
        ("", None, Some("127.8.9.1"), 200),
        ("", None, Some("::1"), 200),
        ("", None, Some("::ffff:127.0.0.1"), 200),
        ("", Some("root"), Some("10.0.0.7"), 403),
        ("", None, Some("::ffff:10.0.0.7"), 403),
        ("", None, Some("localhost"), 403),
        ("", None, None, 403),
        (CONSUMERS, Some("ann"), Some("127.0.0.1"), 403),
        (CONSUMERS, Some("root"), Some("10.0.0.7"), 200),
        (CONSUMERS, Some("root"), None, 200),
        (CONSUMERS, Some("eve"), Some("127.0.0.1"), 401),
        (CONSUMERS, None, Some("127.0.0.1"), 401),
    ] {
        let plan = load(&format!("{CONFIG}{consumers}"), &|_: &str| Some("key".to_owned())).unwrap();
        let peer = Peer { address: address.map(str::to_owned), principals: Vec::new() };
        let reply = asked(plan, World { peer, ..World::default() }, &who.map(|who| ("x-sub", who)));
        assert_eq!(reply.status, want, "{consumers} {who:?} {address:?}");
        if want == 403 {
            let said: Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!(said["error"]["code"], "status_not_allowed");
        }
    }
}

#[test]
fn there_are_never_more_accounts_than_a_page_takes() {
    let plan = plan();
    let table = Table::default();
    let project = &plan.budgets[1];
    let many: Vec<_> = (0..MOST + 9).map(|at| (project.account(&at.to_string()), project.gauge(NOW), 5)).collect();
    assert!(accounts::open(&table, &many, NOW));
    let status: Value = serde_json::from_slice(&asked(plan, local(table), &None).body).unwrap();
    assert_eq!(status["budgets"][1]["accounts"].as_array().unwrap().len(), MOST);
    assert_eq!(status["more"], true);
}

#[test]
fn without_consumers_neither_a_proxy_nor_another_name_opens_the_page() {
    for (header, want) in [
        (None, 200),
        (Some((":authority", "127.0.0.1:10000")), 200),
        (Some((":authority", "localhost")), 200),
        (Some((":authority", "[::1]:10000")), 200),
        (Some((":authority", "evil.example:10000")), 403),
        (Some(("x-forwarded-for", "203.0.113.9")), 403),
        (Some(("forwarded", "for=203.0.113.9")), 403),
        (Some(("via", "1.1 nginx")), 403),
    ] {
        assert_eq!(asked(plan(), local(Table::default()), &header).status, want, "{header:?}");
    }
}
