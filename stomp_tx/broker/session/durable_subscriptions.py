"""DurableSubscriptions: those that a session makes, uses and ends, each a queue that is bound to a topic."""

from __future__ import annotations

from collections.abc import Mapping

from stomp_tx.address import TOPIC, split
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.broker.headers.subscribe import (
    Durable,
    durable_of,
    names_durable,
)
from stomp_tx.broker.names import Names, virtual_topic_of
from stomp_tx.broker.session.access import Access
from stomp_tx.broker.session.handshake import Agreement
from stomp_tx.broker.session.subscriptions import Subscriptions
from stomp_tx.errors import LimitExceeded, ProtocolViolation
from stomp_tx.interfaces import Safe
from stomp_tx.message import Batch, Outcome
from stomp_tx.wildcards import is_pattern


class DurableSubscriptions:
    """What one open session may do with durable subscriptions, of which the broker keeps all."""

    __slots__ = (
        "_access",
        "_broker",
        "_client_id",
        "_dialect",
        "_host",
        "_names",
        "_session_id",
        "_subscriptions",
    )

    def __init__(
        self,
        broker: Broker,
        session_id: str,
        subscriptions: Subscriptions,
        access: Access,
        names: Names,
        agreement: Agreement,
    ) -> None:
        self._broker = broker
        self._session_id = session_id
        self._subscriptions = subscriptions
        self._access = access
        self._names = names
        self._client_id = agreement.headers.get("client-id") or None
        self._dialect = agreement.dialect
        self._host = agreement.host

    def named_by(
        self, headers: Mapping[str, str], address: str | None, subscription_id: str | None
    ) -> Durable | None:
        """The one that SUBSCRIBE or UNSUBSCRIBE names by its headers; None: it names none."""
        owner = self._access.owner
        return durable_of(
            headers, address, subscription_id, self._client_id, self._dialect, self._host, owner
        )

    def bind_virtual(self, address: str) -> Safe:
        """ActiveMQ: who consumes from a queue of a virtual topic has it filled from now on."""
        if not self._broker.settings.virtual_topics:
            return None
        engine = self._broker.engine
        safe: Safe = None
        for queue in address.split(","):
            topic = virtual_topic_of(queue)
            if topic is None or queue in engine.bindings or is_pattern(split(queue)[2]):
                continue
            self._must_be_bindable("subscribe", topic)
            safe = engine.bind(queue, topic) or safe
            engine.owners[queue] = self._access.charged
        return safe

    def _must_be_bindable(self, permission: str, topics: str) -> None:
        self._access.must_be_allowed_each(permission, topics)
        most = self._broker.settings.durable_subscriptions
        if len(self._broker.engine.bindings) >= most:
            raise LimitExceeded("too many durable subscriptions", f"the broker keeps {most}")

    def bind(self, durable: Durable, topic: str, selector: str) -> Safe:
        """Make it, or find that it is there, and is to this topic.  Raises StompError."""
        engine = self._broker.engine
        length = self._broker.settings.name_length
        if len(durable.name) > length or len(self._client_id or "") > length:
            raise ProtocolViolation(
                "name of a durable subscription too long",
                f"it and client-id may have {length} characters each",
            )
        if any(one.destination.address == durable.queue for one in self._subscriptions):
            raise ProtocolViolation(
                "durable subscription in use", f"this connection has {durable.name[:60]!a} already"
            )
        bound_to = engine.bindings.get(durable.queue)
        if bound_to is None:
            self._must_be_bindable("create", topic)
        if bound_to not in (None, topic):
            raise ProtocolViolation(
                "durable subscription to another topic",
                f"{durable.name[:60]!a} is to {bound_to}: UNSUBSCRIBE it there, or use another name",
            )
        if durable.shared:
            safe: Safe = engine.bind(durable.queue, topic)
        else:
            safe = self._broker.durable_selectors.bind(durable.queue, topic, selector, self._session_id)
        engine.owners[durable.queue] = self._access.charged
        return safe

    def unbind(self, durable: Durable) -> Safe:
        """End it for good, with the messages that wait for it."""
        engine = self._broker.engine
        topic = engine.bindings.get(durable.queue)
        if topic is None:
            raise ProtocolViolation("no such durable subscription", f"there is no {durable.name[:60]!a}")
        self._access.must_be_readable("subscribe", topic, self._names)
        if durable.shared:
            self._access.must_be_allowed_each("manage", topic)  # it is others', too
        queue = self._broker.registry.get(durable.queue)
        if queue is not None and any(one not in self._subscriptions for one in queue.subscriptions):
            raise ProtocolViolation(
                "durable subscription in use", f"another connection has subscribed to {durable.name[:60]!a}"
            )
        held = [
            delivery
            for key, one in list(self._subscriptions.by_key.items())
            if one.destination.address == durable.queue
            for delivery in self._subscriptions.end(key)
        ]
        self._broker.registry.discard(durable.queue)
        engine.commit(Batch(settled=[(message, Outcome.ACCEPTED) for message, _ in held]))
        safe: Safe = engine.unbind(durable.queue)
        return safe

    def topic_of(self, live: Subscription | None, headers: Mapping[str, str]) -> str | None:
        """What a durable subscription is to, for one in force, or by UNSUBSCRIBE's own header."""
        if live is not None and live.destination.address in self._broker.engine.bindings:
            topic: str = self._broker.engine.bindings[live.destination.address]
            return topic
        destination = headers.get("destination")
        bare = TOPIC if names_durable(headers) else None
        return None if destination is None else self._names.address_of(destination, bare=bare)
