"""A StompClientService and a broker in memory, or a test that speaks for one, for tests of what it does."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from stomp_tx.client import (
    StompClientService,
)
from stomp_tx.testing import MemoryBroker
from stomp_tx.testing.scripted import ScriptedBroker

QUEUE = "/queue/a"


class ServiceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = MemoryBroker()
        self.happened: list[Any] = []

    def starts(self, **more: Any) -> StompClientService:
        """A service that has connected."""
        service = self.broker.service(
            on_connected=lambda client: self.happened.append(client.version),
            on_lost=self.happened.append,
            **more,
        )
        service.startService()
        self.broker.settle()
        return service

    def got(self, deferred: Deferred[Any]) -> Any:
        self.broker.settle()
        return self.successResultOf(deferred)

    def fails(self, deferred: Deferred[Any], *errors: type[Exception]) -> Any:
        self.broker.settle()
        return self.failureResultOf(deferred, *errors).value

    def cut(self, seconds: float = 1.0) -> None:
        """The connection is lost; then there is time to connect again."""
        self.broker.cut()
        self.broker.advance(seconds)


@implementer(IStreamClientEndpoint)
class Script:
    """A test that speaks for the broker, on one connection after the other.

    clock -- the client's
    server -- CONNECTED's ``server`` header; "": none
    is_down -- nobody can connect
    """

    def __init__(self, server: str = "") -> None:
        self.clock = Clock()
        self.server = server
        self.is_down = False
        self._connections: list[ScriptedBroker] = []

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        if self.is_down:
            return fail(ConnectionRefusedError())
        broker = ScriptedBroker()
        broker.clock = self.clock
        self._connections.append(broker)
        return broker.endpoint.connect(factory)

    def service(self, **more: Any) -> StompClientService:
        """One that has begun to connect."""
        service = StompClientService(self, reactor=self.clock, random=Random(1), **more)
        service.startService()
        return service

    def advance(self, seconds: float) -> None:
        """Let time pass; whatever is due in it happens at its time."""
        end = self.clock.seconds() + seconds
        while True:
            due = [call.getTime() for call in self.clock.getDelayedCalls() if call.getTime() <= end]
            if not due:
                break
            self.clock.advance(max(0.0, min(due) - self.clock.seconds()))
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def knocks(self) -> ScriptedBroker:
        """The broker of the next connection, which has heard CONNECT."""
        for _ in range(600):
            if self._connections:
                break
            self.advance(0.5)
        broker = self._connections.pop(0)
        broker.hears("CONNECT")
        broker.version = "1.0"  # until it has said another one: there are no escapes in its ERROR
        return broker

    def accepts(self) -> ScriptedBroker:
        """The same, and it has said CONNECTED."""
        broker = self.knocks()
        broker.says("CONNECTED", {"server": self.server} if self.server else {}, version="1.2")
        return broker


def ends(broker: ScriptedBroker, message: str, body: bytes = b"", **headers: str) -> None:
    """ERROR, and close."""
    broker.says("ERROR", {"message": message}, body, **headers)
    broker.hangs_up()
