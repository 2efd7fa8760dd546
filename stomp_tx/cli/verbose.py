"""Verbose: an endpoint whose frames are shown on stderr, both ways."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import implementer

from stomp_tx.errors import FrameError
from stomp_tx.printable import printable
from stomp_tx.wire.parser import FrameParser


@implementer(IStreamClientEndpoint)
class VerboseEndpoint:
    """Connects as that one does."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        connecting: Deferred[Any] = self._endpoint.connect(_Factory(protocolFactory))
        return connecting.addCallback(lambda wrapper: wrapper.wrappedProtocol)


class _Shown:
    """The frames of one direction.  Passcodes and tokens in headers are hidden, and no bodies are shown."""

    def __init__(self, arrow: str) -> None:
        self._arrow = arrow
        self._parser: FrameParser | None = FrameParser()

    def add(self, octets: bytes) -> str | None:
        """More of them; the version that CONNECTED tells, if it is among them."""
        version = None
        if self._parser is None:
            return None
        try:
            self._parser.feed(octets)
            while (frame := self._parser.next_frame()) is not None:
                print(f"{self._arrow} {printable(repr(frame)[1:-1])}", file=sys.stderr)
                if frame.command == "CONNECTED":
                    version = frame.headers.get("version", "1.0")
                    self.agree(version)
        except FrameError as error:
            print(f"{self._arrow} {printable(error.line)}: what follows is not shown", file=sys.stderr)
            self._parser = None
        return version

    def agree(self, version: str) -> None:
        if self._parser is not None:
            self._parser.version = version


class _Protocol(ProtocolWrapper):
    def __init__(self, factory: Any, wrappedProtocol: Any) -> None:
        super().__init__(factory, wrappedProtocol)
        self._sent, self._received = _Shown(">"), _Shown("<")

    def dataReceived(self, data: bytes) -> None:
        version = self._received.add(data)
        if version is not None:
            self._sent.agree(version)
        super().dataReceived(data)

    def write(self, data: bytes) -> None:
        self._sent.add(data)
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))


class _Factory(WrappingFactory):
    protocol = _Protocol
    noisy = False
