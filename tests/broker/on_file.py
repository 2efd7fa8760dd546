"""A broker whose messages are in a file, and a disk that the test holds back, fills, or pulls out.

::

    class OrderTests(OnFile, SynchronousTestCase):
        def test_it_waits_for_the_disk(self):
            broker = self.make_broker()
            ann = broker.connect()
            broker.disk.held = True
            ann.says("SEND", destination="/queue/a", persistent="true", receipt="1")
            assert ann.hears_nothing()
            broker.disk.goes_on()
            ann.hears("RECEIPT")
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.sqlite.engine import SQLiteEngine
from stomp_tx.engine.sqlite.file import open_for_writing
from tests.conversation import Broker, Client


class Disk:
    """The engine's worker: like a thread it is never done before the next turn.

    held -- it does nothing until it ``goes_on``, or does one ``step``
    full -- nothing can be written
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.held = False
        self.full = False
        self.work: deque[tuple[Callable[[], Any], Callable[[bool, Any], None]]] = deque()

    def run(self, work: Callable[[], Any], done: Callable[[bool, Any], None]) -> None:
        self.work.append((work, done))
        if not self.held:
            self._clock.callLater(0, self.step)

    def step(self) -> None:
        """Do one thing, if there is one to do."""
        if not self.work:
            return
        work, done = self.work.popleft()
        try:
            if self.full:
                raise sqlite3.OperationalError("database or disk is full")
            result = work()
        except BaseException:
            done(False, Failure())
        else:
            done(True, result)

    def goes_on(self) -> None:
        """Do all that waits, and from now on what comes."""
        self.held = False
        while self.work:
            self.step()

    def stop(self) -> None:
        pass


def open_engine(
    path: str, clock: Clock, now: Callable[[], float], limits: EngineLimits | None = None
) -> tuple[SQLiteEngine, Disk]:
    """A started engine on this file, that does not wait for the real disk: only the machine could tell."""
    disk = Disk(clock)
    if not os.path.exists(path):
        Path(path).write_bytes(_new_file())
    limits = limits or EngineLimits()
    if limits.reserve_octets == EngineLimits.reserve_octets:
        limits = replace(limits, reserve_octets=0)  # the folders of tests are kept
    engine = SQLiteEngine(path, clock, disk, limits, now)
    engine.start()
    assert engine._file.writer is not None
    engine._file.writer.execute("PRAGMA synchronous = OFF")
    return engine, disk


@cache
def _new_file() -> bytes:
    """What an engine makes of no file: made once, with all the syncs that it takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "new")
        open_for_writing(path).close()
        return Path(path).read_bytes()


class BrokerOnFile(Broker):
    """A Broker on a file; its clients hear what there is to hear at the end of the turn."""

    def __init__(
        self, path: str, limits: EngineLimits | None = None, clock: Clock | None = None, **settings: Any
    ) -> None:
        self.clock = clock or Clock()
        self.path = path
        self._limits, self._settings = limits, settings
        engine, self.disk = open_engine(path, self.clock, self.now, limits)
        super().__init__(engine=engine, clock=self.clock, **settings)

    def dial(self) -> Client:
        return ClientOnFile(self)

    def turn(self) -> None:
        """Let happen what is to happen now."""
        self.clock.advance(0)

    def dies(self) -> None:
        """As by kill -9: what is in the file is all that is left."""
        self.engine._file.close()
        self.clock.calls.clear()

    def stops(self) -> None:
        """In an orderly way."""
        self.factory.stop()
        for session in list(self.factory.sessions):
            session.disconnected(Failure(ConnectionError()))
        stopped = self.engine.stop()
        self.turn()
        assert stopped.called, "the engine does not stop"
        self.clock.calls.clear()

    def again(self, **settings: Any) -> BrokerOnFile:
        """The next broker on the same file, as late as this one ended."""
        limits = settings.pop("limits", self._limits)
        return BrokerOnFile(self.path, limits, self.clock, **{**self._settings, **settings})

    def rows(self, table: str = "message") -> int:
        """How many rows the file has."""
        (count,) = self.engine._file.reader.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)


class ClientOnFile(Client):
    broker: BrokerOnFile

    def _listen(self) -> None:
        self.broker.turn()
        super()._listen()

    @property
    def is_closed(self) -> bool:
        self.broker.turn()
        return super().is_closed


class InMemory:
    """For a test case whose brokers keep messages in memory."""

    def make_broker(self, **settings: Any) -> Broker:
        """Keyword arguments are those of BrokerSettings, Policy and Broker."""
        return Broker(**settings)


class OnFile:
    """For a test case whose brokers keep messages in a file."""

    def make_broker(self, **settings: Any) -> BrokerOnFile:
        """Keyword arguments are those of BrokerSettings, Policy and Broker."""
        assert isinstance(self, SynchronousTestCase)
        broker = BrokerOnFile(self.mktemp(), **settings)
        self.addCleanup(broker.dies)
        return broker

    def restart(self, broker: BrokerOnFile, **settings: Any) -> BrokerOnFile:
        """Kill it, and start the next."""
        assert isinstance(self, SynchronousTestCase)
        broker.dies()
        another = broker.again(**settings)
        self.addCleanup(another.dies)
        return another
