"""Peer: a client that is nothing but frames, for tests that read as conversations.

::

    broker = MemoryBroker()
    ann = broker.peer()
    ann.says("SEND", destination="/queue/a", body=b"hi", receipt="1")
    assert ann.hears("RECEIPT").headers["receipt-id"] == "1"
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IProtocol
from twisted.python.failure import Failure

from stomp_tx.testing.link import Transport
from stomp_tx.testing.speaker import Speaker, named
from stomp_tx.wire.frame import Frame


class Peer(Speaker):
    """The other end of a connection to a broker: says frames, and hears them.

    version -- the protocol version that it speaks
    octets -- all that was heard
    """

    def __init__(self, protocol: IProtocol, address: IAddress | None = None, certificate: Any = None) -> None:
        """
        protocol -- the broker's
        address -- where it connects from
        certificate -- what TLS has verified
        """
        super().__init__("1.2", protocol.dataReceived)
        self.transport = Transport(peerAddress=address)
        self.transport.certificate = certificate
        self.protocol = protocol
        self.octets = b""
        protocol.makeConnection(self.transport)

    # -- speaking -----------------------------------------------------------------------------------------

    def subscribes(self, destination: str, id: str = "1", ack: str = "auto", **headers: str | int) -> None:
        """Send SUBSCRIBE; further headers as with ``says``."""
        self.says("SUBSCRIBE", {"id": id, "destination": destination, "ack": ack, **named(headers)})

    def acks(self, message: Frame, command: str = "ACK", **headers: str | int) -> None:
        """ACK (or NACK) as the version has it."""
        if self.version == "1.2":
            which = {"id": message.headers["ack"]}
        else:
            names = ("message-id", "subscription")
            which = {name: message.headers[name] for name in names if name in message.headers}
        self.says(command, {**which, **named(headers)})

    def nacks(self, message: Frame, **headers: str | int) -> None:
        """NACK as the version has it; 1.0 has none."""
        self.acks(message, "NACK", **headers)

    # -- listening ----------------------------------------------------------------------------------------

    def hears_octets(self) -> bytes:
        octets: bytes = self.transport.value()
        self.transport.clear()
        self.octets += octets
        return octets

    def hears_bodies(self) -> list[bytes]:
        """The bodies of all messages that have come."""
        frames = self.everything()
        assert all(frame.command == "MESSAGE" for frame in frames), frames
        return [frame.body for frame in frames]

    def fails(self, summary: str) -> Frame:
        """The next frame is an ERROR with this in its message, and the connection closes."""
        frame = self.hears("ERROR")
        assert summary in frame.headers["message"], frame.headers
        assert self.is_closed, "the connection stays open after ERROR"
        assert self.hears_nothing()
        return frame

    def hears_the_end(self) -> None:
        """The broker has closed the connection, and has said nothing more before."""
        assert self.hears_nothing(), self.hears_octets()
        assert self.is_closed, "the connection is open"

    @property
    def is_closed(self) -> bool:
        """Has the broker closed the connection?"""
        return self.transport.disconnecting

    def closes_its_side(self) -> None:
        """It says nothing more, and still hears: what ``socat`` does at the end of its input.

        A peer that closes the whole connection looks the same to the broker until that writes.
        """
        IHalfCloseableProtocol(self.protocol).readConnectionLost()

    def hangs_up(self) -> None:
        """The connection is cut."""
        self.protocol.connectionLost(Failure(ConnectionDone()))
