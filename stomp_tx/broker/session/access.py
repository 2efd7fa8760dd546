"""Access: what the user of one session must be allowed to do, before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from stomp_tx.account import Owner
from stomp_tx.address import QUEUE, is_bound, split
from stomp_tx.auth.identity import ANONYMOUS
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.names import Names, is_temporary, must_exist, name_for_others, virtual_topic_of
from stomp_tx.broker.session.login import Login
from stomp_tx.errors import AccessDenied, ProtocolViolation
from stomp_tx.wildcards import is_pattern


class Access:
    """Asks for permissions of whoever the session belongs to at that time."""

    __slots__ = ("_broker", "_login")

    def __init__(self, broker: Broker, login: Login) -> None:
        self._broker = broker
        self._login = login

    @property
    def owner(self) -> str:
        """Whose is what this session leaves behind?  Empty: nobody's, as nobody has said who they are."""
        name: str = self._login.user.name
        return "" if self._broker.portal is None or name == ANONYMOUS else name

    @property
    def charged(self) -> Owner:
        """For whom memory is taken by what this session keeps."""
        owner: Owner = self._login.owner
        return owner

    def must_be_open(self, permission: str, address: str, names: Names) -> None:
        """A destination can be used so: it is there, or comes to be.

        names -- the session's own; its temporary destinations come to be by being used

        Raises AccessDenied, ProtocolViolation for what isn't there, and LimitExceeded.
        """
        broker = self._broker
        self.must_still_be_open(permission, address)
        must_exist(address, broker.policies)
        if is_bound(address):
            must_be_bound(address, broker.engine.bindings)
        elif is_temporary(address) and names.own(address):
            broker.temporary_destinations.make(address, names)

    def must_be_readable(self, permission: str, addresses: str, names: Names) -> None:
        """The same of several with commas between, of which none is another connection's own."""
        for one in addresses.split(","):
            self.must_be_open(permission, one, names)
            if is_temporary(one) and not names.own(one):
                self.deny(permission, name_for_others(one), "it is another connection's")

    def must_still_be_open(self, permission: str, address: str) -> None:
        """Raises AccessDenied when one that was open is so no more."""
        self.must_be_allowed(permission, address)
        if permission in ("send", "subscribe"):
            self._must_be_there_or_made(address)

    def must_be_allowed(self, permission: str, address: str) -> None:
        """Raises AccessDenied.  What topics fill is as open as all of these together."""
        user = self._login.user
        where = self._topics_of(permission, address)
        if not is_bound(address):
            where.append(address)
        for one in where:
            if not user.may(permission, one):
                raise AccessDenied(user.name, permission, one)

    def may_match(self, queue: str) -> bool:
        """May a pattern that was allowed get what is in this queue?  Where topics fill it, it takes more."""
        user = self._login.user
        return all(user.may("subscribe", topic) for topic in self._topics_of("subscribe", queue))

    def may_manage(self, address: str) -> bool:
        """May they look after what is others' there?"""
        may: bool = self._login.user.may("manage", address)
        return may

    def _topics_of(self, permission: str, queue: str) -> list[str]:
        """The topics that fill a queue; for whoever reads it, those that will do so too."""
        topics = self._broker.engine.bindings.get(queue)
        if topics is None and permission in ("subscribe", "browse") and self._broker.settings.virtual_topics:
            topics = virtual_topic_of(queue)
            if topics is not None and is_pattern(topics):
                topics = None  # ``may_match`` is asked for each queue that it finds
        return [] if topics is None else topics.split(",")

    def must_be_allowed_each(self, permission: str, addresses: str) -> None:
        """The same for several with commas between, whatever is bound to what."""
        user = self._login.user
        for one in addresses.split(","):
            if not user.may(permission, one):
                raise AccessDenied(user.name, permission, one)

    def deny(self, permission: str, destination: str, why: str) -> NoReturn:
        """Raises AccessDenied."""
        raise AccessDenied(self._login.user.name, permission, destination, why)

    def _must_be_there_or_made(self, address: str) -> None:
        """Raises AccessDenied when the queue isn't there, and this user may not make it.

        It is there when somebody consumes from it, something waits in it, or it has a policy of its own.
        """
        user, broker = self._login.user, self._broker
        if user.may("create", address) or split(address)[1] != QUEUE or is_pattern(split(address)[2]):
            return
        if broker.registry.is_consumed(address) or address in broker.engine.bindings:
            return
        if any(broker.engine.depth(address)) or broker.policies.names(address):
            return
        raise AccessDenied(user.name, "create", address)


def must_be_bound(address: str, bindings: Mapping[str, str]) -> None:
    """Raises ProtocolViolation for the queue of a durable subscription that there is not."""
    if address not in bindings:
        raise ProtocolViolation("no such durable subscription", "nobody has made it, or it has ended")
