//! What a target would be sent, without sending it: for `conduit explain`.

use super::outgoing::{call, request_head, write_body};
use super::{Exchange, Headers};
use crate::config::Target;
use crate::formats::canonical::ApiError;
use crate::host::Time;

/// A request as a provider would get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Scheme, host, path and query.
    pub url: String,
    /// Headers; credentials are not shown.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Parameters that the provider has no place for.
    pub dropped: Vec<String>,
}

impl Exchange {
    /// What `target` would be sent for this request, whose body is `body`. The error is what the client would get.
    pub fn preview(&mut self, target: &Target, body: &[u8], now: Time) -> Result<Preview, ApiError> {
        let plan = std::sync::Arc::clone(&self.plan);
        let Some(provider) = plan.provider(target.provider) else {
            return Err(ApiError::new(500, "the configuration has no such provider"));
        };
        let call = call(self, target, provider)?;
        let came: Headers = self.headers.clone();
        let (edits, _) = request_head(self, (target, provider), &call, &came, now);
        let (body, dropped) = write_body(self, target, &call, body)?;
        let set = |name: &str| edits.set.iter().find(|(set, _)| set == name).map(|(_, value)| value.as_str());
        let scheme = if provider.url.tls { "https" } else { "http" };
        let url = format!("{scheme}://{}{}", set(":authority").unwrap_or_default(), set(":path").unwrap_or_default());
        let kept = came.iter().filter(|(name, _)| {
            !name.starts_with(':') && *name != "content-length" && !edits.remove.iter().any(|gone| gone == name)
        });
        let kept =
            kept.filter(|(name, _)| set(name).is_none()).map(|(name, value)| (name.to_owned(), value.to_owned()));
        let own = edits.set.iter().filter(|(name, _)| !name.starts_with(':')).cloned();
        let headers = kept.chain(own).map(|(name, value)| {
            let secret = ["authorization", "api-key", "x-api-key", "x-goog-api-key"].contains(&name.as_str());
            let shown = if secret { "<secret>".to_owned() } else { value };
            (name, shown)
        });
        Ok(Preview { url, headers: headers.collect(), body, dropped })
    }
}
