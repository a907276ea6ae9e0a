//! Each provider's way to be asked for embeddings, as tables: what it is sent, what is dropped, what is refused, and
//! what its answers become.

// Files and the environment are for native tests only.
#[cfg(not(target_family = "wasm"))]
mod recordings;

use super::*;
use crate::testing::test;
use crate::usage::Tokens;
use serde_json::json;

const FORMATS: [EmbeddingsFormat; 5] = [
    EmbeddingsFormat::OpenAi,
    EmbeddingsFormat::Gemini,
    EmbeddingsFormat::VertexPredict,
    EmbeddingsFormat::Titan,
    EmbeddingsFormat::CohereOnBedrock,
];

fn read(body: &Value) -> EmbeddingsRequest {
    read_request(body).unwrap()
}

/// What a provider is sent for a request, and what is dropped of it.
fn sent(format: EmbeddingsFormat, model: &str, body: &Value) -> (Value, Vec<String>) {
    let written = format.write_request(&read(body), model, body.to_string().as_bytes()).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.dropped)
}

fn refused(format: EmbeddingsFormat, model: &str, body: &Value) -> String {
    let written = format.write_request(&read(body), model, body.to_string().as_bytes());
    written.expect_err(&body.to_string()).to_string()
}

#[test]
fn inputs_of_every_shape_are_read() {
    let text = |text: &str| Input::Text(text.into());
    for (input, several, want) in [
        (json!("a"), false, vec![text("a")]),
        (json!(["a", "b"]), true, vec![text("a"), text("b")]),
        (json!([3923, 374, 279]), false, vec![Input::Tokens(3)]),
        (json!([[3923, 374.0], [30]]), true, vec![Input::Tokens(2), Input::Tokens(1)]),
        (json!(["a", [30]]), true, vec![text("a"), Input::Tokens(1)]),
        (json!([{"image": "x"}]), true, vec![Input::Other(json!({"image": "x"}))]),
        (json!([]), true, vec![]),
        (json!(null), false, vec![]),
    ] {
        let request = read(&json!({"model": "m", "input": input}));
        assert_eq!((request.several, request.input), (several, want), "{input}");
    }
}

#[test]
fn what_is_no_request_is_refused_with_its_place() {
    for (body, want) in [
        (json!([]), "found an array, expected a JSON object with `model` and `input`"),
        (json!({"input": "a"}), "model: missing; expected a string, the model's name"),
        (json!({"model": "", "input": "a"}), "model: found an empty string, expected a model name"),
        (json!({"model": 5}), "model: found a number, expected a string, the model's name"),
        (
            json!({"model": "m", "input": true}),
            "input: found a boolean, expected a string, an array of strings, an array of token ids or an array of such arrays",
        ),
        (
            json!({"model": "m", "input": ["a", 5]}),
            "input[1]: found a number, expected a string or an array of token ids, as the other inputs are",
        ),
        (
            json!({"model": "m", "input": ["a", null]}),
            "input[1]: found null, expected a string or an array of token ids, as the other inputs are",
        ),
        (
            json!({"model": "m", "input": [5, "a"]}),
            "input[1]: found a string, expected a token id, a whole number from 0",
        ),
        (json!({"model": "m", "input": [5, -1]}), "input[1]: found -1, expected a token id, a whole number from 0"),
        (
            json!({"model": "m", "input": ["a", [1, 2.5]]}),
            "input[1][1]: found 2.5, expected a token id, a whole number from 0",
        ),
        (json!({"model": "m", "input": "a", "dimensions": 0}), "dimensions: found 0, expected a whole number from 1"),
        (
            json!({"model": "m", "input": "a", "dimensions": "8"}),
            "dimensions: found \"8\", expected a whole number from 1",
        ),
        (
            json!({"model": "m", "input": "a", "encoding_format": 1}),
            "encoding_format: found a number, expected `float` or `base64`",
        ),
    ] {
        assert_eq!(read_request(&body).unwrap_err().to_string(), want, "{body}");
    }
}

#[test]
fn embeddings_to_openai_keep_every_byte_but_the_models() {
    let body = r#"{ "input" : [[1,2]], "model":"house/e", "encoding_format":"base64","x": 1.50,"dimensions":8 }"#;
    let request = read(&serde_json::from_str(body).unwrap());
    let written = EmbeddingsFormat::OpenAi.write_request(&request, "e", body.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(written.body).unwrap(), body.replace("house/e", "e"));
    assert_eq!(written.dropped, [""; 0]);
}

#[test]
fn embeddings_to_gemini() {
    for (body, want, dropped) in [
        (
            json!({"model": "m", "input": "a", "encoding_format": "base64"}),
            json!({"requests": [{"model": "models/e", "content": {"parts": [{"text": "a"}]}}]}),
            vec![],
        ),
        (
            json!({"model": "m", "input": ["a", "b"], "dimensions": 8, "input_type": "search_query", "title": "t",
                "user": "u", "truncate": "END", "x": null}),
            json!({"requests": [
                {"model": "models/e", "content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY",
                    "title": "t", "outputDimensionality": 8},
                {"model": "models/e", "content": {"parts": [{"text": "b"}]}, "taskType": "RETRIEVAL_QUERY",
                    "title": "t", "outputDimensionality": 8},
            ]}),
            vec!["user", "truncate"],
        ),
    ] {
        let (sent, gone) = sent(EmbeddingsFormat::Gemini, "e", &body);
        assert_eq!((sent, gone), (want, dropped.into_iter().map(str::to_owned).collect()), "{body}");
    }
}

#[test]
fn embeddings_to_vertex() {
    for (body, want, dropped) in [
        (json!({"model": "m", "input": "a"}), json!({"instances": [{"content": "a"}]}), vec![]),
        (
            json!({"model": "m", "input": ["a", "b"], "output_dimensionality": 8, "task_type": "CLUSTERING",
                "auto_truncate": false, "user": "u"}),
            json!({
                "instances": [{"task_type": "CLUSTERING", "content": "a"}, {"task_type": "CLUSTERING", "content": "b"}],
                "parameters": {"outputDimensionality": 8, "autoTruncate": false},
            }),
            vec!["user"],
        ),
    ] {
        let (sent, gone) = sent(EmbeddingsFormat::VertexPredict, "e", &body);
        assert_eq!((sent, gone), (want, dropped.into_iter().map(str::to_owned).collect()), "{body}");
    }
}

#[test]
fn embeddings_to_titan() {
    let text = "amazon.titan-embed-text-v2:0";
    for (model, body, want, dropped) in [
        (text, json!({"model": "m", "input": ["a"]}), json!({"inputText": "a"}), vec![]),
        (
            text,
            json!({"model": "m", "input": "a", "dimensions": 256, "normalize": true, "input_type": "query", "user": "u"}),
            json!({"inputText": "a", "dimensions": 256, "normalize": true}),
            vec!["user", "input_type"],
        ),
        (
            "amazon.titan-embed-image-v1",
            json!({"model": "m", "input": "a", "dimensions": 256}),
            json!({"inputText": "a", "embeddingConfig": {"outputEmbeddingLength": 256}}),
            vec![],
        ),
    ] {
        let (sent, gone) = sent(EmbeddingsFormat::Titan, model, &body);
        assert_eq!((sent, gone), (want, dropped.into_iter().map(str::to_owned).collect()), "{body}");
    }
    assert_eq!(
        refused(EmbeddingsFormat::Titan, "t", &json!({"model": "m", "input": ["a", "b"]})),
        "input: found 2 inputs, expected one: t embeds one text per request; send each"
    );
}

#[test]
fn embeddings_to_cohere() {
    for (model, body, want, dropped) in [
        (
            "cohere.embed-english-v3",
            json!({"model": "m", "input": "a", "user": "u"}),
            json!({"texts": ["a"], "input_type": "search_document"}),
            vec!["user"],
        ),
        (
            "cohere.embed-v4:0",
            json!({"model": "m", "input": ["a", "b"], "dimensions": 512, "input_type": "query", "truncate": "NONE",
                "embedding_types": ["float"], "max_tokens": 256}),
            json!({"texts": ["a", "b"], "input_type": "search_query", "truncate": "NONE", "output_dimension": 512,
                "max_tokens": 256}),
            vec![],
        ),
    ] {
        let (sent, gone) = sent(EmbeddingsFormat::CohereOnBedrock, model, &body);
        assert_eq!((sent, gone), (want, dropped.into_iter().map(str::to_owned).collect()), "{body}");
    }
    for (body, want) in [
        (
            json!({"model": "m", "input": vec!["a"; 97]}),
            "input: found 97 inputs, expected at most 96; send them in parts",
        ),
        (
            json!({"model": "m", "input": "a", "dimensions": 8}),
            "dimensions: c-v3 has vectors of one length only; leave this out or ask `cohere.embed-v4:0`",
        ),
        (
            json!({"model": "m", "input": "a", "task": "text-matching"}),
            "task: found `text-matching`, for which Cohere's models have no word; expected `search_query`, \
             `search_document`, `classification` or `clustering`",
        ),
    ] {
        assert_eq!(refused(EmbeddingsFormat::CohereOnBedrock, "c-v3", &body), want, "{body}");
    }
}

#[test]
fn what_changes_the_vectors_is_carried_or_refused() {
    for format in FORMATS.into_iter().filter(|format| format.translates()) {
        for (body, want) in [
            (
                json!({"model": "m", "input": [1, 2]}),
                "input: found token ids, which mean something to OpenAI's models only; send this provider text",
            ),
            (
                json!({"model": "m", "input": [[1]]}),
                "input[0]: found token ids, which mean something to OpenAI's models only; send this provider text",
            ),
            (
                json!({"model": "m", "input": [{"image": "x"}]}),
                "input[0]: found an object, expected a string: only texts can be sent to this provider",
            ),
            (json!({"model": "m", "input": []}), "input: found an empty array, expected at least one text"),
            (json!({"model": "m"}), "input: found nothing, expected at least one text"),
            (
                json!({"model": "m", "input": "a", "encoding_format": "int8"}),
                "encoding_format: found `int8`, expected `float` or `base64`: this provider's numbers are floats",
            ),
            (
                json!({"model": "m", "input": "a", "output_dtype": "int8"}),
                "output_dtype: found \"int8\", expected `float`: other numbers have no place in this answer",
            ),
            (
                json!({"model": "m", "input": "a", "embedding_types": ["float", "binary"]}),
                "embedding_types: found [\"float\",\"binary\"], expected `float`: other numbers have no place in this answer",
            ),
            (
                json!({"model": "m", "input": "a", "output_dimension": "x"}),
                "output_dimension: found \"x\", expected a whole number from 1",
            ),
        ] {
            assert_eq!(refused(format, "m", &body), want, "{format:?} {body}");
        }
    }
}

#[test]
fn purposes_are_known_in_the_words_of_each_vendor() {
    for (word, google, cohere) in [
        ("query", "RETRIEVAL_QUERY", "search_query"),
        ("search_query", "RETRIEVAL_QUERY", "search_query"),
        ("retrieval.query", "RETRIEVAL_QUERY", "search_query"),
        ("RETRIEVAL_QUERY", "RETRIEVAL_QUERY", "search_query"),
        ("document", "RETRIEVAL_DOCUMENT", "search_document"),
        ("passage", "RETRIEVAL_DOCUMENT", "search_document"),
        ("classification", "CLASSIFICATION", "classification"),
        ("separation", "CLUSTERING", "clustering"),
        ("CODE_RETRIEVAL_QUERY", "CODE_RETRIEVAL_QUERY", "search_query"),
        ("of tomorrow", "of tomorrow", "of tomorrow"),
    ] {
        let body = json!({"model": "m", "input": "a", "input_type": word});
        assert_eq!(sent(EmbeddingsFormat::Gemini, "m", &body).0["requests"][0]["taskType"], google, "{word}");
        assert_eq!(sent(EmbeddingsFormat::VertexPredict, "m", &body).0["instances"][0]["task_type"], google, "{word}");
        assert_eq!(sent(EmbeddingsFormat::CohereOnBedrock, "m", &body).0["input_type"], cohere, "{word}");
    }
    let odd = json!({"model": "m", "input": "a", "task": 5});
    assert_eq!(
        refused(EmbeddingsFormat::Gemini, "m", &odd),
        "task: found a number, expected a string such as `search_query`"
    );
}

#[test]
fn answers_become_openais_list() {
    for (name, format, answer, tokens) in [
        (
            "openai_embeddings",
            EmbeddingsFormat::OpenAi,
            r#"{"object":"list","data":[{"embedding":[0.1,-1e-05]},{"embedding":[2,3.50]}],"usage":{"prompt_tokens":4,"total_tokens":4}}"#,
            Some(4),
        ),
        (
            "gemini_to_openai",
            EmbeddingsFormat::Gemini,
            "{\"embeddings\": [ {\"values\": [\n 0.1,\n -1e-05 ]}, {\"values\": [2, 3.50]} ], \"usageMetadata\": {\"promptTokenCount\": 4}}",
            Some(4),
        ),
        (
            "gemini_without_usage",
            EmbeddingsFormat::Gemini,
            r#"{"embeddings":[{"values":[0.1,-1e-05]},{"values":[2,3.50]}]}"#,
            None,
        ),
        (
            "vertex_to_openai",
            EmbeddingsFormat::VertexPredict,
            r#"{"predictions":[{"embeddings":{"values":[0.1,-1e-05],"statistics":{"token_count":3,"truncated":false}}},{"embeddings":{"values":[2,3.50],"statistics":{"token_count":4.0}}}],"metadata":{"billableCharacterCount":9}}"#,
            Some(7),
        ),
        (
            "vertex_with_one_count_missing",
            EmbeddingsFormat::VertexPredict,
            r#"{"predictions":[{"embeddings":{"values":[0.1,-1e-05],"statistics":{"token_count":3}}},{"embeddings":{"values":[2,3.50]}}]}"#,
            None,
        ),
        (
            "cohere_to_openai",
            EmbeddingsFormat::CohereOnBedrock,
            r#"{"embeddings":[[0.1,-1e-05],[2,3.50]],"id":"x","response_type":"embeddings_floats","texts":["a","b"]}"#,
            None,
        ),
        (
            "cohere_by_type_to_openai",
            EmbeddingsFormat::CohereOnBedrock,
            r#"{"embeddings":{"float":[[0.1,-1e-05],[2,3.50]]},"meta":{"billed_units":{"input_tokens":4}}}"#,
            Some(4),
        ),
    ] {
        let answer = format.read_answer(answer.as_bytes()).unwrap();
        assert_eq!(answer.tokens, tokens.map(Tokens), "{name}");
        let floats = String::from_utf8(answer.write(Encoding::Float, "e", Tokens(9)).unwrap()).unwrap();
        let want = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-1e-05]},{"object":"embedding","index":1,"embedding":[2,3.50]}],"model":"e","usage":{"prompt_tokens":9,"total_tokens":9}}"#;
        assert_eq!(floats, want, "{name}");
        let base64: Value = serde_json::from_slice(&answer.write(Encoding::Base64, "e", Tokens(9)).unwrap()).unwrap();
        // 0.1 is 0x3dcccccd, −1e-5 is 0xb727c5ac; 2 is 0x40000000, 3.5 is 0x40600000.
        assert_eq!(base64["data"][0]["embedding"], "zczMPazFJ7c=", "{name}");
        assert_eq!(base64["data"][1]["embedding"], "AAAAQAAAYEA=", "{name}");
    }
    let titan = br#"{"embedding":[0.1],"embeddingsByType":{"float":[0.1]},"inputTextTokenCount":5}"#;
    let titan = EmbeddingsFormat::Titan.read_answer(titan).unwrap();
    assert_eq!((titan.vectors.len(), titan.tokens), (1, Some(Tokens(5))));
}

#[test]
fn what_holds_no_vectors_is_the_providers_error() {
    for format in FORMATS {
        for body in ["", "<html>", "[]", "{}", r#"{"embeddings":5,"embedding":null,"data":0,"predictions":{}}"#] {
            // A Titan answer's vector is looked at when it is written.
            let read = format
                .read_answer(body.as_bytes())
                .and_then(|answer| answer.write(Encoding::Float, "m", Tokens(0)).map(|_| ()));
            assert_eq!(read.unwrap_err().status, 502, "{format:?} {body}");
        }
    }
    let odd = EmbeddingsFormat::Gemini.read_answer(br#"{"embeddings":[{"values":[1,"x"]}]}"#).unwrap();
    assert!(odd.write(Encoding::Float, "m", Tokens(0)).unwrap_err().message.contains("vector 0"));
}

#[test]
fn vectors_come_in_the_encoding_that_was_asked_for() {
    let floats = r#"{"id":"x","data":[{"index":0,"embedding":[0.1,2.0]},{"index":1,"embedding":"AAAAQA=="}],"usage":{"n":1.50}}"#;
    for (body, encoding, want) in [
        (
            floats,
            Encoding::Base64,
            Some(
                r#"{"id":"x","data":[{"index":0,"embedding":"zczMPQAAAEA="},{"index":1,"embedding":"AAAAQA=="}],"usage":{"n":1.5}}"#,
            ),
        ),
        (
            floats,
            Encoding::Float,
            Some(
                r#"{"id":"x","data":[{"index":0,"embedding":[0.1,2.0]},{"index":1,"embedding":[2]}],"usage":{"n":1.5}}"#,
            ),
        ),
        (floats, Encoding::Other, None),
        (r#"{"data":[{"embedding":[1]}]}"#, Encoding::Float, None),
        (r#"{"data":[{"embedding":"AAAAQA=="}]}"#, Encoding::Base64, None),
        (r#"{"data":[{"embedding":"AAAAQ"}]}"#, Encoding::Float, None),
        (r#"{"data":[{"embedding":["x"]}]}"#, Encoding::Base64, None),
        (r#"{"data":[]}"#, Encoding::Base64, None),
        ("x", Encoding::Base64, None),
    ] {
        let conformed = conform(body.as_bytes(), encoding).map(|body| String::from_utf8(body).unwrap());
        assert_eq!(conformed.as_deref(), want, "{body} {encoding:?}");
    }
}
