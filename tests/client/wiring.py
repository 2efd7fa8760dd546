"""Clients in memory: joined to the broker of ``tests.conversation``, or to a test that speaks for the broker.

::

    world = World()
    ann = world.connect()                          a StompClient, joined to a real broker
    done = ann.send("/queue/a", "hello", receipt=True)
    world.runs()                                   until nobody has anything to say
    self.successResultOf(done)

    broker = Script()                              the test is the broker
    client = broker.accepts(heart_beat_ms=(0, 0))
    broker.hears("CONNECT"); broker.says("CONNECTED", version="1.2")
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from stomp_tx.client import StompClient, connect
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.parser import FrameParser
from tests.conversation import Broker, Transport

HERE = IPv4Address("TCP", "127.0.0.1", 61613)


class Pipe(Transport):
    """A transport that tells its producer when there is room again, and that can be heard to close."""

    def __init__(self) -> None:
        super().__init__(peerAddress=HERE, lenient=True)

    def take(self) -> bytes:
        """What was written: it is on its way now."""
        octets = self.value()
        self.clear()
        if self.room is not None and len(octets) > self.room and self.producer is not None:
            self.producer.resumeProducing()
        return octets


@implementer(IStreamClientEndpoint)
class Endpoint:
    """Builds the client's protocol and joins it to a Pipe."""

    def __init__(self) -> None:
        self.pipe = Pipe()
        self.protocol: Any = None
        self.closed = False

    def connect(self, factory: Any) -> Deferred[Any]:
        self.protocol = factory.buildProtocol(HERE)
        self.protocol.makeConnection(self.pipe)
        return succeed(self.protocol)

    def close(self, error: Exception | None = None) -> None:
        """The connection is gone, for the client."""
        if not self.closed:
            self.closed = True
            self.protocol.connectionLost(Failure(error or ConnectionDone()))


class World:
    """A broker, its clock and the clients joined to it; keyword arguments are BrokerSettings."""

    def __init__(self, **settings: Any) -> None:
        self.broker = Broker(**settings)
        self.clock: Clock = self.broker.clock
        self.joints: list[tuple[Endpoint, Any, Pipe]] = []
        self.said = b""  # by all clients

    def dial(self, **settings: Any) -> Deferred[StompClient]:
        """What connect() gives; it has said CONNECT, if that can be said."""
        endpoint = Endpoint()
        connecting = connect(endpoint, reactor=self.clock, **settings)
        if endpoint.protocol is not None:
            pipe = Pipe()
            server = self.broker.factory.buildProtocol(None)
            server.makeConnection(pipe)
            self.joints.append((endpoint, server, pipe))
        return connecting

    def connect(self, **settings: Any) -> StompClient:
        """A client that is connected."""
        connecting = self.dial(**settings)
        clients: list[StompClient] = []
        connecting.addCallback(clients.append)
        self.runs()
        return clients[0]

    def runs(self) -> None:
        """Carry octets to and fro until none are left."""
        busy = True
        while busy:
            self.clock.advance(0)
            busy = False
            for joint in list(self.joints):
                busy = self._carry(*joint) or busy

    def _carry(self, endpoint: Endpoint, server: Any, pipe: Pipe) -> bool:
        to_broker, to_client = endpoint.pipe.take(), pipe.take()
        self.said += to_broker
        if to_broker:
            server.dataReceived(to_broker)
        if to_client and not endpoint.closed:
            endpoint.protocol.dataReceived(to_client)
        if (endpoint.pipe.disconnecting or pipe.disconnecting) and not to_broker and not to_client:
            self.cut(endpoint)
            return True
        return bool(to_broker or to_client)

    def cut(self, endpoint: Endpoint | None = None) -> None:
        """A connection is lost: the only one, where none is named."""
        for joint in list(self.joints):
            if endpoint in (None, joint[0]):
                self.joints.remove(joint)
                joint[1].connectionLost(Failure(ConnectionDone()))
                joint[0].close(ConnectionAborted() if joint[0].pipe.aborted else None)
        self.clock.advance(0)

    def waiting(self, destination: str = "/queue/a") -> list[bytes]:
        """The bodies of what a queue keeps, and nobody was given."""
        queue = self.broker.engine._queues.get(destination)
        return [message.body for message in queue.messages] if queue else []

    def does(self, work: Any) -> Deferred[Any]:
        """Run a coroutine until everybody is silent."""
        doing = Deferred.fromCoroutine(work)
        self.runs()
        return doing


class Script:
    """The test speaks for the broker, to one client."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.endpoint = Endpoint()
        self.pipe = self.endpoint.pipe
        self.version: str | None = None
        self._parser = FrameParser()
        self._heard: list[Frame] = []

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

    def octets(self) -> bytes:
        """What the client has said since."""
        self.clock.advance(0)
        return self.pipe.take()

    def hears(self, command: str) -> Frame:
        """The next frame, which has this command."""
        self._listen()
        assert self._heard, f"expected {command}, heard nothing"
        frame = self._heard.pop(0)
        assert frame.command == command, f"expected {command}, heard {frame!r}"
        return frame

    def hears_nothing(self) -> bool:
        self._listen()
        return not self._heard

    def _listen(self) -> None:
        self._parser.version = self.version
        self._parser.feed(self.octets())
        while (frame := self._parser.next_frame()) is not None:
            self._heard.append(frame)

    def says(self, command: str, body: bytes = b"", **headers: str) -> None:
        """Send a frame; ``_`` in a header's name stands for ``-``."""
        if command == "CONNECTED":
            self.version = headers.get("version", "1.0")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.sends(Frame(command, named, body).encode(self.version or "1.2"))

    def sends(self, octets: bytes) -> None:
        self.endpoint.protocol.dataReceived(octets)

    def answers(self, frame: Frame) -> None:
        """Send the RECEIPT that a frame asked for."""
        self.says("RECEIPT", receipt_id=frame.headers["receipt"])

    def message(self, subscription: str, body: bytes = b"hello", **headers: str) -> None:
        """Send a MESSAGE."""
        first = {"subscription": subscription, "message_id": "m", "destination": "/queue/a"}
        self.says("MESSAGE", body, **{**first, **headers})

    def hangs_up(self) -> None:
        self.endpoint.close()
