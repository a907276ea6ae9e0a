//! What to try, once Envoy is ready.

use crate::cli::envoy::reach;
use crate::cli::print::{Ink, ink};
use crate::config::Plan;
use crate::formats::Format;
use std::path::Path;

/// A model that a first request can name: an alias, else `auto`, else the first target of the file.
fn model(plan: &Plan) -> String {
    if let Some((name, _)) = plan.aliases.first() {
        return name.clone();
    }
    if plan.routing.default.is_some() {
        return "auto".to_owned();
    }
    let target = plan.chains.first().and_then(|chain| chain.targets.first()).map(|target| target.name.clone());
    target.or_else(|| plan.providers.first().map(usual_model)).unwrap_or_else(|| "gpt-4o".to_owned())
}

fn usual_model(provider: &crate::config::Provider) -> String {
    let model = match provider.spec.format {
        Format::OpenAiChat | Format::OpenAiResponses => "gpt-4o",
        Format::Gemini => "gemini-2.5-flash",
        Format::BedrockConverse => "amazon.nova-lite-v1:0",
        Format::AnthropicMessages => "claude-sonnet-4-5",
    };
    format!("{}/{model}", provider.name)
}

/// The text.
pub(super) fn greeting(plan: &Plan, access_log: &Path, envoy_log: &Path) -> String {
    let base = format!("http://{}:{}", reach(&plan.listen.address), plan.listen.port);
    let admin = format!("http://{}:{}", reach(&plan.admin.address), plan.admin.port);
    let model = model(plan);
    let mocked: Vec<&str> = plan.providers.iter().filter(|p| p.mocked).map(|p| p.name.as_str()).collect();
    let note = match (&plan.mock, mocked.is_empty()) {
        (Some(mock), false) => format!(
            "\n  Mocked         {} (no key set; http://{}:{}/mock/requests shows what they receive)",
            mocked.join(", "),
            reach(&mock.address),
            mock.port
        ),
        _ => String::new(),
    };
    let admission =
        crate::cli::check::admission(plan).map(|text| format!("\n  Admission      {text}")).unwrap_or_default();
    // With consumers, a key of theirs is needed.
    let open = plan.consumers.list.is_empty();
    let (key, with_key) = if open { ("any", "") } else { ("YOUR_KEY", " -H 'authorization: Bearer YOUR_KEY'") };
    let title = ink(Ink::Bold, "Conduit is running.");
    let title = &title;
    format!(
        r#"{title}

  Base URL       {base}/v1  (OpenAI)   {base}  (Anthropic)
  Metrics        {admin}/stats/prometheus
  Access log     {}
  Envoy's log    {}{note}{admission}

Try it with curl:

  curl {base}/v1/chat/completions -H 'content-type: application/json'{with_key} \
    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'

with the openai SDK for Python:

  from openai import OpenAI
  client = OpenAI(base_url="{base}/v1", api_key="{key}")
  print(client.chat.completions.create(model="{model}", messages=[{{"role": "user", "content": "Hello"}}]).choices[0].message.content)

with the anthropic SDK for Python:

  from anthropic import Anthropic
  client = Anthropic(base_url="{base}", api_key="{key}")
  print(client.messages.create(model="{model}", max_tokens=100, messages=[{{"role": "user", "content": "Hello"}}]).content[0].text)

A line follows for each request. Ctrl-C stops everything.
"#,
        access_log.display(),
        envoy_log.display(),
    )
}
