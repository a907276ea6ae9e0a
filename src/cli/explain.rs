//! `conduit explain`: what would become of a request, and why.

use super::{Failure, args, print};
use crate::admit;
use crate::config::{Plan, Target};
use crate::cost::{Usd, cost};
use crate::exchange::{Headers, decide, known_word};
use crate::formats::Format;
use crate::formats::canonical::ChatRequest;
use crate::route::{Reason, RouteError};
use crate::tokens::count_request;
use crate::usage::{Tokens, Usage};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

/// The output tokens for which a cost is shown where the request sets no limit.
const USUAL_OUTPUT: u64 = 1_000;

pub(super) fn run(args: &args::Explain) -> Result<(), Failure> {
    let text = super::read(&args.file)?;
    let plan = super::load(&args.file, &text)?;
    let body = read_request(&args.request)?;
    let headers = args.headers.clone();
    match explain(&plan, &body, headers, args.endpoint.as_deref()) {
        Ok(explained) => {
            print::raw(&explained);
            Ok(())
        }
        Err(why) => {
            print::complain(&why);
            Err(Failure::Mistakes)
        }
    }
}

fn read_request(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|e| {
        Failure::Machine(format!("{} cannot be read: {e}. Give the path of a request's JSON, or -.", path.display()))
    })
}

/// Explains `body` (a request's JSON) with these headers. The error is a sentence for people.
fn explain(plan: &Plan, body: &[u8], headers: Vec<(String, String)>, endpoint: Option<&str>) -> Result<String, String> {
    let json: Value =
        serde_json::from_slice(body).map_err(|error| format!("the request is not valid JSON: {error}"))?;
    let headers = Headers::new(headers);
    let format = match endpoint {
        Some("messages") => Format::AnthropicMessages,
        Some(_) => Format::OpenAiChat,
        None if looks_like_messages(&json, &headers) => Format::AnthropicMessages,
        None => Format::OpenAiChat,
    };
    let endpoint = if format == Format::AnthropicMessages { "messages" } else { "chat" };
    let request = format.read_request(&json).map_err(|error| error.to_string())?;
    let caller = admit::caller(&|name| headers.get(name).map(str::to_owned));
    let mut out = String::new();
    let mut line = |text: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{text}");
    };
    line(format!("endpoint   {endpoint}"));
    line(format!("model      {}", request.model));
    if !plan.enabled {
        line("enabled    false: requests pass untouched".to_owned());
    }
    let (decision, count) = match decide(plan, &request, endpoint, &caller, &headers, true) {
        Ok(decided) => decided,
        Err(RouteError::UnknownModel { model, near }) => {
            let hint = if near.is_empty() { String::new() } else { format!("; near names: {}", near.join(", ")) };
            return Err(format!("{out}no configured provider serves the model `{model}`{hint}"));
        }
        Err(RouteError::Ambiguous { model, candidates }) => {
            return Err(format!("{out}several providers know `{model}`; name one: {}", candidates.join(", ")));
        }
    };
    line(format!("tokens     {} prompt tokens ({})", count.tokens.0, known_word(count.known)));
    for rejected in &decision.rejected {
        line(format!("not        {rejected}"));
    }
    line(format!("reason     {}", reason(&decision.reason)));
    line(format!("cluster    {}", decision.cluster));
    for (place, target) in (1_u64..).zip(&decision.targets) {
        line(format!("target {place}   {}{}", target.name, about(target, &request)));
    }
    Ok(out)
}

fn looks_like_messages(json: &Value, headers: &Headers) -> bool {
    let tool_schema = json.pointer("/tools/0/input_schema").is_some();
    headers.get("anthropic-version").is_some() || json.get("system").is_some() || tool_schema
}

fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Rule(name) => format!("rule `{name}` matched"),
        Reason::Alias(name) => format!("the request names the alias `{name}`"),
        Reason::Explicit => "the request names provider and model".to_owned(),
        Reason::Model => "the request names a model that one configured provider knows".to_owned(),
        Reason::Class(class) => format!("class {class}"),
        Reason::Default => "the default".to_owned(),
    }
}

fn about(target: &Target, request: &ChatRequest) -> String {
    let count = count_request(target.tokenizer, &target.model, request);
    let mut text = format!("  {} prompt tokens ({})", count.tokens.0, known_word(count.known));
    if let Some(context) = target.context {
        let _ = write!(text, ", context {context}");
        if count.tokens.0 > context {
            text.push_str(" (too small!)");
        }
    }
    let Some(price) = &target.price else {
        text.push_str(", unpriced");
        return text;
    };
    let costs = |output: u64| {
        let usage = Usage { input: Some(count.tokens), output: Some(Tokens(output)), ..Usage::default() };
        cost(price, &usage).map_or_else(|| "?".to_owned(), |Usd(pico)| Usd(pico).to_string())
    };
    let (limit, word) = match request.max_tokens {
        Some(limit) => (limit, "at most"),
        None => (USUAL_OUTPUT, "with"),
    };
    let _ = write!(text, ", {} USD for the prompt, {} USD {word} {limit} output tokens", costs(0), costs(limit));
    text
}
