import pytest

import bank
import targets
from gateway import CONDUIT, LOAD, WASM, Gateway


def pytest_configure():
    missing = [str(path) for path in (CONDUIT, WASM, LOAD) if not path.is_file()]
    if missing:
        pytest.exit(f"not built: {', '.join(missing)}. Run `make build load` first.", returncode=3)


def pytest_collection_modifyitems(items):
    """What dead workers held is free after a minute, in which other tests can run."""
    dies = [item for item in items if item.name == "test_a_fresh_worker_knows_what_the_dead_one_held"]
    freed = [item for item in items if item.name == "test_what_a_dead_worker_held_is_free_again"]
    items[:] = dies + [item for item in items if item not in dies + freed] + freed


@pytest.fixture(scope="session")
def shared():
    """One gateway for the tests that leave it as it was."""
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture(scope="session")
def matrix():
    """One gateway in front of every kind of provider."""
    gateway = Gateway(targets.CONFIG, mocks=["mock"], env=targets.KEYS)
    yield gateway
    gateway.close()


@pytest.fixture(scope="session")
def money():
    """One gateway of four workers for the tests of budgets and limits, each with consumers of its own."""
    gateway = Gateway(bank.config(bank.CONSUMERS), concurrency=4)
    yield gateway
    gateway.close()


@pytest.fixture
def gateway(shared):
    for mock in shared.mocks.values():
        mock.forget()
    yield shared
    assert shared.up.alive()


@pytest.fixture
def make_gateway():
    """Makes gateways of a test's own."""
    made = []

    def make(*args, **options):
        made.append(Gateway(*args, **options))
        return made[-1]

    yield make
    for gateway in made:
        gateway.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What the gateway said is part of a failure, and of nothing else."""
    report = yield
    if report.when == "call" and report.failed:
        for name in ("shared", "matrix", "money"):
            if name in item.funcargs:
                report.sections.append((name, item.funcargs[name].logs()))
    return report
