"""What a worker holds for requests under way is free again after the worker's VM died.

The leases of the dead end after a minute, so the second test is the last one of all (`conftest.py`).
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import bank
from gateway import WASM, Gateway, wait_for
from money import entry, key, mixed, request, send
from trap import send_trailers, trapping

HELD = 20
# A lease is a minute, and ends with the next ten seconds of the clock.
LEASE = 72


@pytest.fixture(scope="session")
def trapped(tmp_path_factory):
    """A gateway all of whose workers died with requests under way, what these got, and when that was."""
    module = tmp_path_factory.mktemp("trap") / "conduit.wasm"
    module.write_bytes(trapping(WASM.read_bytes()))
    consumers = [entry("held", **bank.budget(HELD)), entry("slots", limits={"concurrent": HELD}), entry("trapper")]
    gateway = Gateway(bank.config(consumers), concurrency=4, wasm=module)
    try:
        yield gateway, *spring(gateway)
    finally:
        gateway.close()


def spring(gateway):
    with ThreadPoolExecutor(1) as others:
        under_way = [request(name, "stuck") for name in ("held", "slots") for _ in range(HELD)]
        answers = others.submit(send, gateway, under_way)
        wait_for(lambda: len(gateway.openai_mock.requests()) >= 2 * HELD, 20, "all requests to be under way")
        # The kernel chooses the worker of each connection.
        for _ in range(48):
            send_trailers(gateway.listen, key("trapper"))
        return answers.result(), time.monotonic()


def test_a_fresh_worker_knows_what_the_dead_one_held(trapped):
    gateway, answers, _ = trapped
    assert (gateway.run / "envoy.log").read_text().count("RuntimeError: unreachable") >= 4
    assert [answer.status for answer in answers] == [503] * 2 * HELD
    full = send(gateway, [request("held", "quick"), request("slots", "quick")])
    assert [answer.status for answer in full] == [429, 429], full


def test_what_a_dead_worker_held_is_free_again(trapped):
    gateway, _, died = trapped
    time.sleep(max(0, died + LEASE - time.monotonic()))
    assert sum(answer.status == 200 for answer in send(gateway, mixed("held", "word", 3 * HELD))) == HELD
    assert sum(answer.status == 200 for answer in send(gateway, mixed("slots", "slow", 2 * HELD))) == HELD
