"""MemoryBroker: a whole broker without a socket, whose time the test makes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import fields
from random import Random
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IAddress, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from stomp_tx.broker.factory import StompBrokerFactory
from stomp_tx.broker.policy import Policies, Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.client import StompClient, StompClientService, connect
from stomp_tx.client.arguments import must_be_known
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.memory.engine import MemoryEngine
from stomp_tx.interfaces import IEngine
from stomp_tx.testing.faults import NONE, Faults
from stomp_tx.testing.link import HERE, Link
from stomp_tx.testing.peer import Peer
from stomp_tx.testing.speaker import named

T = TypeVar("T")

SOON = 600.0
"""Seconds of the clock that ``run`` lets pass, where nothing is said."""

TURNS = 100_000
"""Turns after which it must be quiet."""


_OWN_ARGUMENTS = ("limits", "factory", "engine", "clock", "patterns", "upkeep")


class Stuck(AssertionError):
    """What was run waits for something that does not come."""


class MemoryBroker:
    """A broker with a clock of its own, and the clients joined to it.

    Keyword arguments are those of BrokerSettings and Policy, which are what ``twistd stomp --set`` sets::

        broker = MemoryBroker(attempts=3, subscriptions=10)

    Nothing happens by itself.  ``run`` runs a coroutine to its end; ``settle`` lets all have their say;
    ``advance`` lets time pass.  The same test does the same each time.

    clock -- a twisted.internet.task.Clock, which clients take as their ``reactor``
    engine, factory -- what it is made of
    is_down -- nobody can connect
    """

    def __init__(
        self,
        limits: EngineLimits | None = None,
        factory: Mapping[str, Any] | None = None,
        engine: IEngine | None = None,
        clock: Clock | None = None,
        patterns: Mapping[str, Policy] | None = None,
        upkeep: bool = True,
        **settings: Any,
    ) -> None:
        """
        limits -- of the engine that it makes
        engine -- where messages are kept, instead of that one
        clock -- one that is there already, so that two brokers have the same time
        upkeep -- messages expire, and are delivered when they are due, as time passes
        patterns -- policies of some destinations, by name or pattern: ``{"/queue/>": Policy(attempts=2)}``
        factory -- further arguments of StompBrokerFactory, such as ``portal`` and ``events``
        settings -- the fields of BrokerSettings, and of the Policy of all other destinations; a name that
            both have is the policy's, which is what counts then

        Raises ConfigurationError for a value that can't be, and for a name that nothing has.
        """
        known = {one.name for kind in (BrokerSettings, Policy) for one in fields(kind)}
        must_be_known(settings, {*known, *_OWN_ARGUMENTS}, "MemoryBroker")
        self.clock = clock or Clock()
        self.engine: IEngine = engine or MemoryEngine(limits, self.clock.seconds)
        policy = {one.name: settings.pop(one.name) for one in fields(Policy) if one.name in settings}
        self.factory = StompBrokerFactory(
            self.engine,
            self.clock,
            settings=BrokerSettings(**settings),
            policies=Policies(Policy(**policy), (patterns or {}).items()),
            now=self.now,
            **(factory or {}),
        )
        if upkeep:
            self.factory.startFactory()
        self.is_down = False
        self._links: list[Link] = []

    def now(self) -> float:
        """Seconds since 1970, for this broker."""
        return float(1_000_000 + self.clock.seconds())

    # -- clients ------------------------------------------------------------------------------------------

    def endpoint(self, faults: Faults | Callable[[], Faults] = NONE) -> IStreamClientEndpoint:
        """Where a client connects to: ``connect(broker.endpoint(), reactor=broker.clock)``.

        faults -- of each connection that is made; a callable is asked for those of the next one
        """
        return _Endpoint(self, faults)

    def dial(self, faults: Faults | Callable[[], Faults] = NONE, **settings: Any) -> Deferred[StompClient]:
        """What ``connect`` gives, over such an endpoint."""
        return connect(self.endpoint(faults), reactor=self.clock, **settings)

    def client(self, faults: Faults | Callable[[], Faults] = NONE, **settings: Any) -> StompClient:
        """A StompClient that is connected; the settings are those of ``connect``."""
        connecting = self.dial(faults, **settings)
        self.settle()
        return _result_of(connecting, "the client to be connected")

    def service(
        self,
        *,
        faults: Faults | Callable[[], Faults] = NONE,
        **more: Any,
    ) -> StompClientService:
        """A StompClientService that is not started yet; ``more``: its keyword arguments."""
        more = {"random": Random(1), "reactor": self.clock, **more}
        return StompClientService(self.endpoint(faults), **more)

    def peer(self, version: str = "1.2", **headers: str | int) -> Peer:
        """One who speaks in frames, and was answered with CONNECTED; ``headers`` are CONNECT's."""
        peer = self.stranger()
        peer.version = version
        peer.says("CONNECT", {"accept-version": version, "host": "/", **named(headers)})
        peer.hears("CONNECTED")
        return peer

    def stranger(self, address: IAddress | None = None, certificate: Any = None) -> Peer:
        """One who speaks in frames, and has said nothing yet.

        certificate -- what TLS has verified
        """
        return Peer(self.factory.buildProtocol(None), address, certificate)

    # -- what happens -------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Carry what is said to and fro, until nobody says anything more at this time."""
        for _ in range(TURNS):
            self.clock.advance(0)
            if not any([link.carry() for link in self._links]):
                return
            self._links = [link for link in self._links if not link.is_over]
        raise Stuck("they never stop talking to each other")

    def advance(self, seconds: float) -> None:
        """Let so much time pass; whatever is due in it happens at its time."""
        end = self.clock.seconds() + seconds
        self.settle()
        while True:
            due = min((call.getTime() for call in self.clock.getDelayedCalls()), default=end)
            if due > end:
                break
            self.clock.advance(max(0.0, due - self.clock.seconds()))
            self.settle()
            if due == end:
                break
        self.clock.advance(max(0.0, end - self.clock.seconds()))
        self.settle()

    def run(self, story: Coroutine[Any, Any, T] | Deferred[T], within: float = SOON) -> T:
        """What it gives, or raises, at its end; time passes as it waits.

        Raises Stuck when it waits for longer than ``within`` seconds, or for nothing that will happen.
        """
        running = story if isinstance(story, Deferred) else Deferred.fromCoroutine(story)
        results: list[Any] = []
        running.addBoth(results.append)
        self.settle()
        end = self.clock.seconds() + within
        while not results:
            due = min((call.getTime() for call in self.clock.getDelayedCalls()), default=end + 1)
            if due > end:
                running.cancel()
                raise Stuck(f"it waits for something that does not happen within {within:g} seconds")
            self.clock.advance(max(0.0, due - self.clock.seconds()))
            self.settle()
        if isinstance(results[0], Failure):
            results[0].raiseException()
        result: T = results[0]
        return result

    def cut(self) -> None:
        """All connections that ``endpoint`` has made are lost."""
        links, self._links = self._links, []
        for link in links:
            link.cut()
        self.clock.advance(0)

    @property
    def links(self) -> list[Link]:
        """The connections that ``endpoint`` has made and that there are, oldest first."""
        return list(self._links)

    def waiting(self, destination: str) -> list[bytes]:
        """The bodies of the messages that wait in a queue, and nobody was given."""
        return [message.body for page in self.engine.browse(destination, 0) for message in page]

    def _join(self, factory: IProtocolFactory, faults: Faults) -> Deferred[Any]:
        if self.is_down:
            return fail(ConnectionRefusedError())
        client = factory.buildProtocol(HERE)
        assert client is not None
        self._links.append(Link(client, self.factory.buildProtocol(None), self.clock, faults))
        return succeed(client)


@implementer(IStreamClientEndpoint)
class _Endpoint:
    def __init__(self, broker: MemoryBroker, faults: Faults | Callable[[], Faults]) -> None:
        self._broker = broker
        self._faults = faults

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        faults = self._faults if isinstance(self._faults, Faults) else self._faults()
        return self._broker._join(factory, faults)


def _result_of(deferred: Deferred[T], what: str) -> T:
    results: list[Any] = []
    deferred.addBoth(results.append)
    if not results:
        raise Stuck(f"expected {what}")
    if isinstance(results[0], Failure):
        results[0].raiseException()
    result: T = results[0]
    return result
