"""Clients joined to the broker of ``stomp_tx.testing``; or to a test that speaks for the broker.

::

    world = World()
    ann = world.connect()                          a StompClient, joined to a real broker
    done = ann.send("/queue/a", "hello", receipt=True)
    world.runs()                                   until nobody has anything to say
    self.successResultOf(done)
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from stomp_tx.client import StompClient
from stomp_tx.testing import MemoryBroker
from stomp_tx.testing import ScriptedBroker as Script
from stomp_tx.testing.link import Link, Transport
from tests.conversation import Broker

__all__ = ["Script", "World"]


class Watched(Broker):
    """A broker that remembers the connections that are gone."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.all_links: list[Link] = []

    def _join(self, *arguments: Any) -> Any:
        joined = super()._join(*arguments)
        self.all_links.append(self._links[-1])
        return joined


class World:
    """A broker, its clock and the clients joined to it; keyword arguments are BrokerSettings."""

    def __init__(self, **settings: Any) -> None:
        self.broker = Watched(**settings)
        self.clock: Clock = self.broker.clock
        self.runs = self.broker.settle
        self.cut = self.broker.cut

    def dial(self, **settings: Any) -> Deferred[StompClient]:
        """What connect() gives; it has said CONNECT, if that can be said."""
        return MemoryBroker.dial(self.broker, **settings)

    def connect(self, **settings: Any) -> StompClient:
        """A client that is connected."""
        connecting = self.dial(**settings)
        clients: list[StompClient] = []
        connecting.addCallback(clients.append)
        self.runs()
        return clients[0]

    @property
    def pipe(self) -> Transport:
        """The first client's transport."""
        return self.broker.all_links[0].client.transport

    @property
    def said(self) -> bytes:
        """What has reached the broker, by all clients."""
        return b"".join(bytes(link.server.octets) for link in self.broker.all_links)

    def waiting(self, destination: str = "/queue/a") -> list[bytes]:
        """The bodies of what a queue keeps, and nobody was given."""
        return self.broker.waiting(destination)

    def does(self, work: Any) -> Deferred[Any]:
        """Run a coroutine until everybody is silent."""
        doing = Deferred.fromCoroutine(work)
        self.runs()
        return doing
