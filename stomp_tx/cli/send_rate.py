"""SendRate: how fast a command sends, and how much of it is under way."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from stomp_tx.clock import MonotonicClock


class SendRate:
    """Lets so many through in a second; None: as many as come."""

    def __init__(self, rate: float | None, clock: Any = None) -> None:
        self._every = 0.0 if rate is None else 1 / rate
        self._clock = clock
        self._next: float | None = None

    async def wait(self) -> None:
        """Until the next one may go."""
        if not self._every:
            return
        if self._clock is None:
            from twisted.internet import reactor

            self._clock = MonotonicClock(reactor)
        now = self._clock.seconds()
        if self._next is None:
            self._next = now
        if self._next > now:
            await deferLater(self._clock, self._next - now)
        self._next = max(self._next, now - 1) + self._every  # who was late makes up for a second at most


class Outstanding:
    """Deferreds that are waited for in their order, ``most`` at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._outstanding: deque[Deferred[None]] = deque()

    async def add(self, one: Deferred[None]) -> None:
        """Wait until no more than that are outstanding.  Raises what one of them has failed with."""
        self._outstanding.append(one)
        while self._outstanding and (self._has_fired() or len(self._outstanding) > self._most):
            await self._outstanding.popleft()

    def _has_fired(self) -> bool:
        first = self._outstanding[0]
        return first.called and not isinstance(getattr(first, "result", None), Deferred)

    async def all(self) -> None:
        """Wait for all of them."""
        while self._outstanding:
            await self._outstanding.popleft()
