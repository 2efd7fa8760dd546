"""CompositeSend: one SEND to several destinations, all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import succeed

from stomp_tx.broker.destinations.overflow import Overflow
from stomp_tx.broker.headers.send import keeping_of, tell_keeping
from stomp_tx.broker.policy import Policy
from stomp_tx.interfaces import IEngine, Safe
from stomp_tx.message import Batch, Message


class Part(NamedTuple):
    """One of the destinations: its address, what its copy's MESSAGE shows, and its policy."""

    address: str
    name: str
    policy: Policy


class CompositeSend:
    """Puts a copy of a message into each."""

    __slots__ = ("_appended", "_emptied_by", "_engine", "_now", "_overflow", "_parts")

    def __init__(
        self,
        parts: list[Part],
        engine: IEngine,
        overflow: Overflow,
        now: Callable[[], int],
        appended: Callable[[Message, Policy], list[Message]],
        emptied_by: Callable[[Message], list[str]],
    ) -> None:
        """
        now -- gives the milliseconds since 1970
        appended -- says what is appended for a message to one destination
        emptied_by -- the queues that are emptied for a message
        """
        self._appended = appended
        self._emptied_by = emptied_by
        self._parts = parts
        self._engine = engine
        self._overflow = overflow
        self._now = now

    def __call__(self, message: Message) -> Safe:
        copies = self.copies(message)
        self._overflow.check(copies)
        safe: Safe = self._engine.commit(Batch(copies, emptied=self._emptied_by(message)))
        if safe is None and self._overflow.are_reached(copies):
            return succeed(None)  # ask for room, that says
        return safe

    def copies(self, message: Message) -> list[Message]:
        """One for each destination, as its policy has it."""
        found = []
        for address, name, policy in self._parts:
            copy = message.bound_for(address)
            copy.destination = name
            if policy.stamps:
                copy.keeping = keeping_of(message.headers, policy, self._now)
                tell_keeping(copy, policy)
            found += self._appended(copy, policy)
        return found
