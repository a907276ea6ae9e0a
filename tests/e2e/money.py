"""What the tests of money share: keys, prices, many requests at once, sums of records and bills."""

import asyncio
import collections
import dataclasses
import hashlib
import json
import re
from fractions import Fraction

PICO = 10**12


def key(consumer):
    return f"sk-e2e-{consumer}"


def entry(consumer, **more):
    """A consumer of the file with the hash of its key."""
    return {consumer: {"sha256": hashlib.sha256(key(consumer).encode()).hexdigest(), **more}}


def text(config):
    """A configuration as the gateway's template: `<<name>>` stands for a place that it knows."""
    whole = json.dumps(config, indent=1).replace("{", "{{").replace("}", "}}")
    whole = re.sub(r'"<<(listen|admin)>>"', r"<<\1>>", whole)
    return whole.replace("<<", "{").replace(">>", "}")


# --- prices


def rate(price, *kinds):
    """Picodollars per token: of the first of the kinds that the price names. Prices are USD per million tokens."""
    named = next(price[kind] for kind in kinds if kind in price)
    return Fraction(named) * PICO / 10**6


def cost(price, used):
    """What usage in the mock's words costs, in picodollars."""
    written, long = used["cache_write_tokens"], used["cache_write_1h_tokens"]
    plain = used["prompt_tokens"] - used["cached_tokens"] - written
    spoken = used["completion_tokens"] - used["reasoning_tokens"]
    total = (
        plain * rate(price, "input")
        + used["cached_tokens"] * rate(price, "cached_input", "input")
        + (written - long) * rate(price, "cache_write", "input")
        + long * rate(price, "cache_write_1h", "cache_write", "input")
        + (spoken * rate(price, "output") if spoken else 0)
        + (used["reasoning_tokens"] * rate(price, "reasoning", "output") if used["reasoning_tokens"] else 0)
        + used["requests"] * Fraction(price.get("request", 0)) * PICO
    )
    assert total.denominator == 1, "a price finer than a picodollar"
    return int(total)


# --- what was used

KINDS = (
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "completion_tokens",
    "reasoning_tokens",
)


def base(target):
    """The model of a target, without what it asks of the mock."""
    return target.rpartition("/")[2].split("+")[0]


def parts(record):
    """Target, usage and cost of each attempt that is billed. A record's cost holds that of all."""
    left = record["cost_picodollars"]
    for attempt in record["attempts"]:
        billed = attempt.get("billed")
        if billed:
            yield attempt["target"], billed["usage"], billed["cost_picodollars"]
            left = None if left is None else left - (billed["cost_picodollars"] or 0)
    if record["target"] is not None and record["usage"]["known"] is not None:
        yield record["target"], record["usage"], left


def of_records(records):
    """By model: requests, tokens by kind, and cost."""
    models = collections.defaultdict(collections.Counter)
    for record in records:
        for target, usage, cost in parts(record):
            model = models[base(target)]
            model["requests"] += 1
            model["cost"] += cost or 0
            for kind in KINDS:
                model[kind] += usage.get(kind) or 0
    return {model: dict(+sums) for model, sums in models.items()}


def of_bill(accounts, prices):
    """The same of the mock's bill. `prices` has a price by model, or prices by service tier."""
    models = {}
    for model, account in accounts.items():
        price = prices[model]
        if "default" in price:
            tiers = dict(account.get("tiers", {}))
            rest = {kind: account[kind] - sum(tier[kind] for tier in tiers.values()) for kind in (*KINDS, "requests")}
            total = sum(cost(price[tier], used) for tier, used in {**tiers, "default": rest}.items())
        else:
            total = cost(price, account)
        sums = {kind: account[kind] for kind in (*KINDS, "requests")}
        models[model] = dict(+collections.Counter(sums | {"cost": total}))
    return models


# --- many at once


@dataclasses.dataclass
class Answer:
    format: str
    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)

    @property
    def message(self):
        """An error's message, checked to be an error of the client's format."""
        said = self.json()
        if self.format == "messages":
            assert said["type"] == "error" and said["error"]["type"], said
        return said["error"]["message"]


PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


def request(consumer, model, format="chat", stream=False, words="word", limit=48, **headers):
    """One request as bytes, in a client's format. `word` is one token of gpt-4o's, the whole prompt is eight."""
    body = {"model": model, "stream": stream}
    if format == "responses":
        body |= {"input": words, "max_output_tokens": limit}
    else:
        body |= {"messages": [{"role": "user", "content": words}], "max_tokens": limit}
    if body["model"] is None:
        del body["model"]
    sent = json.dumps(body).encode()
    auth = {"x-api-key": key(consumer)} if format == "messages" else {"authorization": f"Bearer {key(consumer)}"}
    if consumer is None:
        auth = {}
    fields = {
        "host": "gateway",
        "connection": "close",
        "content-type": "application/json",
        "content-length": len(sent),
        "anthropic-version": "2023-06-01",
        **auth,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return format, f"POST {PATHS[format]} HTTP/1.1\r\n{head}\r\n".encode() + sent


def unchunked(body):
    out = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return out
        out, body = out + body[:length], body[length + 2 :]
    return out


def answer(format, raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 "), raw[:200]
    status, *fields = head.decode().split("\r\n")
    headers = {}
    for field in fields:
        name, _, value = field.partition(": ")
        headers[name.lower()] = value
    if headers.get("transfer-encoding") == "chunked":
        body = unchunked(body)
    return Answer(format, int(status.split()[1]), headers, body)


def send(gateway, requests, hang_up=None):
    """Sends all of them at the same time, each over its own connection; their answers in order. With `hang_up`, each
    connection is closed after that many bytes of its answer."""

    async def run():
        pairs = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", gateway.listen) for _ in requests))

        async def one(pair, asked):
            (reader, writer), (format, sent) = pair, asked
            writer.write(sent)
            await writer.drain()
            if hang_up is None:
                raw = await asyncio.wait_for(reader.read(-1), 60)
            else:
                raw = await asyncio.wait_for(reader.readexactly(hang_up), 60)
            writer.close()
            return None if hang_up is not None else answer(format, raw)

        return await asyncio.gather(*(one(pair, asked) for pair, asked in zip(pairs, requests)))

    return asyncio.run(run())


def mixed(consumer, model, count, **options):
    """Requests of both formats, every other one streamed."""
    return [
        request(consumer, model, ("chat", "messages")[number % 2], stream=number % 4 > 1, **options)
        for number in range(count)
    ]
