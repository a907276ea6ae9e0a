//! The messages of a Converse request: roles, blocks, and a result for each use of a tool.

use super::{cache_point, constraint, each, known, malformed, refuse, token};
use crate::cli::mock::bedrock::kind;
use crate::cli::mock::json::{base64, fields, text};
use crate::cli::mock::refusal::Refusal;
use serde_json::Value;

const MOST_IMAGES: usize = 20;
const MOST_DOCUMENTS: usize = 5;

/// Roles that alternate, blocks in their place, and a result for each use of a tool.
pub(super) fn conversation(body: &Value) -> Result<(), Refusal> {
    let messages = each(body, "messages")?;
    if messages.is_empty() {
        return Err(refuse(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        ));
    }
    let mut before = "assistant";
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        known(message, &["role", "content"], &format!("messages/{at}"))?;
        let role = text(message, "role");
        if !matches!(role, "user" | "assistant") {
            let path = format!("messages.{}.member.role", at.saturating_add(1));
            return Err(constraint(Some(role), &path, "satisfy enum value set: [user, assistant]"));
        }
        if role == before {
            return Err(refuse(if at == 0 {
                "A conversation must start with a user message. Try again with a conversation that starts with a user message."
            } else {
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again."
            }));
        }
        before = role;
        let content = each(message, "content")?;
        if content.is_empty() {
            return Err(refuse(format!(
                "The content field in the Message object at messages.{at} is empty. Add a ContentBlock object to the content field and try again."
            )));
        }
        let mut seen = Seen::default();
        for (n, one) in content.iter().enumerate() {
            block(one, role, &format!("messages.{at}.content.{n}"), &mut seen)?;
        }
        if (!seen.uses.is_empty() || !seen.results.is_empty()) && body.get("toolConfig").is_none_or(Value::is_null) {
            return Err(refuse(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
            ));
        }
        if seen.documents > 0 && !seen.text {
            return Err(refuse(format!(
                "The content field in the Message object at messages.{at} has a document, and must also have a text block. Add a text block and try again."
            )));
        }
        if seen.images > MOST_IMAGES || seen.documents > MOST_DOCUMENTS {
            return Err(refuse(format!(
                "The content field in the Message object at messages.{at} has too many images or documents: up to {MOST_IMAGES} and {MOST_DOCUMENTS} are allowed."
            )));
        }
        if seen.results.len() > open.len() {
            return Err(refuse(format!(
                "The number of toolResult blocks at messages.{at}.content exceeds the number of toolUse blocks of previous turn."
            )));
        }
        let missing: Vec<&str> = open.iter().filter(|id| !seen.results.contains(id)).copied().collect();
        if !missing.is_empty() {
            return Err(refuse(format!(
                "Expected toolResult blocks at messages.{at}.content for the following Ids: {}, but found: {}",
                missing.join(", "),
                seen.results.join(", ")
            )));
        }
        open = seen.uses;
    }
    if open.is_empty() {
        return Ok(());
    }
    Err(refuse(format!(
        "Expected toolResult blocks at messages.{}.content for the following Ids: {}",
        messages.len(),
        open.join(", ")
    )))
}

/// What the blocks of one message are.
#[derive(Default)]
struct Seen<'v> {
    text: bool,
    images: usize,
    documents: usize,
    uses: Vec<&'v str>,
    results: Vec<&'v str>,
}

fn block<'v>(block: &'v Value, role: &str, path: &str, seen: &mut Seen<'v>) -> Result<(), Refusal> {
    let only = fields(block).count();
    if only != 1 {
        return Err(malformed(&format!(
            "#/{}: a ContentBlock must have exactly one member set, found {only}",
            path.replace('.', "/")
        )));
    }
    let (name, held) = kind(block);
    let belongs = |to: &str| {
        if role == to {
            return Ok(());
        }
        Err(refuse(format!(
            "The {role} role can't have a {name} block at {path}. Move it to a message of the {to} role and try again."
        )))
    };
    match name {
        "text" => {
            if held.as_str().is_none_or(|said| said.trim().is_empty()) {
                return Err(refuse(format!(
                    "The text field in the ContentBlock object at {path} is blank. Add text to the text field, and try again."
                )));
            }
            seen.text = true;
        }
        "image" => {
            belongs("user")?;
            seen.images = seen.images.saturating_add(1);
            media(held, &["png", "jpeg", "gif", "webp"], &["format", "source"], path)?;
        }
        "document" => {
            belongs("user")?;
            seen.documents = seen.documents.saturating_add(1);
            media(
                held,
                &["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"],
                &["format", "name", "source", "context", "citations"],
                path,
            )?;
            document_name(text(held, "name"))?;
        }
        "video" => belongs("user")?,
        "toolUse" => {
            belongs("assistant")?;
            known(held, &["toolUseId", "name", "input", "type"], path)?;
            token(text(held, "toolUseId"), &format!("{path}.toolUse.toolUseId"))?;
            token(text(held, "name"), &format!("{path}.toolUse.name"))?;
            if !held.get("input").is_some_and(Value::is_object) {
                return Err(refuse(format!(
                    "The format of the value at {path}.toolUse.input is invalid. Provide a json object for the field and try again."
                )));
            }
            if seen.uses.contains(&text(held, "toolUseId")) {
                return Err(refuse(format!(
                    "The content at {path} has a toolUseId that is used twice: {}",
                    text(held, "toolUseId")
                )));
            }
            seen.uses.push(text(held, "toolUseId"));
        }
        "toolResult" => {
            belongs("user")?;
            known(held, &["toolUseId", "content", "status", "type"], path)?;
            token(text(held, "toolUseId"), &format!("{path}.toolResult.toolUseId"))?;
            if !matches!(
                held.get("status").map_or("success", |status| status.as_str().unwrap_or_default()),
                "success" | "error"
            ) {
                return Err(constraint(
                    Some(text(held, "status")),
                    &format!("{path}.toolResult.status"),
                    "satisfy enum value set: [success, error]",
                ));
            }
            for inner in each(held, "content")? {
                match kind(inner) {
                    ("json", data) if data.is_object() => {}
                    ("json", _) => {
                        return Err(refuse(format!(
                            "The format of the value at {path}.toolResult.content.json is invalid. Provide a json object for the field and try again."
                        )));
                    }
                    ("image", image) => media(image, &["png", "jpeg", "gif", "webp"], &["format", "source"], path)?,
                    ("text" | "document" | "video" | "searchResult", _) => {}
                    (other, _) => {
                        return Err(malformed(&format!(
                            "#/{path}/toolResult/content: extraneous key [{other}] is not permitted"
                        )));
                    }
                }
            }
            seen.results.push(text(held, "toolUseId"));
        }
        "reasoningContent" => {
            belongs("assistant")?;
            match kind(held) {
                ("reasoningText", said) if said.get("text").is_some_and(Value::is_string) => {}
                ("redactedContent", Value::String(bytes)) if base64(bytes).is_some() => {}
                _ => {
                    return Err(malformed(&format!(
                        "#/{path}/reasoningContent: expected reasoningText with text, or redactedContent in base64"
                    )));
                }
            }
        }
        "cachePoint" => cache_point(held)?,
        "guardContent" | "searchResult" | "citationsContent" => {}
        other => {
            return Err(malformed(&format!("#/{}: extraneous key [{other}] is not permitted", path.replace('.', "/"))));
        }
    }
    Ok(())
}

/// A picture or a document: its format and one source.
fn media(held: &Value, formats: &[&str], names: &[&str], path: &str) -> Result<(), Refusal> {
    known(held, names, path)?;
    let format = text(held, "format");
    if !formats.contains(&format) {
        return Err(constraint(
            Some(format),
            &format!("{path}.format"),
            &format!("satisfy enum value set: [{}]", formats.join(", ")),
        ));
    }
    match held.get("source").map(kind) {
        Some(("bytes", Value::String(bytes))) => match base64(bytes) {
            Some(bytes) if !bytes.is_empty() => Ok(()),
            Some(_) => {
                Err(constraint(Some(""), &format!("{path}.source.bytes"), "have length greater than or equal to 1"))
            }
            None => Err(malformed(&format!("#/{path}/source/bytes: not valid base64"))),
        },
        Some(("s3Location" | "text" | "content", _)) => Ok(()),
        Some((other, _)) => Err(malformed(&format!("#/{path}/source: extraneous key [{other}] is not permitted"))),
        None => Err(constraint(None, &format!("{path}.source"), "not be null")),
    }
}

fn document_name(name: &str) -> Result<(), Refusal> {
    let known = |c: char| c.is_ascii_alphanumeric() || c.is_whitespace() || matches!(c, '-' | '(' | ')' | '[' | ']');
    let double = name.chars().zip(name.chars().skip(1)).any(|(a, b)| a.is_whitespace() && b.is_whitespace());
    if name.is_empty() || name.len() > 200 || double || !name.chars().all(known) {
        return Err(refuse(
            "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character.",
        ));
    }
    Ok(())
}
