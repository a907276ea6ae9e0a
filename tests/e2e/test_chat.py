"""Both SDKs reach both providers: whole answers, streams, tools."""

import hashlib
import json

import pytest

from clients import CLIENT_KEY
from gateway import KEYS

MODELS = ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"]
WORDS = "The quick brown fox jumps over the lazy dog"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OPENAI_TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": SCHEMA}}
ANTHROPIC_TOOL = {"name": "get_weather", "description": "Weather", "input_schema": SCHEMA}


def user(text):
    return [{"role": "user", "content": text}]


def mock_of(gateway, model):
    return gateway.openai_mock if model.startswith("openai/") else gateway.anthropic_mock


@pytest.mark.parametrize("model", MODELS)
def test_openai_whole(gateway, model):
    before = gateway.recorded()
    answer = gateway.openai().chat.completions.with_raw_response.create(model=model, messages=user(WORDS))
    chat = answer.parse()
    assert WORDS in chat.choices[0].message.content
    assert chat.choices[0].finish_reason == "stop"
    assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens > 0
    assert answer.headers["x-conduit-target"] == model
    assert answer.headers["x-conduit-reason"].startswith("explicit")
    assert answer.headers["x-conduit-attempts"] == "1"
    assert float(answer.headers["x-conduit-cost-usd"]) > 0
    [record] = gateway.new_records(before)
    assert (record["target"], record["outcome"], record["status"], record["stream"]) == (model, "ok", 200, False)
    assert record["usage"]["prompt_tokens"] == chat.usage.prompt_tokens
    assert record["usage"]["completion_tokens"] == chat.usage.completion_tokens
    assert record["priced"] and record["cost_picodollars"] > 0


@pytest.mark.parametrize("model", MODELS)
def test_anthropic_whole(gateway, model):
    before = gateway.recorded()
    answer = gateway.anthropic().messages.create(model=model, max_tokens=200, system="Be kind.", messages=user(WORDS))
    assert answer.type == "message" and answer.role == "assistant"
    assert WORDS in "".join(block.text for block in answer.content)
    assert answer.stop_reason == "end_turn"
    [record] = gateway.new_records(before)
    assert (record["target"], record["outcome"], record["endpoint"]) == (model, "ok", "messages")
    assert record["usage"]["completion_tokens"] == answer.usage.output_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_openai_stream(gateway, model):
    before = gateway.recorded()
    stream = gateway.openai().chat.completions.create(
        model=model, messages=user(WORDS), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert WORDS in text
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["stop"]
    usage = [chunk.usage for chunk in chunks if chunk.usage]
    assert len(usage) == 1
    [record] = gateway.new_records(before)
    assert record["stream"] and record["outcome"] == "ok" and record["ttft_ms"] is not None
    assert record["usage"]["known"] == "reported"
    assert record["usage"]["completion_tokens"] == usage[0].completion_tokens


@pytest.mark.parametrize("model", MODELS)
def test_usage_that_was_not_asked_for_is_not_shown_but_recorded(gateway, model):
    before = gateway.recorded()
    chunks = list(gateway.openai().chat.completions.create(model=model, messages=user(WORDS), stream=True))
    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.choices for chunk in chunks)
    [record] = gateway.new_records(before)
    assert record["usage"]["known"] == "reported" and record["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("model", MODELS)
def test_anthropic_stream(gateway, model):
    before = gateway.recorded()
    with gateway.anthropic().messages.stream(model=model, max_tokens=200, messages=user(WORDS)) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert WORDS in text
    assert final.stop_reason == "end_turn"
    [record] = gateway.new_records(before)
    assert record["outcome"] == "ok" and record["usage"]["completion_tokens"] == final.usage.output_tokens


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
def test_openai_tools(gateway, model, stream):
    client = gateway.openai()
    question = user("What is the weather? Call get_weather.")
    options = {"model": model, "tools": [OPENAI_TOOL], "tool_choice": "required"}
    if stream:
        calls = {}
        for chunk in client.chat.completions.create(messages=question, stream=True, **options):
            for choice in chunk.choices:
                for call in choice.delta.tool_calls or []:
                    known = calls.setdefault(call.index, {"id": None, "name": "", "arguments": ""})
                    known["id"] = call.id or known["id"]
                    known["name"] += call.function.name or ""
                    known["arguments"] += call.function.arguments or ""
        [call] = calls.values()
    else:
        choice = client.chat.completions.create(messages=question, **options).choices[0]
        assert choice.finish_reason == "tool_calls"
        [found] = choice.message.tool_calls
        call = {"id": found.id, "name": found.function.name, "arguments": found.function.arguments}
    assert call["name"] == "get_weather" and call["id"]
    assert isinstance(json.loads(call["arguments"])["city"], str)
    told = question + [
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": call["name"], "arguments": call["arguments"]},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call["id"], "content": "21 degrees and sunny"},
    ]
    answer = client.chat.completions.create(model=model, tools=[OPENAI_TOOL], messages=told)
    assert "21 degrees and sunny" in answer.choices[0].message.content


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_tools(gateway, model, stream):
    client = gateway.anthropic()
    question = user("What is the weather? Call get_weather.")
    options = {"model": model, "max_tokens": 300, "tools": [ANTHROPIC_TOOL], "tool_choice": {"type": "any"}}
    if stream:
        with client.messages.stream(messages=question, **options) as events:
            answer = events.get_final_message()
    else:
        answer = client.messages.create(messages=question, **options)
    assert answer.stop_reason == "tool_use"
    [call] = [block for block in answer.content if block.type == "tool_use"]
    assert call.name == "get_weather" and isinstance(call.input["city"], str)
    told = question + [
        {"role": "assistant", "content": [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees and sunny"}],
        },
    ]
    answer = client.messages.create(model=model, max_tokens=300, tools=[ANTHROPIC_TOOL], messages=told)
    assert "21 degrees and sunny" in "".join(block.text for block in answer.content if block.type == "text")


def test_count_tokens(gateway):
    counted = gateway.anthropic().messages.count_tokens(model="anthropic/claude-sonnet-4-5", messages=user(WORDS))
    assert counted.input_tokens > 5


def test_models_in_both_shapes(gateway):
    ids = {model.id for model in gateway.openai().models.list()}
    assert {"smart", "clever"} <= ids
    ids = {model.id for model in gateway.anthropic().models.list(limit=1000)}
    assert {"smart", "clever"} <= ids


@pytest.mark.parametrize("model", MODELS)
def test_a_provider_sees_its_own_key_and_nothing_of_the_client_or_the_gateway(gateway, model):
    gateway.openai().chat.completions.create(
        model=model,
        messages=user("hello"),
        extra_headers={"x-api-key": CLIENT_KEY, "cookie": "a=b", "x-forwarded-for": "203.0.113.7", "x-real-ip": "1.2.3.4"},
    )
    [seen] = mock_of(gateway, model).requests()
    headers = seen["headers"]
    key = KEYS["OPENAI_API_KEY" if model.startswith("openai/") else "ANTHROPIC_API_KEY"]
    name = "authorization" if model.startswith("openai/") else "x-api-key"
    assert headers[name].endswith("sha256:" + hashlib.sha256(key.encode()).hexdigest()[:12])
    private = ("x-envoy-", "x-conduit-", "x-forwarded-", "x-real-ip", "cookie", "forwarded")
    assert [found for found in headers if found.startswith(private)] == []
    assert ("x-api-key" in headers) != ("authorization" in headers)
    assert seen["body"]["model"] == model.split("/", 1)[1]


def test_http2_without_tls_is_served_too(gateway):
    """A client that speaks HTTP/2 from its first byte on gets settings, not an error."""
    import socket

    with socket.create_connection(("127.0.0.1", gateway.listen), timeout=5) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        head = connection.recv(9)
    assert head[3] == 4
