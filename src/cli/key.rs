//! `conduit key new`: a key for a consumer, and what the file says of it.

use super::{Failure, args, print};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt::Write;

pub(super) fn run(args: &args::Key) -> Result<(), Failure> {
    let args::KeyVerb::New(new) = &args.verb;
    let key = random()?;
    print::complain(&format!("The key of {}. It is shown this once; the file holds its hash only:", new.name));
    print::line(&format!("{key}\n"));
    print::complain("What the file says of it (below `consumers:`, where there are some already):");
    print::line(&entry(new, &key));
    Ok(())
}

/// `ck-` and 256 random bits.
fn random() -> Result<String, Failure> {
    let mut bits = [0_u8; 32];
    getrandom::fill(&mut bits)
        .map_err(|error| Failure::Machine(format!("the system gives no random bits: {error}.")))?;
    Ok(format!("ck-{}", BASE64_URL_SAFE_NO_PAD.encode(bits)))
}

/// The consumer's entry. A JSON string is a YAML string too.
fn entry(new: &args::KeyNew, key: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let hash = Sha256::digest(key).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let mut lines = vec!["consumers:".to_owned(), format!("  {}:", new.name), format!("    sha256: \"{hash}\"")];
    let texts = [("project", &new.project), ("agent", &new.agent)];
    for (field, text) in texts.into_iter().filter_map(|(field, text)| Some((field, text.as_ref()?))) {
        lines.push(format!("    {field}: {}", quoted(text)));
    }
    if !new.models.is_empty() {
        let models: Vec<String> = new.models.iter().map(|model| quoted(model)).collect();
        lines.push(format!("    models: [{}]", models.join(", ")));
    }
    if let Some(expires) = &new.expires {
        lines.push(format!("    expires: {}", quoted(expires)));
    }
    lines.join("\n")
}
