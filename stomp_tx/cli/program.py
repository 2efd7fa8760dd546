"""Command: a program of the user's that is given octets, and gives some."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from stomp_tx.errors import LimitExceeded, StompError

MOST = 64 * 1024 * 1024
"""Octets that one may write."""

_HIDDEN = ("STOMP_PASSCODE", "STOMP_URL")
"""Variables that hold what is not the command's to know."""


class Commands:
    """Runs one command for each who asks, in a shell.

    seconds -- that each may take
    """

    def __init__(self, command: str, seconds: float, reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._reactor = reactor
        self._command = command
        self._seconds = seconds
        self._running: set[_Running] = set()

    async def run(self, octets: bytes) -> bytes:
        """What it writes to stdout when it is given these on stdin.

        Raises StompError when it fails, takes too long, or writes too much.
        """
        running = _Running(octets)
        self._running.add(running)
        environ = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
        late = self._reactor.callLater(
            self._seconds, running.kill, StompError(f"the command took more than {self._seconds:g} seconds")
        )
        try:
            self._reactor.spawnProcess(
                running,
                "/bin/sh",
                ["sh", "-c", self._command],
                env=environ,
                childFDs={0: "w", 1: "r", 2: 2},
            )
            return await running.done
        finally:
            self._running.discard(running)
            if late.active():
                late.cancel()

    def kill(self) -> None:
        """All that run."""
        for running in self._running:
            running.kill(StompError("the command was interrupted"))


class _Running(ProcessProtocol):
    transport: Any  # IProcessTransport

    def __init__(self, octets: bytes) -> None:
        self.done: Deferred[bytes] = Deferred()
        self._octets = octets
        self._parts: list[bytes] = []
        self._length = 0
        self._error: StompError | None = None

    def connectionMade(self) -> None:
        self.transport.write(self._octets)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._parts.append(data)
        self._length += len(data)
        if self._length > MOST:
            self._parts.clear()
            self.kill(LimitExceeded("the command wrote too much", f"it may write {MOST:,} bytes"))

    def kill(self, error: StompError) -> None:
        """It has failed for this reason."""
        from twisted.internet.error import ProcessExitedAlready

        self._error = self._error or error
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            return
        self.transport.loseConnection()  # what it has started itself may hold the pipe

    def processEnded(self, reason: Failure) -> None:
        status = getattr(reason.value, "exitCode", None)
        if self._error is None and status != 0:
            by = f"signal {getattr(reason.value, 'signal', None)}" if status is None else f"status {status}"
            self._error = StompError(f"the command has ended with {by}")
        if self._error is None:
            self.done.callback(b"".join(self._parts))
        else:
            self.done.errback(self._error)
