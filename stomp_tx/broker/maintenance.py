"""Maintenance: what is done now and then, whether or not anybody sends or subscribes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from stomp_tx.interfaces import IEngine, Judge

EVERY = 1.0
"""Seconds from one sweep to the next."""

SOON = 0.02
"""The same where there is more to be taken out."""


class Maintenance:
    """Takes out of the engine what has expired, is due, or is too much: every second, or sooner."""

    log = Logger()

    def __init__(
        self,
        engine: IEngine,
        judge: Judge,
        chores: Iterable[Callable[[], None]],
        clock: IReactorTime,
        now: Callable[[], int],
        next_due: Callable[[], int],
    ) -> None:
        """
        judge -- says what is appended instead of a message whose time has come
        chores -- what else is to be called each time
        now -- gives the milliseconds since 1970
        next_due -- gives the time at which the next message is to be taken out at once; 0: there is none
        """
        self._engine = engine
        self._judge = judge
        self._chores = tuple(chores)
        self._now = now
        self._clock = clock
        self._next_due = next_due
        self._next: IDelayedCall | None = None
        self._next_at = 0.0  # by the clock: a timer's own time may be the time of day

    def start(self) -> None:
        if self._next is None:
            self._sweep_in(EVERY)

    def _sweep_in(self, seconds: float) -> None:
        self._next_at = self._clock.seconds() + seconds
        self._next = self._clock.callLater(seconds, self._sweep)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def due_at(self, due: int) -> None:
        """A message is to be taken out at that time (milliseconds since 1970)."""
        if self._next is not None and self._next.active():
            wait = max(0.0, (due - self._now()) / 1000)
            if self._clock.seconds() + wait < self._next_at:
                self._next.cancel()
                self._sweep_in(wait)

    def _sweep(self) -> None:
        there_is_more = False
        wait = EVERY
        try:
            there_is_more = self._engine.expire(self._now(), self._judge)
            for chore in self._chores:
                chore()
            due = self._next_due()
            if due:
                left = (due - self._now()) / 1000
                # What is due and could not be taken out needs some time: it may not be safe yet.
                wait = min(EVERY, left if left > 0 else SOON)
        except Exception:
            self.log.failure("what is over or due could not be taken out; trying again")
        self._sweep_in(SOON if there_is_more else wait)
