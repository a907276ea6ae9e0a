"""The gateway of the tests of budgets and limits: four workers, and each test with consumers of its own.

One request costs what it may cost at most: eight prompt tokens of gpt-4o's, and as many words as its limit allows.
"""

from decimal import Decimal

from money import entry, text

# USD: 8 × 5 + 48 × 20 millionths.
ONE = Decimal("0.001")
PRICE = {"input": "5", "output": "20"}

TARGETS = {
    "word": "openai/gpt-4o+tokens=48+delay=200",
    "quick": "openai/gpt-4o+tokens=48",
    "slow": "openai/gpt-4o+tokens=48+delay=3000",
    "stuck": "openai/gpt-4o+tokens=48+delay=12000",
    "long": "openai/gpt-4o+tokens=48+drip=50",
    "wordy": "openai/gpt-4o+tokens=400+no-limit+drip=2",
    "failing": "openai/gpt-4o+status=500",
    "torn": "openai/gpt-4o+tokens=48+cut=2500",
    "gone": "dead/gone",
    "cheap": "openai/gpt-4o-mini+tokens=48",
}
# A tenth of the price.
CHEAP = {"input": "0.5", "output": "2"}


def budget(count, **more):
    """Enough for so many requests. A month ends during the tests of one night in thirty; an hour of each in sixty."""
    return {"budgets": [{"period": "month", "usd": str(count * ONE), **more}]}


def config(consumers, **more):
    return text(
        {
            "version": 1,
            "listen": {"address": "127.0.0.1", "port": "<<listen>>"},
            "admin": {"address": "127.0.0.1", "port": "<<admin>>"},
            "timeouts": {"connect": "1s", "first_byte": "120s", "idle": "120s"},
            "providers": {
                "openai": {"api_key": "${OPENAI_API_KEY}", "url": "<<openai>>/v1"},
                "dead": {"kind": "openai-compatible", "url": "http://127.0.0.1:<<dead>>/v1"},
            },
            "models": {target: {"price": CHEAP if "mini" in target else PRICE} for target in TARGETS.values()},
            "aliases": TARGETS,
            "consumers": {name: fields for one in consumers for name, fields in one.items()},
            **more,
        }
    )


ROUNDS = 3
CONSUMERS = [
    *(entry(f"burst-{number}", **budget(40)) for number in range(ROUNDS)),
    entry("hanging", **budget(10)),
    entry("unlucky", **budget(5)),
    entry("talked-at", **budget(20)),
    entry("warned", **budget(4, warn_at=[0.5, 0.8], on_exceed="warn")),
    entry("frugal", **budget(Decimal("2.5"), on_exceed={"downgrade": "cheap"})),
    # Enough for eight prompt tokens and a hundred more.
    entry("clamped", budgets=[{"period": "month", "usd": "0.00204", "clamp": True}]),
    *(entry(f"requests-{number}", limits={"requests_per_minute": 40}) for number in range(ROUNDS)),
    *(entry(f"tokens-{number}", limits={"tokens_per_minute": 40 * 56}) for number in range(ROUNDS)),
    entry("slots", limits={"concurrent": 10}),
    entry("few", limits={"concurrent": 4}),
    entry("told", limits={"requests_per_minute": 60, "tokens_per_minute": 6000}),
    entry("narrow", models=["cheap"]),
    entry("late", expires="2026-01-01"),
    entry("free"),
]
