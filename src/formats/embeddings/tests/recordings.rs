//! Recorded exchanges: what is read equals what a plain look at the JSON finds, and what would be sent is what was.

use super::*;

/// The recorded exchanges of embeddings with each format, successful ones.
fn records() -> Vec<(EmbeddingsFormat, Value)> {
    let Ok(folder) = std::env::var("CONDUIT_VECTORS") else {
        println!("skipped: CONDUIT_VECTORS is not set");
        return Vec::new();
    };
    let files =
        ["openai_embeddings", "azure_embeddings", "gemini_embeddings", "other_openai_compatible", "bedrock_invoke"];
    let lines: String = files
        .iter()
        .map(|file| std::fs::read_to_string(format!("{folder}/recordings/{file}.jsonl")).unwrap())
        .collect();
    let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let records: Vec<_> = records
        .filter(|record| record["response"]["status"] == 200)
        .filter_map(|record| {
            let path = record["request"]["path"].as_str()?;
            let format = match record["api"].as_str()? {
                "embeddings" if path.ends_with("/embeddings") => EmbeddingsFormat::OpenAi,
                "batchEmbedContents" => EmbeddingsFormat::Gemini,
                "invoke" if path.contains("titan-embed") => EmbeddingsFormat::Titan,
                "invoke" if path.contains("cohere.embed") => EmbeddingsFormat::CohereOnBedrock,
                _ => return None,
            };
            Some((format, record))
        })
        .collect();
    assert!(records.len() >= 15, "{}", records.len());
    records
}

/// The vectors of an answer, as an independent reader would find them.
fn vectors(body: &Value) -> Vec<Vec<f64>> {
    let lists: Vec<&Value> = match body {
        _ if body["data"].is_array() => body["data"].as_array().unwrap().iter().map(|one| &one["embedding"]).collect(),
        _ if body["embedding"].is_array() => vec![&body["embedding"]],
        _ if body["embeddings"]["float"].is_array() => body["embeddings"]["float"].as_array().unwrap().iter().collect(),
        _ => {
            let all = body["embeddings"].as_array().unwrap().iter();
            all.map(|one| if one.is_array() { one } else { &one["values"] }).collect()
        }
    };
    lists.iter().map(|list| list.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect()).collect()
}

#[test]
fn recorded_embeddings_become_openais_list_without_a_digit_lost() {
    for (format, record) in records() {
        let body = &record["response"]["body"];
        let text = body.to_string();
        let answer = format.read_answer(text.as_bytes()).unwrap();
        if body["data"][0]["embedding"].is_string() {
            // Base64 of what the SDK asked for: there and back it is the same.
            let floats = conform(text.as_bytes(), Encoding::Float).unwrap();
            let again: Value = serde_json::from_slice(&conform(&floats, Encoding::Base64).unwrap()).unwrap();
            assert_eq!(again, *body, "{}", record["id"]);
            continue;
        }
        let list: Value = serde_json::from_slice(&answer.write(Encoding::Float, "m", Tokens(1)).unwrap()).unwrap();
        assert_eq!(vectors(&list), vectors(body), "{}", record["id"]);
        let packed: Value = serde_json::from_slice(&answer.write(Encoding::Base64, "m", Tokens(1)).unwrap()).unwrap();
        let unpacked = conform(packed.to_string().as_bytes(), Encoding::Float).unwrap();
        let narrow = |value: &Value| vectors(value).concat().iter().map(|n| *n as f32).collect::<Vec<f32>>();
        assert_eq!(narrow(&serde_json::from_slice(&unpacked).unwrap()), narrow(body), "{}", record["id"]);
        let reported = ["/usage/prompt_tokens", "/usageMetadata/promptTokenCount", "/inputTextTokenCount"];
        let reported = reported.iter().find_map(|path| body.pointer(path)?.as_u64()).map(Tokens);
        assert_eq!(answer.tokens, reported, "{}", record["id"]);
    }
}

#[test]
fn recorded_requests_are_what_openais_format_becomes() {
    for (format, record) in records() {
        let body = &record["request"]["body"];
        let model = record["model"].as_str().unwrap();
        let asked = match format {
            EmbeddingsFormat::OpenAi => continue,
            EmbeddingsFormat::Gemini => json!({
                "input": body["requests"].as_array().unwrap().iter().map(|one| &one["content"]["parts"][0]["text"])
                    .collect::<Vec<_>>(),
                "dimensions": body["requests"][0]["outputDimensionality"],
            }),
            _ => json!({
                "input": body.get("texts").unwrap_or(&body["inputText"]),
                "dimensions": body["dimensions"],
                "normalize": body["normalize"],
                "input_type": body["input_type"],
                "truncate": body["truncate"],
                "max_tokens": body["max_tokens"],
            }),
        };
        let mut asked = asked;
        asked["model"] = model.into();
        let (sent, dropped) = sent(format, model, &asked);
        assert_eq!((&sent, dropped), (body, vec![]), "{}", record["id"]);
    }
}
