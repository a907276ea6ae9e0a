use super::*;
use crate::admit::Caller;
use crate::config::load;
use crate::formats::canonical::{Message, Part, Reasoning, Role, Source, Tool};
use crate::testing::test;

/// A request with everything that conditions look at.
struct Case {
    request: ChatRequest,
    tokens: u64,
    headers: Vec<(&'static str, &'static str)>,
    caller: Caller,
}

impl Case {
    fn asking_for(model: &str) -> Self {
        let request = ChatRequest { model: model.into(), ..ChatRequest::default() };
        Self { request, tokens: 0, headers: Vec::new(), caller: Caller::default() }
    }

    fn tokens(self, tokens: u64) -> Self {
        Self { tokens, ..self }
    }

    fn reasoning(mut self, reasoning: Reasoning) -> Self {
        self.request.reasoning = Some(reasoning);
        self
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn decide(&self, plan: &Plan, explain: bool) -> Result<Decision, RouteError> {
        let header =
            |name: &str| self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let facts = Facts {
            content_read: true,
            request: &self.request,
            tokens: self.tokens,
            endpoint: "chat",
            header: &header,
            caller: &self.caller,
        };
        decide(plan, &facts, explain)
    }

    /// The reason and the targets, in one line.
    fn outcome(&self, plan: &Plan) -> String {
        match self.decide(plan, false) {
            Ok(decision) => {
                assert!(decision.rejected.is_empty(), "nobody asked: {:?}", decision.rejected);
                let targets: Vec<&str> = decision.targets.iter().map(|target| target.name.as_str()).collect();
                let reason = match decision.reason {
                    Reason::Rule(name) => format!("rule {name}"),
                    Reason::Explicit => "explicit".into(),
                    Reason::Alias(name) => format!("alias {name}"),
                    Reason::Model => "model".into(),
                    Reason::Class(name) => format!("class {name}"),
                    Reason::Default => "default".into(),
                };
                format!("{reason}: {} @ {}", targets.join(" "), decision.cluster)
            }
            Err(RouteError::UnknownModel { near, .. }) => format!("unknown: {}", near.join(" ")),
            Err(RouteError::Ambiguous { candidates, .. }) => format!("ambiguous: {}", candidates.join(" ")),
        }
    }
}

fn text(text: &str) -> Part {
    Part::Text { text: text.into(), cache: None, citations: Vec::new() }
}

fn image() -> Part {
    Part::Image { source: Source::FileId("f".into()), detail: None, cache: None }
}

fn turn(role: Role, parts: Vec<Part>) -> Message {
    Message { role, name: None, parts }
}

fn plan(more: &str) -> Plan {
    let text = format!(
        "version: 1\n\
         providers:\n\
         \x20 one: {{kind: openai-compatible, url: \"http://one\"}}\n\
         \x20 two: {{kind: openai-compatible, url: \"http://two\"}}\n\
         \x20 openai: {{api_key: \"${{K}}\"}}\n\
         {more}\n"
    );
    load(&text, &|_: &str| Some("key".to_owned())).unwrap_or_else(|mistakes| panic!("{text}{mistakes:#?}"))
}

/// A plan whose one rule has this condition.
fn plan_when(when: &str) -> Plan {
    plan(&format!("routing: {{rules: [{{name: r, target: one/hit, when: {when}}}]}}"))
}

fn rich() -> Case {
    let tool = Tool { name: "t".into(), description: None, parameters: None, strict: None, cache: None, builtin: None };
    let result =
        Part::ToolResult { id: "1".into(), parts: vec![text("from a tool"), image()], is_error: false, cache: None };
    let request = ChatRequest {
        model: "one/asked".into(),
        messages: vec![
            turn(Role::System, vec![text("Be brief.")]),
            turn(Role::Developer, vec![text("Use metric units.")]),
            turn(Role::User, vec![text("Please analyze"), image(), text("this picture")]),
            turn(Role::Assistant, vec![text("calling")]),
            turn(Role::User, vec![result]),
        ],
        tools: vec![tool.clone(), tool],
        max_tokens: Some(100),
        stream: true,
        reasoning: Some(Reasoning::Budget(1_000)),
        ..ChatRequest::default()
    };
    let caller = Caller {
        consumer: Some("acme".into()),
        project: Some("web".into()),
        agent: Some("bot".into()),
        agent_type: Some("research".into()),
        session: Some("s-1".into()),
        ..Caller::default()
    };
    Case { request, tokens: 500, headers: vec![("x-team", "Blue")], caller }
}

fn holds(case: &Case, when: &str) -> bool {
    case.outcome(&plan_when(when)) == "rule r: one/hit @ conduit.provider.one"
}

#[test]
fn every_operator_on_every_kind_of_field() {
    let rich = rich();
    for (when, want) in [
        // Numbers, at, below and above.
        ("{field: tokens, op: '>', value: 499}", true),
        ("{field: tokens, op: '>', value: 500}", false),
        ("{field: tokens, op: '<', value: 501}", true),
        ("{field: tokens, op: '<', value: 500}", false),
        ("{field: tokens, op: '>=', value: 500}", true),
        ("{field: tokens, op: '>=', value: 501}", false),
        ("{field: tokens, op: '<=', value: 500}", true),
        ("{field: tokens, op: '<=', value: 499}", false),
        ("{field: tokens, op: '=', value: 500}", true),
        ("{field: tokens, op: '=', value: 501}", false),
        ("{field: tokens, op: '!=', value: 501}", true),
        ("{field: tokens, op: '!=', value: 500}", false),
        ("{field: tokens, op: in, value: [1, 500]}", true),
        ("{field: tokens, op: in, value: [1, 2]}", false),
        ("{field: max_tokens, op: '=', value: 100}", true),
        ("{field: max_tokens, op: '>', value: 100}", false),
        ("{field: tools, op: '=', value: 2}", true),
        ("{field: tools, op: '<', value: 2}", false),
        ("{field: images, op: '=', value: 2}", true),
        ("{field: images, op: '>', value: 2}", false),
        // Booleans, and numbers as such.
        ("{field: stream, op: '=', value: true}", true),
        ("{field: stream, op: '=', value: false}", false),
        ("{field: stream, op: '!=', value: false}", true),
        ("{field: stream, op: '!=', value: true}", false),
        ("{field: thinking, op: '=', value: true}", true),
        ("{field: thinking, op: '=', value: false}", false),
        ("{field: tools, op: '=', value: true}", true),
        ("{field: tools, op: '!=', value: true}", false),
        ("{field: images, op: '=', value: true}", true),
        ("{field: images, op: '=', value: false}", false),
        // Texts.
        ("{field: model, op: '=', value: one/asked}", true),
        ("{field: model, op: '=', value: one/ask}", false),
        ("{field: model, op: '!=', value: other}", true),
        ("{field: model, op: '!=', value: one/asked}", false),
        ("{field: model, op: contains, value: ask}", true),
        ("{field: model, op: contains, value: ASK}", false),
        ("{field: model, op: matches, value: '^one/.*d$'}", true),
        ("{field: model, op: matches, value: '^asked'}", false),
        ("{field: model, op: in, value: [a, one/asked]}", true),
        ("{field: model, op: in, value: [a, b]}", false),
        // What each text is: the last user turn with text, not a tool's result; system and developer turns together.
        ("{field: message, op: '=', value: \"Please analyze\\nthis picture\"}", true),
        ("{field: message, op: contains, value: from a tool}", false),
        ("{field: system, op: '=', value: \"Be brief.\\nUse metric units.\"}", true),
        ("{field: system, op: matches, value: '(?i)METRIC'}", true),
        ("{field: endpoint, op: '=', value: chat}", true),
        ("{field: endpoint, op: '=', value: messages}", false),
        ("{field: header.X-Team, op: '=', value: Blue}", true),
        ("{field: header.x-team, op: in, value: [blue]}", false),
        ("{field: consumer, op: '=', value: acme}", true),
        ("{field: project, op: '=', value: web}", true),
        ("{field: agent, op: '=', value: bot}", true),
        ("{field: agent_type, op: '=', value: research}", true),
        ("{field: session, op: matches, value: '^s-\\d$'}", true),
        ("{field: session, op: '=', value: web}", false),
    ] {
        assert_eq!(holds(&rich, when), want, "{when}");
    }
}

#[test]
fn what_a_request_does_not_have_differs_from_everything_and_is_nothing() {
    let bare = Case::asking_for("one/asked");
    for (when, want) in [
        ("{field: max_tokens, op: '<', value: 100}", false),
        ("{field: max_tokens, op: '<=', value: 0}", false),
        ("{field: max_tokens, op: '=', value: 0}", false),
        ("{field: max_tokens, op: in, value: [0]}", false),
        ("{field: max_tokens, op: '!=', value: 0}", true),
        ("{field: message, op: contains, value: a}", false),
        ("{field: message, op: matches, value: '.*'}", false),
        ("{field: message, op: '!=', value: a}", true),
        ("{field: system, op: '=', value: a}", false),
        ("{field: header.x-team, op: '!=', value: blue}", true),
        ("{field: header.x-team, op: in, value: [blue]}", false),
        ("{field: project, op: '=', value: web}", false),
        ("{field: tools, op: '=', value: 0}", true),
        ("{field: tools, op: '=', value: false}", true),
        ("{field: images, op: '=', value: true}", false),
        ("{field: stream, op: '=', value: false}", true),
        ("{field: thinking, op: '=', value: false}", true),
    ] {
        assert_eq!(holds(&bare, when), want, "{when}");
    }
}

#[test]
fn all_any_and_not_nest() {
    const YES: &str = "{field: stream, op: '=', value: true}";
    const NO: &str = "{field: stream, op: '=', value: false}";
    let rich = rich();
    for (when, want) in [
        (format!("{{all: [{YES}, {YES}]}}"), true),
        (format!("{{all: [{YES}, {NO}]}}"), false),
        (format!("{{any: [{NO}, {YES}]}}"), true),
        (format!("{{any: [{NO}, {NO}]}}"), false),
        (format!("{{not: {NO}}}"), true),
        (format!("{{not: {YES}}}"), false),
        (format!("{{all: [{YES}, {{any: [{NO}, {{not: {NO}}}]}}]}}"), true),
        (format!("{{not: {{all: [{YES}, {{any: [{NO}, {YES}]}}]}}}}"), false),
    ] {
        assert_eq!(holds(&rich, &when), want, "{when}");
    }
}

#[test]
fn reasoning_is_what_asks_for_more_than_none() {
    for (reasoning, want) in [
        (Reasoning::Off, false),
        (Reasoning::Effort("none".into()), false),
        (Reasoning::Effort("minimal".into()), false),
        (Reasoning::Effort("low".into()), true),
        (Reasoning::Effort("xhigh".into()), true),
        (Reasoning::Budget(1_024), true),
        (Reasoning::Adaptive, true),
    ] {
        let case = Case::asking_for("one/x").reasoning(reasoning.clone());
        assert_eq!(holds(&case, "{field: thinking, op: '=', value: true}"), want, "{reasoning:?}");
    }
}

const ROUTES: &str = "
models: {one/listed: {context: 10}, two/o3: {context: 10}}
aliases: {pair: [one/a, two/b], single: one/a, listed: two/z}
routing:
  default: pair
  classes: {long_context: {above: 1000, target: one/long}, background: one/small, think: one/deep}
  rules:
    - {name: low, priority: 1, target: one/low, when: {field: header.x-rule, op: in, value: [low, both]}}
    - {name: high, priority: 2, target: [two/high, one/high], when: {field: header.x-rule, op: in, value: [high, both]}}
    - {name: 'off', enabled: false, priority: 3, target: one/off, when: {field: header.x-rule, op: '!=', value: never}}
";

#[test]
fn rules_come_before_whatever_the_request_names() {
    let plan = plan(ROUTES);
    for model in ["auto", "one/x", "pair", "listed", "nobody-knows"] {
        let outcome = |rule| Case::asking_for(model).header("x-rule", rule).outcome(&plan);
        assert_eq!(outcome("low"), "rule low: one/low @ conduit.provider.one");
        let chained = outcome("both");
        assert!(chained.starts_with("rule high: two/high one/high @ conduit.chain."), "{chained}");
        assert_eq!(outcome("high"), chained);
    }
}

#[test]
fn then_what_the_request_names() {
    let plan = plan(ROUTES);
    for (model, want) in [
        ("one/x", "explicit: one/x @ conduit.provider.one"),
        ("two/with/slashes", "explicit: two/with/slashes @ conduit.provider.two"),
        ("single", "alias single: one/a @ conduit.provider.one"),
        // An alias of the same name as a model wins over it.
        ("listed", "alias listed: two/z @ conduit.provider.two"),
        // Named in the file as a target only, or in `models:` only.
        ("small", "model: one/small @ conduit.provider.one"),
        ("o3", "model: two/o3 @ conduit.provider.two"),
        ("a", "model: one/a @ conduit.provider.one"),
        ("high", "ambiguous: one/high two/high"),
    ] {
        let case =
            Case::asking_for(model).tokens(5_000).reasoning(Reasoning::Adaptive).header(CLASS_HEADER, "background");
        assert_eq!(case.outcome(&plan), want, "{model}");
    }
    let unknown = Case::asking_for("three/x").decide(&plan, false);
    assert!(matches!(unknown, Err(RouteError::UnknownModel { .. })), "{unknown:?}");
    assert!(Case::asking_for("pair").outcome(&plan).starts_with("alias pair: one/a two/b @ conduit.chain."));
}

#[test]
fn of_several_that_the_file_names_the_models_own_vendor_is_meant() {
    let plan = plan("aliases: {a: [one/gpt-x, openai/gpt-x], b: [one/llama, two/llama]}");
    assert_eq!(Case::asking_for("gpt-x").outcome(&plan), "model: openai/gpt-x @ conduit.provider.openai");
    assert_eq!(Case::asking_for("llama").outcome(&plan), "ambiguous: one/llama two/llama");
}

#[test]
fn a_model_that_only_a_catalog_knows_is_its_providers() {
    let providers = "version: 1\nproviders:\n  house: {kind: openai-compatible, url: \"http://house\"}\n";
    let key = |name: &str| format!("  {name}: {{api_key: \"${{K}}\"}}\n");
    let plan = |names: &[&str]| {
        let text = names.iter().fold(providers.to_owned(), |text, name| text + &key(name));
        load(&text, &|_: &str| Some("key".to_owned())).unwrap()
    };
    let all = plan(&["groq", "openai", "anthropic", "xai", "glm"]);
    for (model, want) in [
        ("gpt-4o-mini", "model: openai/gpt-4o-mini @ conduit.provider.openai"),
        ("o3", "model: openai/o3 @ conduit.provider.openai"),
        ("claude-sonnet-4-5", "model: anthropic/claude-sonnet-4-5 @ conduit.provider.anthropic"),
        ("llama-3.3-70b-versatile", "model: groq/llama-3.3-70b-versatile @ conduit.provider.groq"),
        ("grok-3", "model: xai/grok-3 @ conduit.provider.xai"),
    ] {
        assert_eq!(Case::asking_for(model).outcome(&all), want);
    }
    // The catalog of a provider that is not configured is not asked.
    assert!(Case::asking_for("claude-sonnet-4-5").outcome(&plan(&["openai"])).starts_with("unknown"));
}

#[test]
fn then_the_classes_for_auto() {
    let plan = plan(ROUTES);
    let auto = || Case::asking_for("auto");
    let think = || Reasoning::Effort("high".into());
    let class = |name: &str, model: &str| format!("class {name}: one/{model} @ conduit.provider.one");
    let (long, deep, small) = (class("long_context", "long"), class("think", "deep"), class("background", "small"));
    let default = auto().outcome(&plan);
    assert!(default.starts_with("default: one/a two/b @ conduit.chain."), "{default}");
    for (case, want) in [
        (auto().tokens(1_000), &default),
        (auto().tokens(1_001), &long),
        (auto().reasoning(think()), &deep),
        (auto().reasoning(think()).tokens(1_001), &long),
        (auto().header(CLASS_HEADER, "background"), &small),
        (auto().header(CLASS_HEADER, "background").reasoning(think()).tokens(1_001), &small),
        (auto().header(CLASS_HEADER, " think "), &deep),
        (auto().header(CLASS_HEADER, "long_context"), &long),
        (auto().header(CLASS_HEADER, "foreground"), &default),
        (auto().header(CLASS_HEADER, ""), &default),
    ] {
        assert_eq!(&case.outcome(&plan), want, "{:?} {} {:?}", case.headers, case.tokens, case.request.reasoning);
    }
}

#[test]
fn always_routes_whatever_is_named_and_sees_small_models() {
    let plan = plan(&ROUTES.replace("routing:", "routing:\n  apply: always"));
    for (model, want) in [
        ("one/x", "default"),
        ("single", "default"),
        ("nobody-knows", "default"),
        ("claude-3-5-haiku-latest", "class background"),
        ("openai/gpt-4o-mini", "class background"),
        ("gemini-2.5-pro", "default"),
        ("gemini-2.5-flash", "class background"),
        ("llama-3.1-8b-instant", "class background"),
        ("llama-3.3-70b-versatile", "default"),
        ("qwen2.5:0.5B", "class background"),
        ("mixtral-8x7b", "default"),
        ("gpt-4.1-nano", "class background"),
        ("mistral-small", "class background"),
    ] {
        let got = Case::asking_for(model).outcome(&plan);
        assert_eq!(got.split(": ").next(), Some(want), "{model}");
    }
    let rule = Case::asking_for("one/x").header("x-rule", "low").outcome(&plan);
    assert_eq!(rule, "rule low: one/low @ conduit.provider.one");
}

#[test]
fn without_a_class_or_default_auto_is_an_unknown_model() {
    assert_eq!(Case::asking_for("auto").outcome(&plan("")), "unknown: ");
    let classes = plan("routing: {classes: {think: one/deep}}");
    assert_eq!(Case::asking_for("auto").outcome(&classes), "unknown: ", "nothing is like it");
}

#[test]
fn an_unknown_model_has_the_nearest_names_first() {
    let plan = plan(
        "aliases: {fast: one/llama-3.3-70b, smart: two/claude-sonnet-4-5}\nmodels: {one/gpt-4o-mini: {}, two/gpt-4o: {}}",
    );
    for (model, first) in [
        ("smrt", "smart"),
        ("gpt-4o-mni", "one/gpt-4o-mini"),
        ("claude-sonet-4-5", "two/claude-sonnet-4-5"),
        ("three/llama-3.3-70b", "one/llama-3.3-70b"),
        ("FASTER", "fast"),
    ] {
        match Case::asking_for(model).decide(&plan, false) {
            Err(RouteError::UnknownModel { model: named, near }) => {
                assert_eq!((named.as_str(), near[0].as_str()), (model, first), "{near:?}");
            }
            other => panic!("{model}: {other:?}"),
        }
    }
    let routed = self::plan("routing: {default: one/a}");
    assert_eq!(Case::asking_for("Auto ").outcome(&routed).split(' ').nth(1), Some("auto"));
    let long = "x".repeat(1_000_000);
    assert_eq!(Case::asking_for(&long).outcome(&plan), "unknown: ");
    assert!(Case::asking_for("").outcome(&plan).starts_with("unknown: "));
    assert!(Case::asking_for("one/").outcome(&plan).starts_with("unknown: "));
}

const MANY: &str = "
aliases: {fast: one/llama-3.3-70b, smart: [two/claude-sonnet-4-5, one/gpt-4o]}
models:
  one/gpt-4o: {}
  one/gpt-4o-mini: {}
  two/gpt-4.1: {}
  two/gpt-4.1-mini: {}
  two/o3: {}
  one/o4-mini: {}
  one/text-embedding-3-small: {}
  two/whisper-1: {}
  two/mistral-large: {}
";

#[test]
fn what_is_offered_in_place_of_an_unknown_model_is_plausible() {
    let plan = plan(MANY);
    for (model, want) in [
        // At most five: surely meant, then the same vendor.
        ("gpt-4o-mni", "one/gpt-4o-mini one/gpt-4o two/gpt-4.1-mini two/gpt-4.1 one/o4-mini"),
        ("claude-opus-9", "smart two/claude-sonnet-4-5"),
        ("three/llama-4", "one/llama-3.3-70b fast"),
        // Vectors are no texts.
        ("text-embedding-4", "one/text-embedding-3-small"),
        ("smrt", "smart"),
        ("zzzzzz", ""),
        ("deepseek-v3", ""),
    ] {
        let mut offered = near(&plan, model, &|_| None);
        let mut want: Vec<&str> = want.split_whitespace().collect();
        if model.starts_with("claude") || model.starts_with("three") {
            offered.sort();
            want.sort_unstable();
        }
        assert_eq!(offered, want, "{model}");
    }
    let without_two = |target: &Target| target.name.starts_with("two/").then(|| "down".to_owned());
    assert_eq!(near(&plan, "claude-opus-9", &without_two), ["smart"], "an alias is ready while one of its targets is");
    assert_eq!(near(&plan, "gpt-4.1", &|_| Some("down".to_owned())), [""; 0]);
}

#[test]
fn what_is_offered_in_place_of_a_failed_target_is_of_its_vendor_first() {
    let plan = plan(MANY);
    let target = |name: &str| Arc::clone(&plan.models[name]);
    let one_is_down = |target: &Target| target.name.starts_with("one/").then(|| "down".to_owned());
    let offered = alternatives(&plan, &[target("one/gpt-4o")], &one_is_down);
    assert_eq!(offered, ["two/gpt-4.1", "two/gpt-4.1-mini", "two/o3", "two/mistral-large", "smart"]);
    let offered = alternatives(&plan, &[target("one/gpt-4o")], &|_| None);
    assert_eq!(offered[..2], ["two/gpt-4.1", "one/gpt-4o-mini"], "{offered:?}");
    assert!(!offered.contains(&"one/gpt-4o".to_owned()));
    assert_eq!(alternatives(&plan, &[target("one/text-embedding-3-small")], &|_| None), [""; 0]);
    assert_eq!(alternatives(&plan, &[], &|_| None), [""; 0]);
}

#[test]
fn an_explanation_says_why_each_thing_before_did_not_apply() {
    let plan = plan(
        "
routing:
  default: one/a
  classes: {long_context: {above: 1000, target: one/long}, background: one/small, think: one/deep}
  rules:
    - {name: research agents, target: one/x, when: {all: [{field: stream, op: '=', value: false}, {field: tokens, op: '>', value: 50000}]}}
    - {name: words, target: one/x, when: {any: [{field: message, op: contains, value: code}, {field: message, op: matches, value: '^x'}]}}
    - {name: team, target: one/x, when: {field: header.x-team, op: in, value: [red]}}
    - {name: limit, target: one/x, when: {field: max_tokens, op: '<', value: 5}}
    - {name: negated, target: one/x, when: {not: {field: tokens, op: '=', value: 12}}}
    - {name: plain, target: one/x, when: {field: tools, op: '=', value: true}}
",
    );
    let mut case = Case::asking_for("auto").tokens(12).header("x-team", "blue").header(CLASS_HEADER, "urgent");
    case.request.messages = vec![turn(Role::User, vec![text(&"word ".repeat(20))])];
    let message = "message \"word word word word word word word word …\"";
    assert_eq!(
        case.decide(&plan, true).unwrap().rejected,
        [
            "rule `research agents`: tokens 12 is not > 50000".to_owned(),
            format!("rule `words`: {message} does not contain \"code\"; {message} does not match \"^x\""),
            "rule `team`: header.x-team \"blue\" is not in [\"red\"]".into(),
            "rule `limit`: max_tokens is not given".into(),
            "rule `negated`: it holds that tokens = 12".into(),
            "rule `plain`: tools is false".into(),
            "class \"urgent\" of x-conduit-class: there is no such class".into(),
            "class `long_context`: tokens 12 is not > 1000".into(),
            "class `think`: no reasoning is asked for".into(),
            "class `background`: `auto` names no small model".into(),
        ]
    );

    let named = Case::asking_for("small").tokens(12).decide(&plan, true).unwrap();
    assert_eq!(
        named.rejected.iter().filter(|line| !line.starts_with("rule")).collect::<Vec<_>>(),
        ["`small` is no `provider/model` with a configured provider", "`small` is no alias",]
    );
}

#[test]
fn large_texts_are_matched_in_linear_time() {
    let plan = plan_when(
        "{any: [{field: message, op: matches, value: '(a+)+$'}, {field: message, op: contains, value: aab}]}",
    );
    let mut case = Case::asking_for("one/x");
    case.request.messages = vec![turn(Role::User, vec![text(&"a".repeat(1_000_000)), text("!")])];
    assert_eq!(case.outcome(&plan), "explicit: one/x @ conduit.provider.one");
}
