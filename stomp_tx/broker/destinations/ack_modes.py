"""The subscriptions of sessions, by ack mode and version: how a message becomes a MESSAGE frame.

``offer`` is the last step of the hot path.  What differs by ack mode and version is decided when the
subscription is made, not for each message.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from stomp_tx.address import is_bound
from stomp_tx.broker.destinations.rendering import BIG, message_tail, with_message_id
from stomp_tx.broker.destinations.subscription import Subscription, Terms
from stomp_tx.interfaces import IFrameSender
from stomp_tx.message import Message
from stomp_tx.wire.commands import V10, V12
from stomp_tx.wire.escaping import escape

FEW = 16
"""Subscriptions of one connection that need not look how much goes out in a turn; more of them do."""

MUCH = 4 * BIG
"""Octets for one connection that are given to the transport at once, so that it can say "full"."""

Delivery = tuple[Message, "AckSubscription"]
"""One message in flight to one subscription (its attempt number is the message's)."""


class InFlight(Protocol):
    """Where a session keeps what its subscriptions have been given and nobody has acknowledged.

    by_ack -- deliveries by what an ACK names them by
    naming -- the version by whose rules it does
    """

    by_ack: dict[str, Delivery]
    naming: str

    def charge(self, octets: int) -> bool:
        """So much of topics is in flight.  True: its owner has more than their share of memory."""

    def release(self, octets: int) -> None:
        """It is no more."""


class FramedSubscription(Subscription):
    """One whose messages go out as MESSAGE frames."""

    __slots__ = ("_bare", "_outgoing", "_sender", "_start")

    def __init__(
        self,
        sender: IFrameSender,
        version: str,
        terms: Terms,
        exhausted: list[Subscription],
    ) -> None:
        super().__init__(version, terms, sender.full, exhausted)
        self._sender = sender
        self._outgoing = sender.outgoing
        # 1.0 says which subscription only where the client gave an id.
        named = "" if terms.id is None else f"\nsubscription:{escape(terms.id, version)}"
        self._start = f"MESSAGE{named}".encode()
        self._bare = self._start + b"\nredelivered:false" if self.dialect.tells_redelivered else self._start

    def _head(self, message: Message) -> bytes:
        """A MESSAGE frame up to its ``message-id``, but for what ACK names it by."""
        if not message.attempts:
            return self._bare
        return b"%b\nredelivered:true\nredelivery-count:%d" % (self._start, message.attempts)

    def _send_unusual(self, message: Message, octets: bytes) -> None:
        self._sender.send_octets(octets)
        if len(message.body) >= BIG or len(self._outgoing) * len(message.body) >= MUCH:
            self._sender.flush()


class AutoSubscription(FramedSubscription):
    """Ack mode auto: a message is done with as soon as it is sent (STOMP 1.2, "SUBSCRIBE ack Header")."""

    __slots__ = ()

    def offer(self, message: Message) -> bool:
        tail = message.encoded
        if tail is None:
            self._send_unusual(message, self._head(message) + message_tail(message, self.version))
        else:
            # send_octets, without the call: this is what a topic does once for each who listens.
            outgoing = self._outgoing
            if not outgoing:
                self._sender.going_out()
            outgoing.append(self._bare + tail)
        return True


class AckSubscription(FramedSubscription):
    """Ack modes client and client-individual, in 1.2: MESSAGE has an ``ack`` header, ACK and NACK name it.

    sent -- how many deliveries it was given
    order -- mode client: those in flight, name to number, oldest first; None in client-individual
    held -- the names of those in flight, where they do not follow from ``sent`` and there is no ``order``
    window -- octets that it may hold; 0: any number
    is_counted -- must somebody be told which ones it has acknowledged, not only how many?
    """

    __slots__ = (
        "_ack",
        "_ack_octets",
        "_by_ack",
        "_in_flight",
        "_octets",
        "_withheld",
        "held",
        "is_counted",
        "order",
        "sent",
        "window",
    )

    def __init__(
        self,
        sender: IFrameSender,
        version: str,
        terms: Terms,
        exhausted: list[Subscription],
        in_flight: InFlight,
    ) -> None:
        super().__init__(sender, version, terms, exhausted)
        self._by_ack = in_flight.by_ack
        self._in_flight = in_flight
        self._ack = f"{terms.number}-"
        self._ack_octets = self._bare + b"\nack:%d-" % terms.number
        self.order: dict[str, int] | None = {} if terms.mode == "client" else None
        self.held: dict[str, None] = {}
        self.sent = 0
        self.window = terms.window
        self.is_counted = self.order is not None or self.window > 0
        self._octets = 0  # of those in flight, where there is a window
        self._withheld = 0  # credit that it does not get while it is full

    def keep_deliveries_in(self, deliveries: dict[str, Delivery]) -> None:
        """From now on they are kept here."""
        self._by_ack = deliveries

    def names(self) -> list[str]:
        """What its deliveries in flight go by, oldest first, and maybe some that are so no more."""
        if self.order is not None:
            return list(self.order)
        return [f"{self._ack}{sent}" for sent in range(1, self.sent + 1)]

    def holds_name(self, name: str) -> None:
        """The delivery of that name is in flight again."""

    def holds(self, message: Message) -> None:
        """It has been given this one, and may be full with that."""
        self._octets += message.size
        is_full = self._octets >= self.window
        if not self.destination.stores and self._in_flight.charge(message.size):
            is_full = True
        # (A topic takes the credit for this one afterwards.)
        spare = self.credit - (0 if self.destination.stores else 1)
        if is_full and spare > 0:
            self._withheld += spare
            self.destination.take_credit(self, spare)

    def acknowledged(self, messages: Iterable[Message]) -> None:
        """It holds these no more."""
        if not self.window:
            return
        octets = sum([message.size for message in messages])
        self._octets -= octets
        if not self.destination.stores:
            self._in_flight.release(octets)
        if self._withheld and self._octets < self.window:
            credit, self._withheld = self._withheld, 0
            self.destination.give_credit(self, credit)

    def has_ended(self) -> None:
        """It holds nothing any more."""
        if self.window and not self.destination.stores:
            self._in_flight.release(self._octets)
        self._octets = 0

    def offer(self, message: Message) -> bool:
        if self.window:
            self.holds(message)
        self.sent = sent = self.sent + 1
        ack = self._ack + str(sent)
        self._by_ack[ack] = message, self
        if self.order is not None:
            self.order[ack] = sent
        tail = message.encoded
        if tail is None:
            tail = message_tail(message, self.version)
            self._send_unusual(message, b"%b\nack:%b%b" % (self._head(message), ack.encode(), tail))
        else:
            outgoing = self._outgoing
            if not outgoing:
                self._sender.going_out()
            outgoing.append(b"%b%d%b" % (self._ack_octets, sent, tail))
        return False


class OneOfManyAuto(AutoSubscription):
    """The same where its connection has many: a message to all of them is more than one turn can send.

    When the transport is full the others keep the message, not a copy of its octets, until it has room.
    """

    __slots__ = ()

    def offer(self, message: Message) -> bool:
        done = AutoSubscription.offer(self, message)
        if len(self._outgoing) * len(message.body) >= MUCH:
            self._sender.flush()
        return done


class OneOfManyAck(AckSubscription):
    """The same of those that acknowledge."""

    __slots__ = ()

    def offer(self, message: Message) -> bool:
        done = AckSubscription.offer(self, message)
        if len(self._outgoing) * len(message.body) >= MUCH:
            self._sender.flush()
        return done


class NamedAckSubscription(AckSubscription):
    """The same in 1.0 and 1.1, where ACK and NACK name a delivery by its ``message-id``.

    A message of a topic may be in flight on several subscriptions of one session: each shows a message-id
    of its own then, or an ACK of 1.0 could not say which.
    """

    __slots__ = ("_naming",)

    def __init__(
        self,
        sender: IFrameSender,
        version: str,
        terms: Terms,
        exhausted: list[Subscription],
        in_flight: InFlight,
    ) -> None:
        super().__init__(sender, version, terms, exhausted, in_flight)
        self._naming = in_flight.naming

    def offer(self, message: Message) -> bool:
        if self.window:
            self.holds(message)
        tail = message.encoded or message_tail(message, self.version)
        shown = message.id
        if not self.destination.stores or (self._naming == V10 and is_bound(message.address)):
            shown = f"{shown}-{self.number}"
            tail = with_message_id(tail, message.id, shown)
        self.sent += 1
        ack = delivery_name(shown, self.id, self._naming)
        self._by_ack[ack] = message, self
        if self.order is not None:
            self.order[ack] = self.sent
        else:
            self.held[ack] = None
        self._send_unusual(message, self._head(message) + tail)
        return False

    def names(self) -> list[str]:
        return list(self.held if self.order is None else self.order)

    def holds_name(self, name: str) -> None:
        self.held[name] = None


def delivery_name(message_id: str, subscription: str | None, version: str) -> str:
    """What a delivery is called where ACK names it by message-id: in 1.1 together with the subscription."""
    return message_id if version == V10 else f"{message_id}\n{subscription}"


def make_subscription(
    sender: IFrameSender,
    version: str,
    terms: Terms,
    exhausted: list[Subscription],
    in_flight: InFlight,
    others: int = 0,
) -> Subscription:
    """The subscription for this ack mode and version, where its connection has so many others."""
    is_one_of_many = others >= FEW
    if terms.mode == "auto":
        auto = OneOfManyAuto if is_one_of_many else AutoSubscription
        return auto(sender, version, terms, exhausted)
    if version != V12:
        return NamedAckSubscription(sender, version, terms, exhausted, in_flight)
    acknowledging = OneOfManyAck if is_one_of_many else AckSubscription
    return acknowledging(sender, version, terms, exhausted, in_flight)
