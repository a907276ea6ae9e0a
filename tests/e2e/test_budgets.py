"""A budget is never exceeded by what it admitted, and nearly all of it can be used, across four workers."""

import datetime
import re
from decimal import Decimal

import pytest

import bank
from bank import ONE
from money import PICO, entry, mixed, request, send

SENT = 200


def of(gateway, consumer):
    """A consumer's records, once every exchange has its own."""
    return [record for record in gateway.settled_records() if record["consumer"] == consumer]


def spent(records):
    return Decimal(sum(record["cost_picodollars"] or 0 for record in records)) / PICO


def passed(answers):
    return [answer for answer in answers if answer.status == 200]


WHY = re.compile(
    r"budget (?P<name>\S+).*: (?P<spent>[\d.]+) USD spent, (?P<reserved>[\d.]+) USD reserved.*"
    r"limit (?P<limit>[\d.]+) USD.* it resets at (?P<resets>\S+Z)"
)


def explained(answer, name, limit, wants=ONE):
    """Checks that a refusal says all there is to say."""
    assert answer.status == 429, (answer.status, answer.body)
    found = WHY.search(answer.message)
    assert found and found["name"] == name, answer.message
    taken = Decimal(found["spent"]) + Decimal(found["reserved"])
    assert Decimal(found["limit"]) == limit and limit - wants < taken <= limit, answer.message
    resets = datetime.datetime.fromisoformat(found["resets"])
    assert (resets.day, resets.hour, resets.minute, resets.second) == (1, 0, 0, 0), answer.message
    left = (resets - datetime.datetime.now(datetime.UTC)).total_seconds()
    assert abs(int(answer.headers["retry-after"]) - left) < 60, answer.headers
    error = answer.json()["error"]
    if answer.format == "messages":
        assert error["type"] == "rate_limit_error", error
    else:
        assert error["code"] == "budget_exceeded", error


# --- many at once


@pytest.mark.parametrize("number", range(bank.ROUNDS))
def test_a_burst_spends_a_budget_and_no_more(money, number):
    consumer, limit = f"burst-{number}", 40 * ONE
    answers = send(money, mixed(consumer, "word", SENT))
    for answer in answers:
        if answer.status != 200:
            explained(answer, f"{consumer}.month", limit)
    records = of(money, consumer)
    assert len(records) == SENT
    assert 0.95 * float(limit) <= spent(records) <= limit
    assert len(passed(answers)) == 40
    refused = [record for record in records if record["outcome"] == "refused"]
    assert len(refused) == SENT - 40
    assert {(record["exceeded"], record["cost_picodollars"]) for record in refused} == {(f"{consumer}.month", None)}


def test_what_hung_up_clients_did_not_use_is_free_again(money):
    asked = [request("hanging", "long", format, stream=True) for format in ("chat", "messages")]
    send(money, asked * 5, hang_up=1500)
    records = of(money, "hanging")
    assert [record["outcome"] for record in records] == ["client_gone"] * 10
    before = spent(records)
    assert 0 < before < 10 * ONE
    answers = send(money, mixed("hanging", "word", 30))
    assert len(passed(answers)) == (10 * ONE - before) // ONE
    assert before + len(passed(answers)) * ONE == spent(of(money, "hanging")) <= 10 * ONE


def test_what_failed_is_free_again(money):
    for model in ("failing", "gone", "torn"):
        for _ in range(2):
            asked = [request("unlucky", model, format, stream=model == "torn") for format in ("chat", "messages")]
            answers = send(money, asked * 4)
            assert any(answer.status != 429 for answer in answers), model
            for answer in answers:
                if answer.status == 429:
                    explained(answer, "unlucky.month", 5 * ONE)
            money.recorded()
    records = of(money, "unlucky")
    assert {"provider_error", "unreachable", "cut"} <= {record["outcome"] for record in records}
    before = spent(records)
    assert before < 5 * ONE
    answers = send(money, mixed("unlucky", "word", 20))
    assert len(passed(answers)) == (5 * ONE - before) // ONE
    assert before + len(passed(answers)) * ONE == spent(of(money, "unlucky")) <= 5 * ONE


# --- what else a budget can do


def test_answers_warn_of_a_budget_that_is_nearly_used_up(money):
    answers = [send(money, [request("warned", "quick", stream=number == 3)])[0] for number in range(5)]
    assert [answer.status for answer in answers] == [200] * 5
    warnings = [answer.headers.get("x-conduit-budget-warning") for answer in answers]
    assert warnings[0] is None
    for warning, share in zip(warnings[1:], ("0.5", "0.5", "0.8", "exceeded")):
        assert warning and "warned.month" in warning and share in warning, warnings
    records = of(money, "warned")
    assert [record["exceeded"] for record in records] == [None] * 4 + ["warned.month"]
    assert spent(records) == 5 * ONE


def test_what_does_not_fit_goes_to_a_cheaper_target(money):
    answers = [send(money, [request("frugal", "quick", format)])[0] for format in ("chat", "messages") * 4]
    targets = [record["target"] for record in of(money, "frugal") if record["outcome"] == "ok"]
    assert targets == [bank.TARGETS["quick"]] * 2 + [bank.TARGETS["cheap"]] * 5
    assert [answer.status for answer in answers] == [200] * 7 + [429]
    explained(answers[-1], "frugal.month", Decimal("2.5") * ONE, wants=ONE / 10)
    assert spent(of(money, "frugal")) == Decimal("2.5") * ONE


def test_an_output_limit_is_lowered_to_what_the_budget_affords(money):
    [answer] = send(money, [request("clamped", "quick", limit=5000)])
    assert answer.status == 200, answer.body
    got = money.openai_mock.requests()[-1]["body"]
    assert got.get("max_completion_tokens", got.get("max_tokens")) == 100, got
    assert spent(of(money, "clamped")) == ONE


@pytest.mark.parametrize(
    "format, end", [("chat", b"data: [DONE]\n\n"), ("messages", b'data: {"type":"message_stop"}\n\n')]
)
def test_a_stream_that_says_more_than_is_reserved_ends_as_its_format_does(money, format, end):
    before = len(of(money, "talked-at"))
    [answer] = send(money, [request("talked-at", "wordy", format, stream=True)])
    assert answer.status == 200 and answer.body.endswith(end), answer.body[-500:]
    assert 48 <= answer.body.count(b'word"') <= 50
    assert (b'"length"' if format == "chat" else b'"max_tokens"') in answer.body
    # The provider bills what it said all the same.
    [record] = of(money, "talked-at")[before:]
    assert (record["outcome"], record["usage"]["completion_tokens"]) == ("ok", 400), record


# --- a gateway that is started again


def test_totals_survive_a_restart_and_projects_are_told_apart(make_gateway):
    consumers = [entry("fixed", project="own"), entry("open")]
    gateway = make_gateway(
        bank.config(
            consumers,
            trusted_headers=["x-conduit-project"],
            budgets=[{"name": "project", "per": "project", "period": "month", "usd": str(3 * ONE)}],
        ),
        concurrency=4,
    )

    def ask(consumer, project, count=1):
        named = {"x_conduit_project": project} if project else {}
        return [send(gateway, [request(consumer, "quick", **named)])[0].status for _ in range(count)]

    assert ask("open", "web", 4) == [200, 200, 200, 429]
    assert ask("open", "app") == [200]
    # A consumer's own project stands, whatever its header says.
    assert ask("fixed", "app", 4) == [200, 200, 200, 429]
    assert ask("open", None, 4) == [200, 200, 200, 429]
    gateway.recorded()
    [answer] = send(gateway, [request("open", "quick", "messages", x_conduit_project="web")])
    explained(answer, "project", 3 * ONE)
    assert "of project web" in answer.message
    gateway.restart()
    assert ask("open", "web") == ask("fixed", None) == ask("open", None) == [429]
    assert ask("open", "app", 3) == [200, 200, 429]
    [answer] = send(gateway, [request("open", "quick", x_conduit_project="web")])
    explained(answer, "project", 3 * ONE)
