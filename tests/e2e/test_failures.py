"""What clients see when things go wrong, and what is recorded."""

import threading
import time

import anthropic
import httpx
import openai
import pytest

from gateway import wait_for

USER = [{"role": "user", "content": "Please repeat this sentence to me."}]


def openai_call(gateway, model, stream=False):
    return gateway.openai().chat.completions.create(model=model, messages=USER, stream=stream)


def anthropic_call(gateway, model, stream=False):
    return gateway.anthropic().messages.create(model=model, max_tokens=100, messages=USER, stream=stream)


# --- fallback

CHAINS = {
    "after-dead": [("dead/gone", None), ("anthropic/claude-sonnet-4-5", 200)],
    "after-503": [("openai/gpt-4o+status=503", 503), ("anthropic/claude-sonnet-4-5", 200)],
    "after-529": [("anthropic/claude-sonnet-4-5+status=529", 529), ("openai/gpt-4o", 200)],
    "after-429": [("openai/gpt-4o+status=429", 429), ("openai/gpt-4o-mini", 200)],
    "after-hangup": [("openai/gpt-4o+hangup", None), ("anthropic/claude-sonnet-4-5", 200)],
    "after-slow": [("openai/gpt-4o+delay=20000", None), ("anthropic/claude-sonnet-4-5", 200)],
    "third": [
        ("openai/gpt-4o+status=500", 500),
        ("anthropic/claude-sonnet-4-5+status=503", 503),
        ("openai/gpt-4o-mini", 200),
    ],
}


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("alias", CHAINS)
def test_the_next_target_answers(gateway, alias, stream, sdk):
    before = gateway.recorded()
    if sdk == "openai":
        answer = openai_call(gateway, alias, stream)
        if stream:
            text = "".join(c.delta.content or "" for chunk in answer for c in chunk.choices)
        else:
            text = answer.choices[0].message.content
    else:
        answer = anthropic_call(gateway, alias, stream)
        if stream:
            text = "".join(e.delta.text for e in answer if e.type == "content_block_delta")
        else:
            text = answer.content[0].text
    assert USER[0]["content"] in text
    [record] = gateway.new_records(before)
    assert [(tried["target"], tried["status"]) for tried in record["attempts"]] == CHAINS[alias]
    assert (record["target"], record["outcome"]) == (CHAINS[alias][-1][0], "ok")
    assert (record["reason"], record["rule"]) == ("alias", alias)


def test_a_target_whose_provider_asked_for_time_is_left_alone(gateway):
    before = gateway.recorded()
    for _ in range(3):
        openai_call(gateway, "resting")
    tried = [[attempt["target"] for attempt in record["attempts"]] for record in gateway.new_records(before, 3)]
    assert tried == [["openai/gpt-4o+status=429+retry-after=300", "openai/gpt-4o-mini"], *[["openai/gpt-4o-mini"]] * 2]


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_a_whole_answer_that_was_cut_is_tried_elsewhere(gateway, sdk):
    before = gateway.recorded()
    (openai_call if sdk == "openai" else anthropic_call)(gateway, "after-cut")
    [record] = gateway.new_records(before)
    assert [tried["target"] for tried in record["attempts"]] == ["openai/gpt-4o+cut=60", "anthropic/claude-sonnet-4-5"]
    assert record["outcome"] == "ok"


@pytest.mark.parametrize("stream", [False, True])
def test_when_all_fail_the_last_status_is_the_clients(gateway, stream):
    before = gateway.recorded()
    with pytest.raises(openai.InternalServerError) as failure:
        openai_call(gateway, "nobody", stream)
    assert failure.value.status_code == 503
    with pytest.raises(anthropic.APIStatusError) as failure:
        anthropic_call(gateway, "nobody", stream)
    assert failure.value.status_code == 503
    assert failure.value.body["type"] == "error"
    records = gateway.new_records(before, 2)
    assert [record["outcome"] for record in records] == ["provider_error"] * 2
    assert [len(record["attempts"]) for record in records] == [2, 2]


# --- errors as the SDKs' own types

OPENAI_ERRORS = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
    503: openai.InternalServerError,
}
ANTHROPIC_ERRORS = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    429: anthropic.RateLimitError,
    503: anthropic.APIStatusError,
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("target", ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"])
@pytest.mark.parametrize("status", OPENAI_ERRORS)
def test_a_providers_error_is_the_sdks_own(gateway, status, target, stream):
    model = f"{target}+status={status}"
    with pytest.raises(OPENAI_ERRORS[status]) as failure:
        openai_call(gateway, model, stream)
    assert failure.value.status_code == status and failure.value.body["message"]
    with pytest.raises(ANTHROPIC_ERRORS[status]) as failure:
        anthropic_call(gateway, model, stream)
    assert failure.value.status_code == status and failure.value.body["error"]["message"]


def test_retry_after_reaches_the_client(gateway):
    with pytest.raises(openai.RateLimitError) as failure:
        openai_call(gateway, "openai/gpt-4o+status=429+retry-after=7")
    assert failure.value.response.headers["retry-after"] == "7"


def test_an_unknown_model_is_404_with_near_names(gateway):
    with pytest.raises(openai.NotFoundError) as failure:
        openai_call(gateway, "smrt")
    assert "smart" in failure.value.message
    with pytest.raises(anthropic.NotFoundError) as failure:
        anthropic_call(gateway, "smrt")
    assert failure.value.body["error"]["type"] == "not_found_error"
    assert "smart" in failure.value.body["error"]["message"]


def test_a_provider_that_cannot_be_reached_is_503(gateway):
    before = gateway.recorded()
    with pytest.raises(openai.InternalServerError) as failure:
        openai_call(gateway, "dead/gone")
    assert failure.value.status_code == 503 and failure.value.body["message"]
    with pytest.raises(anthropic.APIStatusError) as failure:
        anthropic_call(gateway, "dead/gone", stream=True)
    assert failure.value.status_code == 503 and failure.value.body["type"] == "error"
    assert [record["outcome"] for record in gateway.new_records(before, 2)] == ["unreachable"] * 2


def test_a_provider_that_does_not_answer_in_time_is_a_timeout(gateway):
    before = gateway.recorded()
    with pytest.raises(openai.APIStatusError) as failure:
        openai_call(gateway, "openai/gpt-4o+delay=20000")
    assert failure.value.status_code == 504 and failure.value.body["message"]
    assert gateway.new_records(before)[0]["outcome"] == "timeout"


@pytest.mark.parametrize(
    "body", ['{"model": "smart", "messages": [', "", "[]", '{"model": 1}', "null", '{"model":"smart","messages":"x"}']
)
def test_a_broken_body_is_400_in_the_clients_format(gateway, body):
    url = gateway.url
    answer = httpx.post(f"{url}/v1/chat/completions", content=body, trust_env=False, timeout=10)
    assert answer.status_code == 400 and answer.json()["error"]["message"]
    answer = httpx.post(f"{url}/v1/messages", content=body, trust_env=False, timeout=10)
    assert answer.status_code == 400 and answer.json()["type"] == "error"


def test_a_body_that_is_too_large_is_413(gateway):
    body = {"model": "smart", "messages": [{"role": "user", "content": "x" * (2 << 20)}]}
    for path in ("/v1/chat/completions", "/v1/messages"):
        answer = gateway.post(path, body)
        assert answer.status_code == 413 and answer.json()["error"]["message"]

    def chunks():
        yield b'{"model":"smart","messages":[{"role":"user","content":"'
        for _ in range(64):
            yield b"x" * 32_768

    answer = httpx.post(f"{gateway.url}/v1/chat/completions", content=chunks(), trust_env=False, timeout=10)
    assert answer.status_code == 413


# --- in the middle of a stream

TORN = ["openai/gpt-4o+cut=900", "anthropic/claude-sonnet-4-5+cut=900", "openai/gpt-4o+cut=903"]


@pytest.mark.parametrize("target", TORN + ["openai/gpt-4o+end-early", "openai/gpt-4o+error-in-stream"])
def test_a_torn_stream_ends_with_an_error_and_cleanly(gateway, target):
    before = gateway.recorded()
    words = [{"role": "user", "content": "word " * 100}]
    got = 0
    with pytest.raises(openai.APIError) as failure:
        for chunk in gateway.openai().chat.completions.create(model=target, messages=words, stream=True):
            got += 1
    assert not isinstance(failure.value, openai.APIConnectionError), "cut, without an error event"
    assert got > 0
    with pytest.raises(anthropic.APIStatusError) as failure:
        for event in gateway.anthropic().messages.create(model=target, max_tokens=500, messages=words, stream=True):
            got += 1
    # The transfer itself ends as it should: no client library reports a broken connection.
    with httpx.stream(
        "POST",
        f"{gateway.url}/v1/chat/completions",
        json={"model": target, "messages": words, "stream": True},
        trust_env=False,
        timeout=10,
    ) as answer:
        raw = b"".join(answer.iter_raw()).decode()
    assert '"error"' in raw
    records = gateway.new_records(before, 3)
    assert all(record["outcome"] in ("cut", "provider_error") for record in records), records
    assert all(record["usage"]["completion_tokens"] is not None for record in records)


def test_a_stream_that_never_begins_is_an_error(gateway):
    """The head of an answer comes, its first piece does not."""
    began = time.monotonic()
    with pytest.raises(openai.InternalServerError) as failure:
        list(openai_call(gateway, "openai/gpt-4o+drip=15000", stream=True))
    assert failure.value.body["message"]
    with pytest.raises(anthropic.APIStatusError):
        list(anthropic_call(gateway, "openai/gpt-4o+drip=15000", stream=True))
    assert time.monotonic() - began < 12


def test_a_client_that_hangs_up_is_recorded_with_what_it_got(gateway):
    before = gateway.recorded()
    words = [{"role": "user", "content": "word " * 300}]
    stream = gateway.openai().chat.completions.create(model="anthropic/claude-sonnet-4-5+drip=50", messages=words, stream=True)
    for number, _ in enumerate(stream):
        if number == 5:
            break
    stream.close()
    [record] = gateway.new_records(before)
    assert record["outcome"] == "client_gone"
    assert record["usage"]["known"] == "estimated"
    assert 0 < record["usage"]["completion_tokens"] < 300
    assert record["cost_picodollars"] > 0


# --- providers that come and go

def test_killing_the_first_provider_loses_no_request(make_gateway):
    gateway = make_gateway()
    total, workers = 240, 8
    lost, torn, done, lock = [], [], [0], threading.Lock()

    def ask(client, stream, pieces):
        answer = client.chat.completions.create(model="smart", messages=USER, stream=stream)
        if stream:
            for chunk in answer:
                pieces.extend(choice.delta.content or "" for choice in chunk.choices)
        else:
            pieces.append(answer.choices[0].message.content)

    def work(worker):
        client = gateway.openai()
        for number in range(total // workers):
            pieces = []
            try:
                ask(client, number % 3 == 0, pieces)
                assert USER[0]["content"] in "".join(pieces)
            except Exception as failure:  # noqa: BLE001: each one is judged below
                # What a client has seen the beginning of cannot be asked again elsewhere.
                with lock:
                    (torn if pieces else lost).append(f"worker {worker}, request {number}: {failure!r}")
            with lock:
                done[0] += 1

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    wait_for(lambda: done[0] > total // 3, 60, "a third of the requests")
    gateway.openai_mock.process.kill()
    for thread in threads:
        thread.join()
    assert not lost, (len(lost), lost[:5])
    assert len(torn) <= workers, torn
    records = [record for record in gateway.settled_records() if record["endpoint"] == "chat"]
    assert len(records) == total
    assert {record["provider"] for record in records if record["outcome"] == "ok"} == {"openai", "anthropic"}


def test_a_torn_stream_of_an_unread_format_is_not_passed_for_whole(gateway):
    before = gateway.recorded()
    with pytest.raises(httpx.RemoteProtocolError):
        with httpx.stream(
            "POST",
            f"{gateway.url}/v1/completions",
            json={"model": "openai/gpt-4o+cut=900", "prompt": "word " * 100, "stream": True},
            trust_env=False,
            timeout=10,
        ) as answer:
            assert answer.status_code == 200
            b"".join(answer.iter_raw())
    assert gateway.new_records(before, 1)[0]["outcome"] == "cut"
