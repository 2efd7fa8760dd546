"""NotifyService: what systemd is told of the process."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import gatherResults
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from stomp_tx.service.port import PortService


class NotifyService(Service):
    """Tells systemd when all ports listen, and when the end begins (``Type=notify`` in a unit).

    Where the unit has ``WatchdogSec`` it also says, twice in that time, that the reactor turns: systemd
    restarts a process that hangs.
    """

    def __init__(
        self, ports: Sequence[PortService], reactor: Any, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._ports = ports
        self._reactor = reactor
        self._environ = environ
        self._watchdog = LoopingCall(notify, "WATCHDOG=1", environ)
        self._watchdog.clock = reactor

    def startService(self) -> None:
        super().startService()
        interval = watchdog_interval(self._environ)
        if interval:
            self._watchdog.start(interval / 2)
        # Not before the reactor runs: only then clients are served.
        gatherResults([port.listening for port in self._ports]).addCallback(
            lambda _: self._reactor.callLater(0, notify, "READY=1", self._environ)
        )

    def stopService(self) -> None:
        super().stopService()
        notify("STOPPING=1", self._environ)  # the watchdog goes on: to stop takes a while, too


def watchdog_interval(environ: Mapping[str, str]) -> float:
    """Seconds in which systemd wants to hear of this process: sd_watchdog_enabled(3); 0.0: it does not."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 1_000_000 if text.isascii() and text.isdigit() else 0.0


def notify(state: str, environ: Mapping[str, str]) -> None:
    """Tell systemd, if it has asked to be told: sd_notify(3)."""
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # Linux's abstract namespace
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(state.encode(), address)
    except OSError as error:
        Logger().warn("can't tell systemd {state}: {error}", state=state, error=error)
