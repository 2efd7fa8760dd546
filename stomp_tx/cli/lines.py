"""Lines: those of a pipe or a terminal, as they come; the reactor goes on meanwhile."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

from stomp_tx.errors import LimitExceeded

ENOUGH = 1000
"""Lines that may wait here; then no more are read."""

LONGEST = 100 * 1024 * 1024
"""Octets of a line."""


class Lines(Protocol):
    """Those of stdin, for ``async for``.

    Not a LineReceiver, which copies what it has of a line with each read.
    """

    _pipe: StandardIO

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._parts: list[bytes] = []  # of the line that has no end yet
        self._length = 0
        self._waiting: Deferred[None] | None = None
        self._error: Exception | None = None
        self._is_over = False
        self._is_paused = False

    @classmethod
    def of_stdin(cls) -> Lines:
        lines = cls()
        lines._pipe = StandardIO(lines)
        return lines

    def dataReceived(self, data: bytes) -> None:
        first, *others = data.split(b"\n")
        self._add(first)
        for one in others:
            self._end_line()
            self._add(one)
        if len(self._lines) >= ENOUGH and not self._is_paused:
            self._is_paused = True
            self._pipe.pauseProducing()
        if self._length > LONGEST:
            self.fail(LimitExceeded("a line is too long", f"it may have {LONGEST:,} octets"))
        self._tell()

    def _add(self, part: bytes) -> None:
        self._parts.append(part)
        self._length += len(part)

    def _end_line(self) -> None:
        self._lines.append(b"".join(self._parts).rstrip(b"\r"))
        self._parts, self._length = [], 0

    def connectionLost(self, reason: Failure | None = None) -> None:
        if self._length:
            self._end_line()  # the last line needs no end
        self._is_over = True
        self._tell()

    def fail(self, error: Exception | None) -> None:
        """Whoever asks for the next line gets this error, if it is one."""
        self._error = self._error or error
        self._tell()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> bytes:
        if not self._lines and self._is_paused:
            self._is_paused = False
            self._pipe.resumeProducing()
        while not self._lines or self._error is not None:
            if self._error is not None:
                raise self._error
            if self._is_over:
                raise StopAsyncIteration
            self._waiting = Deferred()
            await self._waiting
        return self._lines.popleft()
