"""Metrics and records agree, exactly; many requests leave nothing behind."""

import asyncio
import collections
import os

import httpx

from money import parts

REQUESTS = int(os.environ.get("CONDUIT_E2E_REQUESTS", "2000"))
CONNECTIONS = 32


def load(gateway, count):
    """Sends `count` requests over 32 connections; returns statuses and answers that were not as asked."""
    statuses, wrong = collections.Counter(), []
    queue = iter(range(count))
    models = ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "smart", "after-503", "openai/gpt-4o+status=400"]

    async def worker(client):
        for number in queue:
            text = f"request number {number}"
            body = {
                "model": models[number % len(models)],
                "max_tokens": 50,
                "messages": [{"role": "user", "content": text}],
                "stream": number % 4 == 0,
            }
            path = "/v1/messages" if number % 2 else "/v1/chat/completions"
            answer = await client.post(path, json=body)
            statuses[answer.status_code] += 1
            refused = body["model"].endswith("+status=400")
            ok = answer.status_code == 400 if refused else answer.status_code == 200 and str(number) in answer.text
            if not ok:
                wrong.append((number, body["model"], path, answer.status_code, answer.text[:300]))

    async def run():
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        async with httpx.AsyncClient(base_url=gateway.url, limits=limits, trust_env=False, timeout=60) as client:
            await asyncio.gather(*(worker(client) for _ in range(CONNECTIONS)))

    asyncio.run(run())
    return statuses, wrong


def totals_of_records(records):
    sums = collections.Counter()
    for record in records:
        sums["requests", record["target"] or "none", record["reason"] or "none", record["outcome"]] += 1
        if record["target"] is None:
            continue
        for target, usage, cost in parts(record):
            about = tuple(target.split("/", 1))
            for kind, tokens in (("input", usage["prompt_tokens"]), ("output", usage["completion_tokens"])):
                sums["tokens", *about, kind] += tokens or 0
            sums["cost", *about] += cost or 0
    return +sums


def totals_of_metrics(samples):
    sums = collections.Counter()
    for name, labels, value in samples:
        if name == "conduit_requests":
            sums["requests", labels["target"], labels["reason"], labels["outcome"]] += value
            continue
        about = (labels.get("gen_ai_provider_name"), labels.get("gen_ai_request_model"))
        if name == "gen_ai_client_token_usage":
            sums["tokens", *about, labels["gen_ai_token_type"]] += value
        elif name == "conduit_cost_picodollars":
            sums["cost", *about] += value
    return +sums


def test_many_requests_end_in_as_many_records_and_equal_totals(make_gateway):
    gateway = make_gateway()
    before = gateway.recorded()
    statuses, wrong = load(gateway, REQUESTS)
    assert not wrong, (len(wrong), wrong[:5])
    assert sum(statuses.values()) == REQUESTS
    records = gateway.settled_records()
    assert len(records) - before == REQUESTS
    assert {record["outcome"] for record in records[before:]} == {"ok", "provider_error"}
    from_records, from_metrics = totals_of_records(records), totals_of_metrics(gateway.metrics())
    assert from_records == from_metrics
    assert sum(value for key, value in from_metrics.items() if key[0] == "cost") > 0
    assert gateway.gauge("conduit_exchanges") == 0


def test_the_totals_of_everything_that_went_wrong_are_equal_too(gateway):
    """Runs after the other files in the shared gateway: hang-ups, cuts, time-outs and refusals included."""
    records = gateway.settled_records()
    assert totals_of_records(records) == totals_of_metrics(gateway.metrics())
