//! Errors, as each vendor words them.

use super::json::put;
use serde_json::{Value, json};

/// Which vendor's words a path wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    OpenAi,
    Azure,
    Anthropic,
    /// Google AI Studio.
    Gemini,
    Vertex,
    Bedrock,
    /// Only its reranking.
    Cohere,
}

/// A request refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub message: String,
    /// The parameter that is wrong.
    pub param: Option<String>,
    /// OpenAI's code, Google's reason, AWS's exception.
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
            Vendor::OpenAi => self.openai(),
            Vendor::Azure => self.azure(),
            Vendor::Anthropic => json!({
                "type": "error",
                "error": {"type": anthropic_type(self.status), "message": self.message},
                "request_id": request_id,
            }),
            Vendor::Gemini => self.google("generativelanguage.googleapis.com"),
            Vendor::Vertex => self.google("aiplatform.googleapis.com"),
            // An API key is refused before the service reads anything; that gate writes its word with a capital.
            Vendor::Bedrock if self.code.as_deref() == Some("AccessDeniedException") => {
                json!({"Message": self.message})
            }
            Vendor::Bedrock => json!({"message": self.message}),
            Vendor::Cohere => json!({"id": request_id, "message": self.message}),
        }
    }

    /// Headers that belong to the error.
    pub fn headers(&self, vendor: Vendor) -> Vec<(&'static str, String)> {
        if vendor != Vendor::Bedrock {
            return Vec::new();
        }
        vec![("x-amzn-errortype", format!("{}:http://internal.amazon.com/coral/com.amazon.bedrock/", self.exception()))]
    }

    /// Bedrock's name for it (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors>,
    /// 2026-11-21).
    pub fn exception(&self) -> &str {
        match (&self.code, self.status) {
            (Some(code), _) if code.ends_with("Exception") => code,
            (_, 401 | 403) => "AccessDeniedException",
            (_, 404) => "ResourceNotFoundException",
            (_, 408) => "ModelTimeoutException",
            (_, 424) => "ModelErrorException",
            (_, 429) => "ThrottlingException",
            (_, 503) => "ServiceUnavailableException",
            (_, 500..=599) => "InternalServerException",
            _ => "ValidationException",
        }
    }

    fn openai(&self) -> Value {
        json!({"error": {
            "message": self.message,
            "type": openai_type(self.status),
            "param": self.param,
            "code": self.code,
        }})
    }

    /// Azure's own gate writes short errors with the status as their code; what the model's server refuses looks like
    /// OpenAI's (<https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference>, 2026-11-21).
    fn azure(&self) -> Value {
        let short = |code: &str, message: &str| json!({"error": {"code": code, "message": message}});
        match (self.status, self.code.as_deref()) {
            (401, _) => short(
                "401",
                "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
            ),
            (404, Some("model_not_found")) => short(
                "DeploymentNotFound",
                "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
            ),
            (404, _) => short("404", "Resource not found"),
            (429, _) => short(
                "429",
                "Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 1 second.",
            ),
            (400, Some("content_filter")) => {
                let mut body = self.openai();
                if let Some(error) = body.get_mut("error") {
                    put(error, "type", Value::Null);
                    put(error, "status", json!(400));
                    put(
                        error,
                        "innererror",
                        json!({
                            "code": "ResponsibleAIPolicyViolation",
                            "content_filter_result": {
                                "hate": {"filtered": false, "severity": "safe"},
                                "self_harm": {"filtered": false, "severity": "safe"},
                                "sexual": {"filtered": false, "severity": "safe"},
                                "violence": {"filtered": true, "severity": "high"},
                            },
                        }),
                    );
                }
                body
            }
            _ => self.openai(),
        }
    }

    fn google(&self, service: &str) -> Value {
        let mut details = Vec::new();
        if let Some(field) = &self.param {
            let violation = json!({"field": field, "description": self.message});
            details.push(json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}));
        }
        if let Some(reason) = self.code.as_ref().filter(|code| !code.contains(char::is_lowercase)) {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": "googleapis.com",
                "metadata": {"service": service},
            }));
        }
        let mut error = json!({"code": self.status, "message": self.message, "status": google_status(self.status)});
        if !details.is_empty() {
            put(&mut error, "details", Value::Array(details));
        }
        json!({"error": error})
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

/// <https://cloud.google.com/apis/design/errors#handling_errors>, 2026-11-21.
fn google_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        408 | 504 => "DEADLINE_EXCEEDED",
        500..=599 => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}
