"""EarlySignalsService: signals that come before the reactor runs."""

from __future__ import annotations

import signal
import threading
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

from stomp_tx.service.process import stop_reactor


class EarlySignalsService(Service):
    """Ends the process in order by a SIGTERM or Ctrl-C, whenever it comes; further ones do nothing.

    Before the reactor runs they would kill it, and to open a large file takes a while.  While it stops the
    reactor's own handlers would log a traceback for each one.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._before: dict[int, Any] = {}
        self._has_come = False

    def startService(self) -> None:
        super().startService()
        if self._reactor.running or threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if before in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = before
                signal.signal(number, self._come)
        self._reactor.callWhenRunning(self._take_over)

    def _take_over(self) -> None:
        """The reactor has put its own handler in the place of one of these: no others."""
        for number in self._before:
            if signal.getsignal(number) in (self._reactor.sigTerm, self._reactor.sigInt):
                signal.signal(number, self._come)

    def stopService(self) -> None:
        super().stopService()
        for number, before in self._before.items():
            if signal.getsignal(number) == self._come:
                # This is the end: one that comes in the last moment would be told of as what has killed it.
                signal.signal(number, signal.SIG_IGN if self._has_come else before)
        self._before.clear()

    def _come(self, number: int, frame: object) -> None:
        if self._has_come:
            return
        self._has_come = True
        if self._reactor.running:
            Logger().info("received {signal}, shutting down", signal=signal.Signals(number).name)
            self._reactor._exitSignal = number  # if nothing else is said: see OrderedServices
            self._reactor.callFromThread(stop_reactor, self._reactor)
        else:
            self._reactor.callWhenRunning(stop_reactor, self._reactor)
