"""Subscriptions: those of one session, from SUBSCRIBE to UNSUBSCRIBE or the connection's end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stomp_tx.address import TOPIC, is_bound, is_topic, split, within
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.ack_modes import Delivery, make_subscription
from stomp_tx.broker.destinations.browsing import Browse
from stomp_tx.broker.destinations.composite_subscribe import CompositeSubscribe
from stomp_tx.broker.destinations.subscription import Subscription, Terms
from stomp_tx.broker.dialects import Dialect, made_id
from stomp_tx.broker.durable_names import fully_qualified
from stomp_tx.broker.events import Subscribed, Unsubscribed
from stomp_tx.broker.headers.subscribe import (
    Durable,
    View,
    durable_of,
    is_deaf_to_own,
    is_exclusive,
    must_be_possible,
    names_durable,
    prefetch,
    rank_of,
    redelivery_of,
    selector_of,
    shared_of,
    view_of,
    window_of,
)
from stomp_tx.broker.headers.values import is_false
from stomp_tx.broker.names import Names, is_temporary, name_for_others, virtual_topic_of
from stomp_tx.broker.selector.selector import Selector
from stomp_tx.broker.session.access import Access, must_be_bound
from stomp_tx.broker.session.deliveries import Deliveries
from stomp_tx.broker.session.no_local import OwnMessages
from stomp_tx.errors import LimitExceeded, ProtocolViolation
from stomp_tx.interfaces import IFrameSender, Safe, Test
from stomp_tx.message import Batch, Outcome
from stomp_tx.wildcards import is_pattern
from stomp_tx.wire.commands import ACK_MODES, V10, V11
from stomp_tx.wire.frame import Frame


class Subscriptions:
    """The subscriptions of one session, by the names that its client gave them.

    count -- how many there have been
    own -- what the session sends, remembered while a subscription does not want it; None: all want it
    exhausted -- those whose credit comes back when what they were given has been written
    """

    __slots__ = (
        "_access",
        "_automatic",
        "_broker",
        "_by_key",
        "_client_id",
        "_dialect",
        "_host",
        "_names",
        "_sender",
        "_session_id",
        "_version",
        "count",
        "deliveries",
        "exhausted",
        "own",
    )

    def __init__(self, session_id: str, broker: Broker, access: Access) -> None:
        self._access = access
        self._session_id = session_id
        self._broker = broker
        self._by_key: dict[str, Subscription] = {}
        self.deliveries = Deliveries(self._by_key)
        self.exhausted: list[Subscription] = []
        self.count = 0
        self.own: OwnMessages | None = None
        self._automatic: dict[str, str] = {}  # temporary queues that SEND has subscribed to: address, key

    def open(
        self,
        sender: IFrameSender,
        version: str,
        names: Names,
        client_id: str | None,
        dialect: Dialect,
        host: str,
    ) -> None:
        """The session is open: how it speaks."""
        self._sender = sender
        self._version = version
        self._names = names
        self._client_id = client_id
        self._dialect = dialect
        self._host = host
        self.deliveries.naming = V10 if dialect.acks_by_message_id and version == V11 else version

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._by_key.values()))

    def __contains__(self, subscription: object) -> bool:
        return subscription in self._by_key.values()

    def consume_from(self, address: str) -> bool:
        """Is one of them to this destination, or to a queue that is bound to it?"""
        bindings = self._broker.engine.bindings
        return any(
            one.destination.reads(address) or bindings.get(one.destination.address) == address
            for one in self._by_key.values()
        )

    def end_all(self) -> None:
        """No message reaches any of them any more; what they hold is still in ``deliveries``."""
        for subscription in self:
            self._broker.registry.remove(subscription)
        self._by_key.clear()
        self.exhausted.clear()

    # -- SUBSCRIBE ----------------------------------------------------------------------------------------

    def make(self, frame: Frame) -> tuple[Subscription, str | Browse, Safe]:
        """What SUBSCRIBE asks for, not yet in force; to what, see ``start``; and when it is safe."""
        headers = frame.headers
        settings = self._broker.settings
        must_be_possible(headers)
        address, queue = self._address(headers)
        if address in self._automatic:
            self._end(self._automatic.pop(address))
        key, subscription_id = self._new_key(frame)
        mode = headers.get("ack", "auto")
        if mode not in ACK_MODES[self._version]:
            raise ProtocolViolation(
                "unknown ack mode", f"{mode[:40]!a} is not auto, client or client-individual"
            )
        view = view_of(headers, self._broker.engine.last_position)
        policy = self._broker.policies.of(address)
        credit = settings.prefetch
        if mode != "auto" or view is not None:
            credit = prefetch(headers, settings, policy, self._dialect)
        if view is not None:
            mode = "auto"  # there is nothing to acknowledge
        redelivery = redelivery_of(headers, policy)
        selector = selector_of(headers, settings.selector_length)
        is_deaf = is_deaf_to_own(headers)
        wants = self._wants(selector, is_deaf)
        durable = queue or self._durable(headers, address, headers.get("id"))
        shared = None if durable is not None else shared_of(headers, address)
        self._must_be_open(address, "subscribe" if view is None else "browse")
        safe: Safe = None
        if view is not None:
            address = self._viewed(address, shared if durable is None else durable.queue)
        else:
            self._must_have_room(shared or (address if durable is None else durable.queue), address)
            if durable is not None:
                safe = self._bind(durable, address, "" if selector is None else selector.text.strip())
                address = durable.queue
            elif shared is not None:
                self._broker.engine.bind(shared, address)
                address = shared
            else:
                safe = self._bind_virtual(address)
        self.count += 1
        exclusive = policy.exclusive or is_exclusive(headers)
        terms = Terms(
            subscription_id,
            self.count,
            mode,
            credit,
            redelivery,
            rank_of(headers),
            exclusive,
            wants,
            not is_false(headers, "retained"),
            self._dialect,
            window_of(headers, self._dialect, policy) if mode != "auto" else 0,
            self._spurned(durable, is_deaf),
        )
        subscription = make_subscription(self._sender, self._version, terms, self.exhausted, self.deliveries)
        self._by_key[key] = subscription
        if view is not None:
            return subscription, self._browse(address, headers.get("destination", ""), view), safe
        return subscription, address, safe

    def _wants(self, selector: Selector | None, is_deaf: bool) -> Test | None:
        """What SUBSCRIBE says of the messages that it wants; None: it wants all.

        is_deaf -- it does not want what this session sends
        """
        most = self._broker.settings.selectors
        if selector is None and not is_deaf:
            return None
        if sum(one.wants is not None for one in self._by_key.values()) >= most:
            raise LimitExceeded("too many selectors", f"a connection may have {most} subscriptions with one")
        if not is_deaf:
            return selector.matches if selector is not None else None
        if self.own is None:
            self.own = OwnMessages()
        return self.own.others_only if selector is None else self.own.others_that(selector.matches)

    def _spurned(self, durable: Durable | None, is_deaf: bool) -> Test | None:
        """What nobody shall have in its stead: JMS keeps none of it for a durable subscription."""
        if not is_deaf or durable is None or durable.shared or self.own is None:
            return None
        return self.own.has_sent

    def _viewed(self, address: str, bound: str | None) -> str:
        """What a browser looks at: a queue, or what waits for a subscription to a topic.

        bound -- the queue of such a subscription
        """
        bindings = self._broker.engine.bindings
        if bound is not None:
            must_be_bound(bound, bindings)
            if bindings[bound] != address:
                raise ProtocolViolation(
                    "durable subscription to another topic", f"it is to {bindings[bound]}"
                )
            return bound
        if "," in address or is_topic(address) or is_pattern(split(address)[2]):
            raise ProtocolViolation(
                "nothing to browse", "what waits in one queue can be browsed, or for one durable subscription"
            )
        return address

    def _browse(self, address: str, destination: str, view: View) -> Browse:
        broker = self._broker
        return Browse(
            address,
            destination,
            broker.engine,
            broker.clock,
            broker.settings,
            broker.dead_letters,
            view,
            broker.new_message_id,
        )

    def start(self, subscription: Subscription, place: str | Browse, safe: Safe) -> None:
        """Put it in force at that address, or view: messages may reach it before this returns.

        Where it is not safe yet they wait for that: what was said of the RECEIPT comes before them.
        """
        if safe is not None:
            subscription.paused = True
            safe.addCallback(self._let_go, subscription)
        if isinstance(place, Browse):
            address = place.address
            place.add(subscription)
        else:
            address = place
            self._broker.registry.add(subscription, address, self._access.may_match)
        self._broker.events.emit(Subscribed, self._session_id, subscription.name, address, subscription.mode)

    def _let_go(self, result: None, subscription: Subscription) -> None:
        """It is safe."""
        subscription.paused = self._sender.full
        if subscription in self and not subscription.paused:
            subscription.destination.resume(subscription)

    def _new_key(self, frame: Frame) -> tuple[str, str | None]:
        """What the new one goes by, and the id that it has."""
        settings = self._broker.settings
        name = frame.headers.get("id")
        if name is not None and len(name) > settings.name_length:
            raise ProtocolViolation("id header too long", f"it may have {settings.name_length} characters")
        if name is None and self._version != V10:
            if not self._dialect.makes_ids:
                raise ProtocolViolation("id header missing", "SUBSCRIBE names the subscription, as in id:0")
            name = made_id(frame.headers["destination"])
        key = name if name is not None else self._key_of(frame.headers.get("destination"))
        if key in self._by_key:
            raise ProtocolViolation(
                "subscription exists already",
                f"a subscription of this connection is called {key.strip()[:60]!a}",
            )
        if len(self._by_key) >= settings.subscriptions:
            raise LimitExceeded("too many subscriptions", f"a connection may have {settings.subscriptions}")
        return key, name

    def _key_of(self, destination: str | None) -> str:
        """1.0: what a subscription without an id goes by.  No client can use it as an id."""
        return f"\n{self._names.address_of(destination)}"

    def _address(self, headers: Mapping[str, str]) -> tuple[str, Durable | None]:
        """What SUBSCRIBE is to, and the durable subscription that its destination names (Artemis' ``::``)."""
        destination, type = headers.get("destination", ""), headers.get("subscription-type")
        topic, _, name = destination.partition("::")
        if name and "," not in destination:
            address = self._names.address_of(topic, type)
            if is_topic(address):
                return address, Durable(within(self._host, fully_qualified(address, name)), name, shared=True)
        bare = TOPIC if names_durable(headers) else None
        return self._names.address_of(headers.get("destination"), type, bare), None

    def _durable(
        self, headers: Mapping[str, str], address: str | None, subscription_id: str | None
    ) -> Durable | None:
        owner = self._access.owner
        return durable_of(
            headers, address, subscription_id, self._client_id, self._dialect, self._host, owner
        )

    def check_access(self) -> None:
        """Raises AccessDenied when one of them is not allowed any more."""
        for subscription in self._by_key.values():
            place = subscription.destination
            permission = "browse" if isinstance(place, Browse) else "subscribe"
            for one in place.address.split(","):
                self._access.must_be_allowed(permission, one)
            for one in place.matched if isinstance(place, CompositeSubscribe) else ():
                self._access.must_be_allowed(permission, one)

    def _must_be_open(self, address: str, permission: str) -> None:
        for one in address.split(","):
            self._access.must_be_open(permission, one, self._names)
            if is_temporary(one) and not self._names.own(one):
                self._access.deny(permission, name_for_others(one), "it is another connection's")

    def _must_have_room(self, address: str, topic: str) -> None:
        """Are there not too many already?  ``topic``: what a bound queue is bound to."""
        broker = self._broker
        for one in address.split(","):
            most = broker.policies.of(topic if is_bound(one) else one).consumers
            destination = broker.registry.get(one) if most else None
            if destination is not None and len(destination.subscriptions) >= most:
                raise LimitExceeded("too many consumers", f"{most} at a time may subscribe to {one}")

    def subscribe_replies(self, destination: str) -> None:
        """RabbitMQ: who wants an answer to a temporary queue is subscribed to it, with its name as the id."""
        address = self._names.address_of(destination)
        if destination in self._by_key or self.consume_from(address):
            return
        frame = Frame("SUBSCRIBE", {"id": destination, "destination": destination, "ack": "auto"})
        subscription, place, safe = self.make(frame)
        self._automatic[address] = destination
        self.start(subscription, place, safe)

    # -- durable subscriptions ----------------------------------------------------------------------------

    def _bind_virtual(self, address: str) -> Safe:
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
        return safe

    def _must_be_bindable(self, permission: str, topics: str) -> None:
        self._access.must_be_allowed_each(permission, topics)
        most = self._broker.settings.durable_subscriptions
        if len(self._broker.engine.bindings) >= most:
            raise LimitExceeded("too many durable subscriptions", f"the broker keeps {most}")

    def _bind(self, durable: Durable, topic: str, selector: str) -> Safe:
        engine = self._broker.engine
        length = self._broker.settings.name_length
        if len(durable.name) > length or len(self._client_id or "") > length:
            raise ProtocolViolation(
                "name of a durable subscription too long",
                f"it and client-id may have {length} characters each",
            )
        if any(one.destination.address == durable.queue for one in self._by_key.values()):
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
        if not durable.shared:
            return self._broker.durable_selectors.bind(durable.queue, topic, selector, self._session_id)
        safe: Safe = engine.bind(durable.queue, topic)
        return safe

    def _unbind(self, durable: Durable) -> Safe:
        """End it for good, with the messages that wait for it."""
        engine = self._broker.engine
        topic = engine.bindings.get(durable.queue)
        if topic is None:
            raise ProtocolViolation("no such durable subscription", f"there is no {durable.name[:60]!a}")
        self._must_be_open(topic, "subscribe")
        if durable.shared:
            self._access.must_be_allowed_each("manage", topic)  # it is others', too
        queue = self._broker.registry.get(durable.queue)
        if queue is not None and any(one not in self for one in queue.subscriptions):
            raise ProtocolViolation(
                "durable subscription in use", f"another connection has subscribed to {durable.name[:60]!a}"
            )
        held = [
            delivery
            for key, one in list(self._by_key.items())
            if one.destination.address == durable.queue
            for delivery in self._end(key)
        ]
        self._broker.registry.discard(durable.queue)
        engine.commit(Batch(settled=[(message, Outcome.ACCEPTED) for message, _ in held]))
        safe: Safe = engine.unbind(durable.queue)
        return safe

    # -- UNSUBSCRIBE --------------------------------------------------------------------------------------

    def end(self, frame: Frame) -> tuple[list[Delivery], Safe]:
        """End the one that UNSUBSCRIBE names: what it held, and when that is safe."""
        headers = frame.headers
        destination = headers.get("destination")
        subscription_id = headers.get("id")
        key = subscription_id
        if key is None and destination is not None:
            if self._version == V10:
                key = self._find_by_destination(destination)
            elif self._dialect.makes_ids:
                key = made_id(destination)
        live = None if key is None else self._by_key.get(key)
        durable = self._durable(headers, self._topic(live, headers), subscription_id)
        if durable is not None:
            return [], self._unbind(durable)
        if key is None and self._version == V10:
            key = self._find_by_destination(destination)  # raises: there is no destination
        if key is None:
            raise ProtocolViolation("id header missing", "UNSUBSCRIBE names the subscription, as in id:0")
        if live is None:
            raise ProtocolViolation(
                "no such subscription", f"{key.strip()[:60]!a} is no subscription of this connection"
            )
        return self._end(key), None

    def _topic(self, live: Subscription | None, headers: Mapping[str, str]) -> str | None:
        """What a durable subscription is to, for one in force, or by UNSUBSCRIBE's own header."""
        if live is not None and live.destination.address in self._broker.engine.bindings:
            topic: str = self._broker.engine.bindings[live.destination.address]
            return topic
        destination = headers.get("destination")
        bare = TOPIC if names_durable(headers) else None
        return None if destination is None else self._names.address_of(destination, bare=bare)

    def _end(self, key: str) -> list[Delivery]:
        subscription = self._by_key.pop(key)
        self._broker.registry.remove(subscription)
        self._broker.events.emit(
            Unsubscribed, self._session_id, subscription.name, subscription.destination.address
        )
        return self.deliveries.end(subscription)

    def _find_by_destination(self, destination: str | None) -> str:
        """1.0: the subscription to that destination, one without an id first."""
        key = self._key_of(destination)
        if key in self._by_key:
            return key
        for name, subscription in self._by_key.items():
            if f"\n{subscription.destination.address}" == key:
                return name
        return key
