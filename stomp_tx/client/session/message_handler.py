"""MessageHandler: the calls of a subscription's handler."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.client.event_loop import Run
from stomp_tx.client.session.acknowledgments import Acknowledgments
from stomp_tx.client.session.active_work import CALL, ActiveWork
from stomp_tx.client.session.message import Message
from stomp_tx.errors import ConnectionLost

Handler = Callable[[Message], Any]
"""Called with each message; may be ``async def``, or return a Deferred."""


class MessageHandler:
    """Calls a user's function with each message, and settles what it leaves open.

    concurrency -- so many calls may be at work at a time; None: as many as there are messages
    destination -- for the log
    run -- runs coroutines
    active_work -- that of the session that the subscription is on now
    """

    log = Logger()

    def __init__(
        self,
        handler: Handler,
        concurrency: int | None,
        destination: str,
        run: Run,
        acknowledgments: Acknowledgments,
        active_work: ActiveWork,
    ) -> None:
        self.active_work = active_work
        self._handler = handler
        self._most = concurrency or 0
        self._destination = destination
        self._run = run
        self._acknowledgments = acknowledgments
        self._at_work = 0
        self._is_pumping = False
        self._messages: deque[Message] = deque()
        self.deliver: Callable[[Message], None] = self._call if concurrency is None else self._queue
        """One more has come."""

    def __len__(self) -> int:
        """How many wait for their call."""
        return len(self._messages)

    def clear(self) -> None:
        """The broker gives those that wait to others: nobody shall work on them here."""
        self._messages.clear()

    def _call(self, message: Message) -> None:
        call = object()
        token = CALL.set(call)
        try:
            result = self._handler(message)
            if iscoroutine(result):
                result = self._run(result)
        except Exception:
            self._failed(message, Failure())
            return
        finally:
            CALL.reset(token)
        if not isinstance(result, Deferred):
            if self._acknowledgments.are_automatic:
                self._acknowledgments.acknowledge(message)
            return
        active_work = self.active_work
        active_work.add(call)
        self._at_work += 1
        result.addBoth(self._done, message, call, active_work)

    def _done(self, outcome: object, message: Message, call: object, active_work: ActiveWork) -> None:
        if isinstance(outcome, Failure):
            self._failed(message, outcome)
        elif self._acknowledgments.are_automatic:
            self._acknowledgments.acknowledge(message)
        self._at_work -= 1
        active_work.finish(call)
        if self._most:
            self._pump()

    def _queue(self, message: Message) -> None:
        self._messages.append(message)
        self._pump()

    def _pump(self) -> None:
        """Give the handler what waits, as far as it may be at work.

        Calls that end at once come here again, from within: the loop goes on, and not deeper.
        """
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            while self._messages and self._at_work < self._most:
                self._call(self._messages.popleft())
        finally:
            self._is_pumping = False

    def _failed(self, message: Message, failure: Failure) -> None:
        """Its exception is logged, and where there is NACK the broker gets the message back."""
        if message.is_stale and failure.check(ConnectionLost):
            return  # a consequence of the loss, which is logged by itself
        self.log.failure(
            "the handler of {destination} failed for {message}",
            failure,
            destination=self._destination,
            message=message.id,
        )
        if self._acknowledgments.are_automatic:
            self._acknowledgments.acknowledge(message)
        else:
            self._acknowledgments.refuse(message)
