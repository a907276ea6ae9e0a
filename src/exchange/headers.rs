//! Headers as the core sees them: names in lower case, values as text.

use super::endpoint::percent_decoded;

/// The headers of a message, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// From pairs; names are lower-cased.
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect())
    }

    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Changes to a message's headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// To set, replacing what is there.
    pub set: Vec<(String, String)>,
    /// To remove.
    pub remove: Vec<String>,
}

impl HeaderEdits {
    /// Sets a header.
    pub fn set(&mut self, name: &str, value: String) {
        self.set.push((name.to_owned(), value));
    }

    /// Removes a header.
    pub fn remove(&mut self, name: &str) {
        self.remove.push(name.to_owned());
    }
}

/// Headers that tell who the client is or where it sits; a provider has no need of them.
const PRIVATE: &[&str] = &[
    "forwarded",
    "x-real-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "via",
    "referer",
    "origin",
    // The client's own account at the provider: with the gateway's credential it can only be wrong.
    "openai-organization",
    "openai-project",
    // Answers must be readable here.
    "accept-encoding",
    // Some servers go by these instead of the method, the path and the account that the gateway chose.
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-goog-user-project",
    "expect",
];

/// Words in a header's name that say that it may hold a credential.
const CREDENTIAL_WORDS: &[&str] = &[
    "auth",
    "api-key",
    "apikey",
    "api_key",
    "token",
    "secret",
    "cookie",
    "password",
    "credential",
    // What identity-aware proxies add: Cloudflare's and Google's assertions, those of AWS's load balancers.
    "jwt",
    "oidc",
];

/// Whether what has that lower-case name may hold a credential. Keys of gateways end so: Azure's
/// `ocp-apim-subscription-key`, `x-functions-key`, `x-access-key`, Google's `key`.
fn may_be_credential(name: &str) -> bool {
    let key = name.ends_with("key") && name != "idempotency-key";
    key || CREDENTIAL_WORDS.iter().any(|word| name.contains(word))
}

/// Whether a request header of the client's may reach a provider. What may hold a credential never does.
pub fn may_leave(name: &str) -> bool {
    if name.starts_with(':') {
        return name != ":authority";
    }
    // Amazon's are of one signed request: the client's own, or an earlier attempt's.
    let internal = ["x-conduit-", "x-envoy-", "x-forwarded-", "x-amz-"].iter().any(|prefix| name.starts_with(prefix));
    !internal && !PRIVATE.contains(&name) && !may_be_credential(name)
}

/// A query string without the parameters that may hold a credential.
pub fn without_credentials(query: &str) -> String {
    let kept = query.split('&').filter(|pair| {
        let name = percent_decoded(pair.split('=').next().unwrap_or("")).to_ascii_lowercase();
        !name.is_empty() && !may_be_credential(&name)
    });
    kept.collect::<Vec<_>>().join("&")
}

/// A query string without what shapes the answer: Google's APIs leave out of one what `fields` does not name, usage
/// included, and write it in no JSON where `alt` says so; `$` begins their other ways to say the same
/// (<https://cloud.google.com/apis/docs/system-parameters>, 2026-11-21). Bills are made of answers.
pub fn without_shapes(query: &str) -> String {
    let kept = query.split('&').filter(|pair| {
        let name = percent_decoded(pair.split('=').next().unwrap_or("")).to_ascii_lowercase();
        !matches!(name.trim(), "fields" | "alt") && !name.trim_start().starts_with('$')
    });
    kept.collect::<Vec<_>>().join("&")
}

/// Text that may stand in a header's value: printable ASCII, 256 bytes at most.
pub fn value(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(256).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn no_credential_of_the_clients_may_leave() {
        for name in [
            "authorization",
            "proxy-authorization",
            "x-api-key",
            "api-key",
            "x-goog-api-key",
            "cookie",
            "x-auth-token",
            "x-amz-security-token",
            "x-amz-date",
            "ocp-apim-subscription-key",
            "x-functions-key",
            "cf-access-jwt-assertion",
            "x-amzn-oidc-data",
            "x-conduit-project",
            "x-envoy-attempt-count",
            "x-forwarded-for",
            "openai-organization",
            "accept-encoding",
            "x-http-method-override",
            "x-goog-user-project",
            ":authority",
        ] {
            assert!(!may_leave(name), "{name}");
        }
        for name in [
            "content-type",
            "anthropic-beta",
            "anthropic-version",
            "user-agent",
            "traceparent",
            "idempotency-key",
            ":path",
        ] {
            assert!(may_leave(name), "{name}");
        }
    }

    #[test]
    fn a_query_loses_its_credentials_only() {
        assert_eq!(without_credentials("beta=true&key=abc&x=1&api_key=2&access_token=3"), "beta=true&x=1");
        assert_eq!(without_credentials("k%65y=abc&api%5Fkey=2&a%62c=1"), "a%62c=1");
        assert_eq!(without_credentials(""), "");
    }

    #[test]
    fn a_query_does_not_say_what_an_answer_holds() {
        assert_eq!(
            without_shapes("beta=true&fields=candidates&%66ields=a&alt=proto&$alt=proto&%24fields=a&x="),
            "beta=true&x="
        );
        assert_eq!(without_shapes("limit=2&after=a"), "limit=2&after=a");
    }

    #[test]
    fn header_values_are_printable_and_bounded() {
        assert_eq!(value("a\r\nb: é"), "a??b: ?");
        assert_eq!(value(&"x".repeat(1000)).len(), 256);
    }
}
