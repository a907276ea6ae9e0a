//! The built command: what it prints and how it exits.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, clippy::indexing_slicing)]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs `conduit` in `folder` with nothing of this process's environment but `vars`.
fn conduit(folder: &Path, vars: &[(&str, &str)], args: &[&str]) -> Ran {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_conduit"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs(vars.iter().copied())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

const GOOD: &str = r#"version: 1
listen: {address: 127.0.0.1, port: LISTEN}
admin: {address: 127.0.0.1, port: ADMIN}
providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
  house: {kind: openai-compatible, url: "http://127.0.0.1:8000/v1"}
aliases:
  smart: [openai/gpt-4o, house/llama]
routing:
  default: smart
"#;

const KEY: &[(&str, &str)] = &[("OPENAI_API_KEY", "sk-test-1234567890")];

fn port(held: &TcpListener) -> String {
    held.local_addr().unwrap().port().to_string()
}

/// A folder with a valid `conduit.yaml` on two free ports, and those ports' holders.
fn folder() -> (tempfile::TempDir, TcpListener, TcpListener) {
    let folder = tempfile::tempdir().unwrap();
    let holder = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (listen, admin) = (holder(), holder());
    let text = GOOD.replace("LISTEN", &port(&listen)).replace("ADMIN", &port(&admin));
    std::fs::write(folder.path().join("conduit.yaml"), text).unwrap();
    (folder, listen, admin)
}

#[test]
fn check_summarises_a_good_file() {
    let (folder, ..) = folder();
    let ran = conduit(folder.path(), KEY, &["check", "conduit.yaml"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let rule = "  rules:\n    - {name: long, priority: 3, when: {field: tokens, op: \">\", value: 9}, target: smart}\n";
    let file = folder.path().join("conduit.yaml");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + rule).unwrap();
    let ruled = conduit(folder.path(), KEY, &["check", "conduit.yaml"]);
    assert!(
        ruled.out.contains("rule long (priority 3): openai/gpt-4o, then house/llama"),
        "{}{}",
        ruled.out,
        ruled.err
    );
    for part in ["conduit.yaml: fine. 2 providers, 1 alias, 0 rules", "alias smart: openai/gpt-4o, then house/llama"] {
        assert!(ran.out.contains(part), "{}", ran.out);
    }
    assert!(!ran.out.contains("sk-test"), "a secret was printed: {}", ran.out);
}

#[test]
fn check_names_every_mistake_with_its_place() {
    let (folder, ..) = folder();
    let file = folder.path().join("conduit.yaml");
    let text = std::fs::read_to_string(&file).unwrap().replace("[openai/gpt-4o,", "[opnai/gpt-4o,");
    std::fs::write(&file, text + "colour: red\n").unwrap();
    let ran = conduit(folder.path(), &[], &["check", "conduit.yaml"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    let lines: Vec<&str> = ran.err.lines().collect();
    for (place, part) in [
        ("conduit.yaml:5:", "OPENAI_API_KEY"),
        ("conduit.yaml:8:", "did you mean `openai/gpt-4o`?"),
        ("conduit.yaml:11:", "colour"),
    ] {
        let found = lines.iter().any(|line| line.starts_with(place) && line.contains(part));
        assert!(found, "no line {place} … {part} in\n{}", ran.err);
    }
    assert_eq!(lines.last(), Some(&"3 mistakes in conduit.yaml"));
}

#[test]
fn exit_codes_mean_what_help_says() {
    let (folder, listen, admin) = folder();
    let here = folder.path();
    std::fs::write(here.join("bad.yaml"), "version: 2\n").unwrap();
    std::fs::write(here.join("conduit.wasm"), "").unwrap();
    std::fs::write(here.join("script.jsonl"), "{\"stats\": 1}\n").unwrap();
    let fake = here.join("envoy");
    std::fs::write(&fake, "#!/bin/sh\necho something broke; exit 7\n").unwrap();
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    let up = ["up", "conduit.yaml", "--wasm", "conduit.wasm", "--envoy", "./envoy"];
    let taken = port(&listen);
    let cases: &[(&[&str], i32, &str)] = &[
        (&["--version"], 0, ""),
        (&["--help"], 0, ""),
        (&["check", "bad.yaml"], 1, "bad.yaml:1:"),
        (&["render", "bad.yaml"], 1, "bad.yaml:1:"),
        (&["up", "bad.yaml"], 1, "bad.yaml:1:"),
        (&["mock", "--port", "0", "--script", "script.jsonl"], 1, "script.jsonl:1:"),
        (&["chek", "conduit.yaml"], 2, "check"),
        (&["mock"], 2, "--port"),
        (&["key", "new"], 2, "NAME"),
        (&["key", "new", "two words"], 2, "letters, digits"),
        (&["key", "new", "alice", "--expires", "soon"], 2, "2027-01-01"),
        (&["key", "new", "alice", "--project", ""], 2, "one line"),
        (&["check", "missing.yaml"], 3, "missing.yaml cannot be read"),
        (&["up", "conduit.yaml", "--envoy", "/nowhere/envoy"], 3, "/nowhere/envoy"),
        (&["up", "conduit.yaml", "--envoy", "./envoy", "--wasm", "/nowhere/x.wasm"], 3, "/nowhere/x.wasm"),
        (&up, 3, "`listen.port`"),
        (&["mock", "--port", &taken], 3, "Choose another --port"),
    ];
    for (args, code, part) in cases {
        let ran = conduit(here, KEY, args);
        assert_eq!(ran.code, *code, "{args:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(part), "{args:?}: {}", ran.err);
    }
    drop(listen);
    let ran = conduit(here, KEY, &up);
    assert!(ran.code == 3 && ran.err.contains("`admin.port`"), "{}", ran.err);
    drop(admin);
    std::fs::create_dir_all(here.join("run")).unwrap();
    let other = std::fs::File::create(here.join("run/.lock")).unwrap();
    other.lock().unwrap();
    let ran = conduit(here, KEY, &up);
    assert!(ran.code == 3 && ran.err.contains("in use by another `conduit up`"), "{}", ran.err);
    assert!(!here.join("run/lds.json").exists(), "the other's files were changed");
    drop(other);
    let ran = conduit(here, KEY, &up);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("something broke") && ran.err.contains("exit status: 7"), "{}", ran.err);
}

#[test]
fn help_shows_exit_codes_and_examples() {
    let here = Path::new(".");
    let ran = conduit(here, &[], &["--help"]);
    assert!(ran.out.contains("4  Envoy ended unexpectedly"), "{}", ran.out);
    for verb in ["check", "render", "up", "explain", "prices", "key", "mock", "usage", "completions"] {
        let help = conduit(here, &[], &[verb, "--help"]).out;
        assert!(help.contains("Examples:") && help.contains(&format!("conduit {verb} ")), "{verb}: {help}");
    }
}

#[test]
fn render_writes_json_that_holds_no_secret() {
    let (folder, ..) = folder();
    let here = folder.path();
    let render = ["render", "conduit.yaml", "--wasm", "/etc/envoy/conduit.wasm", "-o", "envoy.yaml"];
    let ran = conduit(here, KEY, &render[..4]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let printed: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(ran.out.contains("/etc/envoy/conduit.wasm") && !ran.out.contains("sk-test"), "{}", ran.out);
    let ran = conduit(here, KEY, &render);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    let written = std::fs::read_to_string(here.join("envoy.yaml")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), printed);
}

#[test]
fn completions_know_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = conduit(Path::new("."), &[], &["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("completions") && ran.out.contains("explain"), "{shell}");
    }
}

#[test]
fn explain_shows_the_request_of_any_target() {
    let (folder, ..) = folder();
    let here = folder.path();
    let body = r#"{"model": "smart", "messages": [{"role": "user", "content": "Hi"}], "seed": 4, "n": 1}"#;
    std::fs::write(here.join("request.json"), body).unwrap();
    let explain = |more: &[&str]| conduit(here, KEY, &[&["explain", "conduit.yaml", "request.json"], more].concat());
    let ran = explain(&["--show-request", "openai/gpt-4o-mini"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for part in
        ["POST https://api.openai.com/v1/chat/completions\n", "authorization: <secret>\n", "\"model\": \"gpt-4o-mini\""]
    {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(!ran.out.contains("sk-test"), "a secret was printed: {}", ran.out);
    let both = explain(&["--show-request"]).out;
    assert!(both.contains("\nopenai/gpt-4o\nPOST ") && both.contains("\nhouse/llama\nPOST "), "{both}");
    let unknown = explain(&["--show-request", "nobody/x"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("nobody/x") && unknown.err.contains("openai, house"), "{}", unknown.err);
}

#[test]
fn a_new_key_is_its_consumers_once_its_entry_is_in_the_file() {
    use conduit::{admit, config, exchange::Headers, host};
    let (folder, ..) = folder();
    let here = folder.path();
    let more = ["--project", "a \"b\": c", "--models", "smart,openai/*", "--expires", "2027-01-01"];
    let mut seen = std::collections::BTreeSet::new();
    for (name, more) in [("alice", &more[..]), ("bob@example.com", &[]), ("7", &[])] {
        let ran = conduit(here, &[], &[&["key", "new", name], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        let (key, entry) = ran.out.split_once("\n\n").unwrap();
        assert!(key.starts_with("ck-") && key.len() == 46 && seen.insert(key.to_owned()), "{key}");
        assert!(!entry.contains(key) && !ran.err.contains(key) && ran.err.contains(name), "{entry}{}", ran.err);
        let text = format!("{}{entry}", GOOD.replace("LISTEN", "1").replace("ADMIN", "2"));
        std::fs::write(here.join("with.yaml"), &text).unwrap();
        let checked = conduit(here, KEY, &["check", "with.yaml"]);
        assert!(
            checked.code == 0 && checked.out.contains("0 rules, 1 consumer; listens"),
            "{}{}",
            checked.out,
            checked.err
        );
        let plan = config::load(&text, &|_: &str| Some("k".to_owned())).unwrap();
        let who = |key: &str| {
            let headers = Headers::new(vec![("authorization".into(), format!("Bearer {key}"))]);
            admit::identify(&plan, &headers, &host::Peer::default(), host::Time(0))
        };
        let (caller, place) = who(key).unwrap();
        assert_eq!((caller.consumer.as_deref(), place), (Some(name), Some(0)));
        assert_eq!(caller.project.as_deref(), more.get(1).copied());
        assert!(who(&key.chars().take(45).collect::<String>()).is_err());
        let allowed = &plan.consumers.list[0].allowed;
        assert_eq!(allowed.takes("anthropic/x", "anthropic/x"), more.is_empty());
        assert!(allowed.takes("smart", "house/llama") && allowed.takes("x", "openai/gpt-4o"));
        assert_eq!(plan.consumers.list[0].expires.is_some(), !more.is_empty());
    }
}

#[test]
fn check_says_what_is_admitted() {
    let (folder, ..) = folder();
    let file = folder.path().join("conduit.yaml");
    let rules = "budgets:\n  \
        - {name: day, per: all, period: day, usd: 12.50}\n  \
        - {name: team, per: header.x-team, period: month, usd: 100, on_exceed: {downgrade: smart}}\n\
        limits:\n  - {name: each, per: ip, requests_per_minute: 60, concurrent: 5}\n";
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + rules).unwrap();
    let ran = conduit(folder.path(), KEY, &["check", "conduit.yaml"]);
    for part in [
        "0 rules, 2 budgets, 1 limit; listens",
        "  budget day: 12.5 USD per day, refuses what is more\n",
        "  budget team: 100 USD per month and header.x-team, sends what is more to openai/gpt-4o, then house/llama\n",
        "  limit each: 60 requests per minute, 5 at a time per ip\n",
    ] {
        assert!(ran.out.contains(part), "{part}: {}{}", ran.out, ran.err);
    }
}

#[test]
fn check_says_what_is_left_open() {
    let (folder, ..) = folder();
    let file = folder.path().join("conduit.yaml");
    let rules = "enabled: false\nconsumers: {svc: {header: {name: X-User}}}\n";
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + rules).unwrap();
    let ran = conduit(folder.path(), KEY, &["check", "conduit.yaml"]);
    for part in [
        "\n  meanwhile no consumer, budget or limit holds, and providers get the keys that clients send here\n",
        "\n  header x-user: whoever can send it is the consumer that it names;",
    ] {
        assert!(ran.out.contains(part), "{part}: {}{}", ran.out, ran.err);
    }
}

#[test]
fn explain_says_who_would_call() {
    let (folder, ..) = folder();
    let here = folder.path();
    let made = conduit(here, &[], &["key", "new", "alice"]).out;
    let (key, entry) = made.split_once("\n\n").unwrap();
    let file = here.join("conduit.yaml");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + entry).unwrap();
    std::fs::write(here.join("request.json"), r#"{"model": "smart", "messages": [{"role": "user", "content": "Hi"}]}"#)
        .unwrap();
    let header = format!("authorization:Bearer {key}");
    let explain = |more: &[&str]| conduit(here, KEY, &[&["explain", "conduit.yaml", "request.json"], more].concat());
    assert!(explain(&["--header", &header]).out.contains("\nconsumer   alice\n"));
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "\n    models: [house/other]\n").unwrap();
    let refused = explain(&["--header", &header]).out;
    assert!(refused.contains("\nanswer     status 403: alice may not use the model `smart`"), "{refused}");
    let nobody = explain(&[]);
    assert!(
        nobody.out.contains("\nconsumer   none, so the answer would be 401: an API key is missing"),
        "{}{}",
        nobody.out,
        nobody.err
    );
}

#[test]
fn prices_shows_what_applies_and_from_where() {
    let (folder, ..) = folder();
    let here = folder.path();
    let file = here.join("conduit.yaml");
    let models = "models:
  house/llama: {context: 8000, max_output: 500, price: {input: 0.1, output: 0.3, request: 0.005, service_tiers: {night: {input: 0.05}}}}
";
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + models).unwrap();
    let prices = |args: &[&str]| conduit(here, KEY, &[&["prices"], args].concat());
    let holds = |ran: &Ran, parts: &[&str]| {
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        // Columns are as wide as they need to be.
        let squeezed: Vec<String> =
            ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for part in parts {
            assert!(squeezed.iter().any(|line| line == part), "no line {part:?} in\n{}", ran.out);
        }
    };
    holds(&prices(&[]), &["provider models priced kinds in conduit.yaml", "google 69 65 gemini, vertex"]);
    let alone = prices(&["anthropic/claude-3-haiku-20240307"]);
    holds(
        &alone,
        &[
            "anthropic/claude-3-haiku-20240307",
            "context 200000 tokens",
            "max output 4096 tokens",
            "price from genai-prices 0.2.1, as of 2026-11-21",
            "USD per million tokens standard",
            "cached input 0.03",
            "cache write 1h 0.5",
            "1000 in and 1000 out 0.0015",
        ],
    );
    assert_eq!(alone.out.matches("price from").count(), 1, "{}", alone.out);
    let everywhere = prices(&["claude-sonnet-4-5"]);
    holds(&everywhere, &["anthropic/claude-sonnet-4-5", "azure/claude-sonnet-4-5", "google/claude-sonnet-4-5"]);
    holds(&everywhere, &["output, prompts above 200000 22.5", "1000 in and 1000 out 0.018"]);
    holds(&prices(&["openai/whisper-1"]), &["context unknown", "price from nowhere: requests are unpriced"]);
    let all = prices(&["--file", "conduit.yaml"]);
    holds(
        &all,
        &[
            "openai/gpt-4o 2.5 1.25 10 128000 16384 genai-prices 0.2.1, as of 2026-11-21",
            "house/llama 0.1 - 0.3 8000 500 conduit.yaml: models[\"house/llama\"].price",
        ],
    );
    let alias = prices(&["smart", "--file", "conduit.yaml"]);
    holds(
        &alias,
        &[
            "openai/gpt-4o",
            "house/llama",
            "price from conduit.yaml: models[\"house/llama\"].price",
            "USD per million tokens standard night",
            "input 0.1 0.05",
            "each request (USD) 0.005 -",
            "1000 in and 1000 out 0.0054 0.00535",
        ],
    );
    assert!(!alias.out.contains("sk-test"), "a secret was printed: {}", alias.out);
    for (args, parts) in [
        (&["gpt-4oo"][..], ["no model `gpt-4oo`", "did you mean `gpt-4o`?"]),
        (&["openai/gtp-4o"], ["openai/gtp-4o", "did you mean `gpt-4o`?"]),
        (&["smrt", "--file", "conduit.yaml"], ["smrt", "did you mean `smart`?"]),
        (&["\u{1b}[2J"], ["no model `\u{fffd}[2J`", "expected a model"]),
    ] {
        let ran = prices(args);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{args:?}");
        assert!(parts.iter().all(|part| ran.err.contains(part)), "{args:?}: {}", ran.err);
    }
    assert_eq!(prices(&["gpt-4o", "--file", "missing.yaml"]).code, 3);
}
