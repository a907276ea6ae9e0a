//! Who may ask: any credential of the vendor's kind. One that says `invalid` is refused; AWS signatures are verified.

use super::AwsKey;
use super::refusal::{Refusal, Vendor};
use super::sigv4::{Signed, verify};

/// Whether the gate lets the request in.
pub(super) fn admit(gate: Vendor, request: &Signed<'_>, aws: &AwsKey, now: u64) -> Result<(), Refusal> {
    let text = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let authorization = text("authorization");
    let bearer = authorization.strip_prefix("Bearer ").map(str::trim).unwrap_or_default();
    let or_bearer = |key| if text(key).is_empty() { bearer } else { text(key) };
    let first = |key: &'static str| if text(key).is_empty() { "" } else { text(key) };
    match gate {
        Vendor::OpenAi | Vendor::Cohere => {
            judge(bearer, MISSING_OPENAI, || Refusal::new(401, "Incorrect API key provided.").code("invalid_api_key"))
        }
        Vendor::Azure => judge(or_bearer("api-key"), AZURE, || Refusal::new(401, AZURE)),
        Vendor::Anthropic => {
            judge(or_bearer("x-api-key"), "x-api-key header is required", || Refusal::new(401, "invalid x-api-key"))
        }
        Vendor::Gemini => {
            let asked = request.query.split('&').find_map(|pair| pair.strip_prefix("key=")).unwrap_or_default();
            let key = if asked.is_empty() { first("x-goog-api-key") } else { asked };
            if key.is_empty() && !bearer.is_empty() {
                // An OAuth token would do; an API key is none.
                return if bearer.starts_with("ya29.") {
                    Ok(())
                } else {
                    Err(Refusal::new(401, BAD_TOKEN).code("ACCESS_TOKEN_TYPE_UNSUPPORTED"))
                };
            }
            if key.is_empty() {
                return Err(Refusal::new(403, UNREGISTERED));
            }
            judge(key, "", || Refusal::bad("API key not valid. Please pass a valid API key.").code("API_KEY_INVALID"))
        }
        Vendor::Vertex => {
            let key = or_bearer("x-goog-api-key");
            if key.is_empty() {
                return Err(Refusal::new(401, NO_TOKEN).code("CREDENTIALS_MISSING"));
            }
            judge(key, "", || Refusal::new(401, BAD_TOKEN).code("ACCESS_TOKEN_TYPE_UNSUPPORTED"))
        }
        Vendor::Bedrock if !bearer.is_empty() => judge(bearer, "", || {
            let message = "Authentication failed: Please make sure your API Key is valid.";
            Refusal::new(403, message).code("AccessDeniedException")
        }),
        Vendor::Bedrock if authorization.starts_with("AWS4-") => verify(request, aws, "bedrock", Some(now)),
        Vendor::Bedrock => {
            Err(Refusal::new(403, "Missing Authentication Token").code("MissingAuthenticationTokenException"))
        }
    }
}

fn judge(key: &str, missing: &str, wrong: impl FnOnce() -> Refusal) -> Result<(), Refusal> {
    match key {
        "" => Err(Refusal::new(401, missing)),
        key if key.contains("invalid") => Err(wrong()),
        _ => Ok(()),
    }
}

const MISSING_OPENAI: &str = "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
const AZURE: &str = "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.";
const UNREGISTERED: &str = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.";
const NO_TOKEN: &str = "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";
const BAD_TOKEN: &str = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";
