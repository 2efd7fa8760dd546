"""Event loops: Twisted's reactor, or asyncio's event loop with the reactor upon it."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorTime,
    IResolutionReceiver,
)
from zope.interface import implementer

from stomp_tx.clock import MonotonicClock
from stomp_tx.errors import ConfigurationError


def default_reactor() -> Any:
    """The reactor that is installed; or in a running event loop of asyncio, one upon that loop.

    Raises ConfigurationError when another one was installed before.
    """
    loop = _running_loop()
    if loop is not None:
        install(loop)
    from twisted.internet import reactor

    return reactor


def reactor_and_clock(reactor: Any) -> tuple[Any, IReactorTime]:
    """A client's reactor, None: the default one; and its clock, which is monotonic unless a test has its own.

    Raises ConfigurationError as ``default_reactor``.
    """
    if reactor is None:
        reactor = default_reactor()
    if reactor is sys.modules.get("twisted.internet.reactor"):
        return reactor, MonotonicClock(reactor)
    return reactor, reactor


def install(loop: asyncio.AbstractEventLoop | None = None) -> None:
    """Let Twisted run upon an event loop of asyncio: the one that is running, where none is named.

    Done by itself when a client connects.  By hand only where something else imports Twisted's reactor
    before: it can be chosen once in a process.  Raises ConfigurationError when it is too late, and for a loop
    that Twisted can't use.
    """
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor
    from twisted.internet.main import installReactor

    loop = loop or asyncio.get_running_loop()
    installed: Any = sys.modules.get("twisted.internet.reactor")
    if installed is None:
        try:
            reactor = AsyncioSelectorReactor(loop)
        except TypeError as error:
            raise ConfigurationError(
                f"Twisted can't use this event loop: {error}",
                "on Windows run your coroutine with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)",
            ) from None
        installReactor(reactor)
        # Without threads, which would outlive the loop: Twisted looks names up in a pool of its own.
        reactor.installNameResolver(LoopResolver(loop))
        reactor.startRunning(installSignalHandlers=False)
    elif getattr(installed, "_asyncioEventloop", None) is not loop:
        raise ConfigurationError(
            "Twisted's reactor is not this event loop's",
            "call install_asyncio() in the loop before anything imports twisted.internet.reactor;"
            " a process has one reactor, and so one loop to connect from",
        )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def in_task() -> bool:
    """Is it a task of asyncio that runs this?"""
    return _running_loop() is not None and asyncio.current_task() is not None


Run = Callable[[Coroutine[Any, Any, Any]], Deferred[Any]]
"""Runs a coroutine."""


def runner() -> Run:
    """What runs coroutines as the running one is run: as a task of asyncio, or as Twisted does."""
    return run_in_task if in_task() else Deferred.fromCoroutine


def run_in_task(coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
    """Run it as a task of asyncio."""
    return Deferred.fromFuture(asyncio.ensure_future(coroutine))


_KINDS: dict[int, type[IPv4Address | IPv6Address]] = {
    socket.AF_INET: IPv4Address,
    socket.AF_INET6: IPv6Address,
}


@implementer(IHostnameResolver)
class LoopResolver:
    """Looks up names as the event loop does."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._looking: set[asyncio.Task[None]] = set()

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        looking = self._loop.create_task(self._look(resolutionReceiver, hostName, portNumber, addressTypes))
        self._looking.add(looking)  # the loop itself holds none
        looking.add_done_callback(self._looking.discard)
        resolution.looking = looking
        return resolution

    async def _look(
        self,
        receiver: IResolutionReceiver,
        name: str,
        port: int,
        wanted: Sequence[type[IAddress]] | None,
    ) -> None:
        try:
            found = await self._loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            found = []
        for family, _, _, _, place in found:
            kind = _KINDS.get(family)
            if kind is not None and (wanted is None or kind in wanted):
                receiver.addressResolved(kind("TCP", *place[:2]))
        receiver.resolutionComplete()


@implementer(IHostResolution)
class Resolution:
    """A look-up that may be given up."""

    looking: asyncio.Task[None]

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        self.looking.cancel()
