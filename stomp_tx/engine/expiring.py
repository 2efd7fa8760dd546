"""Expiring: which of a queue's waiting messages are over, found without looking at the others."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from stomp_tx.message import Message

AT_ONCE = 5000
"""Expired messages that are taken out in one go: some 20 milliseconds."""


class Expiring:
    """The waiting messages of one queue that will expire."""

    __slots__ = ("_due", "_waiting")

    def __init__(self) -> None:
        self._due: list[tuple[int, int]] = []  # (expires, position), a heap; some wait no more
        self._waiting: dict[int, Message] = {}  # by position

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, message: Message, expires: int) -> None:
        """It waits, and expires then (milliseconds since 1970)."""
        self._waiting[message.position] = message
        heappush(self._due, (expires, message.position))

    def discard(self, position: int) -> None:
        """It waits no more."""
        self._waiting.pop(position, None)
        if len(self._due) > 2 * len(self._waiting) + 100:
            self._due = [entry for entry in self._due if entry[1] in self._waiting]
            heapify(self._due)

    def next(self) -> int:
        """When the first of them does, or earlier; 0: none is there."""
        return self._due[0][0] if self._due else 0

    def over(self, now: int, most: int) -> list[Message]:
        """Take out so many of those that have expired by now, first the one that did so first."""
        found: list[Message] = []
        while len(found) < most and self._due and self._due[0][0] <= now:
            message = self._waiting.pop(heappop(self._due)[1], None)
            if message is not None:
                found.append(message)
        return found
