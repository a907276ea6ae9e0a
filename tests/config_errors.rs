//! What `conduit check` says of broken files: each `tests/config/NAME.yaml` beside the mistakes it has, `NAME.txt`.
//! After a wanted change run with `CONDUIT_BLESS=1` and read the difference.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::panic)]

use conduit::config::load;
use std::fs;
use std::path::Path;

/// The environment of every fixture.
fn env(name: &str) -> Option<String> {
    match name {
        "OPENAI_API_KEY" | "ANTHROPIC_API_KEY" | "GROQ_API_KEY" | "XAI_API_KEY" => Some("secret-value".into()),
        "GLM_API_KEY" => Some("id.secret-value\n".into()),
        "EMPTY_KEY" => Some(String::new()),
        "BROKEN_KEY" => Some("secret-value\r\nx-evil: 1".into()),
        "HOUSE" => Some("house.internal:8000".into()),
        _ => None,
    }
}

fn told(text: &str) -> String {
    match load(text, &env) {
        Ok(_) => "no mistake\n".into(),
        Err(mistakes) => mistakes.iter().map(|mistake| format!("{mistake}\n")).collect(),
    }
}

#[test]
fn each_broken_file_has_exactly_these_mistakes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let mut seen = 0;
    let mut wrong = String::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        seen += 1;
        let told = told(&fs::read_to_string(&path).unwrap());
        assert!(!told.contains("secret-value"), "{} gives a secret away:\n{told}", path.display());
        let expected = path.with_extension("txt");
        if std::env::var_os("CONDUIT_BLESS").is_some() {
            fs::write(&expected, &told).unwrap();
        }
        let want = fs::read_to_string(&expected).unwrap_or_default();
        if told != want {
            wrong += &format!("== {}\n-- expected\n{want}-- told\n{told}", path.display());
        }
    }
    assert!(seen >= 10, "only {seen} fixtures in {}", folder.display());
    assert!(wrong.is_empty(), "{wrong}");
}
