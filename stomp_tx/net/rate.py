"""Rate: no more than so much of something a second."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from stomp_tx.timer import Timer

BURST = 1.0
"""Seconds' worth that may come at once."""

PAUSE = 0.05
"""Seconds more than it takes, so that some is read together and not a little for each timer."""


class Rate:
    """Counts what comes, and says how long to wait before more of it is taken.

    per_second -- how much may come in a second
    """

    def __init__(self, clock: IReactorTime, per_second: int) -> None:
        self.per_second = per_second
        self._clock = clock
        self._each = 1 / per_second  # seconds
        self._until = clock.seconds() - BURST  # when what has come would have come at that rate
        self._timer = Timer(clock)
        self._waits: Deferred[None] | None = None

    def came(self, amount: int) -> Deferred[None] | None:
        """So much has come.  None: take what comes next; else take nothing until it fires."""
        now = self._clock.seconds()
        self._until = max(self._until, now - BURST) + self._each * amount
        return None if self._until <= now else self.wait()

    def wait(self) -> Deferred[None] | None:
        """None: what comes next may be taken; else it fires when it may.  Ask again only after that."""
        seconds = self._until - self._clock.seconds()
        if seconds <= 0:
            return None
        self._waits = Deferred()
        self._timer.set(seconds + PAUSE, self._go_on)
        return self._waits

    def _go_on(self) -> None:
        waits, self._waits = self._waits, None
        if waits is not None:
            waits.callback(None)

    def stop(self) -> None:
        """Nothing comes any more: who waits goes on."""
        self._timer.cancel()
        self._go_on()
