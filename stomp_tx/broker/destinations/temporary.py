"""TemporaryDestinations: destinations that live as long as their session, and are read by it alone."""

from __future__ import annotations

from functools import partial

from stomp_tx.address import is_topic
from stomp_tx.broker.events import Dropped, Events
from stomp_tx.broker.names import Names, is_temporary, name_for_owner
from stomp_tx.interfaces import IEngine, Put, Safe
from stomp_tx.message import Message


class TemporaryDestinations:
    """Those that there are.  What is sent to one that is no more is dropped: who asked has gone."""

    def __init__(self, engine: IEngine, events: Events) -> None:
        self._engine = engine
        self._events = events
        self._there: dict[str, None] = {}  # addresses

    def make(self, address: str, names: Names) -> None:
        """Its session uses it.  Raises LimitExceeded."""
        names.make(address)
        self._there[address] = None

    def end(self, names: Names) -> None:
        """Its session has ended."""
        for address in names.temporary:
            self._there.pop(address, None)
            if not is_topic(address):
                self._engine.delete(address)
        names.temporary.clear()

    def around(self, put: Put, address: str) -> Put:
        """``put`` for a temporary destination."""
        return partial(self._put_if_there, put)

    def _put_if_there(self, put: Put, message: Message) -> Safe:
        return put(message) if self.as_sent(message) else None

    def is_gone(self, address: str) -> bool:
        """Is it a temporary destination that is no more?"""
        return "/temp-" in address and is_temporary(address) and address not in self._there

    def drop(self, message: Message) -> None:
        """Tell of a message that is dropped, for its destination is no more."""
        self._events.emit(Dropped, "", "", message, "temporary destination is no more")

    def as_sent(self, message: Message) -> list[Message]:
        """The message, as its receiver gets it; none when the destination is no more."""
        if message.address not in self._there:
            self.drop(message)
            return []
        message.destination = name_for_owner(message.address)
        if message.keeping is not None and message.keeping.persistent:
            message.keeping = message.keeping._replace(persistent=False)  # it ends with its session
        return [message]
