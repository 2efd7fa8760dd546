"""Link: a connection in memory between a client's protocol and a broker's."""

from __future__ import annotations

from typing import Any

from OpenSSL.crypto import X509
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from stomp_tx.testing.faults import Faults

HERE = IPv4Address("TCP", "127.0.0.1", 61613)


class Transport(StringTransport):
    """A transport whose buffer is full when ``room`` octets wait in it, until the peer reads.

    certificate -- what the peer has shown
    """

    room: int | None = None
    aborted = False
    certificate: Any = None

    def getPeerCertificate(self) -> Any:
        return None if self.certificate is None else X509.from_cryptography(self.certificate)

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.room is not None and len(self.value()) > self.room and self.producer is not None:
            self.producer.pauseProducing()

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()

    def take(self) -> bytes:
        """What was written: it is on its way now."""
        octets: bytes = self.value()
        self.clear()
        if self.room is not None and len(octets) > self.room and self.producer is not None:
            self.producer.resumeProducing()
        return octets


class End:
    """One end of a Link.

    octets -- all that have reached it
    """

    def __init__(self, protocol: IProtocol, peer: IAddress = HERE) -> None:
        self.protocol = protocol
        self.transport = Transport(peerAddress=peer, lenient=True)
        self.octets = bytearray()
        self.is_closed = False

    def begin(self) -> None:
        self.protocol.makeConnection(self.transport)

    def receive(self, octets: bytes) -> None:
        if not self.is_closed:
            self.octets += octets
            self.protocol.dataReceived(octets)

    def close(self, error: Exception) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.protocol.connectionLost(Failure(error))


class Link:
    """Carries octets to and fro, as well as its faults let it."""

    def __init__(self, client: IProtocol, server: IProtocol, clock: Clock, faults: Faults) -> None:
        self.client = End(client)
        self.server = End(server)
        self._clock = clock
        self._faults = faults
        self._under_way = 0
        self.is_over = False
        self.server.begin()
        self.client.begin()

    def carry(self) -> bool:
        """Carry what there is; was there something?"""
        if self.is_over:
            return False
        faults = self._faults
        there = self._move(self.client, self.server, faults.drop_after_sent, faults.cut_after_sent)
        back = self._move(self.server, self.client, faults.drop_after_received, faults.cut_after_received)
        if there or back or self.is_over:
            return True
        if self._is_ending() and not self._under_way:
            self.cut(ConnectionAborted() if self.client.transport.aborted else ConnectionDone())
            return True
        return False

    def _is_ending(self) -> bool:
        return self.client.transport.disconnecting or self.server.transport.disconnecting

    def _move(self, end: End, other: End, drop_after: int | None, cut_after: int | None) -> bool:
        octets = end.transport.take()
        if not octets or self.is_over:
            return False
        if self._faults.delay:
            self._under_way += 1
            self._clock.callLater(self._faults.delay, self._arrive, other, octets, drop_after, cut_after, 1)
        else:
            self._arrive(other, octets, drop_after, cut_after, 0)
        return True

    def _arrive(
        self, end: End, octets: bytes, drop_after: int | None, cut_after: int | None, late: int
    ) -> None:
        self._under_way -= late
        if self.is_over:
            return
        for limit in (drop_after, cut_after):
            if limit is not None:
                octets = octets[: max(0, limit - len(end.octets))]
        if octets:
            end.receive(octets)
        if cut_after is not None and len(end.octets) >= cut_after:
            self.cut(ConnectionLost())

    def cut(self, error: Exception | None = None) -> None:
        """The connection is lost, for both."""
        if self.is_over:
            return
        self.is_over = True
        error = error or ConnectionLost()
        self.server.close(error)
        self.client.close(error)
