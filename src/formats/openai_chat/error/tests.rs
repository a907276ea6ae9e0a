use super::*;
use crate::testing::test;

#[test]
fn every_shape_of_error_is_read() {
    // (status, body, message, type, code, param)
    type Case<'a> = (u16, &'a str, &'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>);
    let cases: &[Case<'_>] = &[
        (
            400,
            r#"{"error":{"message":"bad","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#,
            "bad",
            Some("invalid_request_error"),
            Some("model_not_found"),
            Some("model"),
        ),
        (400, r#"{"error":{"message":"bad","type":null,"param":null,"code":null}}"#, "bad", None, None, None),
        (400, r#"{"code":"invalid-argument","error":"no"}"#, "no", None, Some("invalid-argument"), None),
        (404, r#"{"error":"model not found"}"#, "model not found", None, None, None),
        (
            400,
            r#"{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}"#,
            "too long",
            Some("BadRequestError"),
            Some("400"),
            None,
        ),
        (401, r#"{"detail":"Invalid API Key"}"#, "Invalid API Key", None, None, None),
        (422, r#"{"detail":[{"loc":["body"],"msg":"x"}]}"#, r#"[{"loc":["body"],"msg":"x"}]"#, None, None, None),
        (429, r#"{"error":{"code":"1302","message":"busy"}}"#, "busy", None, Some("1302"), None),
        (500, r#"[{"error":{"code":500,"message":"boom"}}]"#, "boom", None, Some("500"), None),
        (500, r#"{"weird":1}"#, r#"{"weird":1}"#, None, None, None),
        (
            502,
            "<html>\n<head><title>502</title><style>p{}</style></head><body>Bad <b>Gateway</b>",
            "502 Bad Gateway",
            None,
            None,
            None,
        ),
        (500, "upstream\n  connect error", "upstream connect error", None, None, None),
        (503, "", "the provider answered with status 503 and said no more", None, None, None),
        (503, "  \n", "the provider answered with status 503 and said no more", None, None, None),
        (500, "\"quoted\"", "\"quoted\"", None, None, None),
        (500, "1 < 2", "1 < 2", None, None, None),
    ];
    for (status, body, message, kind, code, param) in cases {
        let got = read_error(*status, body.as_bytes());
        let got_words = (got.message.as_str(), got.provider_type.as_deref(), got.code.as_deref(), got.param.as_deref());
        assert_eq!(got_words, (*message, *kind, *code, *param), "{body}");
        assert_eq!((got.status, got.kind), (*status, ErrorKind::of_status(*status)), "{body}");
    }
}

#[test]
fn a_long_or_broken_body_is_cut_and_never_fails() {
    let long = "é".repeat(1000);
    let got = read_error(500, long.as_bytes());
    assert!(got.message.len() <= LONGEST + '…'.len_utf8() && got.message.ends_with('…'));
    assert!(read_error(500, b"\xff\xfe{").message.contains('{'));
}

#[test]
fn an_error_within_a_200_finds_its_status() {
    for (body, status) in [
        (json!({"error": {"message": "x", "code": 429}}), 429),
        (json!({"error": {"message": "x", "code": "503"}}), 503),
        (json!({"error": {"message": "x", "status_code": 529}}), 529),
        (json!({"error": {"message": "x", "type": "rate_limit_exceeded"}}), 429),
        (json!({"error": {"message": "x", "code": "context_length_exceeded"}}), 400),
        (json!({"error": {"message": "x", "type": "overloaded_error"}}), 503),
        (json!({"error": {"message": "x", "code": 1302}}), 502),
        (json!({"error": "x"}), 502),
    ] {
        let got = body_error(None, &body);
        assert_eq!((got.status, got.kind, got.message.as_str()), (status, ErrorKind::of_status(status), "x"), "{body}");
    }
}

#[test]
fn an_unfinished_page_is_read_at_once() {
    for (page, want) in [
        ("<h1>Bad Gateway</h1><script>var x = 1".to_owned(), "Bad Gateway"),
        ("Bad Gateway <!-- nginx".to_owned(), "Bad Gateway"),
        // Minutes, were every comment looked for to the end.
        (format!("Bad Gateway {}", "<!-- >".repeat(500_000)), "Bad Gateway"),
    ] {
        assert_eq!(read_error(502, page.as_bytes()).message, want);
    }
}

#[test]
fn a_key_in_a_message_is_masked() {
    let body = r#"{"error":{"message":"Incorrect API key provided: my-own-key."}}"#;
    assert!(!read_error(401, body.as_bytes()).message.contains("my-own-key"));
}

#[test]
fn a_written_error_is_read_back() {
    for status in [400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529] {
        let error = ApiError::new(status, "why").with_code("c").with_param("p");
        let body = write_error(&error);
        let got = read_error(status, &body);
        assert_eq!(ApiError { provider_type: None, ..got.clone() }, error);
        assert_eq!(write_error(&got), body, "{status}");
    }
    let own = ApiError { provider_type: Some("tokens".into()), ..ApiError::new(429, "slow") };
    let value: Value = serde_json::from_slice(&write_error(&own)).unwrap();
    assert_eq!(value, json!({"error": {"message": "slow", "type": "tokens", "param": null, "code": null}}));
}
