"""ReplyTo: where a session's requests say that their answers are to go."""

from __future__ import annotations

from collections.abc import Callable

from stomp_tx.address import TEMP_QUEUE, TEMP_TOPIC
from stomp_tx.broker.destinations.temporary import TemporaryDestinations
from stomp_tx.broker.dialects import Dialect
from stomp_tx.broker.names import Names, name_for_others
from stomp_tx.message import Message


class ReplyTo:
    """The name of a temporary destination is its session's own: others get one that leads there."""

    __slots__ = ("_dialect", "_names", "_subscribe", "_temporary_destinations")

    def __init__(
        self,
        temporary_destinations: TemporaryDestinations,
        names: Names,
        dialect: Dialect,
        subscribe: Callable[[str], None],
    ) -> None:
        """``subscribe`` is called with the name of a queue, where a dialect's clients expect that."""
        self._temporary_destinations = temporary_destinations
        self._names = names
        self._dialect = dialect
        self._subscribe = subscribe

    def translate(self, message: Message) -> None:
        """Where ``reply-to`` is a temporary destination, make it, and put the name there that others use."""
        name = message.headers["reply-to"]
        if not name.startswith((TEMP_QUEUE, TEMP_TOPIC)):
            return
        addresses = self._names.addresses_of(name)
        if len(addresses) != 1:
            return
        address = addresses[0]
        self._temporary_destinations.make(address, self._names)
        message.headers = {**message.headers, "reply-to": name_for_others(address)}
        if self._dialect.replies_subscribe and name.startswith(TEMP_QUEUE):
            self._subscribe(name)
