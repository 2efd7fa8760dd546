"""Fixtures for pytest, which finds them by itself where stomp-tx is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from stomp_tx.testing import BrokerProcess, MemoryBroker


@pytest.fixture
def stomp_memory() -> MemoryBroker:
    """A broker in memory, and its clock; see MemoryBroker."""
    # Not above: every run of pytest imports this module.
    from stomp_tx.testing import MemoryBroker

    return MemoryBroker()


@pytest.fixture(scope="session")
def _stomp_process() -> Iterator[BrokerProcess]:
    from stomp_tx.testing import run_broker

    with run_broker() as broker:
        yield broker


@pytest.fixture
def stomp_broker(_stomp_process: BrokerProcess) -> BrokerProcess:
    """A broker in a process of its own, on a free port, for the whole run: use a destination for each test.

    ``stomp_broker.endpoint`` is what a client connects to.  For a broker that a test may stop, or with other
    arguments, see run_broker.
    """
    assert _stomp_process.process.poll() is None, f"the broker has ended:\n{_stomp_process.log}"
    return _stomp_process
