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
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.python.failure import Failure

from stomp_tx.testing.link import Transport
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.parser import FrameParser


class Peer:
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
        self.version = "1.2"
        self.transport = Transport(peerAddress=address)
        self.transport.certificate = certificate
        self.protocol = protocol
        self._parser = FrameParser()
        self._heard: list[Frame] = []
        self.octets = b""
        protocol.makeConnection(self.transport)

    # -- speaking -----------------------------------------------------------------------------------------

    def says(
        self, command: str, headers: dict[str, str] | None = None, body: bytes = b"", **more: str
    ) -> None:
        """Send a frame; keyword arguments are headers, ``_`` standing for ``-``."""
        named = {name.replace("_", "-"): value for name, value in more.items()}
        self.sends(Frame(command, {**(headers or {}), **named}, body).encode(self.version))

    def sends(self, octets: bytes) -> None:
        """Send octets as they are."""
        self.protocol.dataReceived(octets)

    def subscribes(self, destination: str, id: str = "1", ack: str = "auto", **headers: str) -> None:
        """Send SUBSCRIBE; further headers as with ``says``."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        self.says("SUBSCRIBE", {"id": id, "destination": destination, "ack": ack, **more})

    def acks(self, message: Frame, command: str = "ACK", **headers: str) -> None:
        """ACK (or NACK) as the version has it."""
        if self.version == "1.2":
            named = {"id": message.headers["ack"]}
        else:
            names = ("message-id", "subscription")
            named = {name: message.headers[name] for name in names if name in message.headers}
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        self.says(command, {**named, **more})

    def nacks(self, message: Frame, **headers: str) -> None:
        """NACK as the version has it; 1.0 has none."""
        self.acks(message, "NACK", **headers)

    # -- listening ----------------------------------------------------------------------------------------

    def _listen(self) -> None:
        octets = self.transport.value()
        self.transport.clear()
        self.octets += octets
        self._parser.version = self.version
        self._parser.feed(octets)
        while (frame := self._parser.next_frame()) is not None:
            self._heard.append(frame)

    def everything(self) -> list[Frame]:
        """All frames that have come and were not taken yet."""
        self._listen()
        heard, self._heard = self._heard, []
        return heard

    def hears(self, command: str) -> Frame:
        """The next frame, which must have this command."""
        self._listen()
        assert self._heard, f"expected {command}, heard nothing"
        frame = self._heard.pop(0)
        assert frame.command == command, f"expected {command}, heard {frame!r}: {frame.body!r}"
        return frame

    def hears_bodies(self) -> list[bytes]:
        """The bodies of all messages that have come."""
        frames = self.everything()
        assert all(frame.command == "MESSAGE" for frame in frames), frames
        return [frame.body for frame in frames]

    def hears_nothing(self) -> bool:
        """Has nothing come?"""
        self._listen()
        return not self._heard

    def fails(self, summary: str) -> Frame:
        """The next frame is an ERROR with this in its message, and the connection closes."""
        frame = self.hears("ERROR")
        assert summary in frame.headers["message"], frame.headers
        assert self.is_closed, "the connection stays open after ERROR"
        assert self.hears_nothing()
        return frame

    @property
    def is_closed(self) -> bool:
        """Has the broker closed the connection?"""
        return self.transport.disconnecting

    def hangs_up(self) -> None:
        """The connection is cut."""
        self.protocol.connectionLost(Failure(ConnectionDone()))
