"""DedupeStamps: the time that names have in the file; over all runs it never goes back."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nextafter


class DedupeStamps:
    """Seconds that brokers have spent with the file, on from the latest that stands there.

    The machine's time of day says when the first name came, and nothing after that: it may be set back, or a
    year ahead.  A broker that is down adds nothing.
    """

    def __init__(self, seconds: Callable[[], float], start: float) -> None:
        """
        seconds -- that only go forward
        start -- the stamp of now
        """
        self._seconds = seconds
        self._ahead = start - seconds()
        self._last = start

    def new(self) -> float:
        """The stamp of what happens now; each is higher than those before."""
        self._last = max(nextafter(self._last, inf), self._seconds() + self._ahead)
        return self._last

    def ago(self, seconds: float) -> float:
        """What had been stamped by then is below this."""
        return self._seconds() + self._ahead - seconds
