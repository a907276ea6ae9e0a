//! OpenAI's Responses.

use crate::client::{Answer, Mock, refusals, weather, with};
use serde_json::{Value, json};

const KEY: &[(&str, &str)] = &[("authorization", "Bearer k")];

fn post(mock: &Mock, body: &Value) -> Answer {
    mock.post("/v1/responses", KEY, body)
}

fn ask(model: &str, input: impl Into<Value>) -> Value {
    json!({"model": model, "input": input.into()})
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "name": name, "parameters": weather()})
}

#[test]
fn a_response_has_its_items_and_usage_that_adds_up() {
    let mock = Mock::new();
    let json = post(&mock, &ask("gpt-4o+cached=2", "Hello")).json();
    assert_eq!(
        (&json["object"], &json["status"], &json["model"]),
        (&json!("response"), &json!("completed"), &json!("gpt-4o"))
    );
    assert_eq!(json["output"][0]["content"][0]["text"], "You said: Hello");
    let usage = |name: &str| json["usage"][name].as_u64().unwrap();
    assert_eq!(usage("total_tokens"), usage("input_tokens") + usage("output_tokens"));
    assert_eq!(json["usage"]["input_tokens_details"]["cached_tokens"], 2);
    assert_eq!(mock.get("/mock/bill")["models"]["gpt-4o"]["prompt_tokens"], json["usage"]["input_tokens"]);
}

#[test]
fn the_stream_is_the_response_in_pieces() {
    let mock = Mock::new();
    let more = json!({"stream": true, "store": false, "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"]});
    let answer = post(&mock, &with(ask("gpt-5", "Hello there"), more));
    let events = answer.events();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let mut order = kinds.clone();
    order.dedup();
    assert_eq!(
        order,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.reasoning_summary_part.added",
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let numbers: Vec<u64> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert!(numbers.iter().copied().eq(0..u64::try_from(events.len()).unwrap()), "{numbers:?}");
    let deltas = events.iter().filter(|event| event["type"] == "response.output_text.delta");
    assert_eq!(deltas.filter_map(|event| event["delta"].as_str()).collect::<String>(), "You said: Hello there");
    let last = &events.last().unwrap()["response"];
    let done: Vec<&Value> =
        events.iter().filter(|e| e["type"] == "response.output_item.done").map(|e| &e["item"]).collect();
    assert_eq!(json!(done), last["output"]);
    assert!(last["output"][0]["encrypted_content"].as_str().unwrap().starts_with("gAAAA"));
    assert!(last["usage"]["output_tokens_details"]["reasoning_tokens"].as_u64().unwrap() > 0);
    let names: Vec<&str> = answer.body.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names, kinds);
}

#[test]
fn calls_go_round_with_their_reasoning() {
    let mock = Mock::new();
    let more = json!({"tools": [tool("get_weather"), tool("get_time")], "store": false, "include": ["reasoning.encrypted_content"]});
    let body = with(ask("gpt-5", "In parallel, please"), more);
    let output = post(&mock, &body).json()["output"].clone();
    let kinds: Vec<&str> = output.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "function_call", "function_call"]);
    let streamed = post(&mock, &with(body.clone(), json!({"stream": true}))).events();
    let arguments = |n: u64| -> String {
        let of =
            streamed.iter().filter(|e| e["type"] == "response.function_call_arguments.delta" && e["output_index"] == n);
        of.filter_map(|event| event["delta"].as_str()).collect()
    };
    assert_eq!([arguments(1), arguments(2)], [r#"{"city":"Paris"}"#; 2]);

    let mut input = vec![json!({"role": "user", "content": "In parallel, please"})];
    input.extend(output.as_array().unwrap().clone());
    let result = |n: usize| json!({"type": "function_call_output", "call_id": output[n]["call_id"], "output": format!("{n} degrees")});
    input.push(result(1));
    let one = post(&mock, &with(body.clone(), json!({"input": input})));
    let missing = format!("No tool output found for function call {}.", output[2]["call_id"].as_str().unwrap());
    assert!(one.status == 400 && one.body.contains(&missing), "{}", one.body);
    input.push(result(2));
    let both = post(&mock, &with(body, json!({"input": input}))).json();
    assert_eq!(
        both["output"].as_array().unwrap().last().unwrap()["content"][0]["text"],
        "The tool says: 1 degrees\n2 degrees"
    );
}

#[test]
fn a_stored_response_can_be_gone_on_from() {
    let mock = Mock::new();
    let first = post(&mock, &with(ask("gpt-4o", "get_weather"), json!({"tools": [tool("get_weather")]}))).json();
    let result = |id: &Value| json!([{"type": "function_call_output", "call_id": id, "output": "21"}]);
    let next = |response: &Value, call: &Value| {
        post(&mock, &with(ask("gpt-4o", result(call)), json!({"previous_response_id": response})))
    };
    let told = next(&first["id"], &first["output"][0]["call_id"]);
    assert_eq!(told.json()["output"][0]["content"][0]["text"], "The tool says: 21");
    for (answer, part) in [
        (next(&json!("resp_123"), &json!("call_1")), "previous_response_not_found"),
        (next(&first["id"], &json!("call_1")), "No tool call found for function call output with call_id call_1."),
    ] {
        assert!(answer.status == 400 && answer.body.contains(part), "{}", answer.body);
    }
    let kept_not = post(&mock, &with(ask("gpt-4o", "Hi"), json!({"store": false}))).json();
    assert_eq!(next(&kept_not["id"], &json!("call_1")).status, 400);
}

#[test]
fn schemas_are_filled_and_limits_end_early() {
    let mock = Mock::new();
    let format = json!({"text": {"format": {"type": "json_schema", "name": "x", "schema": weather()}}});
    let json = post(&mock, &with(ask("gpt-4o", "Hi"), format)).json();
    assert_eq!(json["output"][0]["content"][0]["text"], r#"{"city":"Paris"}"#);
    let short = with(ask("gpt-4o+tokens=100", "Hi"), json!({"max_output_tokens": 16}));
    let json = post(&mock, &short).json();
    assert_eq!(
        (&json["status"], &json["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    let events = post(&mock, &with(short, json!({"stream": true}))).events();
    assert_eq!(events.last().unwrap()["type"], "response.incomplete");
    let failed = post(&mock, &with(ask("gpt-4o+error-in-stream", "Hi"), json!({"stream": true}))).events();
    let last = failed.last().unwrap();
    assert_eq!(
        (&last["type"], &last["response"]["error"]["code"]),
        (&json!("response.failed"), &json!("server_error"))
    );
    assert_eq!(last["sequence_number"], failed.len() - 1);
}

#[test]
fn it_refuses_what_openai_refuses() {
    let mock = Mock::new();
    let good = || ask("gpt-4o", "Hi");
    let item = |item: Value| ask("gpt-4o", json!([item]));
    let call = json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"});
    let strict = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    refusals(
        |body| post(&mock, body),
        &[
            (json!({"input": "Hi"}), 400, "you must provide a model"),
            (json!({"model": "m"}), 400, "missing_required_parameter"),
            (with(good(), json!({"messages": []})), 400, "Unknown parameter: 'messages'."),
            (ask("m", 1), 400, "Invalid type for 'input'"),
            (with(good(), json!({"max_output_tokens": 5})), 400, "Expected a value >= 16, but got 5 instead."),
            (with(good(), json!({"temperature": 3})), 400, "decimal_above_max_value"),
            (with(ask("o3", "Hi"), json!({"temperature": 1})), 400, "'temperature' is not supported with this model"),
            (with(good(), json!({"reasoning": {"effort": "low"}})), 400, "'reasoning.effort' is not supported"),
            (
                with(good(), json!({"reasoning": {"effort": "most"}})),
                400,
                "Invalid value: 'most'. Supported values are: 'none'",
            ),
            (with(good(), json!({"include": ["all"]})), 400, "include[0]"),
            (with(good(), json!({"stream_options": {}})), 400, "only allowed when 'stream' is enabled"),
            (
                with(good(), json!({"tools": [{"type": "function", "function": {"name": "f"}}]})),
                400,
                "Missing required parameter: 'tools[0].name'.",
            ),
            (with(good(), json!({"tools": [{"type": "function", "name": "f g"}]})), 400, "'^[a-zA-Z0-9_-]+$'"),
            (
                with(
                    good(),
                    json!({"tools": [{"type": "function", "name": "f", "parameters": strict, "strict": true}]}),
                ),
                400,
                "Invalid schema for function 'f': In context=(), 'additionalProperties'",
            ),
            (with(good(), json!({"tool_choice": "required"})), 400, "tool_choice"),
            (
                with(
                    good(),
                    json!({"tools": [tool("f")], "tool_choice": {"type": "function", "function": {"name": "f"}}}),
                ),
                400,
                "Unknown parameter: 'tool_choice.function'.",
            ),
            (
                with(good(), json!({"tools": [tool("f")], "tool_choice": {"type": "function", "name": "g"}})),
                400,
                "not found in 'tools'",
            ),
            (
                with(good(), json!({"text": {"format": {"type": "json_schema", "name": "x"}}})),
                400,
                "text.format.schema",
            ),
            (with(good(), json!({"text": {"format": {"type": "json_object"}}})), 400, "must contain the word 'json'"),
            (with(good(), json!({"response_format": {}})), 400, "response_format"),
            (item(json!({"type": "message", "role": "tool", "content": "x"})), 400, "Invalid value: 'tool'"),
            (
                item(json!({"role": "assistant", "content": [{"type": "input_text", "text": "x"}]})),
                400,
                "Supported values are: 'output_text' and 'refusal'.",
            ),
            (item(json!({"role": "user", "content": [{"type": "text", "text": "x"}]})), 400, "Invalid value: 'text'"),
            (
                item(json!({"role": "user", "content": [{"type": "input_image", "image_url": {"url": "x"}}]})),
                400,
                "Invalid type for 'input[0].content[0].image_url'",
            ),
            (
                item(json!({"role": "user", "content": "x", "tool_calls": []})),
                400,
                "Unknown parameter: 'input[0].tool_calls'.",
            ),
            (item(json!({"type": "tool_call"})), 400, "Invalid value: 'tool_call'"),
            (item(call.clone()), 400, "No tool output found for function call c1."),
            (item(with(call.clone(), json!({"id": "call_1"}))), 400, "Expected an ID that begins with 'fc'."),
            (item(with(call.clone(), json!({"arguments": {}}))), 400, "input[0].arguments"),
            (item(with(call, json!({"call_id": "x".repeat(65)}))), 400, "maximum length 64"),
            (
                item(json!({"type": "function_call_output", "call_id": "c9", "output": "x"})),
                400,
                "No tool call found for function call output with call_id c9.",
            ),
            (item(json!({"type": "reasoning", "id": "rs_1", "summary": []})), 404, "Item with id 'rs_1' not found."),
            (
                item(json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "EqQB"})),
                400,
                "invalid_encrypted_content",
            ),
            (
                item(json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAx"})),
                400,
                "without its required following item",
            ),
        ],
    );
}
