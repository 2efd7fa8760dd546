"""Routes: how what one session sends gets to its destinations."""

from __future__ import annotations

from stomp_tx.address import RETAINED, is_bound, is_topic, split
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.composite_send import CompositeSend, Part
from stomp_tx.broker.destinations.scheduler_commands import MANAGEMENT, Planned, manages
from stomp_tx.broker.dialects import Dialect
from stomp_tx.broker.events import Sent
from stomp_tx.broker.headers.send import stamp, stamped
from stomp_tx.broker.names import Names, is_temporary
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.session.access import Access, must_be_bound
from stomp_tx.broker.session.login import Login
from stomp_tx.broker.session.put_steps import Remembered, Signed, Stamped, Told, WhileBound
from stomp_tx.broker.session.subscriptions import Subscriptions
from stomp_tx.errors import ProtocolViolation
from stomp_tx.interfaces import Put
from stomp_tx.message import Message
from stomp_tx.wildcards import is_pattern

MOST = 256
"""Destinations that a session remembers the way to."""

Route = tuple[Put, str, Policy]
"""How a message gets to a destination, its address (several with commas between), and its policy."""


class Routes:
    """The routes of one session: made when it first sends somewhere, and whether it may, then remembered.

    What a destination needs beside being appended or published is put around that when its route is made:
    all others pay nothing for it.

    known -- routes by destination, or see ``key_of``
    """

    __slots__ = (
        "_access",
        "_broker",
        "_dialect",
        "_login",
        "_names",
        "_session_id",
        "_subscriptions",
        "known",
    )

    def __init__(
        self,
        broker: Broker,
        session_id: str,
        names: Names,
        login: Login,
        access: Access,
        dialect: Dialect,
        subscriptions: Subscriptions,
    ) -> None:
        self._broker = broker
        self._session_id = session_id
        self._names = names
        self._login = login
        self._access = access
        self._dialect = dialect
        self._subscriptions = subscriptions
        self.known: dict[str | None, Route] = {}

    def of(self, headers: dict[str, str]) -> Route:
        """The route of a SEND with these headers.  Raises StompError when it may not go there."""
        key = key_of(headers)
        route = self.known.get(key)
        if route is None:
            route = self._made(headers.get("destination"), headers.get("destination-type"))
            if manages(route[1]):
                return route  # who sends there asks each time
            if len(self.known) >= MOST:
                self.known.clear()
            self.known[key] = route
        return route

    def forget(self) -> None:
        """What they were made by has changed."""
        self.known.clear()

    def _made(self, destination: str | None, type: str | None) -> Route:
        addresses = self._names.addresses_of(destination, type)
        if len(addresses) > 1 and any(map(manages, addresses)):
            raise ProtocolViolation(
                "scheduler command to several destinations", f"SEND it to {MANAGEMENT} alone"
            )
        for address in addresses:
            self._must_be_open(address)
        return self._to_one(*addresses) if len(addresses) == 1 else self._to_several(addresses)

    def must_still_be_open(self, message: Message) -> None:
        """Raises AccessDenied when one that was taken for a transaction may not go there any more."""
        for address in self._broker.scheduler.addresses_of(message).split(","):
            if split(address)[1] != RETAINED:  # a copy of what goes to its topic
                self._access.must_still_be_open(self._permission(address), address)

    def _permission(self, address: str) -> str:
        """What it takes to send there."""
        return "manage" if manages(address) else "send"

    def _must_be_open(self, address: str) -> None:
        self._access.must_be_open(self._permission(address), address, self._names)
        if is_pattern(split(address)[2]) and not is_bound(address):
            raise ProtocolViolation("can't send to a pattern", "name one destination, or several with commas")
        self._broker.producers.add(address, self._session_id)

    def _to_several(self, addresses: list[str]) -> Route:
        broker = self._broker
        parts = [Part(one, "".join(split(one)[1:]), broker.policies.of(one)) for one in addresses]
        return self._around(self._composite(parts)), ",".join(addresses), Policy()

    def _composite(self, parts: list[Part]) -> CompositeSend:
        broker = self._broker
        empties = broker.retained.emptied_by
        return CompositeSend(parts, broker.engine, broker.overflow, broker.now, self.appended, empties)

    def _to_one(self, address: str) -> Route:
        broker = self._broker
        policy = broker.policies.of(address)
        return self._around(self._straight(address, policy)), address, policy

    def _straight(self, address: str, policy: Policy) -> Put:
        """To a destination, with what it needs itself."""
        broker = self._broker
        put: Put = broker.engine.publish if is_topic(address) else broker.engine.append
        if is_temporary(address):
            put = broker.temporary_destinations.around(put, address)
        elif is_bound(address):
            put = WhileBound(put, broker.engine.bindings).put
        put = broker.retained.around(put, address, policy)
        put = broker.overflow.around(put, address, policy)
        if policy.stamps:
            put = Stamped(put, policy, broker.now).put
        return put

    def retaining(self, word: str) -> Put | None:
        """The way of a message to a topic that says this in ``retain``; None: the usual one."""
        put = self._broker.retained.of_word(word)
        return None if put is None else self._around(put)

    def must_still_manage(self, planned: Planned) -> None:
        """Raises AccessDenied when a command that was taken for a transaction is not allowed any more."""
        self.must_still_be_open(planned.command.message)
        if planned.reply:
            self._access.must_still_be_open("send", planned.reply)

    def way_to(self, name: str) -> tuple[str, Put]:
        """The address of where somebody wants an answer, and the way there.  Raises StompError."""
        address = self._names.address_of(name)
        if "," in address or manages(address):
            raise ProtocolViolation("malformed reply-to header", "it names one destination")
        self._must_be_open(address)
        return address, self._straight(address, self._broker.policies.of(address))

    def _around(self, put: Put) -> Put:
        """What is done with all that this session sends."""
        if self._broker.events.wants(Sent):
            put = Told(put, self._broker.events, self._session_id).put
        if self._subscriptions.own_messages is not None:
            put = Remembered(put, self._subscriptions.own_messages).put
        if self._dialect.stamps:
            put = stamped(put, self._dialect, self._broker.now)
        if self._broker.settings.user_id:
            put = Signed(put, self._login.user.name).put
        return put

    # -- past ``put``: in a transaction, or as one of several -----------------------------------------------

    def in_transaction(self, message: Message, policy: Policy) -> list[Message]:
        """What is appended at COMMIT for a message of this route, which has been signed."""
        if self._broker.scheduler.is_waiting(message):
            return [message]
        if self._dialect.stamps:
            stamp(message, self._dialect, self._broker.now)
        if self._subscriptions.own_messages is not None:
            self._subscriptions.own_messages.add(message.id)
        addresses = message.address.split(",")
        if len(addresses) == 1:
            return self.appended(message, policy)
        broker = self._broker
        parts = [Part(one, "".join(split(one)[1:]), broker.policies.of(one)) for one in addresses]
        return self._composite(parts).copies(message)

    def appended(self, message: Message, policy: Policy) -> list[Message]:
        """A message to one destination, and what else is appended with it; nothing, where it is no more."""
        address = message.address
        if is_temporary(address):
            return self._broker.temporary_destinations.as_sent(message)
        if is_bound(address):
            must_be_bound(address, self._broker.engine.bindings)
        return self._broker.retained.appended(message, policy)


def key_of(headers: dict[str, str]) -> str | None:
    """What a route is remembered by: the destination, and Artemis' type of it where there is one."""
    destination = headers.get("destination")
    type = headers.get("destination-type")
    return destination if type is None else f"{type}\n{destination}"  # (no destination has a line feed)
