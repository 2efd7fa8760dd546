"""Connections through a proxy that says where they come from: the PROXY protocol, versions 1 and 2."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IListeningPort,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.haproxy._exceptions import InvalidProxyHeader
from twisted.protocols.haproxy._info import ProxyInfo
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import classImplements, directlyProvides, providedBy

from stomp_tx.timer import Timer

HEADER_TIMEOUT = 5.0
"""Seconds that a proxy has for the header, which it sends as soon as it has connected."""

ANYWHERE = IPv4Address("TCP", "0.0.0.0", 0)
"""Where those come from of whom the proxy says nothing that counts: it is no address of this machine's."""


UNKNOWN = b"PROXY UNKNOWN\r\n"


class ProxiedProtocol(ProtocolWrapper):
    """One connection.  For the protocol in it, it begins when the header has come.

    Twisted's own wrapper begins at once: all would count as the proxy's until they say something, and as
    local where the header names no address.
    """

    factory: ProxiedFactory

    def __init__(self, factory: ProxiedFactory, wrapped: Protocol) -> None:
        super().__init__(factory, wrapped)  # type: ignore[arg-type]  # it is generic in newer Twisteds alone
        self._peer: IAddress | None = None  # once the header has come
        self._parser: V1Parser | V2Parser | None = None
        self._timeout = Timer(factory.clock)

    def makeConnection(self, transport: Any) -> None:
        directlyProvides(self, providedBy(transport))
        Protocol.makeConnection(self, transport)
        self.factory.registerProtocol(self)
        self._timeout.set(HEADER_TIMEOUT, self.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        if self._peer is not None:
            self.wrappedProtocol.dataReceived(data)
            return
        try:
            info, rest = self._read_header(data)
        except (InvalidProxyHeader, ValueError):  # the latter of a port that is no number
            self.loseConnection()
            return
        if info is None:
            return
        self._timeout.cancel()
        source = info.source
        self._peer = source if isinstance(source, (IPv4Address, IPv6Address)) else ANYWHERE
        self.wrappedProtocol.makeConnection(self)  # type: ignore[arg-type]  # by what its transport provides
        if rest:
            self.wrappedProtocol.dataReceived(rest)

    def _read_header(self, data: bytes) -> tuple[ProxyInfo | None, bytes | None]:
        if self._parser is None:
            if data.startswith(V2Parser.PREFIX) and len(data) >= 16:
                self._parser = V2Parser()
            elif data.startswith(UNKNOWN):  # which Twisted's parser does not take without addresses
                return ProxyInfo(UNKNOWN, None, None), data[len(UNKNOWN) :]
            elif data.startswith(V1Parser.PROXYSTR) and len(data) >= 8:
                self._parser = V1Parser()
            else:
                raise InvalidProxyHeader
        return self._parser.feed(data)

    def readConnectionLost(self) -> None:
        """The client sends nothing more: its protocol's business, if it has begun and cares."""
        if self._peer is not None and IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.readConnectionLost()
        else:
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        """We send nothing more: no proxied connection closes that side alone."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._timeout.cancel()
        if self._peer is not None:
            super().connectionLost(reason)
        else:
            self.factory.unregisterProtocol(self)

    def getPeer(self) -> IAddress:
        assert self._peer is not None  # nobody asks before
        return self._peer


classImplements(ProxiedProtocol, IHalfCloseableProtocol)


class ProxiedFactory(WrappingFactory):
    """Another factory, as a proxy in front of it has it."""

    protocol = ProxiedProtocol
    noisy = False

    def __init__(self, wrapped: IProtocolFactory, clock: IReactorTime) -> None:
        super().__init__(wrapped)
        self.clock = clock


class ProxiedEndpoint:
    """Another endpoint, with a proxy in front of it."""

    def __init__(self, endpoint: IStreamServerEndpoint, clock: IReactorTime) -> None:
        self._endpoint = endpoint
        self._clock = clock

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """What the other endpoint's ``listen`` gives."""
        return self._endpoint.listen(ProxiedFactory(factory, self._clock))


classImplements(ProxiedEndpoint, IStreamServerEndpoint)
