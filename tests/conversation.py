"""A broker in memory and clients that talk to it: tests read as conversations.

::

    broker = Broker()
    ann = broker.connect()
    ann.says("SEND", destination="/queue/a", body=b"hi")
    assert ann.hears("RECEIPT").headers["receipt-id"] == "1"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from OpenSSL.crypto import X509
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from stomp_tx.auth.realm import StompUser
from stomp_tx.broker.factory import StompBrokerFactory
from stomp_tx.broker.policy import Policies, Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.memory import MemoryEngine
from stomp_tx.interfaces import IEngine
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.parser import FrameParser


class Transport(StringTransport):
    """A transport whose buffer fills when ``room`` octets wait in it, until the peer reads."""

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


class Broker:
    """A broker with a clock of its own; keyword arguments are those of BrokerSettings and Policy.

    ``patterns``: the policies of some destinations.
    """

    def __init__(
        self,
        limits: EngineLimits | None = None,
        factory: dict[str, Any] | None = None,
        engine: IEngine | None = None,
        clock: Clock | None = None,
        patterns: Mapping[str, Policy] | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock or Clock()
        self.engine: Any = engine or MemoryEngine(limits, self.now)
        policy = {one.name: settings.pop(one.name) for one in fields(Policy) if one.name in settings}
        self.factory = StompBrokerFactory(
            self.engine,
            self.clock,
            StompUser("anonymous"),
            settings=BrokerSettings(**settings),
            policies=Policies(Policy(**policy), (patterns or {}).items()),
            now=self.now,
            **(factory or {}),
        )

    def now(self) -> float:
        """Seconds since 1970, for this broker."""
        return float(1_000_000 + self.clock.seconds())

    def dial(self, peer: IAddress | None = None, certificate: Any = None) -> Client:
        """A connection on which nothing was said yet, from there; ``certificate``: what TLS has verified."""
        return Client(self, peer, certificate)

    def knocks(self, peer: IAddress | None = None, certificate: Any = None, **headers: str) -> Client:
        """A client that has said CONNECT, and may have been answered."""
        client = self.dial(peer, certificate)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client.says("CONNECT", **{"accept-version": client.version, "host": "test", **named})
        return client

    def connect(self, version: str = "1.2", **headers: str) -> Client:
        """A client that has been answered with CONNECTED."""
        client = self.dial()
        client.version = version
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client.says("CONNECT", **{"accept-version": version, "host": "test", **named})
        client.hears("CONNECTED")
        return client


class Client:
    """The other end of one connection to the broker."""

    def __init__(self, broker: Broker, peer: IAddress | None = None, certificate: Any = None) -> None:
        self.broker = broker
        self.version = "1.2"
        self.transport = Transport(peerAddress=peer)
        self.transport.certificate = certificate
        protocol = broker.factory.buildProtocol(None)
        assert protocol is not None
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
        self.says("SUBSCRIBE", id=id, destination=destination, ack=ack, **headers)

    def acks(self, message: Frame, command: str = "ACK", **headers: str) -> None:
        """ACK (or NACK) as the version has it."""
        if self.version == "1.2":
            named = {"id": message.headers["ack"]}
        else:
            names = ("message-id", "subscription")
            named = {name: message.headers[name] for name in names if name in message.headers}
        self.says(command, named, **headers)

    def nacks(self, message: Frame, **headers: str) -> None:
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
