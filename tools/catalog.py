#!/usr/bin/env python3
"""Makes src/cost/catalog.json from the price data of the genai-prices crate.

    tools/catalog.py PATH/TO/genai-prices-0.2.1/data/prices.json --version 0.2.1 --as-of 2026-11-21 \\
        --limits PATH/TO/model_prices_and_context_window.json --limits-version 1.106.2 > src/cost/catalog.json

Keeps what Conduit bills by: providers, models, match rules, prices per token with tiers, dates and service tiers, and
context windows. How much a model answers with at most is the figure of litellm's list, the largest where it has several,
or what the vendor states (STATED). What is no less than the context window says nothing and is left out. Prices become integers: picodollars per token, which reads as micro-dollars per million tokens. Stops
at anything that it cannot carry over exactly.
"""

import argparse
import json
import re
import sys
from decimal import Decimal

# Providers that sell models under a price list of their own. Aggregators that pass on others' prices are left out.
PROVIDERS = [
    "anthropic", "aws", "azure", "cerebras", "cohere", "deepseek", "fireworks", "google", "groq", "minimax",
    "mistral", "moonshotai", "openai", "perplexity", "together", "x-ai", "zai", "zhipuai",
]

# Price key of the data: (kind here, how many of it the price is for). Kinds that no usage report counts are left out.
KINDS = {
    "input_mtok": ("input", 10**6),
    "cache_read_mtok": ("cached_input", 10**6),
    "cache_write_mtok": ("cache_write", 10**6),
    "cache_write_1h_mtok": ("cache_write_1h", 10**6),
    "output_mtok": ("output", 10**6),
    "output_reasoning_mtok": ("reasoning", 10**6),
    "input_audio_mtok": ("audio_input", 10**6),
    "input_image_mtok": ("image_input", 10**6),
    "output_audio_mtok": ("audio_output", 10**6),
    "requests_kcount": ("request", 10**3),
}

# Provider here: the names under which litellm's list has its models.
LIMITED = {
    "anthropic": ["anthropic"], "aws": ["bedrock", "bedrock_converse"], "azure": ["azure", "azure_ai"],
    "cerebras": ["cerebras"], "cohere": ["cohere", "cohere_chat"], "deepseek": ["deepseek"],
    "fireworks": ["fireworks_ai"], "google": ["gemini", "vertex_ai-language-models", "vertex_ai-anthropic_models"],
    "groq": ["groq"], "minimax": ["minimax"], "mistral": ["mistral", "codestral"], "moonshotai": ["moonshot"],
    "openai": ["openai", "text-completion-openai"], "perplexity": ["perplexity"], "together": ["together_ai"],
    "x-ai": ["xai"], "zai": ["zai"],
}

# What vendors state where litellm's list is silent or says less: (providers, pattern of the model's id, tokens), from
# https://platform.claude.com/docs/en/about-claude/models/overview, https://developers.openai.com/api/docs/models,
# https://ai.google.dev/gemini-api/docs/models, https://console.groq.com/docs/models,
# https://docs.cohere.com/docs/models, https://docs.z.ai/guides/overview/overview and
# https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-deepseek.html, all 2026-11-21. The first that
# fits counts.
CLAUDE = ("anthropic", "aws", "google")
STATED = [
    (CLAUDE, r"claude-(v1|2)|claude-v2|claude-instant", 4096),
    (CLAUDE, r"claude-3-(haiku|sonnet|opus)", 4096),
    (CLAUDE, r"claude-3-5-(haiku|sonnet)", 8192),
    (CLAUDE, r"claude-3-7-sonnet", 128000),
    (CLAUDE, r"claude-(opus-4-[01](-|$)|4-opus|opus-4-2025)", 32000),
    (CLAUDE, r"claude-(sonnet-4-0|4-sonnet|sonnet-4-2025)", 64000),
    (CLAUDE, r"claude-(haiku|opus|sonnet)-4-5", 64000),
    (CLAUDE, r"claude-(haiku|opus|sonnet|fable)-(4-[678]|5)", 128000),
    (("openai",), r"^gpt-4$", 8192),
    (("openai",), r"^(gpt-3\.5-turbo-0613|gpt-4-vision-preview|gpt-4o(-mini)?-realtime-preview|gpt-realtime)$", 4096),
    (("openai",), r"^(chatgpt-4o-latest|gpt-4\.5-preview)$", 16384),
    (("openai",), r"^o1-preview$", 32768),
    (("openai",), r"^o1-mini$", 65536),
    (("openai",), r"^codex-mini$", 100000),
    (("google",), r"^gemini-(1\.5|2\.0|flash-1\.5|pro-1\.5)", 8192),
    (("google",), r"^gemini-(2\.5-flash-image|3-pro-image)", 32768),
    (("google",), r"^gemini-(2\.5|3-)", 65536),
    (("groq",), r"^llama-3\.3-70b-versatile$", 32768),
    (("groq",), r"^meta-llama/llama-4-", 8192),
    (("groq",), r"^moonshotai/kimi-k2", 16384),
    (("groq",), r"^qwen/qwen3-32b$", 40960),
    (("groq",), r"^meta-llama/llama-guard-4", 1024),
    (("cohere",), r"^command-a$", 8192),
    (("zai",), r"^GLM-4\.5(-|$)", 98304),
    (("zai",), r"^GLM-(4\.[67]|5)", 131072),
    (("aws",), r"^deepseek\.r1", 32768),
]

# The one rule of the data that looks ahead; it says the same without.
LOOKAHEAD = {
    "^(?!.*-[tT][tT][sS](?:$|-))": {"not": {"or": [{"ends_with": "-tts"}, {"contains": "-tts-"}]}},
}


def picodollars(usd, per):
    """USD for `per` units, as picodollars for one. Exact, or an error."""
    exact = Decimal(usd) * 10**12 / per
    if exact != exact.to_integral_value():
        raise ValueError(f"{usd} USD per {per} is no whole number of picodollars")
    return int(exact)


def rate(price, per):
    """A flat rate is a number; a tiered one is [base, above, rate, above, rate, ...] by rising prompt size."""
    if not isinstance(price, dict):
        return picodollars(price, per)
    flat = [picodollars(price["base"], per)]
    for tier in sorted(price["tiers"], key=lambda tier: tier["start"]):
        flat += [int(tier["start"]), picodollars(tier["price"], per)]
    return flat


def rates(prices):
    return {KINDS[key][0]: rate(price, KINDS[key][1]) for key, price in prices.items() if key in KINDS}


def plain(text):
    """Lower case, as all comparison is; without characters that JSON would escape."""
    text = text.lower()
    if not text.isascii() or re.search(r'["\\\x00-\x1f]', text):
        raise ValueError(f"literal {text!r} needs escaping")
    return text


def shapes(pattern):
    """A regular expression of the data as shapes: literals in which `#` stands for one digit, `$` (last) for the end."""
    if pattern in LOOKAHEAD:
        return LOOKAHEAD[pattern]
    if not pattern.startswith("^"):
        raise ValueError(f"pattern {pattern!r} has no start")
    body = re.sub(r"\\d\{(\d+)\}", lambda found: "#" * int(found[1]), pattern[1:]).replace(r"\d", "#")
    body = re.sub(r"\\([.\[\]])", lambda found: {".": ".", "[": "\1", "]": "\2"}[found[1]], body)
    choice = re.search(r"\[([^\]]+)\]", body)
    bodies = [body[: choice.start()] + c + body[choice.end() :] for c in choice[1]] if choice else [body]
    bodies = [b.replace("\1", "[").replace("\2", "]") for b in bodies]
    if any(re.search(r"[\\^*+?(){}|]|\$.", b) or "#" in pattern for b in bodies):
        raise ValueError(f"pattern {pattern!r} is no shape")
    rules = [{"equals": plain(b[:-1])} if b.endswith("$") and "#" not in b else {"shape": plain(b)} for b in bodies]
    return rules[0] if len(rules) == 1 else {"or": rules}


def rule(match):
    """A match rule, with literals in lower case and each alternative once."""
    ((op, value),) = match.items()
    if op == "regex":
        return shapes(value)
    if op in ("or", "and"):
        rules = []
        for one in map(rule, value):
            if one not in rules:
                rules.append(one)
        return rules[0] if len(rules) == 1 else {op: rules}
    if op in ("equals", "starts_with", "ends_with", "contains"):
        return {op: plain(value)}
    raise ValueError(f"unknown match rule {op}")


def constraint(found):
    """`from`: the first day (UTC) on which a price holds. `hours`: the daily time (UTC) in which it does."""
    if not found:
        return {}
    if set(found) == {"start_date"}:
        return {"from": found["start_date"]}
    if set(found) == {"start_time", "end_time"}:
        times = [found["start_time"], found["end_time"]]
        if not all(re.fullmatch(r"\d\d:\d\d:\d\dZ", time) for time in times):
            raise ValueError(f"times {times} are not UTC")
        return {"hours": [time[:8] for time in times]}
    raise ValueError(f"unknown constraint {found}")


def service_tier(when):
    """The service tier a variant is for, as usage reports name it; None where it is for something else."""
    if when == {"processing": "batch"}:
        return "batch"
    return when["service_tier"] if set(when) == {"service_tier"} else None


def holds(rule, name):
    """Whether a rule holds for a name in lower case, as src/cost/catalog.rs has it."""
    ((op, value),) = rule.items()
    if op == "shape":
        shape = re.escape(value.removesuffix("$")).replace(r"\#", "[0-9]") + ("$" if value.endswith("$") else "")
        return re.match(shape, name) is not None
    return {
        "equals": lambda: name == value,
        "starts_with": lambda: name.startswith(value),
        "ends_with": lambda: name.endswith(value),
        "contains": lambda: value in name,
        "or": lambda: any(holds(one, name) for one in value),
        "and": lambda: all(holds(one, name) for one in value),
        "not": lambda: not holds(value, name),
    }[op]()


def add_limits(provider, models, limits):
    """Gives each model what it answers with at most."""
    most = {}
    for key, found in limits.items():
        chats = found.get("mode") in ("chat", "completion", "responses")
        if not chats or found.get("litellm_provider") not in LIMITED.get(provider, []):
            continue
        names = {key.lower(), key.lower().split("/", 1)[-1], key.lower().split("/")[-1]}
        for name in names:
            known = next((one["id"] for one in models if holds(one["match"], name)), None)
            most[known] = max(most.get(known, 0), int(found.get("max_output_tokens") or 0))
    for one in models:
        stated = (tokens for who, pattern, tokens in STATED if provider in who and re.search(pattern, one["id"]))
        tokens = next(stated, most.get(one["id"], 0))
        if 0 < tokens < one.get("context", 10**9):
            one["max_output"] = tokens


def model(found):
    prices = found["prices"]
    periods = prices if isinstance(prices, list) else [{"prices": prices}]
    out = {"id": found["id"], "match": rule(found["match"])}
    if "context_window" in found:
        out["context"] = found["context_window"]
    out["prices"] = [constraint(p.get("constraint")) | {"rates": rates(p["prices"])} for p in periods]
    services = []
    for variant in found.get("price_variants", []):
        tier = service_tier(variant["when"])
        if tier and (changed := rates(variant["prices"])):
            services.append({"tier": tier} | constraint(variant.get("constraint")) | {"rates": changed})
    if services:
        out["services"] = services
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prices", help="the crate's data/prices.json")
    parser.add_argument("--version", required=True, help="the crate's version")
    parser.add_argument("--as-of", required=True, help="the day whose prices hold where no time is known, YYYY-MM-DD")
    parser.add_argument("--limits", required=True, help="litellm's model_prices_and_context_window.json")
    parser.add_argument("--limits-version", required=True, help="the version of litellm that it is of")
    arguments = parser.parse_args()
    with open(arguments.limits, encoding="utf-8") as file:
        limits = json.load(file)
    with open(arguments.prices, encoding="utf-8") as file:
        data = {provider["id"]: provider for provider in json.load(file, parse_float=Decimal)}

    line = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    out = ["{"]
    out.append(f'"source":"genai-prices {arguments.version}, https://github.com/pydantic/genai-prices, data/prices.json",')
    out.append('"licence":"MIT, Copyright (c) Pydantic Services Inc. 2025 to present; see NOTICE",')
    limits_source = f"litellm {arguments.limits_version}, https://github.com/BerriAI/litellm, model_prices_and_context_window.json"
    out.append(f'"max_output_source":"{limits_source}, and vendors\' documentation; see tools/catalog.py",')
    out.append(f'"as_of":"{arguments.as_of}",')
    out.append('"unit":"picodollars per token (micro-dollars per million tokens)",')
    out.append('"providers":{')
    for number, name in enumerate(PROVIDERS):
        models = [model(found) for found in data[name]["models"]]
        add_limits(name, models, limits)
        models = [line(one) for one in models]
        fallback = [other for other in data[name].get("fallback_model_providers", []) if other in PROVIDERS]
        out.append(f'"{name}":{{"fallback":{line(fallback)},"models":[')
        out.append(",\n".join(models))
        out.append("]}" + ("," if number + 1 < len(PROVIDERS) else ""))
    out.append("}}")
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
