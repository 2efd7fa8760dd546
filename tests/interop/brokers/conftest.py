"""Each kind of broker is started once; what was not installed is said at the end, and how to install it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from twisted.internet.defer import Deferred

from stomp_tx.client import StompClient, StompClientService, connect
from tests.interop.brokers.running import KINDS, Running


@pytest.fixture(scope="session", params=list(KINDS))
def broker(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A broker of that kind, which may have been killed and started again by an earlier test."""
    kind = KINDS[request.param]
    if not kind.installed():
        pytest.skip(kind.absent)
    with kind() as broker:
        yield broker


@pytest.fixture
def fresh(broker: Running) -> Iterator[Running]:
    """Another one of the same kind, for this test alone."""
    with type(broker)() as fresh:
        yield fresh


class Dialer:
    """Makes clients of a broker."""

    def __init__(self, broker: Running) -> None:
        self._broker = broker

    def __call__(self, **settings: object) -> Deferred[StompClient]:
        return connect(self._broker.endpoint, **self._broker.settings(**settings))

    def service(self, **more: object) -> StompClientService:
        return StompClientService(self._broker.endpoint, **{**self._broker.settings(), **more})


@pytest.fixture
def dial(broker: Running) -> Dialer:
    return Dialer(broker)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for this test alone: without slashes, which RabbitMQ's destinations have only as %2F."""
    test = re.sub(r"\W+", "-", request.node.originalname)
    return f"{test[:60]}-{uuid4().hex[:8]}"


@pytest.fixture
def queue(name: str) -> str:
    return f"/queue/{name}"


@pytest.fixture
def topic(name: str) -> str:
    return f"/topic/{name}"


# -- what is said at the end ------------------------------------------------------------------------------


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.stats.get("passed", [])
    failed = [*terminalreporter.stats.get("failed", []), *terminalreporter.stats.get("error", [])]
    terminalreporter.section("brokers")
    for name, kind in KINDS.items():
        if not kind.installed():
            terminalreporter.line(f"{kind.absent}. NOTHING was tested with it", red=True)
            continue
        counts = [
            sum(1 for one in reports if f"[{name}" in one.nodeid and "/brokers/" in one.nodeid)
            for reports in (passed, failed)
        ]
        terminalreporter.line(f"{name} {kind.version()}: {counts[0]} passed, {counts[1]} failed")
    if not any_other():
        terminalreporter.line("No other broker is here: this run has shown nothing, and fails", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run in which no other broker was tested at all has shown nothing."""
    if session.exitstatus == pytest.ExitCode.OK and not any_other():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def any_other() -> bool:
    """Is a broker installed that is not ours?"""
    return any(kind.installed() for kind in KINDS.values() if kind.absent)
