"""Subscriptions: those of one session, by their ids."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from stomp_tx.client.deferred import failed
from stomp_tx.client.session.consumer import Consumer
from stomp_tx.client.session.outgoing import Outgoing
from stomp_tx.errors import ConfigurationError, FrameError, ProtocolViolation
from stomp_tx.wire.commands import V10
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.headers import Headers

ENDED = 1000
"""Subscriptions that have ended, of which it is remembered."""


class Subscriptions:
    """Which consumer gets a MESSAGE; SUBSCRIBE and UNSUBSCRIBE.

    has_client_id -- CONNECT had a ``client-id``
    """

    def __init__(self, outgoing: Outgoing, has_client_id: bool) -> None:
        self.received: Callable[[Frame], None] = self._give
        """A MESSAGE has come."""
        self._outgoing = outgoing
        self._status = outgoing.status
        self._has_client_id = has_client_id
        self._is_stopped = False
        self._consumers: dict[str, Consumer] = {}
        self._count = 0  # of ids that were made up
        self._ended: dict[str, None] = {}  # those that are over, where late messages are errors
        self._held: list[Frame] = []  # messages that nobody is given yet

    def __len__(self) -> int:
        return len(self._consumers)

    def new_id(self) -> str:
        """An id that no other subscription of this session has."""
        while True:
            self._count += 1
            id = f"{self._count}"
            if id not in self._consumers:  # users may have ids like these
                return id

    # -- MESSAGE ------------------------------------------------------------------------------------------

    def _give(self, frame: Frame) -> None:
        id = frame.headers.get("subscription")
        consumer = self._consumers.get(id) if id is not None else self._first_to(frame)
        if consumer is not None:
            consumer.received(frame)

    def _first_to(self, frame: Frame) -> Consumer | None:
        """A broker of 1.0 may name no subscription: the first one to that destination."""
        destination = frame.headers.get("destination")
        for consumer in self._consumers.values():
            if consumer.destination == destination:
                return consumer
        return None

    def hold(self) -> None:
        """Give no message to who would acknowledge it, until ``release``: nothing is said by that."""
        self._held = []
        self.received = self._hold

    def _hold(self, frame: Frame) -> None:
        consumer = self._consumers.get(frame.headers.get("subscription", ""))
        if consumer is not None and consumer.is_acknowledged and not consumer.ended:
            self._held.append(frame)
        else:
            self._give(frame)

    def release(self) -> None:
        """The messages that were held, and those that come, are given to whom they are for."""
        held, self._held = self._held, []
        self.received = self._give
        for frame in held:
            self._give(frame)

    def is_late(self, error: Frame) -> bool:
        """Is it about a message that came too late for its subscription, and that nobody has to acknowledge?

        One that is to be acknowledged stays with the connection: its end brings that to others.
        """
        if not self._ended:
            return False
        late = re.match(self._status.dialect.late, error.body.decode("utf-8", "replace"))
        return late is not None and late[1] in self._ended

    # -- SUBSCRIBE, UNSUBSCRIBE ---------------------------------------------------------------------------

    def subscribe(self, consumer: Consumer, receipt: bool) -> Deferred[None]:
        """SUBSCRIBE; fires as it is in force."""
        if self._status.is_over or self._is_stopped:
            return failed(self._status.lost())
        if consumer.durable and self._status.dialect.wants_client_id and not self._has_client_id:
            return failed(
                ConfigurationError("a durable subscription needs a client-id", "it is a header of CONNECT")
            )
        id = consumer.id
        if id in self._consumers:
            return failed(ProtocolViolation("subscription exists already", f"its id is {id!a}"))
        self._ended.pop(id, None)
        self._consumers[id] = consumer
        return self._outgoing.perform(consumer.frame(), receipt).addErrback(self._refused, consumer)

    def _refused(self, failure: Failure, consumer: Consumer) -> Failure:
        """Nobody got the Subscription: nobody shall get its messages."""
        if failure.check(FrameError):  # it was not said
            self._consumers.pop(consumer.id, None)
        elif not self._status.is_over:
            self.unsubscribe(consumer, False, False, None)
        return failure

    def add(self, consumer: Consumer) -> None:
        """The broker has made it by itself."""
        self._consumers[consumer.id] = consumer

    def unsubscribe(
        self, consumer: Consumer, receipt: bool, forget: bool, headers: Headers | None
    ) -> Deferred[None]:
        """UNSUBSCRIBE.  Its id stays taken until the broker's RECEIPT: messages may be on their way."""
        if consumer.ended:
            return succeed(None)
        if self._held:
            self.release()  # it may have to give some back
        status = self._status
        try:
            unsubscribing = consumer.unsubscribe_frames(headers, forget)
            for frame in unsubscribing:
                frame.encode(status.version)
        except FrameError as error:
            return failed(error)
        must_return = status.dialect.keeps_unsettled and consumer.is_acknowledged and status.version != V10
        if must_return and not forget and not status.is_over:
            asked = consumer.return_unsettled(unsubscribing, receipt)
        else:
            if status.dialect.late and not consumer.is_acknowledged:
                self._remember_end(consumer.id)
            consumer.end(None)
            for frame in unsubscribing[:-1]:
                self._outgoing.perform(frame)
            asked = self._outgoing.perform(unsubscribing[-1], receipt)
        return asked.addBoth(self._gone, consumer.id)

    def _remember_end(self, id: str) -> None:
        self._ended.pop(id, None)
        self._ended[id] = None
        if len(self._ended) > ENDED:
            del self._ended[next(iter(self._ended))]

    def _gone(self, result: Any, id: str) -> Any:
        self._consumers.pop(id, None)
        return result

    # -- the end ------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Nobody is given a message any more, and nothing is subscribed."""
        self._is_stopped = True
        for consumer in list(self._consumers.values()):
            consumer.stop()

    def take_all(self) -> list[Consumer]:
        """The session is over: take out all of them."""
        consumers, self._consumers = self._consumers, {}
        self._held = []
        return list(consumers.values())
