use super::*;
use crate::route::{Condition, NumberField, NumberTest};
use crate::testing::test;

/// `proptest` is for native tests only.
#[cfg(not(target_family = "wasm"))]
mod hostile;

const COMPLETE: &str = include_str!("../../tests/config/00-complete.yaml");

fn all_set(name: &str) -> Option<String> {
    Some(format!("value of {name}"))
}

fn none_set(_: &str) -> Option<String> {
    None
}

fn plan(text: &str) -> Plan {
    plan_with(text, &all_set)
}

fn plan_with(text: &str, env: &dyn Env) -> Plan {
    load(text, env).unwrap_or_else(|mistakes| {
        panic!("{text}\n{}", mistakes.iter().map(|mistake| format!("{mistake}\n")).collect::<String>())
    })
}

fn names(plan: &Plan, chain: ChainId) -> Vec<&str> {
    plan.chain(chain).unwrap().targets.iter().map(|target| target.name.as_str()).collect()
}

/// A minimal file with these lines added.
fn with(more: &str) -> String {
    format!("version: 1\nproviders: {{openai: {{api_key: \"${{OPENAI_API_KEY}}\"}}}}\n{more}\n")
}

fn told(text: &str) -> Vec<String> {
    load(text, &all_set).unwrap_err().iter().map(Mistake::to_string).collect()
}

#[test]
fn the_complete_example_becomes_a_plan() {
    let plan = plan(COMPLETE);
    assert!(plan.enabled);
    assert_eq!(plan.listen, Address { address: "127.0.0.1".into(), port: 10_000 });
    assert_eq!(plan.admin, Address { address: "127.0.0.1".into(), port: 9_901 });
    assert_eq!(plan.mock, None);
    assert_eq!(plan.max_body, 33_554_432);
    let providers: Vec<(&str, &str, String, bool)> =
        plan.providers.iter().map(|p| (p.name.as_str(), p.spec.kind, p.url.authority(), p.key.is_some())).collect();
    assert_eq!(
        providers,
        [
            ("openai", "openai", "api.openai.com".to_owned(), true),
            ("anthropic", "anthropic", "api.anthropic.com".to_owned(), true),
            ("groq", "groq", "api.groq.com".to_owned(), true),
            ("xai", "xai", "api.x.ai".to_owned(), true),
            ("glm", "glm", "open.bigmodel.cn".to_owned(), true),
            ("house", "openai-compatible", "127.0.0.1:8000".to_owned(), false),
        ]
    );
    assert_eq!(plan.providers[0].key.as_ref().unwrap().reveal(), "value of OPENAI_API_KEY");
    assert_eq!(plan.providers[5].url.path, "/v1");
    assert_eq!(plan.providers[5].cluster, "conduit.provider.house");
    let variables: Vec<&str> = plan.variables.iter().map(String::as_str).collect();
    assert_eq!(variables, ["ANTHROPIC_API_KEY", "GLM_API_KEY", "GROQ_API_KEY", "OPENAI_API_KEY", "XAI_API_KEY"]);

    assert_eq!(plan.aliases.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["fast", "smart"]);
    let (fast, smart) = (plan.alias("fast").unwrap(), plan.alias("smart").unwrap());
    assert_eq!(names(&plan, fast), ["groq/llama-3.3-70b-versatile"]);
    assert_eq!(names(&plan, smart), ["anthropic/claude-sonnet-4-5", "openai/gpt-4o"]);
    assert_eq!(plan.chain(fast).unwrap().cluster, "conduit.provider.groq");
    assert_eq!(plan.chain(smart).unwrap().cluster, "conduit.chain.0");

    assert!(!plan.routing.always);
    assert_eq!(plan.routing.default, Some(smart), "an equal list is one chain");
    assert_eq!(plan.routing.background, Some(fast));
    let (above, long) = plan.routing.long_context.unwrap();
    assert_eq!((above, names(&plan, long)), (60_000, vec!["openai/gpt-4.1"]));
    assert_eq!(names(&plan, plan.routing.think.unwrap()), ["openai/o3"]);
    assert_eq!(plan.chains.len(), 4, "those that the file names");

    let [rule] = plan.routing.rules.as_slice() else { panic!("{:?}", plan.routing.rules) };
    assert_eq!((rule.name.as_str(), rule.priority, rule.chain), ("research agents", 10, smart));
    let Condition::All(all) = &rule.when else { panic!("{}", rule.when) };
    assert!(matches!(all[0], Condition::Number(NumberField::Tokens, NumberTest::Above(50_000))));
    assert_eq!(
        rule.when.to_string(),
        "all(tokens > 50000, any(header.x-agent-type = \"research\", message contains \"analyze\"))"
    );

    assert_eq!(plan.models["house/llama-3.3-70b"].context, Some(131_072));
    assert_eq!(plan.named["llama-3.3-70b"], [ProviderId(5)]);
    assert_eq!(plan.named["gpt-4.1"], [ProviderId(0)]);
    assert_eq!(plan.passthrough, Some(ProviderId(0)), "the default's first target does not speak OpenAI's format");
}

#[test]
fn what_the_file_does_not_say_has_defaults() {
    let plan = plan(&with(""));
    assert!(plan.enabled);
    assert_eq!((plan.listen.port, plan.admin.port), (10_000, 9_901));
    assert_eq!(plan.max_body, 32 << 20);
    assert_eq!(plan.timeouts, Timeouts { connect_ms: 5_000, first_byte_ms: 300_000, idle_ms: 300_000 });
    assert_eq!(plan.access_log, None);
    assert_eq!(plan.routing.default, None);
    assert_eq!(plan.passthrough, Some(ProviderId(0)));
}

#[test]
fn what_the_file_says_is_taken() {
    let plan = plan(&with(
        "enabled: false\n\
         listen: {address: \"::\", port: 80}\n\
         admin: {port: 81}\n\
         max_body: 4096\n\
         timeouts: {connect: 500ms, first_byte: 2m, idle: 1h}\n\
         access_log: /var/log/conduit.jsonl",
    ));
    assert!(!plan.enabled);
    assert_eq!(plan.listen, Address { address: "::".into(), port: 80 });
    assert_eq!(plan.admin, Address { address: "127.0.0.1".into(), port: 81 });
    assert_eq!(plan.max_body, 4096);
    assert_eq!(plan.timeouts, Timeouts { connect_ms: 500, first_byte_ms: 120_000, idle_ms: 3_600_000 });
    assert_eq!(plan.access_log.as_deref(), Some("/var/log/conduit.jsonl"));
    assert_eq!(plan_with(&with("access_log: stdout"), &all_set).access_log, None);
}

#[test]
fn the_mock_stands_in_where_a_variable_is_not_set_and_nowhere_else() {
    let text = "version: 1\n\
        mock: {address: 127.0.0.1, port: 9090}\n\
        providers:\n\
        \x20 openai: {api_key: \"${OPENAI_API_KEY}\"}\n\
        \x20 anthropic: {api_key: \"${ANTHROPIC_API_KEY}\", url: \"http://${PROXY}/v1\"}\n\
        \x20 house: {kind: openai-compatible, url: \"http://127.0.0.1:8000\"}\n";
    let env = |name: &str| match name {
        "OPENAI_API_KEY" => Some(" sk-1\n".to_owned()),
        "ANTHROPIC_API_KEY" => Some(" ".to_owned()),
        "PROXY" => Some("proxy:1".to_owned()),
        _ => None,
    };
    let plan = plan_with(text, &env);
    let seen: Vec<(bool, String, Option<&str>)> = plan
        .providers
        .iter()
        .map(|p| (p.mocked, p.url.authority() + &p.url.path, p.key.as_ref().map(crate::host::Secret::reveal)))
        .collect();
    assert_eq!(
        seen,
        [
            (false, "api.openai.com/v1".to_owned(), Some("sk-1")),
            (true, "127.0.0.1:9090/v1".to_owned(), Some("mock")),
            (false, "127.0.0.1:8000".to_owned(), None),
        ]
    );
    assert_eq!(plan.variables.len(), 3, "{:?}", plan.variables);

    assert!(plan_with(text, &none_set).providers[0].mocked);
    let without = load(&text.replace("mock:", "#"), &none_set).unwrap_err();
    let paths: Vec<&str> = without.iter().map(|mistake| mistake.path.as_str()).collect();
    assert_eq!(paths, ["providers.openai.api_key", "providers.anthropic.api_key", "providers.anthropic.url"]);
}

#[test]
fn each_kind_is_reached_and_mocked_where_it_is() {
    let text = r#"
version: 1
mock: {port: 9090}
providers:
  azure: {url: "https://me.openai.azure.com/", api_key: "${AZURE_KEY}"}
  entra: {kind: azure, url: "https://me.openai.azure.com", bearer: "${AZURE_TOKEN}", api_version: "2024-10-21"}
  gemini: {api_key: "${GEMINI_API_KEY}"}
  vertex: {project: p, bearer: "${GOOGLE_CLOUD_TOKEN}"}
  metadata: {kind: vertex, project: p, location: us-central1}
  bedrock: {region: eu-west-1}
  keyed: {kind: bedrock, region: "${AWS_REGION}", api_key: "${AWS_BEARER_TOKEN_BEDROCK}"}
  private: {kind: bedrock, url: "https://vpce-1.example", api_key: "${AWS_BEARER_TOKEN_BEDROCK}", api: converse}
  ollama: {}
"#;
    let seen = |env: &dyn Env| -> Vec<String> {
        let plan = plan_with(text, env);
        let key = |p: &Provider| p.key.as_ref().map_or("-".to_owned(), |key| key.reveal().to_owned());
        plan.providers
            .iter()
            .map(|p| format!("{} {}{} {:?} {}", p.name, p.url.authority(), p.url.path, p.auth, key(p)))
            .collect()
    };
    assert_eq!(
        seen(&|name: &str| Some(if name == "AWS_REGION" { "us-west-2".into() } else { name.to_lowercase() })),
        [
            "azure me.openai.azure.com ApiKey azure_key",
            "entra me.openai.azure.com Bearer azure_token",
            "gemini generativelanguage.googleapis.com/v1beta XGoogApiKey gemini_api_key",
            "vertex aiplatform.googleapis.com Bearer google_cloud_token",
            "metadata us-central1-aiplatform.googleapis.com GcpAuthn -",
            "bedrock bedrock-runtime.eu-west-1.amazonaws.com AwsSigV4 -",
            "keyed bedrock-runtime.us-west-2.amazonaws.com Bearer aws_bearer_token_bedrock",
            "private vpce-1.example Bearer aws_bearer_token_bedrock",
            "ollama 127.0.0.1:11434/v1 Bearer -",
        ]
    );
    assert_eq!(
        seen(&none_set),
        [
            "azure 127.0.0.1:9090 ApiKey mock",
            "entra 127.0.0.1:9090 Bearer mock",
            "gemini 127.0.0.1:9090/v1beta XGoogApiKey mock",
            "vertex 127.0.0.1:9090 Bearer mock",
            // Where Envoy runs is for it to know.
            "metadata us-central1-aiplatform.googleapis.com GcpAuthn -",
            "bedrock 127.0.0.1:9090 Bearer mock",
            "keyed 127.0.0.1:9090 Bearer mock",
            "private 127.0.0.1:9090 Bearer mock",
            "ollama 127.0.0.1:11434/v1 Bearer -",
        ]
    );
    // The module must come to the same answer as the command, and gets no secret of AWS's for it.
    let plan = plan_with(text, &all_set_but_regions);
    let aws: Vec<&String> = plan.variables.iter().filter(|name| name.starts_with("AWS_")).collect();
    assert_eq!(aws, ["AWS_ACCESS_KEY_ID", "AWS_BEARER_TOKEN_BEDROCK", "AWS_REGION"]);
    assert_eq!(plan.providers[1].settings.api_version.as_deref(), Some("2024-10-21"));
    assert_eq!(plan.providers[7].settings.api, Some(crate::formats::Format::BedrockConverse));

    // Without a mock, where AWS's credentials come from is for Envoy to know.
    let signed = "version: 1\nproviders: {bedrock: {region: eu-west-1}}\n";
    let plan = plan_with(signed, &none_set);
    assert!(!plan.providers[0].mocked && plan.variables.is_empty(), "{plan:?}");
}

fn all_set_but_regions(name: &str) -> Option<String> {
    Some(if name.ends_with("_REGION") { "us-east-1".into() } else { format!("value of {name}") })
}

#[test]
fn aliases_expand_in_place_and_equal_lists_are_one_chain() {
    let plan = plan(&with(
        "aliases:\n  all: [pair, openai/c]\n  pair: [openai/a, openai/b]\n  same: [openai/a, openai/b]\n  deep: all\n  gpt-4o: openai/gpt-4o",
    ));
    let chain = |alias: &str| plan.alias(alias).unwrap();
    assert_eq!(names(&plan, chain("all")), ["openai/a", "openai/b", "openai/c"]);
    assert_eq!(chain("pair"), chain("same"));
    assert_eq!(chain("all"), chain("deep"));
    assert_eq!(names(&plan, chain("gpt-4o")), ["openai/gpt-4o"]);
}

#[test]
fn a_model_name_keeps_its_own_slashes() {
    let plan = plan(&with("aliases: {oss: openai/openai/gpt-oss-120b}"));
    let target = &plan.chain(plan.alias("oss").unwrap()).unwrap().targets[0];
    assert_eq!((target.model.as_str(), target.name.as_str()), ("openai/gpt-oss-120b", "openai/openai/gpt-oss-120b"));
}

#[test]
fn a_target_that_models_describes_is_the_described_one() {
    let plan = plan(
        &with("models: {openai/x: {context: 77, tokenizer:}}\naliases: {x: openai/x}").replace(", tokenizer:", ""),
    );
    let target = &plan.chain(plan.alias("x").unwrap()).unwrap().targets[0];
    assert_eq!(target.context, Some(77));
    assert_eq!(plan.target(ProviderId(0), "x").unwrap().context, Some(77));
}

#[test]
fn prices_are_usd_per_million_tokens_and_per_request() {
    use crate::usage::{Tokens, Usage};
    let plan = plan(&with("models: {openai/x: {price: {input: 0.10, output: '0.30', request: 0.005}}}"));
    let usage = Usage { input: Some(Tokens(1_000)), output: Some(Tokens(10)), ..Usage::default() };
    let price = plan.target(ProviderId(0), "x").unwrap().price.clone().unwrap();
    assert_eq!(crate::cost::cost(&price, &usage).unwrap().to_string(), "0.005103");
}

#[test]
fn prices_have_tiers_service_tiers_and_days() {
    use crate::usage::{Tokens, Usage};
    let plan = plan(&with(
        "models:
  openai/x:
    price:
      - input: 1
        output: 10
        tiers: [{above: 100, input: 2}, {above: 1000, input: 3, output: 20}]
        service_tiers: {priority: {input: 5, tiers: [{above: 100, input: 7}]}, flex: {output: 4}}
      - {from: 2027-01-01, input: 4, cached_input: 1, output: 8, service_tiers: {flex: {input: 2}}}
",
    ));
    let price = plan.target(ProviderId(0), "x").unwrap().price.clone().unwrap();
    // 2026-11-21 and 2027-01-01.
    let (now, later) = (crate::host::Time(1_795_262_400_000_000_000), crate::host::Time(1_798_761_600_000_000_000));
    for (tier, input, cached, output, at, want) in [
        (None, 100, None, 1, now, 110),
        (None, 101, None, 1, now, 212),
        (None, 1_001, None, 1, now, 3_023),
        (None, 101, Some(101), 1, now, 212),
        (Some("priority"), 100, None, 1, now, 510),
        (Some("priority"), 101, None, 1, now, 717),
        (Some("flex"), 101, None, 1, now, 206),
        (Some("flex"), 101, None, 1, later, 210),
        (Some("priority"), 101, None, 1, later, 412),
        (None, 1_001, Some(1_000), 1, later, 1_012),
    ] {
        let usage = Usage {
            input: Some(Tokens(input)),
            cached_input: cached.map(Tokens),
            output: Some(Tokens(output)),
            service_tier: tier.map(str::to_owned),
            ..Usage::default()
        };
        let cost = crate::cost::cost_at(&price, &usage, at).unwrap();
        assert_eq!(cost.0, want * 1_000_000, "{tier:?} {input} {cached:?}");
    }
}

#[test]
fn what_models_leaves_out_the_catalog_says() {
    let plan = plan(&with("models: {openai/gpt-4o: {context: 5}}"));
    let target = plan.target(ProviderId(0), "gpt-4o").unwrap();
    assert_eq!(target.context, Some(5));
    assert_eq!(target.price, crate::cost::catalog_price(Some("openai"), "gpt-4o"));
    assert!(target.price.is_some());
    assert_eq!(target.tokenizer, crate::tokens::tokenizer_for("openai", "gpt-4o"));
    assert_eq!(target.max_output, Some(16_384));
    let plan = self::plan(&with("models: {openai/gpt-4o: {max_output: 8192}, openai/x: {max_output: 5}}"));
    for (model, want) in [("gpt-4o", Some(8_192)), ("x", Some(5)), ("gpt-4.1", Some(32_768)), ("y", None)] {
        assert_eq!(plan.target(ProviderId(0), model).unwrap().max_output, want, "{model}");
    }
}

#[test]
fn rules_stand_by_priority_then_by_the_file_and_disabled_ones_are_left_out() {
    let rule = |name: &str, more: &str| {
        format!("    - {{name: {name}, target: openai/x, when: {{field: stream, op: '=', value: true}}{more}}}\n")
    };
    let text = with(&format!(
        "routing:\n  rules:\n{}{}{}{}{}",
        rule("a", ""),
        rule("b", ", priority: 5"),
        rule("off", ", priority: 9, enabled: false"),
        rule("c", ""),
        rule("d", ", priority: -1"),
    ));
    let plan = plan(&text);
    let order: Vec<&str> = plan.routing.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(order, ["b", "a", "c", "d"]);
}

#[test]
fn conditions_nest_to_a_bound() {
    let nested = |depth: usize| {
        let when = "{not: ".repeat(depth) + "{field: stream, op: '=', value: true}" + &"}".repeat(depth);
        with(&format!("routing: {{rules: [{{name: a, target: openai/x, when: {when}}}]}}"))
    };
    assert_eq!(plan(&nested(31)).routing.rules.len(), 1);
    let told = told(&nested(32));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("found a deeper condition, expected at most 32 levels"), "{told:?}");
}

#[test]
fn anchors_are_understood_and_bounded() {
    let plan_of = plan(&with("aliases:\n  a: &pair [openai/a, openai/b]\n  b: *pair"));
    assert_eq!(plan_of.alias("a"), plan_of.alias("b"));

    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{items}]\n");
    }
    let told = told(&bomb);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("expected at most 100000 values"), "{told:?}");
}

#[test]
fn nesting_is_bounded_whatever_it_is_made_of() {
    for text in ["[".repeat(10_000), "- ".repeat(10_000), "{a: ".repeat(10_000), "? ".repeat(10_000)] {
        assert_eq!(load(&text, &none_set).unwrap_err().len(), 1, "{}", text.get(..8).unwrap());
    }
    let deep: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_eq!(load(&deep, &none_set).unwrap_err().len(), 1);
}

#[test]
fn long_chains_of_aliases_end() {
    let aliases: String = (0..5_000).map(|n| format!("  a{n}: a{}\n", n + 1)).collect();
    let told = told(&with(&format!("aliases:\n{aliases}  a5000: openai/x")));
    assert!(told[0].contains("an alias below 32 others"), "{:?}", told.first());
}

#[test]
fn lines_and_columns_count_characters_of_the_file() {
    let told = told(&with("aliases: {\"größe\": opnai/x}").replace("version", "\u{feff}version"));
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("3:20: aliases[\"größe\"]: found `opnai/x`"), "{told:?}");
    let told = super::load("version: 1\r\nproviders: {}\r\nlisten: 5\r\n", &none_set).unwrap_err();
    assert_eq!((told[0].line, told[0].column, told[1].line, told[1].column), (2, 12, 3, 9));
}

#[test]
fn consumers_budgets_and_limits_become_part_of_the_plan() {
    use crate::admit::rules::{OnExceed, Period, Scope, Zone};
    use crate::admit::{Allowed, Identity};
    use crate::cost::Usd;
    use crate::host::Time;
    const DOLLAR: u128 = 1_000_000_000_000;
    let plan = plan(COMPLETE);
    let list = &plan.consumers.list;
    assert_eq!(list.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["alice", "bob", "svc", "mesh"]);
    let alice = &list[0];
    assert!(matches!(alice.identities.as_slice(), [Identity::Key([0x2b, 0xd8, ..])]));
    assert_eq!((alice.project.as_deref(), alice.agent.as_deref(), alice.admin), (Some("web"), Some("helper"), true));
    let names = ["fast", "openai/*", "anthropic/claude-sonnet-4-5"].map(str::to_owned);
    assert_eq!(alice.allowed, Allowed { names: Some(names.into()) });
    assert_eq!(alice.expires.map(Time::rfc3339).as_deref(), Some("2027-01-01T00:00:00.000Z"));
    assert!(matches!(list[1].identities.as_slice(), [Identity::Key([0x81, ..]), Identity::Key([0x6f, ..])]));
    assert_eq!(list[2].identities, [Identity::Header("x-jwt-sub".into(), "svc-1".into())]);
    assert_eq!(list[3].identities, [Identity::Principal("spiffe://cluster.local/ns/a/sa/b".into())]);
    assert_eq!((&list[3].allowed, list[3].expires, list[3].admin), (&Allowed::default(), None, false));

    let budget = |name: &str| plan.budgets.iter().find(|budget| budget.name == name).unwrap();
    assert_eq!(plan.budgets.len(), 6);
    let day = budget("alice.day");
    assert_eq!((&day.per, day.of, day.period, day.limit), (&Scope::Consumer, Some(0), Period::Day, Usd(5 * DOLLAR)));
    assert_eq!(budget("alice.sprint").limit, Usd(60 * DOLLAR + DOLLAR / 2));
    let company = budget("company-day");
    assert_eq!((&company.per, company.of, company.on_exceed), (&Scope::All, None, OnExceed::Block));
    assert_eq!(
        (&company.zone, &company.warn_at, company.clamp, company.unpriced),
        (&Zone::default(), &vec![], false, false)
    );
    let project = budget("project");
    assert_eq!((&project.warn_at, project.period), (&vec![500, 800], Period::Month));
    assert_eq!(project.on_exceed, OnExceed::Downgrade(plan.alias("fast").unwrap()));
    let spike = budget("spike");
    assert_eq!((&spike.zone, spike.clamp, spike.unpriced), (&Zone::named("Europe/Berlin").unwrap(), true, true));
    let team = budget("team");
    assert_eq!((&team.per, team.limit, team.on_exceed), (&Scope::Header("x-team".into()), Usd(0), OnExceed::Warn));

    let limits: Vec<_> = plan
        .limits
        .iter()
        .map(|limit| (limit.name.as_str(), limit.per.word(), limit.of, limit.requests, limit.tokens, limit.concurrent))
        .collect();
    assert_eq!(
        limits,
        [
            ("alice", "consumer".to_owned(), Some(0), Some(60), Some(100_000), Some(5)),
            ("everyone", "consumer".to_owned(), None, Some(600), Some(200_000), Some(20)),
            ("address", "ip".to_owned(), None, None, None, Some(50)),
        ]
    );
    assert_eq!(plan.trusted_headers, ["x-conduit-project", "x-conduit-session"]);
}

#[test]
fn clients_say_their_dimensions_themselves_until_the_file_names_consumers() {
    let trusted = |more: &str| plan(&with(more)).trusted_headers;
    let consumer = "consumers: {a: {principal: a}}\n";
    assert_eq!(trusted(""), top::DIMENSIONS);
    assert_eq!(trusted(consumer), [""; 0]);
    assert_eq!(trusted("trusted_headers: [x-conduit-agent]"), ["x-conduit-agent"]);
    assert_eq!(trusted("trusted_headers: []"), [""; 0]);
    assert_eq!(trusted(&format!("{consumer}trusted_headers: [x-conduit-agent-type]")), ["x-conduit-agent-type"]);
}

#[test]
fn consumers_that_are_named_without_anyone_are_no_open_door() {
    for none in ["consumers:", "consumers: {}", "consumers: ~"] {
        let told = told(&with(none));
        assert!(told.len() == 1 && told[0].contains("found no consumer"), "{told:?}");
    }
    for hidden in [
        "consumers: sk-hidden",
        "consumers: [sk-hidden]",
        "consumers: {a: sk-hidden}",
        "consumers: {a: {sha256: [sk-hidden, [sk-hidden], {sk: sk-hidden}]}}",
    ] {
        let told = told(&with(hidden));
        assert!(!told.is_empty() && !told.concat().contains("sk-hidden"), "{told:?}");
    }
}

#[test]
fn a_pattern_that_begins_with_no_provider_is_a_mistake() {
    let consumer = |pattern: &str| with(&format!("consumers: {{a: {{principal: a, models: [\"{pattern}\"]}}}}\n"));
    for fine in ["*", "openai/*", "openai/gpt-*", "gpt-4o*", "open*/gpt"] {
        assert_eq!(plan(&consumer(fine)).consumers.list.len(), 1, "{fine}");
    }
    let told = told(&consumer("opnai/*"));
    assert!(told.len() == 1 && told[0].contains("whose provider is not configured"), "{told:?}");
    assert!(told[0].contains("openai/*"), "{told:?}");
}

#[test]
fn amounts_are_compared_where_they_add_up_over_the_same() {
    let budgets = |list: &[(&str, &str, &str)]| {
        let budget = |(n, (per, period, usd)): (usize, &(&str, &str, &str))| {
            format!("  - {{name: b{n}, per: {per}, period: {period}, usd: {usd}}}\n")
        };
        with(&format!("budgets:\n{}", list.iter().enumerate().map(budget).collect::<String>()))
    };
    for fine in [
        &[("all", "hour", "5"), ("all", "day", "5.00"), ("all", "month", "5")][..],
        &[("all", "day", "9"), ("project", "month", "5")],
        &[("header.x-a", "day", "9"), ("header.x-b", "month", "5")],
        &[("all", "day", "9"), ("all", "day", "5")],
    ] {
        assert_eq!(plan(&budgets(fine)).budgets.len(), fine.len());
    }
    for wrong in [
        &[("all", "hour", "5.000000000001"), ("all", "day", "5")][..],
        &[("header.X-A", "day", "9"), ("header.x-a", "month", "5")],
        &[("all", "month", "5"), ("all", "hour", "6")],
    ] {
        assert_eq!(told(&budgets(wrong)).len(), 1, "{wrong:?}");
    }
    let own = "consumers:\n  a: {principal: a, budgets: [{period: day, usd: 9}]}\n  b: {principal: b, budgets: [{period: month, usd: 5}]}";
    assert_eq!(plan(&with(own)).budgets.len(), 2);
}
