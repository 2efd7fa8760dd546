"""Requests: questions to others over a broker, and their answers."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from stomp_tx.client.deferred import ClientDeferred
from stomp_tx.client.session.consumer import Consumer, ConsumerSession
from stomp_tx.client.session.message import Message
from stomp_tx.client.session.subscription import Subscription
from stomp_tx.client.session.subscriptions import Subscriptions
from stomp_tx.wire.headers import Headers, texts

REPLIES = "/temp-queue/replies"
"""Where answers come to, on this connection only."""


class Requests:
    """What was asked over one session; all answers come to one temporary queue.

    An answer is told from the others by its ``correlation-id``.
    """

    def __init__(self, session: ConsumerSession, subscriptions: Subscriptions) -> None:
        self._session = session
        self._subscriptions = subscriptions
        self._asked: dict[str, Deferred[Message]] = {}
        self._replies: Consumer | None = None
        self._count = 0

    def ask(
        self,
        destination: str,
        body: Any,
        content_type: str | None,
        headers: Headers | None,
        content_length: bool,
    ) -> Deferred[Message]:
        """Fires with the answer.  See StompClient.request."""
        if self._replies is None:
            self._replies = self._subscribe()
        self._count += 1
        name = f"{self._count}"
        asked = {
            **texts(headers or {}),
            "reply-to": self._replies.destination,
            "correlation-id": name,
        }
        answer: Deferred[Message] = ClientDeferred(partial(self._cancelled, name))
        self._asked[name] = answer
        self._session.outgoing.send(
            destination, body, content_type, asked, content_length=content_length
        ).addErrback(self._refused, name, answer)
        return answer

    def _cancelled(self, name: str, _: object) -> None:
        self._asked.pop(name, None)

    def _refused(self, failure: Failure, name: str, answer: Deferred[Message]) -> None:
        if self._asked.pop(name, None) is not None:
            answer.errback(failure)

    def _subscribe(self) -> Consumer:
        dialect = self._session.outgoing.status.dialect
        destination = REPLIES if dialect.temporary else f"replies.{uuid4().hex}"
        id = REPLIES if dialect.subscribes_replies else self._subscriptions.new_id()
        replies = Consumer(self._session, id, destination, handler=self._answered, prefetch=0)
        Subscription(replies)
        if dialect.subscribes_replies:
            self._subscriptions.add(replies)
        else:
            self._subscriptions.subscribe(replies, False).addErrback(self._no_answers)
        return replies

    def _no_answers(self, failure: Failure) -> None:
        """There is no subscription for them."""
        self._replies = None
        asked, self._asked = self._asked, {}
        for answer in asked.values():
            if not answer.called:
                answer.errback(failure)

    def _answered(self, message: Message) -> None:
        answer = self._asked.pop(message.headers.get("correlation-id", ""), None)
        if answer is not None:
            answer.callback(message)

    def end(self) -> None:
        """The session is over."""
        self._no_answers(Failure(self._session.outgoing.status.lost()))


def reply_headers(message: Message) -> dict[str, str]:
    """The headers of the answer to a message."""
    correlation = message.headers.get("correlation-id")
    return {} if correlation is None else {"correlation-id": correlation}
