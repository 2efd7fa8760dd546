"""Waiter: who waits for the next message of a subscription."""

from __future__ import annotations

from typing import Protocol

from stomp_tx.client.deferred import ClientDeferred
from stomp_tx.client.session.message import Message


class MessageSource(Protocol):
    """Where the message comes from."""

    def give_up(self, waiter: Waiter) -> None:
        """It does not wait any more."""

    def taken(self, message: Message) -> None:
        """The user has it."""

    def put_back(self, message: Message) -> None:
        """Whom it was for does not want it any more."""


class Waiter(ClientDeferred[Message]):
    """The Deferred that ``Subscription.next`` gives.

    A task of asyncio that was cancelled goes on as cancelled, though its message may have come since: that is
    put back then.  So a message is acknowledged only when the task has gone on with it.
    """

    _message: Message | None = None

    def __init__(self, source: MessageSource) -> None:
        super().__init__(source.give_up)  # type: ignore[arg-type]  # it is called with this one
        self._source = source

    def take(self, message: Message) -> None:
        """Here it is."""
        self._message = message
        if not self.is_awaited:
            self.went_on()
        self.callback(message)

    def went_on(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._source.taken(message)

    def went_elsewhere(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._source.put_back(message)
