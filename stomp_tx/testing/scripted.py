"""ScriptedBroker: a test that speaks for the broker."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from stomp_tx.client import StompClient, connect
from stomp_tx.testing.link import HERE, Transport
from stomp_tx.testing.speaker import Speaker, named
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.headers import Headers


@implementer(IStreamClientEndpoint)
class OneEndpoint:
    """Builds the client's protocol and joins it to its transport."""

    def __init__(self) -> None:
        self.transport = Transport(peerAddress=HERE, lenient=True)
        self.protocol: Any = None
        self.closed = False

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        self.protocol = factory.buildProtocol(HERE)
        self.protocol.makeConnection(self.transport)
        return succeed(self.protocol)

    def close(self, error: Exception | None = None) -> None:
        """The connection is gone, for the client."""
        if not self.closed:
            self.closed = True
            self.protocol.connectionLost(Failure(error or ConnectionDone()))


class ScriptedBroker(Speaker):
    """The test speaks for the broker, to one client: for what a real one would hardly say.

    ::

        broker = ScriptedBroker()
        connecting = broker.accepts(login="ann")
        broker.hears("CONNECT")
        broker.says("ERROR", message="not today")

    clock -- the client's
    version -- the protocol version that it speaks
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.endpoint = OneEndpoint()
        self.pipe = self.endpoint.transport
        super().__init__(None, lambda octets: self.endpoint.protocol.dataReceived(octets))

    def accepts(self, **settings: Any) -> Deferred[StompClient]:
        """The client begins to connect."""
        return connect(self.endpoint, reactor=self.clock, **settings)

    def connects(self, version: str = "1.2", **settings: Any) -> StompClient:
        """The client is connected, without heart-beats."""
        connecting = self.accepts(**settings)
        self.hears("CONNECT")
        self.says("CONNECTED", version=version)
        clients: list[StompClient] = []
        connecting.addCallback(clients.append)
        return clients[0]

    def hears_octets(self) -> bytes:
        self.clock.advance(0)
        return self.pipe.take()

    def says(
        self, command: str, headers: Headers | None = None, body: bytes = b"", **more: str | int
    ) -> None:
        if command == "CONNECTED":
            self.version = f"{more.get('version', '1.0')}"
        super().says(command, headers, body, **more)

    def answers(self, frame: Frame) -> None:
        """Send the RECEIPT that a frame asked for."""
        self.says("RECEIPT", receipt_id=frame.headers["receipt"])

    def message(self, subscription: str, body: bytes = b"hello", **headers: str | int) -> None:
        """Send a MESSAGE."""
        first = {"subscription": subscription, "message-id": "m", "destination": "/queue/a"}
        self.says("MESSAGE", {**first, **named(headers)}, body)

    def closes_its_side(self) -> None:
        """It says nothing more, and still hears."""
        self.endpoint.protocol.readConnectionLost()

    def hangs_up(self) -> None:
        """The connection is cut."""
        self.endpoint.close()
