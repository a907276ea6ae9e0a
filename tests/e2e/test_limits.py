"""Limits hold across four workers, and what their headers say is true. So is who may ask for what."""

import collections
import datetime
import math
import re
import time

import pytest

import bank
from money import mixed, request, send

SENT = 200


def passed(answers):
    return [answer for answer in answers if answer.status == 200]


def explained(answer, name):
    assert answer.status == 429, (answer.status, answer.body)
    assert f"limit {name}" in answer.message, answer.message
    error = answer.json()["error"]
    if answer.format == "messages":
        assert error["type"] == "rate_limit_error", error
    else:
        assert error["code"] == "rate_limit_exceeded", error


@pytest.mark.parametrize("number", range(bank.ROUNDS))
@pytest.mark.parametrize("kind", ["requests", "tokens"])
def test_a_burst_gets_a_minutes_worth_and_what_came_back_meanwhile(money, kind, number):
    consumer, began = f"{kind}-{number}", time.monotonic()
    answers = send(money, mixed(consumer, "word", SENT))
    came_back = math.ceil((time.monotonic() - began) * 40 / 60)
    assert 40 <= len(passed(answers)) <= 40 + came_back
    for answer in answers:
        if answer.status != 200:
            explained(answer, consumer)
            # One request's worth is back after 1.5 s.
            assert answer.headers["retry-after"] in ("1", "2"), answer.headers
            assert answer.headers[f"x-ratelimit-limit-{kind}"] == ("40" if kind == "requests" else str(40 * 56))
            left = int(answer.headers[f"x-ratelimit-remaining-{kind}"])
            assert left < (1 if kind == "requests" else 56) + came_back * 56, answer.headers


def test_as_many_as_may_are_under_way_at_once(money):
    for _ in range(2):
        answers = send(money, mixed("slots", "slow", SENT))
        assert len(passed(answers)) == 10
        for answer in answers:
            if answer.status != 200:
                explained(answer, "slots")
        money.recorded()


def test_what_went_wrong_takes_no_place(money):
    formats = ("chat", "messages") * 2
    for _ in range(2):
        for model in ("failing", "gone", "torn"):
            asked = [request("few", model, format, stream=model == "torn") for format in formats]
            assert 429 not in [answer.status for answer in send(money, asked)], model
        send(money, [request("few", "long", format, stream=True) for format in formats], hang_up=1200)
        money.recorded()
        # These go before they get anything.
        send(money, [request("few", "slow", format) for format in formats], hang_up=0)
        money.recorded()
    answers = send(money, mixed("few", "slow", 12))
    assert len(passed(answers)) == 4


def seconds(text):
    """OpenAI's spans: `6m0s`, `1.5s`, `20ms`."""
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)(ms|h|m|s)", text))


def test_headers_say_how_limits_stand(money):
    began = time.monotonic()
    for number in range(1, 9):
        [answer] = send(money, [request("told", "quick", ("chat", "messages")[number % 2], stream=number % 4 > 1)])
        assert answer.status == 200, answer.body
        now, passed_by = datetime.datetime.now(datetime.UTC), time.monotonic() - began
        # 60 requests and 6000 tokens come back in a minute.
        for kind, most, used, back in (("requests", 60, number, 1), ("tokens", 6000, 56 * number, 100)):
            assert answer.headers[f"x-ratelimit-limit-{kind}"] == str(most)
            left = int(answer.headers[f"x-ratelimit-remaining-{kind}"])
            assert most - used <= left <= most - used + back * passed_by + 1, (number, kind, answer.headers)
            missing = (most - left) / back
            assert abs(seconds(answer.headers[f"x-ratelimit-reset-{kind}"]) - missing) <= 1.1, (kind, answer.headers)
            if answer.format == "messages":
                assert answer.headers[f"anthropic-ratelimit-{kind}-limit"] == str(most)
                assert answer.headers[f"anthropic-ratelimit-{kind}-remaining"] == str(left)
                resets = datetime.datetime.fromisoformat(answer.headers[f"anthropic-ratelimit-{kind}-reset"])
                assert abs((resets - now).total_seconds() - missing) <= 2.1, (kind, answer.headers)
            else:
                assert not [name for name in answer.headers if name.startswith("anthropic-ratelimit")]


# --- who calls

ERRORS = {401: "authentication_error", 403: "permission_error"}
CALLS = [
    (None, "quick", 401),
    ("nobody", "quick", 401),
    ("late", "quick", 401),
    ("narrow", "quick", 403),
    ("narrow", "openai/gpt-4o+tokens=48", 403),
    ("narrow", "cheap", 200),
    ("free", "quick", 200),
]


def test_only_who_may_gets_an_answer(money):
    before = money.recorded()
    money.openai_mock.forget()
    shapes = [(format, stream) for format in ("chat", "messages", "responses") for stream in (False, True)]
    cases = [(*call, *shape) for call in CALLS for shape in shapes]
    answers = send(money, [request(who, model, format, stream=stream) for who, model, _, format, stream in cases])
    for (*case, status, format, stream), answer in zip(cases, answers):
        assert answer.status == status, (case, format, answer.body)
        if status != 200:
            assert answer.message and "sk-e2e" not in answer.message
            if format == "messages":
                assert answer.json()["error"]["type"] == ERRORS[status]
    assert len(money.openai_mock.requests()) == 2 * len(shapes)
    records = collections.Counter(
        (record["consumer"], record["status"], record["outcome"]) for record in money.settled_records()[before:]
    )
    assert records == {
        (None, 401, "refused"): 3 * len(shapes),
        ("narrow", 403, "refused"): 2 * len(shapes),
        ("narrow", 200, "ok"): len(shapes),
        ("free", 200, "ok"): len(shapes),
    }
