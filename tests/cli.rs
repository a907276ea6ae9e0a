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
    for verb in ["check", "render", "up", "explain", "mock", "usage", "completions"] {
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
