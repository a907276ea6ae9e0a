//! Errors in no format yet: whose fault, which status, what to say.

/// An error in no format yet. Status and kind say whose fault it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status that goes with it.
    pub status: u16,
    /// What kind of error.
    pub kind: ErrorKind,
    /// The provider's machine-readable code (`context_length_exceeded`, `model_not_found`…), where there is one.
    pub code: Option<String>,
    /// The parameter at fault, where known.
    pub param: Option<String>,
    /// For people.
    pub message: String,
    /// The provider's own type word, kept where client and provider share a format.
    pub provider_type: Option<String>,
}

/// Kinds of errors that both formats have words for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// 400, 422: the request is wrong.
    InvalidRequest,
    /// 401: no or a wrong credential.
    Authentication,
    /// 403: not allowed.
    Permission,
    /// 402: no money at the provider.
    Billing,
    /// 404: no such model or path.
    NotFound,
    /// 408, 504: too slow.
    Timeout,
    /// 409.
    Conflict,
    /// 413: the body is too large.
    TooLarge,
    /// 429: too many requests or tokens.
    RateLimit,
    /// 500, 502: the provider failed.
    Server,
    /// 503, 529: the provider is overloaded or unreachable.
    Overloaded,
}

impl ErrorKind {
    /// The kind that goes with a status.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            500..=599 => Self::Server,
            _ => Self::InvalidRequest,
        }
    }
}

impl ApiError {
    /// An error of the gateway's own.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            kind: ErrorKind::of_status(status),
            code: None,
            param: None,
            message: message.into(),
            provider_type: None,
        }
    }

    /// The same with a machine-readable code.
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same with the parameter at fault.
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }
}

impl From<super::RequestError> for ApiError {
    fn from(error: super::RequestError) -> Self {
        let param = (!error.param.is_empty()).then(|| error.param.clone());
        Self { param, ..Self::new(400, error.to_string()) }
    }
}
