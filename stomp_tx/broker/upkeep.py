"""Upkeep: what is done now and then, whether or not anybody sends or subscribes."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from stomp_tx.broker.bounds import Bounds
from stomp_tx.broker.deadletter import DeadLetters
from stomp_tx.interfaces import IEngine

EVERY = 1.0
"""Seconds from one sweep to the next."""

SOON = 0.02
"""The same where there is more to be taken out."""


class Upkeep:
    """Takes expired messages out of the engine, and those that are too many, every second while it is on."""

    log = Logger()

    def __init__(
        self,
        engine: IEngine,
        dead_letters: DeadLetters,
        bounds: Bounds,
        clock: IReactorTime,
        now: Callable[[], int],
    ) -> None:
        """``now`` gives the milliseconds since 1970."""
        self._engine = engine
        self._dead_letters = dead_letters
        self._bounds = bounds
        self._now = now
        self._clock = clock
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        if self._next is None:
            self._next = self._clock.callLater(EVERY, self._sweep)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _sweep(self) -> None:
        there_is_more = False
        try:
            there_is_more = self._engine.expire(self._now(), self._dead_letters.expired)
            self._bounds.sweep()
        except Exception:
            self.log.failure("expired messages could not be taken out; trying again")
        self._next = self._clock.callLater(SOON if there_is_more else EVERY, self._sweep)
