"""Subscribing: what SUBSCRIBE and UNSUBSCRIBE of one session do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred

from stomp_tx.address import TOPIC, is_bound, is_topic, within
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.ack_modes import AckSubscription, Delivery, make_subscription
from stomp_tx.broker.destinations.browsing import Browse
from stomp_tx.broker.destinations.composite_subscribe import CompositeSubscribe
from stomp_tx.broker.destinations.subscription import Source, Subscription, Terms
from stomp_tx.broker.dialects import made_id
from stomp_tx.broker.durable_names import fully_qualified
from stomp_tx.broker.events import Subscribed
from stomp_tx.broker.headers.subscribe import (
    Durable,
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
from stomp_tx.broker.names import Names
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.selector.selector import Selector, compiling, is_remembered
from stomp_tx.broker.session.access import Access
from stomp_tx.broker.session.browsing import browse_of, viewed
from stomp_tx.broker.session.durable_subscriptions import DurableSubscriptions
from stomp_tx.broker.session.giving_back import GivingBack
from stomp_tx.broker.session.handshake import Agreement
from stomp_tx.broker.session.header_warnings import HeaderWarnings
from stomp_tx.broker.session.no_local import OwnMessages
from stomp_tx.broker.session.reading_on import ReadOn
from stomp_tx.broker.session.receipts import Receipts
from stomp_tx.broker.session.subscriptions import Subscriptions
from stomp_tx.errors import LimitExceeded, ProtocolViolation
from stomp_tx.interfaces import IFrameSender, Safe, Test
from stomp_tx.wire.commands import ACK_MODES, V10, V11
from stomp_tx.wire.frame import Frame


class Subscribing:
    """Makes and ends the subscriptions of one open session."""

    __slots__ = (
        "_access",
        "_automatic",
        "_broker",
        "_dialect",
        "_durable_subscriptions",
        "_forget_routes",
        "_giving_back",
        "_header_warnings",
        "_host",
        "_names",
        "_read_on",
        "_receipts",
        "_sender",
        "_session_id",
        "_subscriptions",
        "_version",
    )

    def __init__(
        self,
        broker: Broker,
        session_id: str,
        sender: IFrameSender,
        agreement: Agreement,
        names: Names,
        access: Access,
        subscriptions: Subscriptions,
        receipts: Receipts,
        header_warnings: HeaderWarnings,
        giving_back: GivingBack,
        forget_routes: Callable[[], None],
        read_on: ReadOn,
    ) -> None:
        """``forget_routes`` is called when what the session sends is to be remembered."""
        self._broker = broker
        self._session_id = session_id
        self._sender = sender
        self._version = agreement.version
        self._dialect = dialect = agreement.dialect
        self._host = agreement.host
        self._names = names
        self._access = access
        self._subscriptions = subscriptions
        self._durable_subscriptions = DurableSubscriptions(
            broker, session_id, subscriptions, access, names, agreement
        )
        self._receipts = receipts
        self._header_warnings = header_warnings
        self._giving_back = giving_back
        self._read_on = read_on
        self._forget_routes = forget_routes
        self._automatic: dict[str, str] = {}  # temporary queues that SEND has subscribed to: address, key
        named_by_id = dialect.acks_by_message_id and self._version == V11
        subscriptions.deliveries.naming = V10 if named_by_id else self._version

    # -- SUBSCRIBE ----------------------------------------------------------------------------------------

    def subscribe(self, frame: Frame) -> Deferred[None] | None:
        selector = frame.headers.get("selector")
        if selector is None or is_remembered(selector):
            self._subscribe(frame, None)
            return None
        if len(selector) <= self._broker.settings.selector_length:
            compiled = self._broker.slices.do(compiling(selector))
            if compiled is not None:
                return self._read_on(compiled, frame, self._subscribe)
        self._subscribe(frame, None)
        return None

    def _subscribe(self, frame: Frame, _: None) -> None:
        self._header_warnings.look_at(frame)
        self._header_warnings.look_for_foreign(frame)
        had_own = self._subscriptions.own_messages is not None
        subscription, place, safe = self._make(frame)
        if not had_own and self._subscriptions.own_messages is not None:
            self._forget_routes()  # what is sent is remembered from now on
        self._receipts.done(frame, safe)  # clients expect its RECEIPT before the first MESSAGE
        self._start(subscription, place, safe)

    def _make(self, frame: Frame) -> tuple[Subscription, str | Browse, Safe]:
        """What SUBSCRIBE asks for, not yet in force; to what, see ``_start``; and when it is safe."""
        headers = frame.headers
        settings = self._broker.settings
        must_be_possible(headers)
        address, queue = self._address(headers)
        if address in self._automatic:
            self._subscriptions.end(self._automatic.pop(address))
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
        durable = queue or self._durable_subscriptions.named_by(headers, address, headers.get("id"))
        shared = None if durable is not None else shared_of(headers, address)
        self._access.must_be_readable("subscribe" if view is None else "browse", address, self._names)
        safe: Safe = None
        if view is not None:
            address = viewed(
                address, shared if durable is None else durable.queue, self._broker.engine.bindings
            )
        else:
            self._must_have_room(shared or (address if durable is None else durable.queue), address)
            if durable is not None:
                text = "" if selector is None else selector.text.strip()
                safe = self._durable_subscriptions.bind(durable, address, text)
                address = durable.queue
            elif shared is not None:
                self._broker.engine.bind(shared, address)
                self._broker.engine.owners[shared] = self._access.charged
                address = shared
            else:
                safe = self._durable_subscriptions.bind_virtual(address)
        subscriptions = self._subscriptions
        subscriptions.count += 1
        exclusive = policy.exclusive or is_exclusive(headers)
        terms = Terms(
            subscription_id,
            subscriptions.count,
            mode,
            credit,
            redelivery,
            rank_of(headers),
            exclusive,
            wants,
            not is_false(headers, "retained"),
            self._dialect,
            self._window(headers, policy, address) if mode != "auto" else 0,
            self._spurned(durable, is_deaf),
        )
        subscription = make_subscription(
            self._sender,
            self._version,
            terms,
            subscriptions.exhausted,
            subscriptions.deliveries,
            len(subscriptions.by_key),
        )
        subscriptions.add(key, subscription)
        if view is None:
            return subscription, address, safe
        return subscription, browse_of(self._broker, address, headers.get("destination", ""), view), safe

    def _window(self, headers: dict[str, str], policy: Policy, address: str) -> int:
        """Octets that may be in flight; 0: any number.  What a topic has given nobody else counts."""
        window = window_of(headers, self._dialect, policy)
        return window or (self._broker.settings.topic_backlog_octets if is_topic(address) else 0)

    def _wants(self, selector: Selector | None, is_deaf: bool) -> Test | None:
        """What SUBSCRIBE says of the messages that it wants; None: it wants all.

        is_deaf -- it does not want what this session sends
        """
        most = self._broker.settings.selectors
        if selector is None and not is_deaf:
            return None
        subscriptions = self._subscriptions
        if subscriptions.selecting >= most:
            raise LimitExceeded("too many selectors", f"a connection may have {most} subscriptions with one")
        if not is_deaf:
            return selector.matches if selector is not None else None
        if subscriptions.own_messages is None:
            subscriptions.own_messages = OwnMessages()
        own = subscriptions.own_messages
        return own.others_only if selector is None else own.others_that(selector.matches)

    def _spurned(self, durable: Durable | None, is_deaf: bool) -> Test | None:
        """What nobody shall have in its stead: JMS keeps none of it for a durable subscription."""
        own = self._subscriptions.own_messages
        if not is_deaf or durable is None or durable.shared or own is None:
            return None
        return own.has_sent

    def _start(self, subscription: Subscription, place: str | Browse, safe: Safe) -> None:
        """Put it in force at that address, or view: messages may reach it before this returns.

        Where it is not safe yet they wait for that: what was said of the RECEIPT comes before them.
        """
        if safe is not None:
            self._subscriptions.keep_out(subscription)
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
        if subscription in self._subscriptions:
            subscription.paused = self._sender.full
            self._subscriptions.let_in(subscription)
            if not subscription.paused:
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
        if key in self._subscriptions.by_key:
            raise ProtocolViolation(
                "subscription exists already",
                f"a subscription of this connection is called {key.strip()[:60]!a}",
            )
        if len(self._subscriptions.by_key) >= settings.subscriptions:
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
        if destination in self._subscriptions.by_key or self._subscriptions.consume_from(address):
            return
        frame = Frame("SUBSCRIBE", {"id": destination, "destination": destination, "ack": "auto"})
        subscription, place, safe = self._make(frame)
        self._automatic[address] = destination
        self._start(subscription, place, safe)

    # -- UNSUBSCRIBE --------------------------------------------------------------------------------------

    def unsubscribe(self, frame: Frame) -> Deferred[None] | None:
        self._header_warnings.look_at(frame)
        self._header_warnings.look_for_foreign(frame)
        held, sources, safe = self._end(frame)
        done = self._giving_back.give_back(held, sources)
        if done is not None:
            return self._read_on(done, frame, self._is_done)
        self._receipts.done(frame, safe)
        return None

    def _is_done(self, frame: Frame, _: None) -> None:
        self._receipts.done(frame)

    def _end(self, frame: Frame) -> tuple[list[Delivery], list[Source], Safe]:
        """End the one that UNSUBSCRIBE names: what it held, and of which queues; and when that is safe."""
        headers = frame.headers
        destination = headers.get("destination")
        subscription_id = headers.get("id")
        key = subscription_id
        if key is None and destination is not None:
            if self._version == V10:
                key = self._find_by_destination(destination)
            elif self._dialect.makes_ids:
                key = made_id(destination)
        live = None if key is None else self._subscriptions.by_key.get(key)
        topic = self._durable_subscriptions.topic_of(live, headers)
        durable = self._durable_subscriptions.named_by(headers, topic, subscription_id)
        if durable is not None:
            return [], [], self._durable_subscriptions.unbind(durable)
        if key is None and self._version == V10:
            key = self._find_by_destination(destination)  # raises: there is no destination
        if key is None:
            raise ProtocolViolation("id header missing", "UNSUBSCRIBE names the subscription, as in id:0")
        if live is None:
            raise ProtocolViolation(
                "no such subscription", f"{key.strip()[:60]!a} is no subscription of this connection"
            )
        sources = self._giving_back.hold([live], live.sent if isinstance(live, AckSubscription) else 0)
        return self._subscriptions.end(key), sources, None

    def _find_by_destination(self, destination: str | None) -> str:
        """1.0: the subscription to that destination, one without an id first."""
        key = self._key_of(destination)
        if key in self._subscriptions.by_key:
            return key
        for name, subscription in self._subscriptions.by_key.items():
            if f"\n{subscription.destination.address}" == key:
                return name
        return key

    # -- while they last ----------------------------------------------------------------------------------

    def check_access(self) -> None:
        """Raises AccessDenied when one of them is not allowed any more."""
        for subscription in self._subscriptions:
            place = subscription.destination
            permission = "browse" if isinstance(place, Browse) else "subscribe"
            for one in place.address.split(","):
                self._access.must_be_allowed(permission, one)
            for one in place.matched if isinstance(place, CompositeSubscribe) else ():
                self._access.must_be_allowed(permission, one)
