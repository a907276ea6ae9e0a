//! GLM by Z.ai / Zhipu (<https://docs.bigmodel.cn/cn/api/introduction>, 2026-11-21). A key of the form `id.secret` is
//! not sent itself: a short-lived JWT signed with the secret is. Reasoning comes as `reasoning_content`; usage in the last
//! chunk of a stream; errors as `{"error": {"code": "1210", "message": …}}`, where `code` is a number in a text. The
//! international address is `https://api.z.ai/api/paas/v4`, whose prices in USD the catalog has under `zai`; the endpoint
//! in Anthropic's format is `kind: anthropic, url: https://open.bigmodel.cn/api/anthropic/v1`.

use super::{Auth, COMPATIBLE, Extra, Spec};
use crate::formats::Format;
use crate::host::{Secret, Time};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

pub(super) const SPEC: Spec = Spec {
    kind: "glm",
    url: Some("https://open.bigmodel.cn/api/paas/v4"),
    auth: Auth::GlmJwt,
    call: |ask| super::openai_call(ask, &[Format::OpenAiChat], EXTRAS),
    rejects: &["logprobs", "logit_bias", "top_logprobs", "n", "seed"],
    catalog_id: Some("zhipuai"),
    key_variable: "GLM_API_KEY",
    ..COMPATIBLE
};

const EXTRAS: &[Extra] = &[Extra::Embeddings, Extra::Images, Extra::Audio, Extra::Rerank, Extra::Moderations];

/// How long a token is valid, in milliseconds: long enough for clocks that disagree, short for one that leaks.
const LIFETIME_MS: u64 = 5 * 60 * 1000;

/// The same in nanoseconds.
pub(super) const LIFETIME_NS: u64 = LIFETIME_MS * 1_000_000;

/// What goes behind `Bearer `: a JWT (HS256, header `sign_type: SIGN`, claims `api_key`, `exp` and `timestamp` in
/// milliseconds) where the key is `id.secret`, the key itself where it is not.
pub(super) fn bearer(key: &Secret, now: Time) -> Secret {
    let Some((id, secret)) = key.reveal().split_once('.').filter(|(id, secret)| !id.is_empty() && !secret.is_empty())
    else {
        return key.clone();
    };
    let timestamp = now.0 / 1_000_000;
    let exp = timestamp.saturating_add(LIFETIME_MS);
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","sign_type":"SIGN"}"#);
    let claims = serde_json::json!({"api_key": id, "exp": exp, "timestamp": timestamp}).to_string();
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mut mac) => {
            mac.update(signed.as_bytes());
            Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
        }
        // HMAC takes keys of any length; the plain key is what the provider would refuse in plain words.
        Err(_) => key.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn a_plain_key_is_sent_as_it_is() {
        for plain in ["abc", ".abc", "abc."] {
            assert_eq!(bearer(&Secret::new(plain.into()), Time(0)).reveal(), plain);
        }
    }

    #[test]
    fn an_id_and_secret_make_a_signed_jwt() {
        let token = bearer(&Secret::new("my-id.my-secret".into()), Time(1_700_000_000_000_000_000));
        let parts: Vec<&str> = token.reveal().split('.').collect();
        let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        assert_eq!(claims["api_key"], "my-id");
        assert_eq!(claims["timestamp"], 1_700_000_000_000_u64);
        assert_eq!(claims["exp"], 1_700_000_300_000_u64);
        let mut mac = Hmac::<Sha256>::new_from_slice(b"my-secret").unwrap();
        mac.update(format!("{}.{}", parts[0], parts[1]).as_bytes());
        mac.verify_slice(&URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
        assert!(!token.reveal().contains("my-secret"));
    }
}
