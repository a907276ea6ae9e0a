"""The bill that records and metrics show is the providers' own, to the picodollar, whatever went wrong."""

import json
import os
import subprocess

import pytest

from gateway import LOAD
from money import base, of_bill, of_records, text
from test_totals import totals_of_metrics, totals_of_records

EXCHANGES = int(os.environ.get("CONDUIT_E2E_EXCHANGES", "10000"))
CONNECTIONS = 48

# USD per million tokens (`request`: USD for one), some of them made up: no two kinds cost the same.
PRICES = {
    "gpt-4o": {"input": "2.5", "cached_input": "1.25", "output": "10", "request": "0.000007"},
    "gpt-4o-mini": {"input": "0.15", "cached_input": "0.075", "output": "0.6"},
    "o4-mini": {"input": "1.1", "cached_input": "0.275", "output": "4.4", "reasoning": "5.123456"},
    "claude-sonnet-4-5": {
        "input": "3", "cached_input": "0.3", "cache_write": "3.75", "cache_write_1h": "6", "output": "15",
    },
    "text-embedding-3-small": {"input": "0.02"},
    "gpt-3.5-turbo-instruct": {"input": "1.5", "output": "2"},
    # Of its answers no usage was told; it is counted.
    "gpt-4.1": {"input": "2", "output": "8"},
    "gpt-4.1-mini": {"input": "0.4", "output": "1.6"},
    "claude-haiku-4-5": {"input": "1", "output": "5"},
}
# From the list (<https://openai.com/api/pricing/>, 2026-11-21), not from the file.
LISTED = {
    "gpt-5-mini": {
        "default": {"input": "0.25", "cached_input": "0.025", "output": "2"},
        "flex": {"input": "0.125", "cached_input": "0.0125", "output": "1"},
        "priority": {"input": "0.45", "cached_input": "0.045", "output": "3.6"},
    },
}
COUNTED, LEFT, ESTIMATED = "gpt-4.1", "gpt-4.1-mini", "claude-haiku-4-5"

ALIASES = {
    "billed-then": ["openai/gpt-4o+status=500+usage+tokens=4", "anthropic/claude-sonnet-4-5"],
    "billed-twice": [
        "anthropic/claude-sonnet-4-5+status=529+usage+tokens=6",
        "openai/gpt-4o-mini+status=503+usage",
        "openai/gpt-4o",
    ],
    "free-then": ["openai/gpt-4o+status=503", "openai/gpt-4o-mini"],
    "dead-then": ["dead/gone", "anthropic/claude-sonnet-4-5"],
    "billed-for-nothing": ["openai/gpt-4o+status=500+usage", "openai/gpt-4o-mini+status=500+usage+tokens=3"],
}

TOOL = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
LONG = [{"type": "text", "text": "a rule " * 50, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]


def chat(model, **more):
    return "/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "request {n}"}], **more}


def messages(model, **more):
    said = [{"role": "user", "content": "request {n}"}]
    return "/v1/messages", {"model": model, "max_tokens": 200, "messages": said, **more}


def responses(model, **more):
    return "/v1/responses", {"model": model, "input": "request {n}", **more}


S = {"stream": True}
GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude-sonnet-4-5"

# What is sent, how it ends, and what is asked of the mock.
MIX = [
    (chat(GPT), "200", {}),
    (chat(GPT, **S), "200", {"tokens": 20}),
    (chat(GPT), "200", {"cached": 5}),
    (chat(GPT, n=2, **S), "200", {"cached": 4}),
    (chat(GPT, tools=[{"type": "function", "function": TOOL}], tool_choice="required"), "200", {}),
    (chat(GPT), "200", {"gzip": 1}),
    (chat(CLAUDE), "200", {}),
    (chat(CLAUDE, **S), "200", {"cached": 3}),
    (chat("openai/o4-mini"), "200", {}),
    (chat("openai/o4-mini", **S), "200", {}),
    (chat("openai/gpt-5-mini", service_tier="flex"), "200", {"cached": 2}),
    (chat("openai/gpt-5-mini", service_tier="priority", **S), "200", {}),
    (chat("openai/gpt-5-mini"), "200", {}),
    (messages(CLAUDE), "200", {"cached": 5, "cache-write": 2}),
    (messages(CLAUDE, **S), "200", {"cache-write": 4}),
    (messages(CLAUDE, system=LONG, **S), "200", {}),
    (messages(GPT), "200", {}),
    (messages(GPT, **S), "200", {"tokens": 9}),
    (responses(GPT), "200", {}),
    (responses(GPT, **S), "200", {"cached": 5}),
    (responses(CLAUDE, **S), "200", {}),
    (responses("openai/o4-mini"), "200", {}),
    (("/v1/embeddings", {"model": "openai/text-embedding-3-small", "input": "text {n}"}), "200", {}),
    (("/v1/completions", {"model": "openai/gpt-3.5-turbo-instruct", "prompt": "text {n}"}), "200", {}),
    # What fails is billed where it says what it used.
    (chat("billed-then"), "200", {}),
    (messages("billed-then", **S), "200", {}),
    (responses("billed-twice"), "200", {}),
    (chat("billed-twice", **S), "200", {}),
    (messages("free-then"), "200", {}),
    (chat("dead-then"), "200", {}),
    (chat("billed-for-nothing"), "500", {}),
    (messages("billed-for-nothing", **S), "500", {}),
    (chat(GPT), "400", {"status": 400}),
    (messages(CLAUDE), "429", {"status": 429}),
    (chat("nobody-knows-it"), "404", {}),
    # Torn after it said what it used.
    (chat(GPT, **S), "200", {"cut-end": 1, "tokens": 15}),
    (messages(CLAUDE, **S), "200", {"cut-end": 1}),
    (responses(GPT, **S), "200", {"error-in-stream": 1, "usage": 1}),
    # Torn before, or never said: counted here.
    (chat(f"openai/{COUNTED}", **S), "200", {"cut": 3000, "tokens": 40}),
    (messages(f"openai/{COUNTED}", **S), "200", {"error-in-stream": 1, "tokens": 30}),
    (chat(f"openai/{COUNTED}", **S), "200", {"end-early": 1, "tokens": 25}),
    (chat(f"openai/{COUNTED}"), "200", {"no-usage": 1, "tokens": 12}),
    (messages(f"anthropic/{ESTIMATED}", **S), "200", {"cut": 1500, "tokens": 60}),
]
# The client goes away.
GOING = f"openai/{LEFT}+tokens=300+drip=2"
HANG_UPS = [chat(GOING, **S), messages(GOING, **S), responses(GOING, **S)]


def asking(model, faults):
    """The model's name with what is asked of the mock; headers do not pass from one format to another."""
    return model + "".join(f"+{name}={value}" for name, value in faults.items())


def config():
    targets = {target for chain in ALIASES.values() for target in chain}
    targets |= {kind["body"]["model"] for kind in kinds()}
    provider = lambda model: "anthropic" if "claude" in model else "openai"  # noqa: E731
    models = {f"{provider(model)}/{model}": {"price": price} for model, price in PRICES.items()}
    for target in (target for target in targets if "+" in target):
        models[target] = {"price": PRICES[base(target)]}
    return text(
        {
            "version": 1,
            "listen": {"address": "127.0.0.1", "port": "<<listen>>"},
            "admin": {"address": "127.0.0.1", "port": "<<admin>>"},
            "timeouts": {"connect": "1s", "first_byte": "20s", "idle": "20s"},
            "providers": {
                "openai": {"api_key": "${OPENAI_API_KEY}", "url": "<<openai>>/v1"},
                "anthropic": {"api_key": "${ANTHROPIC_API_KEY}", "url": "<<anthropic>>/v1"},
                "dead": {"kind": "openai-compatible", "url": "http://127.0.0.1:<<dead>>/v1"},
            },
            "models": models,
            "aliases": ALIASES,
        }
    )


def kinds():
    """The lines of the load: kinds in turn, named by their place."""
    for place, ((path, body), _, faults) in enumerate(MIX):
        headers = {}
        if base(body["model"]) in LISTED:
            headers = {f"x-mock-{name}": str(value) for name, value in faults.items()}
        else:
            body = body | {"model": asking(body["model"], faults)}
        yield {"kind": f"{place}", "path": path, "headers": headers, "body": body}
    for place, (path, body) in enumerate(HANG_UPS):
        yield {"kind": f"left {place}", "path": path, "body": body, "hang_up": 1500}


def load(gateway, count):
    file = gateway.file.with_name("kinds.jsonl")
    file.write_text("\n".join(json.dumps(kind) for kind in kinds()))
    command = [LOAD, f"127.0.0.1:{gateway.listen}", file, str(count), str(CONNECTIONS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def spent():
    """Records, metrics and the mocks' bills after the load."""
    from gateway import Gateway

    gateway = Gateway(config())
    try:
        for mock in gateway.mocks.values():
            mock.forget()
        before = gateway.recorded()
        said = load(gateway, EXCHANGES)
        records = gateway.settled_records()[before:]
        bill = {}
        for mock in gateway.mocks.values():
            bill |= mock.bill()
        yield said, records, gateway.metrics(), bill
    finally:
        gateway.close()


def test_every_exchange_ended_as_it_should_in_one_record(spent):
    said, records, _, _ = spent
    ends = said["ends"]
    surprises = {
        (number, MIX[number][0]): ends[str(number)]
        for number in range(len(MIX))
        if set(ends.get(str(number), {})) != {MIX[number][1]}
    }
    assert not surprises
    assert [set(ends[f"left {number}"]) for number in range(len(HANG_UPS))] == [{"left"}] * len(HANG_UPS)
    assert len(records) == EXCHANGES == sum(count for kind in ends.values() for count in kind.values())


def test_records_and_metrics_are_the_same(spent):
    _, records, samples, _ = spent
    # What was asked before the load, whether the gateway is ready, is no part of it; it used nothing.
    both = totals_of_records(records), totals_of_metrics(samples)
    from_records, from_metrics = ({key: sum for key, sum in all.items() if key[0] != "requests"} for all in both)
    assert from_records == from_metrics


def test_what_providers_told_is_what_they_billed(spent):
    _, records, _, bill = spent
    ours, theirs = of_records(records), of_bill(bill, PRICES | LISTED)
    told = [model for model in theirs if model not in (COUNTED, LEFT, ESTIMATED)]
    assert len(told) == 7
    assert {model: ours[model] for model in told} == {model: theirs[model] for model in told}
    assert all("untold" not in bill[model] for model in told)
    used = {kind for model in told for kind in theirs[model]}
    assert {"cached_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens"} <= used


def test_what_providers_did_not_tell_is_counted(spent):
    _, records, _, bill = spent
    ours, theirs = of_records(records), of_bill(bill, PRICES | LISTED)
    assert ours[COUNTED] == theirs[COUNTED]
    # Of a model without a public tokenizer the prompt was told, what it said is estimated.
    assert ours[ESTIMATED]["prompt_tokens"] == theirs[ESTIMATED]["prompt_tokens"]
    said = (ours[ESTIMATED]["completion_tokens"], theirs[ESTIMATED]["completion_tokens"])
    assert abs(said[0] - said[1]) <= 0.1 * said[1], said


def test_a_client_that_hung_up_is_billed_for_what_passed(spent):
    said, records, _, bill = spent
    ours, theirs = of_records(records)[LEFT], bill[LEFT]
    left = sum(said["ends"][f"left {number}"]["left"] for number in range(len(HANG_UPS)))
    assert ours["requests"] == theirs["requests"] == left
    assert ours["prompt_tokens"] == theirs["prompt_tokens"]
    # The mock goes on until it notices; what was on its way then never passed the gateway.
    missed = theirs["completion_tokens"] - ours["completion_tokens"]
    assert 0 <= missed <= 60 * left, (ours, theirs)
    assert ours["completion_tokens"] >= 4 * left
