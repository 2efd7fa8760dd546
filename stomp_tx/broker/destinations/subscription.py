"""Subscription and Source: what the two ends of a subscription know of each other.

A session makes a subscription for each SUBSCRIBE (ack_modes.py), and a destination is its source: a queue
(queue.py), a topic (topic.py), several of them, or what a browser looks at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from stomp_tx.broker.dialects import AUTO, Dialect
from stomp_tx.broker.policy import Redelivery
from stomp_tx.interfaces import Safe
from stomp_tx.message import Batch, Message, Outcome
from stomp_tx.printable import printable


class Terms(NamedTuple):
    """What a SUBSCRIBE asks for, and what its session adds: see Subscription."""

    id: str | None
    number: int
    mode: str
    prefetch: int
    redelivery: Redelivery
    rank: int = 0
    exclusive: bool = False
    wants: Callable[[Message], bool] | None = None
    wants_retained: bool = True
    dialect: Dialect = AUTO
    window: int = 0
    spurns: Callable[[Message], bool] | None = None


class Subscription:
    """What all of them have, whatever becomes of what they are offered.

    id -- the client's name for it; None for a SUBSCRIBE of 1.0 without one
    number -- counts the session's subscriptions, from 1
    mode -- the ack mode: "auto", "client" or "client-individual"
    credit -- how many more deliveries it takes now
    prefetch -- how many it takes when it holds none
    redelivery -- how it gets what it refused
    rank -- those of a higher one come first at a queue
    exclusive -- while it is there, it alone gets a queue's messages
    wants -- says of a message whether it wants it; None: it wants all
    spurns -- says of one that it does not want whether nobody else is to have it either; None: others may
    wants_retained -- does it want what is retained of a topic?
    dialect -- its connection's
    paused -- its connection has as much to send as it takes
    ready -- its queue may give it the next message
    backlog -- what waits for it at a topic, oldest first; None while nothing does
    """

    __slots__ = (
        "backlog",
        "backlog_octets",
        "credit",
        "destination",
        "dialect",
        "exclusive",
        "exhausted",
        "id",
        "mode",
        "number",
        "paused",
        "prefetch",
        "rank",
        "ready",
        "redelivery",
        "spurns",
        "version",
        "wants",
        "wants_retained",
    )

    destination: Source

    def __init__(self, version: str, terms: Terms, paused: bool, exhausted: list[Subscription]) -> None:
        self.id, self.number, self.mode, self.prefetch, self.redelivery = terms[:5]
        self.rank, self.exclusive, self.wants, self.wants_retained, self.dialect = terms[5:10]
        self.spurns = terms.spurns
        self.version = version
        self.credit = terms.prefetch
        self.paused = paused
        self.ready = False
        self.backlog: deque[Message] | None = None
        self.backlog_octets = 0
        self.exhausted = exhausted

    def __repr__(self) -> str:
        source = getattr(self, "destination", None)
        shown = self.name if source is None else f"{self.name} to {source.address}"
        return f"<{type(self).__name__} {printable(shown)}, ack: {self.mode}, credit: {self.credit}>"

    @property
    def name(self) -> str:
        """For events: the client's id, or where it has none our number."""
        return f"#{self.number}" if self.id is None else self.id

    def accepts(self, message: Message) -> bool:
        """Does it want this one?"""
        return self.wants is None or self.wants(message)

    def use_credit(self) -> None:
        """It is given a message for which nobody was asked."""
        self.credit -= 1
        if self.credit <= 0 and self.mode == "auto":
            self.exhausted.append(self)

    def offer(self, message: Message) -> bool:
        """Give it this one.  True: it is done with (ack mode auto); False: an ACK or NACK will come."""
        raise NotImplementedError


class Source:
    """Where a subscription's messages come from, as the subscription and its session see it.

    address -- what it is called
    stores -- is what was not acknowledged kept for others?
    settle -- takes what became of a message that it gave
    """

    __slots__ = ("address", "settle")

    address: str
    settle: Callable[[Message, Outcome], Safe]
    stores: bool = False

    def reads(self, address: str) -> bool:
        """Do its subscriptions get what is sent to this address?"""
        return self.address == address

    def queues(self) -> Iterable[Source]:
        """Where what is given back waits again."""
        return ()

    def hold(self) -> None:
        """Give nobody anything until ``release``: some comes back in parts, and belongs before the rest."""

    def release(self) -> None:
        """All of it has come back; once for each ``hold``."""

    @property
    def held(self) -> int:
        """How many messages it holds back, that nobody can be given yet."""
        return 0

    def pause(self, subscription: Subscription) -> None:
        """Its connection has as much to send as it takes."""
        raise NotImplementedError

    def resume(self, subscription: Subscription) -> None:
        """Its connection has room again."""
        raise NotImplementedError

    def give_credit(self, subscription: Subscription, count: int) -> None:
        """It takes so many more."""
        raise NotImplementedError

    def take_credit(self, subscription: Subscription, count: int) -> None:
        """It takes so many fewer: what it had acknowledged is in flight again (ABORT)."""
        raise NotImplementedError

    def top_up(self, subscription: Subscription) -> None:
        """It has been given one message, and its credit stays as it is."""
        raise NotImplementedError

    def replenish(self, subscription: Subscription) -> None:
        """What it was given has been written: mode auto, whose credit nobody's ACK gives back."""
        raise NotImplementedError

    def remove(self, subscription: Subscription) -> None:
        """Give it no more; what it holds is its session's to give back."""
        raise NotImplementedError

    def conclude(self, message: Message, subscription: Subscription, outcome: Outcome, batch: Batch) -> None:
        """What becomes of a message that was acknowledged or refused, put into a batch."""
        raise NotImplementedError

    def give_back(self, message: Message, subscription: Subscription, batch: Batch) -> None:
        """What becomes of a message whose subscription has ended, put into a batch."""
        raise NotImplementedError
