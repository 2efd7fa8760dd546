"""LogLimit: one line of the log in a while, of a thing that may happen thousands of times a second."""

from __future__ import annotations

from collections.abc import Callable


class LogLimit:
    """Says which of them are told: the first one, and then one in so many seconds."""

    def __init__(self, seconds: Callable[[], float], every: float) -> None:
        """``seconds`` gives the time, of a clock that is never set."""
        self._seconds = seconds
        self._every = every
        self._next = 0.0
        self._left_out = 0

    def tell(self) -> int | None:
        """Tell this one?  How many were left out since the last one that was; None: no, leave it out."""
        now = self._seconds()
        if now < self._next:
            self._left_out += 1
            return None
        self._next = now + self._every
        left_out, self._left_out = self._left_out, 0
        return left_out
