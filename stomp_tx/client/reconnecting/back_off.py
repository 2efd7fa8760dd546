"""BackOff: how long a client waits before its next attempt to connect."""

from __future__ import annotations

from random import Random

from stomp_tx.client.reconnecting.retry import Retry

DOUBLINGS = 64
"""After so many a wait is no longer one that anybody waits for."""

SLOWER = 10
"""As many times the longest wait is the longest one after a refused login."""


class BackOff:
    """The waits of one client since it was started, by what its Retry says; they are in seconds.

    failures -- attempts that failed in a row
    """

    def __init__(self, retry: Retry, random: Random) -> None:
        self.failures = 0
        self._retry = retry
        self._random = random
        self._waits = 0  # each longer than the one before
        self._refusals = 0  # of the login, since there was a connection

    @property
    def is_enough(self) -> bool:
        """Does the client give up?"""
        return self._retry.attempts is not None and self.failures >= self._retry.attempts

    def failed(self, is_refused: bool) -> float:
        """An attempt has failed: the wait until the next one.

        is_refused -- a login that had been good was refused.  The wait begins where the others end then, and
            gets longer: brokers lock out who guesses
        """
        self.failures += 1
        self._waits += 1
        if not is_refused:
            return self._wait()
        self._refusals += 1
        return self._longer(self._retry.maximum, self._refusals, SLOWER * self._retry.maximum)

    def connected(self) -> None:
        """There is a connection."""
        self.failures = self._refusals = 0

    def lost(self, lasted: float) -> float:
        """A connection that lasted for so many seconds is lost: the wait until the next attempt.

        Who is thrown out as soon as it has come in must not come at once each time.
        """
        self._waits = 1 if lasted >= self._retry.maximum else self._waits + 1
        return self._wait()

    def _wait(self) -> float:
        return self._longer(self._retry.initial, self._waits, self._retry.maximum)

    def _longer(self, first: float, times: int, most: float) -> float:
        longest = min(first * self._retry.factor ** min(times - 1, DOUBLINGS), most)
        return longest * (1 - self._retry.jitter * self._random.random())
