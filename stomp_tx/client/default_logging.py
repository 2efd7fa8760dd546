"""DefaultLogging: what a client warns of reaches stderr in a program that has not begun to log."""

from __future__ import annotations

import sys

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    globalLogBeginner,
    globalLogPublisher,
)
from zope.interface import implementer

from stomp_tx.printable import printable

SHOWN = (LogLevel.warn, LogLevel.error)
"""What is critical Twisted shows by itself."""


@implementer(ILogObserver)
class DefaultLogging:
    """As ``logging.lastResort`` for Twisted's log: nobody shall wait for a broker without knowing why.

    It is silent once the program logs: with ``globalLogBeginner``, ``startLogging``, an observer of its own.

    is_silent -- whoever set this says by themselves what goes wrong
    """

    is_silent = False
    _has_begun = False

    def begin(self) -> None:
        """From now on; may be called again."""
        if not self._has_begun:
            self._has_begun = True
            globalLogPublisher.addObserver(self)

    def __call__(self, event: LogEvent) -> None:
        if (
            event.get("log_level") in SHOWN
            and str(event.get("log_namespace")).startswith("stomp_tx.client.")
            and not self.is_silent
            and self._nobody_logs()
            and sys.stderr is not None
        ):
            print(f"stomp-tx: {printable(formatEvent(event))}", file=sys.stderr, flush=True)

    def _nobody_logs(self) -> bool:
        # Until logging begins Twisted has an observer of its own, and tells nobody that it has.
        first = getattr(globalLogBeginner, "_temporaryObserver", None)
        observers = getattr(globalLogPublisher, "_observers", ())
        return first is not None and all(one is first or one is self for one in observers)


DEFAULT_LOGGING = DefaultLogging()
