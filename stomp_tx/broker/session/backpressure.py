"""Backpressure: when who sends has to wait for those who consume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from twisted.internet.defer import Deferred

from stomp_tx.address import base_of, is_topic
from stomp_tx.broker.session.routes import Route
from stomp_tx.broker.session.subscriptions import Subscriptions
from stomp_tx.errors import LimitExceeded, StompError
from stomp_tx.interfaces import IEngine, IFrameSender, Safe
from stomp_tx.message import Message

T = TypeVar("T")


class Backpressure:
    """What one session waits for after a SEND.

    A session that consumes from a full queue too can't be kept waiting: the ACKs that make room come behind
    its SENDs.  Its next SEND is refused instead, unless there is room by then.

    routes -- those that the session remembers
    is_waited_for -- does the session wait for a queue to have room again?
    """

    __slots__ = ("_engine", "_routes", "_sender", "_subscriptions", "is_waited_for")

    def __init__(
        self,
        engine: IEngine,
        subscriptions: Subscriptions,
        routes: dict[str | None, Route],
        sender: IFrameSender,
    ) -> None:
        self._sender = sender
        self._engine = engine
        self._subscriptions = subscriptions
        self._routes = routes
        self.is_waited_for = False

    def wait(self, key: str | None, message: Message) -> Deferred[None] | None:
        """Fires when there is room for more such: too much is on its way to the disk, or a queue is full.

        key -- by which the route to where it was sent is remembered
        """
        late: Deferred[None] | None = self._engine.caught_up()
        if late is not None:
            return late
        for one in base_of(message.address).split(","):  # (it may have got into a lane by now)
            room: Deferred[None] | None = self._engine.room(one, message)
            if room is None:
                continue
            if not self._subscriptions.consume_from(one):
                return self._waited_for(room)
            _give_up(room)
            self._refuse_next(key, one)
        return None

    def after(self, messages: Iterable[Message]) -> Deferred[None] | None:
        """The same after a COMMIT, and dead letters: of what we consume from the next COMMIT is refused."""
        late: Deferred[None] | None = self._engine.caught_up()
        if late is not None:
            return late
        for address, message in self._different(messages):
            room: Deferred[None] | None = self._engine.room(address, message)
            if room is None:
                continue
            if not self._subscriptions.consume_from(address):
                return self._waited_for(room)
            _give_up(room)
        return None

    def _different(self, messages: Iterable[Message]) -> Iterator[tuple[str, Message]]:
        """One to each address; of topics all, where queues that are bound to them may want some only."""
        addresses: set[str] = set()
        for message in messages:
            address = base_of(message.address)
            if address not in addresses or (self._engine.selectors and is_topic(address)):
                addresses.add(address)
                yield address, message

    def _waited_for(self, room: Deferred[None]) -> Deferred[None]:
        self.is_waited_for = True
        # It may be for ever: what its client holds is not to wait as long when that has gone.
        self._sender.watch_for_end(at_once=True)

        return room.addBoth(self._over)

    def _over(self, result: T) -> T:
        self.is_waited_for = False
        return result

    def _refuse_next(self, key: str | None, full: str) -> None:
        """The next SEND by that route, if that one is full by then too."""
        routes = self._routes
        if key not in routes:
            return
        usual = routes[key]
        routes[key] = _WhileFull(self, routes, key, full).put, usual[1], usual[2]

    def stuck_at(self, messages: Iterable[Message]) -> str | None:
        """Where these can't all go, as it is full, and we consume from it; None: they can."""
        for address, message in self._different(messages):
            if self.is_stuck_at(address, message):
                return address
        return None

    def is_stuck_at(self, address: str, message: Message | None = None) -> bool:
        """Is it full, for this message or for any, and do we consume from it?"""
        if not self._subscriptions.consume_from(address):
            return False
        room = self._engine.room(address, message)
        if room is None:
            return False
        _give_up(room)
        return True


class _WhileFull:
    """A route to a full queue whose session consumes from it: refuses what it sends until there is room."""

    __slots__ = ("_backpressure", "_full", "_key", "_routes", "_usual")

    def __init__(
        self, backpressure: Backpressure, routes: dict[str | None, Route], key: str | None, full: str
    ) -> None:
        self._backpressure = backpressure
        self._routes = routes
        self._key = key
        self._full = full
        self._usual = routes[key]

    def put(self, message: Message) -> Safe:
        if self._backpressure.is_stuck_at(self._full, message):
            raise queue_full(self._full)
        if not self._backpressure.is_stuck_at(self._full):
            self._routes[self._key] = self._usual
        return self._usual[0](message)


def _give_up(room: Deferred[None]) -> None:
    """Nobody waits for it."""
    room.addErrback(lambda _: None)
    room.cancel()


def queue_full(address: str) -> StompError:
    """Why a SEND there is refused."""
    return LimitExceeded(
        "queue full",
        f"{address} is at its limit, and this connection both sends to it and consumes from it: "
        "use one connection for each",
    )
