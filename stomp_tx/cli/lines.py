"""Lines: those of a pipe or a terminal, as they come; the reactor goes on meanwhile."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

ENOUGH = 1000
"""Lines that may wait here; then no more are read."""


class Lines(LineOnlyReceiver):
    """Those of stdin, for ``async for``."""

    _pipe: StandardIO

    delimiter = b"\n"
    MAX_LENGTH = 100 * 1024 * 1024

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._waiting: Deferred[None] | None = None
        self._is_over = False
        self._is_paused = False

    @classmethod
    def of_stdin(cls) -> Lines:
        lines = cls()
        lines._pipe = StandardIO(lines)
        return lines

    def lineReceived(self, line: bytes) -> None:
        self._lines.append(line.rstrip(b"\r"))
        if len(self._lines) >= ENOUGH and not self._is_paused:
            self._is_paused = True
            self._pipe.pauseProducing()
        self._tell()

    def connectionLost(self, reason: Failure | None = None) -> None:
        if self._buffer:
            self._lines.append(self._buffer)  # the last line needs no end
        self._is_over = True
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
        while not self._lines:
            if self._is_over:
                raise StopAsyncIteration
            self._waiting = Deferred()
            await self._waiting
        return self._lines.popleft()
