"""OwnMessages: what one session has sent, for subscriptions of its own that don't want it (noLocal)."""

from __future__ import annotations

from stomp_tx.interfaces import Test
from stomp_tx.message import Message

REMEMBERED = 100_000
"""Messages that are remembered at a time: the last that were sent."""


class OwnMessages:
    """The ids of what was sent last."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def add(self, message_id: str) -> None:
        """It is being sent."""
        self._ids[message_id] = None
        if len(self._ids) > REMEMBERED:
            del self._ids[next(iter(self._ids))]

    def has_sent(self, message: Message) -> bool:
        """Was it sent by this session?"""
        return message.id in self._ids

    def others_only(self, message: Message) -> bool:
        """Was it sent by somebody else?"""
        return message.id not in self._ids

    def others_that(self, matches: Test) -> Test:
        """A test: was it sent by somebody else, and does it match?"""
        return _OthersThat(self._ids, matches).match


class _OthersThat:
    __slots__ = ("_ids", "_matches")

    def __init__(self, ids: dict[str, None], matches: Test) -> None:
        self._ids = ids
        self._matches = matches

    def match(self, message: Message) -> bool:
        return message.id not in self._ids and self._matches(message)
