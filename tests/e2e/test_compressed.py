"""Providers that compress their answers although none is asked for."""

import httpx
import pytest

USER = [{"role": "user", "content": "Please repeat this sentence to me."}]
CODINGS = ["gzip", "deflate", "br", "zstd"]
MODELS = ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_openai_sdk_reads_it(gateway, model, stream, coding):
    before = gateway.recorded()
    answer = gateway.openai().chat.completions.create(model=f"{model}+{coding}", messages=USER, stream=stream)
    if stream:
        text = "".join(choice.delta.content or "" for chunk in answer for choice in chunk.choices)
    else:
        text = answer.choices[0].message.content
    assert USER[0]["content"] in text
    [record] = gateway.new_records(before)
    assert record["outcome"] == "ok" and record["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_anthropic_sdk_reads_it(gateway, model, stream, coding):
    before = gateway.recorded()
    answer = gateway.anthropic().messages.create(
        model=f"{model}+{coding}", max_tokens=100, messages=USER, stream=stream
    )
    if stream:
        text = "".join(event.delta.text for event in answer if event.type == "content_block_delta")
    else:
        text = answer.content[0].text
    assert USER[0]["content"] in text
    [record] = gateway.new_records(before)
    assert record["outcome"] == "ok" and record["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("model", MODELS)
def test_a_compressed_stream_that_is_cut_ends_with_an_error(gateway, model, coding):
    body = {"model": f"{model}+{coding}+cut=150", "max_tokens": 100, "messages": USER, "stream": True}
    answer = httpx.post(f"{gateway.url}/v1/messages", json=body, trust_env=False)
    assert "content-encoding" not in answer.headers
    assert answer.text.count("event: error") == 1, answer.text
