"""Producers: which sessions send to destinations that take only so many."""

from __future__ import annotations

from collections.abc import Hashable

from stomp_tx.broker.policy import Policies
from stomp_tx.errors import LimitExceeded


class Producers:
    """The sessions that have sent to each destination whose policy limits them, until they end."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._sessions: dict[str, set[Hashable]] = {}

    def add(self, address: str, session: Hashable) -> None:
        """It is about to send there.  Raises LimitExceeded when it is one too many."""
        most = self._policies.of(address).producers
        if not most:
            return
        sessions = self._sessions.setdefault(address, set())
        if session not in sessions and len(sessions) >= most:
            raise LimitExceeded("too many producers", f"{most} at a time may send to {address}")
        sessions.add(session)

    def remove(self, session: Hashable) -> None:
        """It has ended."""
        for address, sessions in list(self._sessions.items()):
            sessions.discard(session)
            if not sessions:
                del self._sessions[address]
