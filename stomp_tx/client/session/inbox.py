"""Inbox: messages of a subscription without a handler, until they are taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from stomp_tx.client.deferred import failed
from stomp_tx.client.session.acknowledgments import Acknowledgments
from stomp_tx.client.session.message import Message
from stomp_tx.client.session.waiter import Waiter
from stomp_tx.errors import StompError


class Inbox:
    """Messages in the order in which they came, or those who wait for one, in theirs."""

    def __init__(self, acknowledgments: Acknowledgments) -> None:
        self._acknowledgments = acknowledgments
        self._messages: deque[Message] = deque()
        self._waiters: deque[Waiter] = deque()
        self._why_over: Callable[[], StompError] | None = None

    def __len__(self) -> int:
        return len(self._messages)

    def deliver(self, message: Message) -> None:
        """One more has come."""
        if self._waiters:
            self._waiters.popleft().take(message)
        else:
            self._messages.append(message)

    def next(self) -> Deferred[Message]:
        """See Subscription.next."""
        if self._messages:
            message = self._messages.popleft()
            self.taken(message)
            return succeed(message)
        if self._why_over is not None:
            return failed(self._why_over())
        waiter = Waiter(self)
        self._waiters.append(waiter)
        return waiter

    def clear(self) -> None:
        """The broker gives them to somebody again: nobody gets them here."""
        self._messages.clear()

    def end(self, why: Callable[[], StompError]) -> None:
        """No more come.  Those who wait fail, each with an error of its own."""
        self._why_over = why
        while self._waiters:
            self._waiters.popleft().errback(Failure(why()))

    # -- for waiters --------------------------------------------------------------------------------------

    def taken(self, message: Message) -> None:
        if self._acknowledgments.are_automatic:
            self._acknowledgments.acknowledge(message)

    def give_up(self, waiter: Waiter) -> None:
        self._waiters.remove(waiter)

    def put_back(self, message: Message) -> None:
        """It is the next one again, unless it comes anew."""
        if self._acknowledgments.are_needed and (
            self._why_over is not None or self._acknowledgments.is_stale(message.number)
        ):
            return
        self._messages.appendleft(message)
        while self._waiters and self._messages:
            self._waiters.popleft().take(self._messages.popleft())
