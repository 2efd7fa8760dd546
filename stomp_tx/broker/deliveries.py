"""Deliveries: what one session has been given and has not acknowledged."""

from __future__ import annotations

from collections import deque

from stomp_tx.broker.subscription import AckSubscription, Subscription
from stomp_tx.message import Message

Delivery = tuple[Message, AckSubscription]
"""One message in flight to one subscription (its attempt number is the message's)."""

Named = tuple[str, Message, AckSubscription, int]
"""The same with its name (the ``ack`` header in 1.2, see ``delivery_name`` for 1.0 and 1.1) and, in mode
client, its number among its subscription's deliveries.
"""


class Deliveries:
    """The deliveries in flight of one session, by the name that an ACK gives."""

    __slots__ = ("_ended", "by_ack")

    def __init__(self) -> None:
        self.by_ack: dict[str, Delivery] = {}
        self._ended: deque[str | None] = deque(maxlen=100)  # ids of the subscriptions that ended last

    def take(self, ack: str) -> list[Named]:
        """Take out the one so named and, in mode client, all that its subscription was sent before it."""
        _, subscription = self.by_ack[ack]
        order = subscription.order
        if order is None:
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
        for subscription in touched.values():
            order = subscription.order or {}
            subscription.order = dict(sorted(order.items(), key=lambda item: item[1]))

    def end(self, subscription: Subscription) -> list[Message]:
        """Take out all of a subscription that ends."""
        self._ended.append(subscription.id)
        if not isinstance(subscription, AckSubscription):
            return []
        names = [name for name, (_, owner) in self.by_ack.items() if owner is subscription]
        return [self.by_ack.pop(name)[0] for name in names]

    def is_late(self, ack: str, subscriptions: dict[str, Subscription], count: int) -> bool:
        """1.2: is this the name of a delivery that may innocently be gone?

        It was covered by a cumulative ACK, or its subscription has ended.  ``count`` is how many
        subscriptions the session has had.
        """
        number, dash, sent = ack.partition("-")
        if not (dash and number.isascii() and number.isdigit() and sent.isascii() and sent.isdigit()):
            return False
        if len(ack) > 30 or not 1 <= int(number) <= count:
            return False
        for subscription in subscriptions.values():
            if subscription.number == int(number):
                return (
                    isinstance(subscription, AckSubscription)
                    and subscription.order is not None
                    and 1 <= int(sent) <= subscription.sent
                )
        return True

    def is_late_named(self, subscription_id: str | None, subscriptions: dict[str, Subscription]) -> bool:
        """1.0 and 1.1: the same for a message-id that is one of ours; None: ACK named no subscription."""
        if subscription_id is None:
            return bool(self._ended) or any(one.mode != "client-individual" for one in subscriptions.values())
        found = subscriptions.get(subscription_id)
        if found is None:
            return subscription_id in self._ended
        return found.mode != "client-individual"
