"""Timer: one call that is due later, and can be moved or cancelled."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Timer:
    """Calls something once, some seconds after the last ``set``."""

    __slots__ = ("_clock", "_due")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._due: IDelayedCall | None = None

    def set(self, seconds: float, call: Callable[[], object]) -> None:
        """Call it in so many seconds, and nothing that was set before."""
        self.cancel()
        self._due = self._clock.callLater(seconds, call)

    def cancel(self) -> None:
        """Call nothing; may be called again, and when the call was made."""
        due, self._due = self._due, None
        if due is not None and due.active():
            due.cancel()
