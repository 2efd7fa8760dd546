"""Backpressure: when who sends has to wait for those who consume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred

from stomp_tx.account import Owner
from stomp_tx.address import base_of, is_topic
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.events import MemoryShort
from stomp_tx.broker.session.overdraft import Overdraft
from stomp_tx.broker.session.subscriptions import Subscriptions
from stomp_tx.errors import LimitExceeded, StompError
from stomp_tx.interfaces import IFrameSender
from stomp_tx.message import Message

T = TypeVar("T")


class Backpressure:
    """What one session waits for before its messages are kept: until there is room for them.

    Nothing further is read meanwhile, and so nothing overtakes.  When the session ends before it is their
    turn, they were never taken.

    A session that holds what it must acknowledge can't be kept waiting: the ACKs that make room come behind
    its SENDs.  It may have its overdraft, and is refused what goes beyond; so is who consumes from a queue
    that is full itself.

    is_waited_for -- does the session wait for room?
    """

    __slots__ = (
        "_account",
        "_broker",
        "_engine",
        "_overdraft",
        "_room",
        "_sender",
        "_shares",
        "_subscriptions",
        "_waiting",
        "is_waited_for",
    )

    def __init__(self, broker: Broker, subscriptions: Subscriptions, sender: IFrameSender) -> None:
        self._broker = broker
        self._engine = broker.engine
        self._account = broker.account
        self._shares = broker.shares
        self._overdraft = Overdraft(
            broker.account, broker.shares.memory, subscriptions.deliveries, broker.held
        )
        self._sender = sender
        self._subscriptions = subscriptions
        self._room: Deferred[None] | None = None
        self._waiting: Deferred[None] | None = None
        self.is_waited_for = False

    # -- before -------------------------------------------------------------------------------------------

    def before(
        self, messages: Sequence[Message], is_next: bool = False, freed: int | None = None
    ) -> Deferred[None] | None:
        """None: there is room for these.  Else it fires when it is their turn: ask again, with ``is_next``.

        freed -- for COMMIT, whose messages are in memory: octets that come free with it, or that it is lent

        Raises LimitExceeded when they can't wait.
        """
        octets = sum([message.size for message in messages])
        if freed is not None:
            return self._room_in_queues(messages, is_next, octets - freed)
        return self._room_in_queues(messages, is_next, octets) or self._share(messages, is_next)

    def _room_in_queues(
        self, messages: Sequence[Message], is_next: bool, octets: int
    ) -> Deferred[None] | None:
        engine = self._engine
        lent = False
        for address, message in self._different(messages):
            if engine.is_full(address, message):
                if engine.is_full_itself(address, message):
                    if self._subscriptions.consume_from(address):
                        raise queue_full(address)
                elif octets <= 0 or lent:
                    continue
                elif self._overdraft.is_there:
                    self._borrow(octets, address)
                    lent = True
                    continue
                elif self._subscriptions.consume_from(address):
                    raise queue_full(address)
            room: Deferred[None] | None = engine.room(address, message, is_next)
            if room is not None:
                return self._waited_for(room, message, is_next)
        return None

    def _share(self, messages: Sequence[Message], is_next: bool) -> Deferred[None] | None:
        """The same of the memory: what topics keep is for their subscribers, who wait for nobody."""
        kept = [message for message in messages if not is_topic(message.address)]
        if not kept:
            return None
        message, octets = kept[0], sum([message.size for message in kept])
        if self._shares.may_keep(message.owner, octets):
            return None
        address = base_of(message.address)
        if not self._shares.can_ever_keep(octets):
            raise LimitExceeded("message too large", f"{address}: it takes more memory than there is for one")
        if self._overdraft.is_there:
            self._borrow(octets, address)
            return None
        waiting = self._waited_for(self._shares.wait(message.owner, is_next), message, is_next)
        if not is_next:
            owner, account = message.owner, self._account
            share = self._shares.threshold()
            self._broker.events.emit(
                MemoryShort, "", owner.name, owner.octets, share, account.octets, account.held
            )
        return waiting

    def _borrow(self, octets: int, address: str) -> None:
        if not self._overdraft.take(octets):
            raise LimitExceeded(
                "queue full",
                f"there is no room for more at {address}, and this connection has messages to acknowledge",
            )

    def in_transaction(self, message: Message, freed: int) -> None:
        """One that is kept until COMMIT.  Raises LimitExceeded: nobody waits who may have to ABORT.

        freed -- octets of what its transaction has acknowledged, less those of what was sent in it before
        """
        if self._shares.may_keep(message.owner, message.size) or message.size <= freed:
            return
        if not self._overdraft.take(message.size):
            raise LimitExceeded(
                "transactions too large", "what is kept for you takes all the memory that you may have"
            )

    def _waited_for(self, room: Deferred[None], message: Message, is_next: bool) -> Deferred[None]:
        bounds = (self._broker.settings.unfinished_octets, self._shares.memory // 8)
        held = self._account.held
        self._room = room
        room.addErrback(lambda failure: failure.trap(CancelledError))
        if held and held + message.size > min(filter(None, bounds)):
            self.end()
            raise LimitExceeded(
                "too much waits for room", f"{base_of(message.address)} is at its limit: send later"
            )
        self._account.hold(message.owner, message.size)
        self.is_waited_for = True
        if not is_next:
            # It may be for ever: what its client holds is not to wait as long when that has gone.
            self._sender.watch_for_end(at_once=True)
        waiting: Deferred[None] = Deferred()
        self._waiting = waiting
        self._broker.held[self] = None
        waiting.addBoth(partial(self._over, message.owner, message.size))
        room.addCallback(self._go_on)
        return waiting

    def _go_on(self, _: object) -> None:
        waiting, self._waiting = self._waiting, None
        self._room = None
        if waiting is not None:
            waiting.callback(None)

    def _over(self, owner: Owner, octets: int, result: T) -> T:
        self._account.let_go(owner, octets)
        self._broker.held.pop(self, None)
        self.is_waited_for = False
        return result

    def look_again(self) -> None:
        """While it waited it may have been given something to acknowledge: it must not wait any more then."""
        if self._room is not None and self._overdraft.is_there:
            self._room.cancel()  # so it goes on

    def end(self) -> None:
        """The session is over: what waits is never taken."""
        room, waiting = self._room, self._waiting
        self._room = self._waiting = None
        if room is not None:
            room.cancel()
        if waiting is not None:
            waiting.cancel()
        self._overdraft.end()

    # -- after --------------------------------------------------------------------------------------------

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

    def stuck_at(self, messages: Iterable[Message]) -> str | None:
        """Where these can't all go, as it is full, and we consume from it; None: they can."""
        for address, message in self._different(messages):
            full = self._engine.is_full(address, message) and self._engine.is_full_itself(address, message)
            if full and self._subscriptions.consume_from(address):
                return address
        return None


def queue_full(address: str) -> StompError:
    """Why a SEND there is refused."""
    return LimitExceeded(
        "queue full",
        f"{address} is at its limit, and this connection both sends to it and consumes from it: "
        "use one connection for each",
    )
