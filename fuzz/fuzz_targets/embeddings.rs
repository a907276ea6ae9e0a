//! Embeddings: requests for every provider are JSON or name the mistake; answers of every provider are OpenAI's list.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use conduit::formats::embeddings::{Embeddings, EmbeddingsFormat, Encoding, conform, read_request};
use conduit::usage::Tokens;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const FORMATS: [EmbeddingsFormat; 5] = [
    EmbeddingsFormat::OpenAi,
    EmbeddingsFormat::Gemini,
    EmbeddingsFormat::VertexPredict,
    EmbeddingsFormat::Titan,
    EmbeddingsFormat::CohereOnBedrock,
];

const MODELS: [&str; 4] = ["m", "publishers/google/models/e", "amazon.titan-embed-image-v1", "cohere.embed-english-v3"];

fn request(data: &[u8]) {
    let Ok(body) = serde_json::from_slice::<Value>(data) else { return };
    let request = match read_request(&body) {
        Ok(request) => request,
        Err(error) => return assert!(!error.message.is_empty()),
    };
    for format in FORMATS {
        for model in MODELS {
            match format.write_request(&request, model, data) {
                Ok(written) => {
                    let written: Value = serde_json::from_slice(&written.body).expect("what is written is JSON");
                    if format == EmbeddingsFormat::OpenAi {
                        let mut wanted = body.clone();
                        wanted["model"] = model.into();
                        assert_eq!(written, wanted);
                    } else {
                        let said = written.to_string();
                        assert!(request.input.iter().all(|input| match input {
                            conduit::formats::embeddings::Input::Text(text) =>
                                said.contains(&Value::from(text.as_str()).to_string()),
                            _ => false,
                        }));
                    }
                }
                Err(error) => assert!(!error.message.is_empty()),
            }
        }
    }
}

/// Vectors as the client asked for them, or an error.
fn answer(read: &Embeddings<'_>, count: usize) {
    let [floats, encoded] = [Encoding::Float, Encoding::Base64].map(|encoding| {
        let written = read.write(encoding, "m\"", Tokens(7)).ok()?;
        let value: Value = serde_json::from_slice(&written).expect("what is written is JSON");
        assert_eq!(value["data"].as_array().map(Vec::len), Some(count));
        // What stands in one encoding can be put into the other.
        for other in [Encoding::Float, Encoding::Base64] {
            assert_eq!(conform(&written, other).is_some(), other != encoding && count > 0);
        }
        let again = EmbeddingsFormat::OpenAi.read_answer(&written).expect("what is written can be read");
        assert_eq!(again.tokens, Some(Tokens(7)));
        Some(value)
    });
    assert_eq!(floats.is_some(), encoded.is_some());
    let (Some(floats), Some(encoded)) = (floats, encoded) else { return };
    for index in 0..count {
        let numbers: Vec<f32> = serde_json::from_value(floats["data"][index]["embedding"].clone()).expect("numbers");
        let bytes = STANDARD.decode(encoded["data"][index]["embedding"].as_str().expect("text")).expect("base64");
        let four = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().expect("whole floats")));
        assert!(four.eq(numbers));
    }
}

fuzz_target!(|data: &[u8]| {
    request(data);
    for format in FORMATS {
        match format.read_answer(data) {
            Ok(read) => answer(&read, read.vectors.len()),
            Err(error) => assert!(error.status == 502 && !error.message.is_empty()),
        }
    }
    for encoding in [Encoding::Float, Encoding::Base64, Encoding::Other] {
        if let Some(put) = conform(data, encoding) {
            assert_eq!(conform(&put, encoding), None, "{}", String::from_utf8_lossy(&put));
        }
    }
});
