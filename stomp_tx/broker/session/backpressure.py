"""Backpressure: when who sends has to wait for those who consume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred

from stomp_tx.account import Account, Owner
from stomp_tx.address import base_of, is_topic
from stomp_tx.broker.session.subscriptions import Subscriptions
from stomp_tx.errors import LimitExceeded, StompError
from stomp_tx.interfaces import IEngine, IFrameSender
from stomp_tx.message import Message

T = TypeVar("T")


class Backpressure:
    """What one session waits for before its messages are kept: until there is room for them.

    Nothing further is read meanwhile, and so nothing overtakes.  When the session ends before it is their
    turn, they were never taken.

    A session that consumes from a full queue too can't be kept waiting: the ACKs that make room come behind
    its SENDs.  Those are refused instead.

    is_waited_for -- does the session wait for room?
    """

    __slots__ = ("_account", "_engine", "_most_held", "_room", "_sender", "_subscriptions", "is_waited_for")

    def __init__(
        self,
        engine: IEngine,
        account: Account,
        most_held: int,
        subscriptions: Subscriptions,
        sender: IFrameSender,
    ) -> None:
        """``most_held``: octets of frames of all sessions that may wait for room; 0: any number."""
        self._sender = sender
        self._engine = engine
        self._account = account
        self._most_held = most_held
        self._subscriptions = subscriptions
        self._room: Deferred[None] | None = None
        self.is_waited_for = False

    def before(self, messages: Iterable[Message], is_next: bool = False) -> Deferred[None] | None:
        """None: there is room for these.  Else it fires when it is their turn: ask again, with ``is_next``.

        Raises LimitExceeded when they can't wait.
        """
        engine = self._engine
        for address, message in self._different(messages):
            if engine.is_full(address, message) and self._subscriptions.consume_from(address):
                raise queue_full(address)
            room: Deferred[None] | None = engine.room(address, message, is_next)
            if room is not None:
                return self._waited_for(room, message, is_next)
        return None

    def after(self, messages: Iterable[Message]) -> Deferred[None] | None:
        """These have been kept: what is full now is known.  Fires when not too much waits to become safe."""
        for address, message in self._different(messages):
            self._engine.is_full(address, message)
        late: Deferred[None] | None = self._engine.caught_up()
        return late

    def after_one(self, message: Message) -> Deferred[None] | None:
        """The same for one."""
        for one in base_of(message.address).split(","):
            self._engine.is_full(one, message)
        late: Deferred[None] | None = self._engine.caught_up()
        return late

    def _different(self, messages: Iterable[Message]) -> Iterator[tuple[str, Message]]:
        """One to each address; of topics all, where queues that are bound to them may want some only."""
        addresses: set[str] = set()
        for message in messages:
            for address in base_of(message.address).split(","):  # (it may have got into a lane by now)
                if address not in addresses or (self._engine.selectors and is_topic(address)):
                    addresses.add(address)
                    yield address, message

    def _waited_for(self, room: Deferred[None], message: Message, is_next: bool) -> Deferred[None]:
        if self._most_held and self._account.held + message.size > self._most_held:
            room.addErrback(lambda _: None)
            room.cancel()
            raise LimitExceeded(
                "too much waits for room", f"{base_of(message.address)} is at its limit: send later"
            )
        self._account.hold(message.owner, message.size)
        self.is_waited_for = True
        if not is_next:
            # It may be for ever: what its client holds is not to wait as long when that has gone.
            self._sender.watch_for_end(at_once=True)
        self._room = room
        return room.addBoth(partial(self._over, message.owner, message.size))

    def _over(self, owner: Owner, octets: int, result: T) -> T:
        self._account.let_go(owner, octets)
        self.is_waited_for = False
        self._room = None
        return result

    def end(self) -> None:
        """The session is over: what waits is never taken."""
        if self._room is not None:
            self._room.cancel()

    def stuck_at(self, messages: Iterable[Message]) -> str | None:
        """Where these can't all go, as it is full, and we consume from it; None: they can."""
        for address, message in self._different(messages):
            if self._subscriptions.consume_from(address) and self._engine.is_full(address, message):
                return address
        return None


def queue_full(address: str) -> StompError:
    """Why a SEND there is refused."""
    return LimitExceeded(
        "queue full",
        f"{address} is at its limit, and this connection both sends to it and consumes from it: "
        "use one connection for each",
    )
