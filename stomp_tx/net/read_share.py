"""ReadShare: how much a connection reads at a time, where others want to be read as well."""

from __future__ import annotations

MOST = 128 * 1024
"""Octets that a connection reads at a time while no other one has more than it can read, either."""

LEAST = 8 * 1024
"""The least, however many there are: below, it is the reading that takes the time and not what is read."""

TURN = MOST
"""Octets that all of them read in one turn of the reactor, so that whoever says little gets a turn soon.

With 100-octet messages these are a thousand frames, a few milliseconds.  Less costs a lone sender speed.
"""


class ReadShare:
    """Divides the turns of the reactor among the connections that have more to be read than they may read.

    Each of these reads once in a turn: where one of them comes for the second time, a turn is over, and it
    is known how many they were.
    """

    def __init__(self) -> None:
        self._turn: set[object] = set()
        self._size = MOST

    def of(self, reader: object) -> int:
        """Octets that it may read the next time; the last time there was as much as it could read."""
        if reader in self._turn:
            self._size = max(LEAST, min(MOST, TURN // len(self._turn)))
            self._turn.clear()
        self._turn.add(reader)
        return self._size

    def forget(self, reader: object) -> None:
        """It reads no more."""
        self._turn.discard(reader)
