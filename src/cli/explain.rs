//! `conduit explain`: what would become of a request, and why.

use super::{Failure, args, print};
use crate::admit;
use crate::config::{Plan, Target};
use crate::cost::{Usd, cost};
use crate::exchange::{Exchange, Headers, Step, decide, known_word};
use crate::formats::canonical::ChatRequest;
use crate::host::{Peer, Time};
use crate::route::Reason;
use crate::tokens::count_request;
use crate::usage::{Tokens, Usage};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// The output tokens for which a cost is shown where the request sets no limit.
const USUAL_OUTPUT: u64 = 1_000;

pub(super) fn run(args: &args::Explain) -> Result<(), Failure> {
    let text = super::read(&args.file)?;
    let plan = super::load(&args.file, &text)?;
    let body = read_request(&args.request)?;
    match explain(&Arc::new(plan), &body, args) {
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
fn explain(plan: &Arc<Plan>, body: &[u8], args: &args::Explain) -> Result<String, String> {
    let json: Value =
        serde_json::from_slice(body).map_err(|error| format!("the request is not valid JSON: {error}"))?;
    let headers = Headers::new(args.headers.clone());
    let kind = args.endpoint.as_deref().unwrap_or_else(|| endpoint_of(&json, &headers));
    let model = args.model.as_deref().or_else(|| json.get("model").and_then(Value::as_str)).unwrap_or_default();
    let mut exchange = begin(plan, kind, model, &args.headers);
    let step = exchange.body(body);
    let Some(request) = exchange.request().cloned() else {
        return Err(refusal(&step));
    };
    let mut out = String::new();
    let mut line = |text: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{text}");
    };
    line(format!("endpoint   {kind}"));
    line(format!("model      {}", request.model));
    if !plan.enabled {
        line("enabled    false: requests pass untouched".to_owned());
    }
    let identified = admit::identify(plan, &headers, &Peer::default(), now());
    if !plan.consumers.list.is_empty() {
        line(match &identified {
            Ok((caller, _)) => format!("consumer   {}", caller.consumer.as_deref().unwrap_or("none")),
            Err(denied) => format!("consumer   none, so the answer would be 401: {denied}"),
        });
    }
    let caller = identified.map(|(caller, _)| caller).unwrap_or_default();
    let (decision, count) = match decide(plan, &request, kind, &caller, &headers, true) {
        Ok(decided) => decided,
        Err(_) => return Err(format!("{out}{}", refusal(&step))),
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
    if let Step::Reply(_) = &step {
        line(format!("answer     {}", refusal(&step)));
    }
    if let Some(wanted) = &args.show_request {
        let targets = if wanted.is_empty() { decision.targets } else { targets_named(plan, wanted)? };
        for target in targets {
            out.push_str(&shown(&mut exchange, &target, body));
        }
    }
    Ok(out)
}

/// An exchange for a request to that endpoint.
fn begin(plan: &Arc<Plan>, kind: &str, model: &str, headers: &[(String, String)]) -> Exchange {
    let path = match kind {
        "messages" => "/v1/messages".to_owned(),
        "responses" => "/v1/responses".to_owned(),
        "generate_content" => format!("/v1beta/models/{model}:generateContent"),
        "converse" => format!("/model/{model}/converse"),
        _ => "/v1/chat/completions".to_owned(),
    };
    let mut all = vec![(":method".to_owned(), "POST".to_owned()), (":path".to_owned(), path)];
    all.extend(headers.iter().cloned());
    Exchange::begin(Arc::clone(plan), "explain".to_owned(), Headers::new(all), false, now()).0
}

fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time(since.ok().and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0))
}

/// What the gateway would answer in place of a provider, as one line.
fn refusal(step: &Step) -> String {
    match step {
        Step::Reply(reply) => {
            let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
            let message = body.as_ref().and_then(|body| {
                body.pointer("/error/message").or_else(|| body.get("message")).and_then(Value::as_str)
            });
            format!("status {}: {}", reply.status, message.unwrap_or("the request is refused"))
        }
        Step::Wait | Step::Forward(_) => "the request is not whole".to_owned(),
    }
}

/// The targets of an alias, or the one of a `provider/model`.
fn targets_named(plan: &Plan, name: &str) -> Result<Vec<Arc<Target>>, String> {
    if let Some(chain) = plan.alias(name).and_then(|id| plan.chain(id)) {
        return Ok(chain.targets.clone());
    }
    let found = name.split_once('/').and_then(|(provider, model)| {
        let (id, _) = plan.provider_named(provider)?;
        plan.target(id, model)
    });
    found.map(|target| vec![target]).ok_or_else(|| {
        let known: Vec<&str> = plan.providers.iter().map(|provider| provider.name.as_str()).collect();
        format!(
            "--show-request {name}: found no such target; expected an alias or PROVIDER/MODEL with one of {}",
            known.join(", ")
        )
    })
}

/// The request that a target would be sent.
fn shown(exchange: &mut Exchange, target: &Target, body: &[u8]) -> String {
    let preview = match exchange.preview(target, body, now()) {
        Ok(preview) => preview,
        Err(error) => return format!("\n{}: refused with {}: {}\n", target.name, error.status, error.message),
    };
    let mut out = format!("\n{}\nPOST {}\n", target.name, preview.url);
    for (name, value) in &preview.headers {
        let _ = writeln!(out, "{name}: {value}");
    }
    let json: Option<Value> = serde_json::from_slice(&preview.body).ok();
    let pretty = json.and_then(|json| serde_json::to_string_pretty(&json).ok());
    let _ = writeln!(out, "\n{}", pretty.unwrap_or_else(|| String::from_utf8_lossy(&preview.body).into_owned()));
    if !preview.dropped.is_empty() {
        let _ = writeln!(out, "dropped: {}", preview.dropped.join(", "));
    }
    out
}

/// Which endpoint a body is for, by what only its format has.
fn endpoint_of(json: &Value, headers: &Headers) -> &'static str {
    if json.get("contents").is_some() {
        "generate_content"
    } else if json.get("input").is_some() {
        "responses"
    } else if ["inferenceConfig", "toolConfig"].iter().any(|name| json.get(name).is_some())
        || json.pointer("/messages/0/content/0/text").is_some() && json.pointer("/messages/0/content/0/type").is_none()
    {
        "converse"
    } else if looks_like_messages(json, headers) {
        "messages"
    } else {
        "chat"
    }
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
