"""The broker's process: the order in which its services start and stop, and its end when one can't start."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.errors import StompError


class CannotStart(SystemExit, Exception):
    """The broker can't start; ``str()`` is the one line that says why and what to do.

    As a SystemExit it ends the process with that line and exit code 1, and no traceback.  As an Exception it
    makes ``twistd`` remove its pid file, and tell whoever started the daemon.
    """

    def __init__(self, error: StompError) -> None:
        super().__init__(f"stomp: {error.line}")


class OrderedServices(MultiService):
    """Services that start in their order and stop in the reverse, each when the one after it has stopped."""

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor

    def stopService(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        Service.stopService(self)
        orderly = True
        for service in reversed(list(self)):
            try:
                await maybeDeferred(service.stopService)
            except Exception:
                orderly = False
                self.log.failure("{service} could not stop", service=type(service).__name__)
        if orderly:
            # The exit code says so: 0.  Twisted would end the process by the signal that began all this.
            self._reactor._exitSignal = None


def must_succeed(work: Deferred[Any], reactor: Any, describe: Callable[[Failure], StompError]) -> None:
    """Raise CannotStart if the work has failed already; end the process if it fails later."""
    failed: list[StompError] = []
    returned = False

    def fail(failure: Failure) -> None:
        error = describe(failure)
        if not returned:
            failed.append(error)
        elif not failure.check(CancelledError):
            reactor.callWhenRunning(end, error, reactor)

    work.addErrback(fail)
    returned = True
    if failed:
        raise CannotStart(failed[0])


def end(error: StompError, reactor: Any) -> None:
    """End the running process with exit code 1, orderly but for that."""
    Logger().critical("{line}", line=str(CannotStart(error)))
    # Neither twistd nor twist can be told an exit code once the reactor runs.
    atexit.register(_exit_with_failure)
    stop_reactor(reactor)


def stop_reactor(reactor: Any) -> None:
    """Stop it, unless it stops already."""
    with suppress(ReactorNotRunning):
        reactor.stop()


def _exit_with_failure() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
