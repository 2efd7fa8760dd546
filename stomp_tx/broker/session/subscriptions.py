"""Subscriptions: those of one session, by the names that its client gave them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.ack_modes import Delivery
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.broker.events import Unsubscribed
from stomp_tx.broker.session.deliveries import Deliveries
from stomp_tx.broker.session.no_local import OwnMessages
from stomp_tx.interfaces import IFrameSender


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
        "_is_replenishing",
        "_is_resuming",
        "_paused",
        "_running",
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
        # Those that can be given messages as far as their connection goes, and those that wait for it.
        self._running: dict[Subscription, None] = {}
        self._paused: OrderedDict[Subscription, None] = OrderedDict()
        self._is_resuming = False
        self._is_replenishing = False
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
        self.let_in(subscription)

    def let_in(self, subscription: Subscription) -> None:
        """It is paused and resumed with the others from now on."""
        (self._paused if subscription.paused else self._running)[subscription] = None

    def keep_out(self, subscription: Subscription) -> None:
        """It is paused for another reason: not until ``let_in``."""
        subscription.paused = True
        self._running.pop(subscription, None)
        self._paused.pop(subscription, None)

    def pause(self) -> None:
        """The connection has as much to send as it takes."""
        running, self._running = self._running, {}
        self._paused.update(running)
        for subscription in running:
            subscription.paused = True
            subscription.destination.pause(subscription)

    def resume(self, sender: IFrameSender) -> None:
        """It has room again: for some of them, who were paused first, if what they are given fills it."""
        if not self._is_resuming:
            self._is_resuming = True
            self._broker.slices.do(self._resuming(sender))

    def _resuming(self, sender: IFrameSender) -> Iterator[None]:
        try:
            while self._paused and not sender.full:
                subscription, _ = self._paused.popitem(last=False)
                self._running[subscription] = None
                subscription.paused = False
                subscription.destination.resume(subscription)
                yield
        finally:
            self._is_resuming = False

    def replenish(self, sender: IFrameSender) -> None:
        """What those that are exhausted were given has been written: they are given more.

        What comes of that may be so much that it is written at once: those have their turn later.
        """
        if self._is_replenishing:
            return
        exhausted = self.exhausted[:]
        self.exhausted.clear()
        self._is_replenishing = True
        try:
            for subscription in exhausted:
                subscription.destination.replenish(subscription)
        finally:
            self._is_replenishing = False
        if self.exhausted and not sender.outgoing and not sender.full:
            sender.going_out()

    def end(self, key: str) -> list[Delivery]:
        """No message reaches this one any more; what it held."""
        subscription = self.by_key.pop(key)
        del self.by_number[subscription.number]
        self.selecting -= subscription.wants is not None
        self._running.pop(subscription, None)
        self._paused.pop(subscription, None)
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
        self._running.clear()
        self._paused.clear()
        self.selecting = 0
        self.exhausted.clear()
