"""ExpiringRows: when messages expire that are in the file alone."""

from __future__ import annotations

from collections.abc import Callable

from stomp_tx.engine.expiring import AT_ONCE
from stomp_tx.engine.sqlite.page_reader import PageReader
from stomp_tx.engine.sqlite.stored import Stored
from stomp_tx.message import Message

LATER = 60_000
"""Milliseconds until a lane is looked at again of whose messages in the file none seems to expire."""


class ExpiringRows:
    """Lanes of which some expires in the file, with the time of the first one, or an earlier time."""

    __slots__ = ("_next", "_page_reader")

    def __init__(self, page_reader: PageReader) -> None:
        self._next: dict[Stored, int] = {}
        self._page_reader = page_reader

    def add(self, lane: Stored, expires: int) -> None:
        """One will then (milliseconds since 1970)."""
        self._next[lane] = min(expires, self._next.get(lane, expires))

    def discard(self, lane: Stored) -> None:
        """It has nothing in the file alone any more."""
        self._next.pop(lane, None)

    def next_of(self, lane: Stored) -> int:
        """When the first one does, or earlier; 0: none does."""
        return self._next.get(lane, 0)

    def expire(self, now: int, bury: Callable[[list[Message]], None]) -> bool:
        """Take out some of what has expired by now, and ``bury`` it.  True: there may be more."""
        there_is_more = False
        left = AT_ONCE
        for lane, expires in list(self._next.items()):
            if expires <= now and left > 0:
                found = self._expire(lane, now, bury)
                there_is_more |= found > 0
                left -= max(found, 1)
        return there_is_more or left <= 0

    def _expire(self, lane: Stored, now: int, bury: Callable[[list[Message]], None]) -> int:
        """A page of one lane's; gives how many were found."""
        if lane.stands:
            del self._next[lane]  # it would come back
            return 0
        page = self._page_reader.expired(lane, now)
        if page is None:
            return 0
        if page.damage is not None:
            self._next[lane] = now + LATER
        elif not page.messages:
            self._next[lane] = self._page_reader.next_expiry(lane, now) or now + LATER
        over = [message for message in page.messages if message.position not in lane.removing]
        if not over:
            return 0  # there are none, or they go with the next commit
        lane.remove_rows(over)
        bury(over)
        return len(page.messages)
