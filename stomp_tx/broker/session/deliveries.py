"""Deliveries: what one session has been given and has not acknowledged."""

from __future__ import annotations

import re
from collections.abc import Callable

from stomp_tx.broker.destinations.ack_modes import AckSubscription, Delivery, delivery_name
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.broker.session.by_message_id import ByMessageId
from stomp_tx.errors import ProtocolViolation
from stomp_tx.message import Message
from stomp_tx.wire.commands import V11, V12
from stomp_tx.wire.frame import Frame

Named = tuple[str, Message, AckSubscription, int]
"""The same with its name (the ``ack`` header in 1.2, see ``delivery_name`` for 1.0 and 1.1) and, in mode
client, its number among its subscription's deliveries.
"""

ENDED = 100
"""Subscriptions that have ended and are remembered: an ACK of what they held comes late, and is no fault."""

_OURS = re.compile(r"[0-9a-f]{1,40}-[0-9]{1,20}(-[0-9]{1,20})?")
"""What message ids of ours look like, those of earlier lives of the broker among them."""


class Deliveries:
    """The deliveries in flight of one session, by the name that an ACK gives.

    naming -- the version by whose rules ACK names them
    """

    __slots__ = ("_by_number", "_charge", "_charged", "_ended", "_subscriptions", "by_ack", "naming")

    def __init__(self, subscriptions: dict[str, Subscription], by_number: dict[int, Subscription]) -> None:
        """``subscriptions``: the session's own, by id; ``by_number``: the same."""
        self.by_ack: dict[str, Delivery] = {}
        self.naming: str = V12
        self._subscriptions = subscriptions
        self._by_number = by_number
        self._charged = 0
        self._charge: Callable[[int], bool] | None = None
        self._ended: list[str | None] = []  # ids of the subscriptions that ended last, see ENDED

    # -- what those of topics take: those of queues are the engine's to count ------------------------------

    def charge_by(self, charge: Callable[[int], bool]) -> None:
        """``charge(octets)`` is called with how much more is in flight; True: the owner is over its share."""
        self._charge = charge

    def charge(self, octets: int) -> bool:
        """See InFlight."""
        self._charged += octets
        return self._charge is not None and self._charge(octets)

    def release(self, octets: int) -> None:
        """See InFlight."""
        octets = min(octets, self._charged)
        self._charged -= octets
        if self._charge is not None:
            self._charge(-octets)

    def release_all(self) -> None:
        """The session is over."""
        self.release(self._charged)

    # -- which there are ----------------------------------------------------------------------------------

    def take(self, ack: str) -> list[Named]:
        """Take out the one so named and, in mode client, all that its subscription was sent before it."""
        _, subscription = self.by_ack[ack]
        order = subscription.order
        if order is None:
            subscription.held.pop(ack, None)
            return [(ack, *self.by_ack.pop(ack), 0)]
        names = []
        for name in order:
            names.append(name)
            if name == ack:
                break
        return [(name, *self.by_ack.pop(name), order.pop(name)) for name in names]

    def restore(self, taken: list[Named]) -> None:
        """They are in flight again, under the same names and in their old order (ABORT)."""
        touched = {}
        for name, message, subscription, number in taken:
            self.by_ack[name] = message, subscription
            if subscription.order is not None:
                subscription.order[name] = number
                touched[subscription.number] = subscription
            else:
                subscription.holds_name(name)
        for subscription in touched.values():
            order = subscription.order or {}
            subscription.order = dict(sorted(order.items(), key=lambda item: item[1]))

    def end(self, subscription: Subscription) -> list[Delivery]:
        """Take out all of a subscription that ends."""
        self._ended.append(subscription.id)
        del self._ended[:-ENDED]
        if not isinstance(subscription, AckSubscription):
            return []
        subscription.has_ended()
        by_ack = self.by_ack
        if subscription.sent < len(by_ack):
            names = [name for name in subscription.names() if name in by_ack]
        else:
            names = [name for name, (_, owner) in by_ack.items() if owner is subscription]
        return [by_ack.pop(name) for name in names]

    def find(self, frame: Frame, count: int) -> str | None:
        """The delivery that ACK or NACK names; None when it is innocently gone.

        It is when it was covered by a cumulative ACK, or its subscription has ended.  ``count`` is how many
        subscriptions the session has had.  Raises ProtocolViolation when there is no such delivery.
        """
        headers = frame.headers
        if self.naming == V12:
            ack = headers.get("id")
            if ack is None:
                raise ProtocolViolation(
                    "id header missing", f"{frame.command} names its message: id is the MESSAGE's ack header"
                )
            if ack in self.by_ack:
                return ack
            gone = self._is_late(ack, count)
            if not gone:
                found = self._find_by_message_id(frame)
                if found is not None:
                    return found
                gone = _OURS.fullmatch(ack) is not None and self._is_late_named(headers.get("subscription"))
        else:
            message_id = headers.get("message-id")
            subscription_id = headers.get("subscription")
            if message_id is None:
                raise ProtocolViolation(
                    "message-id header missing", f"{frame.command} names its message by message-id"
                )
            if subscription_id is None and self.naming == V11:
                raise ProtocolViolation(
                    "subscription header missing", f"{frame.command} names the subscription of its message"
                )
            ack = delivery_name(message_id, subscription_id, self.naming)
            if ack in self.by_ack:
                return ack
            gone = _OURS.fullmatch(message_id) is not None and self._is_late_named(subscription_id)
        if gone:
            return None
        raise ProtocolViolation(
            "no such message", f"{frame.command} names {ack[:60]!a}, which is not waiting to be acknowledged"
        )

    def _find_by_message_id(self, frame: Frame) -> str | None:
        """The one delivery of the message whose id a client of 1.2 gives in place of the ``ack`` header.

        With RabbitMQ the two are equal, and clients written for it (stomp-php) take one for the other.  A
        ``subscription`` header, where there is one, tells a redelivery to another subscription apart.  Raises
        ProtocolViolation when the id says too little.
        """
        if not isinstance(self.by_ack, ByMessageId):
            self.by_ack = ByMessageId(self.by_ack)
            for one in self._subscriptions.values():
                if isinstance(one, AckSubscription):
                    one.keep_deliveries_in(self.by_ack)
        names = self.by_ack.names_of(frame.headers["id"])
        if len(names) > 1:
            raise ProtocolViolation(
                "message-id is not enough",
                f"{len(names)} deliveries of message {frame.headers['id'][:60]!a} wait to be acknowledged: "
                f"{frame.command} names one by the ack header of its MESSAGE",
            )
        subscription_id = frame.headers.get("subscription")
        for name in names:
            if subscription_id in (None, self.by_ack[name][1].id):
                return name
        return None

    def _is_late(self, ack: str, count: int) -> bool:
        number, dash, sent = ack.partition("-")
        if not (dash and number.isascii() and number.isdigit() and sent.isascii() and sent.isdigit()):
            return False
        if len(ack) > 30 or not 1 <= int(number) <= count:
            return False
        subscription = self._by_number.get(int(number))
        if subscription is None:
            return True
        return (
            isinstance(subscription, AckSubscription)
            and subscription.order is not None
            and 1 <= int(sent) <= subscription.sent
        )

    def _is_late_named(self, subscription_id: str | None) -> bool:
        """The same in 1.0 and 1.1; None: ACK named no subscription."""
        if subscription_id is None:
            return bool(self._ended) or any(
                one.mode != "client-individual" for one in self._subscriptions.values()
            )
        found = self._subscriptions.get(subscription_id)
        if found is None:
            return subscription_id in self._ended
        return found.mode != "client-individual"
