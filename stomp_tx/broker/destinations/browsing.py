"""Browse: a subscription that looks at what waits in a queue, and takes nothing out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.destinations.destination import Destination, not_kept
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.broker.headers.subscribe import View
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.interfaces import IEngine
from stomp_tx.message import OVERHEAD, Message

AT_ONCE = 200
"""Messages that are looked at before it is others' turn."""

EVERY = 0.2
"""Seconds between looks, for those who want to see what comes."""

END = {"browser": "end"}
"""The headers of the MESSAGE that comes last."""


class Browse(Destination):
    """One subscription's view of a queue: what waits when it looks, in its order, then the end.

    It acknowledges nothing.  What it is given at once is its prefetch; more comes when that has been written.
    """

    __slots__ = ("_engine", "_new_id", "_page", "_pages", "_seen", "_shown_as", "_timer", "_view")

    def __init__(
        self,
        address: str,
        destination: str,
        engine: IEngine,
        clock: IReactorTime,
        settings: BrokerSettings,
        dead_letters: DeadLetters,
        view: View,
        new_id: Callable[[], str],
    ) -> None:
        """
        destination -- the name that the client used
        new_id -- gives the id of a message
        """
        super().__init__(address, clock, settings, Policy(), dead_letters, not_kept)
        self._engine = engine
        self._shown_as = destination
        self._view = view
        self._new_id = new_id
        self._pages: Iterator[list[Message]] | None = None
        self._page: deque[Message] = deque()
        self._seen = view.after
        self._timer: IDelayedCall | None = None

    def add(self, subscription: Subscription) -> None:
        subscription.destination = self
        self.subscriptions[subscription] = None
        self._pages = self._engine.browse(self.address, self._seen)
        self._show(subscription)

    def remove(self, subscription: Subscription) -> None:
        self.subscriptions.pop(subscription, None)
        self._pages = None
        self._page.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def pause(self, subscription: Subscription) -> None:
        pass  # it looks whether it is, before each message

    def resume(self, subscription: Subscription) -> None:
        self._show(subscription)

    def replenish(self, subscription: Subscription) -> None:
        subscription.credit = subscription.prefetch
        self._show(subscription)

    def close(self) -> None:
        pass

    def _show(self, subscription: Subscription) -> None:
        """As much as it can be given now."""
        if subscription not in self.subscriptions or (self._timer is not None and self._timer.active()):
            return
        left = AT_ONCE
        while self._pages is not None and subscription.credit > 0 and not subscription.paused:
            if left <= 0:
                self._later(0, subscription)
                return
            if not self._page:
                page = next(self._pages, None)
                if page is None:
                    self._has_seen_all(subscription)
                    return
                self._page.extend(page)
                left -= 1
                continue
            left -= 1
            message = self._page.popleft()
            self._seen = max(self._seen, message.position)
            if subscription.accepts(message) and not self._dead_letters.is_over(message):
                self._give(subscription, self._shown(message))

    def _give(self, subscription: Subscription, message: Message) -> None:
        subscription.credit -= 1
        if subscription.credit <= 0:
            subscription.exhausted.append(subscription)
        subscription.offer(message)

    def _shown(self, message: Message) -> Message:
        name = self._view.position_header
        if not name:
            return message
        headers = {**message.headers, name: str(message.position)}
        shown = Message(
            message.id, message.destination, message.address, headers, message.body, message.size - OVERHEAD
        )
        shown.attempts = message.attempts
        return shown

    def _has_seen_all(self, subscription: Subscription) -> None:
        self._pages = None
        if self._view.goes_on:
            self._later(EVERY, subscription)
        else:
            end = Message(self._new_id(), self._shown_as, self.address, END, b"", 0)
            self._give(subscription, end)

    def _later(self, seconds: float, subscription: Subscription) -> None:
        self._timer = self._clock.callLater(seconds, self._go_on, subscription)

    def _go_on(self, subscription: Subscription) -> None:
        self._timer = None
        if self._pages is None:
            self._pages = self._engine.browse(self.address, self._seen)
        self._show(subscription)
