//! The credential that a request carries, and all that an answer must not repeat.

use super::{Auth, glm};
use crate::config::Provider;
use crate::host::{Secret, Time};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// The header that carries a provider's credential, and its value; `None` where it has none or Envoy puts it in.
pub fn presented(provider: &Provider, now: Time) -> Option<(&'static str, Secret)> {
    let key = provider.key.as_ref()?;
    let bearer = |key: &Secret| ("authorization", Secret::new(format!("Bearer {}", key.reveal())));
    match provider.auth {
        Auth::Bearer => Some(bearer(key)),
        Auth::XApiKey => Some(("x-api-key", key.clone())),
        Auth::ApiKey => Some(("api-key", key.clone())),
        Auth::XGoogApiKey => Some(("x-goog-api-key", key.clone())),
        Auth::GlmJwt => Some(bearer(&provider.jwt.of(key, now))),
        Auth::AwsSigV4 | Auth::GcpAuthn => None,
    }
}

/// Every secret that a request to the provider carries or is made with: what its answers must not repeat to a client.
pub fn credentials(provider: &Provider, now: Time) -> Vec<Secret> {
    let mut all: Vec<Secret> = provider.key.iter().cloned().collect();
    if let (Auth::GlmJwt, Some(key)) = (provider.auth, &provider.key) {
        let jwt = provider.jwt.of(key, now);
        if jwt != *key {
            all.push(jwt);
        }
    }
    all
}

/// The JWT of one provider, kept until it nears its end.
#[derive(Default)]
pub struct Jwt(Mutex<Option<(Time, Secret)>>);

/// How long before its end a token is no longer used, in nanoseconds: a request may wait in a queue.
const NEAR_END_NS: u64 = 60_000_000_000;

impl Jwt {
    /// What goes behind `Bearer `: the token at hand, or a new one where it nears its end or the clock went back.
    fn of(&self, key: &Secret, now: Time) -> Secret {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made, token)) = kept.as_ref() {
            let good_for = glm::LIFETIME_NS.saturating_sub(NEAR_END_NS);
            if *made <= now && now.since(*made).0 < good_for {
                return token.clone();
            }
        }
        let token = glm::bearer(key, now);
        *kept = Some((now, token.clone()));
        token
    }
}

impl Clone for Jwt {
    /// A copy makes its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    const MINUTE: u64 = 60_000_000_000;

    #[test]
    fn a_jwt_is_kept_until_a_minute_before_its_end() {
        let (jwt, key) = (Jwt::default(), Secret::new("my-id.my-secret".into()));
        let start = Time(1_700_000_000_000_000_000);
        let at = |minutes: u64| Time(start.0 + minutes * MINUTE);
        let first = jwt.of(&key, start);
        assert_eq!(jwt.of(&key, at(3)).reveal(), first.reveal());
        let second = jwt.of(&key, at(4));
        assert_ne!(second.reveal(), first.reveal());
        assert_eq!(jwt.of(&key, at(7)).reveal(), second.reveal());
        // A clock that was set back must not keep a token alive.
        assert_ne!(jwt.of(&key, at(1)).reveal(), second.reveal());
        assert_eq!(format!("{jwt:?}"), "<secret>");
    }
}
