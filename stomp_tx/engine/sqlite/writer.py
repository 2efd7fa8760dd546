"""WriterThread: where the statements that change the file run, one group after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.python.threadpool import ThreadPool


class Worker(Protocol):
    """Does one thing at a time, elsewhere."""

    def run(self, work: Callable[[], Any], done: Callable[[bool, Any], None]) -> None:
        """Call ``work``; then, in the reactor's thread, ``done(True, result)`` or ``done(False, failure)``.

        The latter is a twisted.python.failure.Failure.
        """

    def stop(self) -> None:
        """Nothing more will be run."""


class WriterThread:
    """One thread, that begins with the first work it gets."""

    def __init__(self, reactor: Any) -> None:
        """``reactor``: IReactorFromThreads."""
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=1, maxthreads=1, name="stomp-tx-file")

    def run(self, work: Callable[[], Any], done: Callable[[bool, Any], None]) -> None:
        if not self._pool.started:
            self._pool.start()
        self._pool.callInThreadWithCallback(
            lambda success, result: self._reactor.callFromThread(done, success, result), work
        )

    def stop(self) -> None:
        if self._pool.started:
            self._pool.stop()
