//! Errors, as each vendor words them.

use serde_json::{Value, json};

/// Which vendor's words a path wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    OpenAi,
    Anthropic,
}

/// A request refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub message: String,
    pub param: Option<String>,
    pub code: Option<String>,
}

impl Refusal {
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: None }
    }

    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub fn at(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub fn code(mut self, code: &str) -> Self {
        self.code = Some(code.to_owned());
        self
    }

    /// The failure that a status fault asks for.
    pub fn of_status(status: u16) -> Self {
        let (message, code) = match status {
            401 => ("Incorrect API key provided.", Some("invalid_api_key")),
            403 => ("You are not allowed to do this.", None),
            404 => ("The model does not exist or you do not have access to it.", Some("model_not_found")),
            408 => ("The request timed out.", None),
            413 => ("The request is too large.", None),
            429 => ("Rate limit reached. Please try again later.", Some("rate_limit_exceeded")),
            503 => ("The server is overloaded or not ready yet.", None),
            529 => ("Overloaded", None),
            500..=599 => ("The server had an error while processing your request.", None),
            _ => ("The mock was asked to fail.", None),
        };
        Self { status, message: message.to_owned(), param: None, code: code.map(str::to_owned) }
    }

    /// The body, in the vendor's words.
    pub fn body(&self, vendor: Vendor, request_id: &str) -> Value {
        match vendor {
            Vendor::OpenAi => json!({"error": {
                "message": self.message,
                "type": openai_type(self.status),
                "param": self.param,
                "code": self.code,
            }}),
            Vendor::Anthropic => json!({
                "type": "error",
                "error": {"type": anthropic_type(self.status), "message": self.message},
                "request_id": request_id,
            }),
        }
    }
}

/// <https://platform.openai.com/docs/guides/error-codes>, 2026-11-21.
pub(super) fn openai_type(status: u16) -> &'static str {
    match status {
        429 => "requests",
        500..=599 => "server_error",
        _ => "invalid_request_error",
    }
}

/// <https://docs.anthropic.com/en/api/errors>, 2026-11-21.
pub(super) fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500..=599 => "api_error",
        _ => "invalid_request_error",
    }
}
