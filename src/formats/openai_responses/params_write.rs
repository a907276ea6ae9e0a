//! Writes everything of a request but the conversation.

use super::super::canonical::{ChatRequest, Reasoning, Tool};
use super::super::{Format, RequestError, schema};
use super::model::Effort;
use super::params::{choice_from_chat, write_choice, write_function, write_text_format};
use super::request_read::LOGPROBS;
use super::request_write::Notes;
use super::response::TIERS;
use super::{put, text};
use serde_json::{Map, Value, json};

/// The fewest output tokens that may be asked for
/// (<https://platform.openai.com/docs/api-reference/responses/create>, 2026-11-21).
const LEAST_TOKENS: u64 = 16;

/// OpenAI's words for how much to reason (<https://platform.openai.com/docs/guides/reasoning>, 2026-11-21).
const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// What brings OpenAI's reasoning back so that a client can keep it.
const ENCRYPTED: &str = "reasoning.encrypted_content";

pub(super) struct Params<'a> {
    pub request: &'a ChatRequest,
    /// The request was read from this format.
    pub native: bool,
    pub effort: Effort,
    /// The least that the model can be told to reason.
    pub least: Option<&'static str>,
    pub body: &'a mut Map<String, Value>,
    pub notes: &'a mut Notes,
    pub text: Map<String, Value>,
    pub reasoning: Map<String, Value>,
    pub include: Vec<Value>,
}

impl Params<'_> {
    pub(super) fn write(mut self) -> Result<(), RequestError> {
        let request = self.request;
        if let Some(format) = &request.response_format {
            self.text.insert("format".to_owned(), write_text_format(format));
        }
        self.stop()?;
        self.tools()?;
        self.limits();
        self.reasoning();
        put(self.body, "user", request.user.clone());
        for (name, value) in &request.extra {
            if !(self.native && self.own(name, value)) {
                self.extra(name, value)?;
            }
        }
        if request.stream {
            self.set("stream", true);
        }
        if !self.native {
            request.unplaced_names().for_each(|name| self.notes.note(name));
            self.set("store", false);
            if self.effort == Effort::Full && !self.include.iter().any(|one| one == ENCRYPTED) {
                self.include.push(ENCRYPTED.into());
            }
        }
        put(self.body, "text", Some(self.text).filter(|text| !text.is_empty()));
        put(self.body, "reasoning", Some(self.reasoning).filter(|reasoning| !reasoning.is_empty()));
        put(self.body, "include", Some(self.include).filter(|include| !include.is_empty()));
        Ok(())
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.body.insert(name.to_owned(), value.into());
    }

    /// Nobody writes on where it should have stopped: without its stop sequences the answer is another one.
    fn stop(&self) -> Result<(), RequestError> {
        if self.request.stop.is_empty() {
            return Ok(());
        }
        let name = if self.request.source == Some(Format::OpenAiChat) { "stop" } else { "stop_sequences" };
        Err(refusal(name, "has no stop sequences"))
    }

    fn tools(&mut self) -> Result<(), RequestError> {
        let request = self.request;
        let mut tools = Vec::with_capacity(request.tools.len());
        for (i, tool) in request.tools.iter().enumerate() {
            tools.push(self.tool(tool, i)?);
        }
        let none = tools.is_empty();
        put(self.body, "tools", Some(tools).filter(|tools| !tools.is_empty()));
        // OpenAI refuses a choice among no tools.
        if self.native || !none {
            put(self.body, "tool_choice", request.tool_choice.as_ref().map(write_choice));
            put(self.body, "parallel_tool_calls", request.parallel_tool_calls);
        }
        Ok(())
    }

    fn tool(&mut self, tool: &Tool, i: usize) -> Result<Value, RequestError> {
        match &tool.builtin {
            Some(builtin) if self.native => return Ok(builtin.clone()),
            Some(builtin) => {
                let kind = text(builtin, "type").unwrap_or(&tool.name);
                let what = format!("has no tool of type `{kind}`; send functions");
                return Err(refusal(&format!("tools[{i}]"), &what));
            }
            None if self.native => {
                let mut function = write_function(tool, tool.strict);
                let prefix = format!("tools[{i}].");
                for (path, value) in &self.request.unplaced {
                    if let (Some(name), Some(function)) = (path.strip_prefix(&prefix), function.as_object_mut()) {
                        function.insert(name.to_owned(), value.clone());
                    }
                }
                return Ok(function);
            }
            None => {}
        }
        if tool.cache.is_some() {
            self.notes.note("cache_control");
        }
        let strict = schema::openai_strict(tool, self.request.source);
        if strict != tool.strict {
            self.notes.note("strict");
        }
        let mut function = write_function(tool, Some(strict.unwrap_or(false)));
        if let (Some(parameters), Some(function)) = (schema::openai_parameters(tool), function.as_object_mut()) {
            function.insert("parameters".to_owned(), parameters);
        }
        if let (None, Some(function)) = (&tool.parameters, function.as_object_mut()) {
            let nothing = json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
            function.insert("parameters".to_owned(), nothing);
        }
        Ok(function)
    }

    fn limits(&mut self) {
        let request = self.request;
        if let Some(tokens) = request.max_tokens {
            if tokens < LEAST_TOKENS && !self.native {
                self.notes.note("max_tokens");
            }
            self.set("max_output_tokens", if self.native { tokens } else { tokens.max(LEAST_TOKENS) });
        }
        for (name, value) in [("temperature", &request.temperature), ("top_p", &request.top_p)] {
            match value {
                // Reasoning models refuse any other value than 1; a client of this format knows that.
                Some(value) if !self.native && self.effort == Effort::Full && value.as_f64() != Some(1.0) => {
                    self.notes.note(name);
                }
                Some(value) => self.set(name, value.clone()),
                None => {}
            }
        }
        match request.top_k {
            Some(top_k) if self.native => self.set("top_k", top_k),
            Some(_) => self.notes.note("top_k"),
            None => {}
        }
    }

    /// `reasoning.effort`. A budget below 2048 tokens is `low`, below 4096 `medium`, from there `high`, as for Chat
    /// Completions.
    fn reasoning(&mut self) {
        let Some(reasoning) = &self.request.reasoning else { return };
        let same_words = matches!(self.request.source, Some(Format::OpenAiChat | Format::OpenAiResponses));
        let word = match reasoning {
            Reasoning::Effort(word) if self.native => word.as_str(),
            // What OpenAI's models do with their own words they say themselves.
            Reasoning::Effort(word) if same_words && self.effort == Effort::Full => {
                if !EFFORTS.contains(&word.as_str()) {
                    return self.notes.note("reasoning_effort");
                }
                word.as_str()
            }
            // The others cannot be told not to.
            Reasoning::Effort(word) if word == "none" => return,
            Reasoning::Effort(word) => match word.as_str() {
                "minimal" | "low" => "low",
                "medium" => "medium",
                _ => "high",
            },
            Reasoning::Budget(..2048) => "low",
            Reasoning::Budget(..4096) => "medium",
            Reasoning::Budget(_) => "high",
            // Told nothing, a model that reasons does so as much as it likes.
            Reasoning::Adaptive if self.effort != Effort::None => return,
            Reasoning::Adaptive => "",
            Reasoning::Off if self.effort != Effort::Full => return,
            Reasoning::Off => {
                if self.least != Some("none") {
                    self.notes.note("thinking");
                }
                self.least.unwrap_or_default()
            }
        };
        match self.effort {
            Effort::LowHigh if !self.native && word != "low" => put(&mut self.reasoning, "effort", Some("high")),
            Effort::None if !self.native => {
                self.notes.note(if same_words { "reasoning_effort" } else { "thinking" });
            }
            _ => put(&mut self.reasoning, "effort", Some(word).filter(|word| !word.is_empty())),
        }
    }

    /// A parameter of a client of this format, where it came from; `false` where it is said as in Chat Completions.
    fn own(&mut self, name: &str, value: &Value) -> bool {
        match (name, value) {
            ("verbosity" | "logprobs" | "top_logprobs", _) => return false,
            ("tool_choice", value) => self.set(name, choice_from_chat(value)),
            ("response_format", value) => put(&mut self.text, "format", Some(value.clone())),
            ("reasoning", Value::Object(rest)) => self.reasoning.extend(rest.clone()),
            ("text", Value::Object(rest)) => self.text.extend(rest.clone()),
            ("include", Value::Array(rest)) => self.include.extend(rest.iter().cloned()),
            (name, value) => self.set(name, value.clone()),
        }
        true
    }

    /// A parameter by its name in Chat Completions, or one of another format. Those without which the answer would mean
    /// something else are refused; those that only steer are noted; those that say what holds anyway are passed over.
    fn extra(&mut self, name: &str, value: &Value) -> Result<(), RequestError> {
        let chat = self.native || self.request.source == Some(Format::OpenAiChat);
        let zero = value.as_f64() == Some(0.0);
        match name {
            _ if value.is_null() => {}
            "verbosity" => put(&mut self.text, name, Some(value.clone())),
            "logprobs" if *value == true => self.include.push(LOGPROBS.into()),
            "top_logprobs" if !zero => self.set(name, value.clone()),
            "tool_choice" if text(value, "type") == Some("allowed_tools") => self.set(name, choice_from_chat(value)),
            // Other vendors' tiers are named after theirs.
            "service_tier" if chat && !self.native && !value.as_str().is_some_and(|tier| TIERS.contains(&tier)) => {
                self.notes.note(name);
            }
            "metadata"
            | "moderation"
            | "prompt_cache_key"
            | "prompt_cache_options"
            | "prompt_cache_retention"
            | "safety_identifier"
            | "service_tier"
            | "stream_options"
                if chat =>
            {
                self.set(name, value.clone());
            }
            _ if self.request.source == Some(Format::AnthropicMessages) => self.anthropic(name, value)?,
            "n" | "candidateCount" if value.as_u64() != Some(1) => {
                return Err(refusal(name, &format!("gives one choice; {value} were asked for")));
            }
            "n" | "candidateCount" => {}
            "logit_bias" if value.as_object().is_none_or(|bias| !bias.is_empty()) => {
                return Err(refusal(name, "cannot bias tokens"));
            }
            "modalities" if value.as_array().is_some_and(|all| all.iter().any(|one| one != "text")) => {
                return Err(refusal(name, "answers with text only"));
            }
            "audio" => return Err(refusal(name, "answers with text only")),
            "functions" | "function_call" => return Err(refusal(name, "knows `tools` only")),
            "tool_choice" => return Err(refusal(name, "chooses among functions only")),
            "response_format" => return Err(refusal(name, "knows text, JSON and JSON Schemas only")),
            "web_search_options" => return Err(refusal(name, "searches the web in another way")),
            "cachedContent" => return Err(refusal(name, "does not have what another provider keeps")),
            // Said again in the canonical form.
            "thinking" | "reasoning" | "enable_thinking" if self.request.reasoning.is_some() => {}
            // Nothing is stored.
            _ if *value == false => {}
            "top_logprobs" | "logit_bias" | "modalities" => {}
            "frequency_penalty" | "presence_penalty" if zero => {}
            _ => self.notes.note(name),
        }
        Ok(())
    }
}

impl Params<'_> {
    /// Anthropic's parameters (<https://platform.claude.com/docs/en/api/messages>, 2026-11-21).
    fn anthropic(&mut self, name: &str, value: &Value) -> Result<(), RequestError> {
        let only =
            |known: &[&str]| value.as_object().is_some_and(|all| all.keys().all(|key| known.contains(&key.as_str())));
        match name {
            _ if *value == false || value.as_array().is_some_and(Vec::is_empty) => {}
            // Tools: without them the answer is another one.
            "mcp_servers" => return Err(refusal(name, "has MCP servers in another way")),
            "container" if value.get("skills").and_then(Value::as_array).is_some_and(|skills| !skills.is_empty()) => {
                return Err(refusal(name, "has no containers with skills"));
            }
            "thread" => return Err(refusal(name, "keeps no threads")),
            // A promise about where the data goes.
            "inference_geo" if value == "global" => {}
            "inference_geo" => return Err(refusal(name, "cannot say where inference takes place")),
            // Both defaults mean the same: the best that the account has.
            "service_tier" if value == "auto" => {}
            "service_tier" if value == "standard_only" => self.set(name, "default"),
            "speed" if value == "standard" => {}
            // Said in the canonical form.
            "thinking" if self.request.reasoning.is_some() && only(&["type", "budget_tokens"]) => {}
            "output_config" if self.request.reasoning.is_some() && only(&["effort", "format"]) => {}
            "metadata" if only(&["user_id"]) => {}
            _ => self.notes.note(name),
        }
        Ok(())
    }
}

fn refusal(name: &str, what: &str) -> RequestError {
    RequestError::new(
        name,
        format!("this target's format (OpenAI Responses) {what}; leave it out, or name another model"),
    )
}
