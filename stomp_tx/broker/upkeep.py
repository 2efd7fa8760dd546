"""Upkeep: what is done now and then, whether or not anybody sends or subscribes."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from stomp_tx.broker.deadletter import DeadLetters
from stomp_tx.interfaces import IEngine

EVERY = 1.0
"""Seconds from one sweep to the next."""


class Upkeep:
    """Takes expired messages out of the engine, every second while it is on."""

    log = Logger()

    def __init__(
        self, engine: IEngine, dead_letters: DeadLetters, clock: IReactorTime, now: Callable[[], int]
    ) -> None:
        """``now`` gives the milliseconds since 1970."""
        self._engine = engine
        self._dead_letters = dead_letters
        self._now = now
        self._loop = LoopingCall(self._sweep)
        self._loop.clock = clock

    def start(self) -> None:
        if not self._loop.running:
            self._loop.start(EVERY, now=False)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def _sweep(self) -> None:
        try:
            self._engine.expire(self._now(), self._dead_letters.expired)
        except Exception:
            self.log.failure("expired messages could not be taken out; trying again")
