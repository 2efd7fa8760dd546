"""Subscriptions: those of one session, by the names that its client gave them."""

from __future__ import annotations

from collections.abc import Iterator

from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.ack_modes import Delivery
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.broker.events import Unsubscribed
from stomp_tx.broker.session.deliveries import Deliveries
from stomp_tx.broker.session.no_local import OwnMessages


class Subscriptions:
    """The subscriptions of one session.

    by_key -- each by what its client calls it; ``add`` and ``end`` change it
    by_number -- each by its number
    selecting -- how many of them want some messages only
    deliveries -- what they were given, and nobody has acknowledged
    count -- how many there have been
    own_messages -- what the session sends, while a subscription does not want it; None: all want it
    exhausted -- those whose credit comes back when what they were given has been written
    """

    __slots__ = (
        "_broker",
        "_session_id",
        "by_key",
        "by_number",
        "count",
        "deliveries",
        "exhausted",
        "own_messages",
        "selecting",
    )

    def __init__(self, broker: Broker, session_id: str) -> None:
        self._broker = broker
        self._session_id = session_id
        self.by_key: dict[str, Subscription] = {}
        self.by_number: dict[int, Subscription] = {}
        self.deliveries = Deliveries(self.by_key, self.by_number)
        self.selecting = 0
        self.exhausted: list[Subscription] = []
        self.count = 0
        self.own_messages: OwnMessages | None = None

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self.by_key.values()))

    def __contains__(self, subscription: object) -> bool:
        return isinstance(subscription, Subscription) and (
            self.by_number.get(subscription.number) is subscription
        )

    def consume_from(self, address: str) -> bool:
        """Is one of them to this destination, or to a queue that is bound to it?"""
        bindings = self._broker.engine.bindings
        return any(
            one.destination.reads(address) or bindings.get(one.destination.address) == address
            for one in self.by_key.values()
        )

    def add(self, key: str, subscription: Subscription) -> None:
        """It is one of them from now on."""
        self.by_key[key] = self.by_number[subscription.number] = subscription
        self.selecting += subscription.wants is not None

    def end(self, key: str) -> list[Delivery]:
        """No message reaches this one any more; what it held."""
        subscription = self.by_key.pop(key)
        del self.by_number[subscription.number]
        self.selecting -= subscription.wants is not None
        self._broker.registry.remove(subscription)
        self._broker.events.emit(
            Unsubscribed, self._session_id, subscription.name, subscription.destination.address
        )
        return self.deliveries.end(subscription)

    def end_all(self) -> None:
        """No message reaches any of them any more; what they hold is still in ``deliveries``."""
        for subscription in self:
            self._broker.registry.remove(subscription)
        self.by_key.clear()
        self.by_number.clear()
        self.selecting = 0
        self.exhausted.clear()
