"""Waiter: who waits for the next message of a subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stomp_tx.client.deferred import ClientDeferred

if TYPE_CHECKING:
    from stomp_tx.client.session.message import Message
    from stomp_tx.client.session.subscription import Subscription


class Waiter(ClientDeferred["Message"]):
    """The Deferred that ``Subscription.next`` gives.

    A task of asyncio that was cancelled goes on as cancelled, though its message may have come since: that is
    put back then.  So a message is acknowledged only when the task has gone on with it.
    """

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(subscription.gives_up)  # type: ignore[arg-type]  # it is called with this one
        self._subscription = subscription
        self._message: Message | None = None

    def take(self, message: Message) -> None:
        """Here it is."""
        self._message = message
        if not self.is_awaited:
            self.went_on()
        self.callback(message)

    def went_on(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._subscription.taken(message)

    def went_elsewhere(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._subscription.put_back(message)
