"""Subscription: what a user gets of SUBSCRIBE."""

from __future__ import annotations

from functools import partial

from twisted.internet.defer import Deferred

from stomp_tx.client.deferred import failed
from stomp_tx.client.session.consumer import Consumer
from stomp_tx.client.session.message import Message
from stomp_tx.errors import SubscriptionEnded
from stomp_tx.wire.headers import Headers


class Subscription:
    """Messages of one destination, for a handler or for ``async for`` (or ``next``).

    id -- its name on this connection
    destination -- what was subscribed to
    ack -- the ack mode: "auto", "client" or "client-individual"
    handler -- called with each message as it arrives; None: they wait here until they are taken
    prefetch -- how many may be here unacknowledged; 0: as many as the broker sends
    headers -- further headers of SUBSCRIBE
    concurrency -- so many calls of the handler may be at work at a time; None: as many as there are messages
    durable -- the name of a durable subscription; None: it is none

    **What bounds the messages that wait here**: the broker sends no more than ``prefetch`` of them unless
    some are acknowledged; nothing here ever stops reading, so receipts and heart-beats always get through.
    Ack mode auto has no such credit in STOMP.  A subscription in mode auto with a prefetch (every one without
    a handler has one) asks the broker for client-individual instead, and acknowledges each message by itself,
    when it has been taken (or when the handler is done with it).  With ``prefetch=0`` it says ``ack:auto``.

    A handler that is ``async def`` runs as what has subscribed does: as a task of asyncio, or of Twisted.

    A handler's calls may overlap when it returns Deferreds: ``concurrency`` bounds how many.  For one message
    after the other, concurrency=1 or ``async for``.

    It is over when it was unsubscribed, or the client disconnected, or the connection was lost; ``next`` says
    which.  What waits here then goes to others, but for ``ack:auto``, where it can still be taken.
    """

    def __init__(self, consumer: Consumer) -> None:
        self.id = consumer.id
        self.destination = consumer.destination
        self.ack = consumer.acknowledgments.mode
        self.handler = consumer.handler
        self.prefetch = consumer.prefetch
        self.headers = consumer.headers
        self.concurrency = consumer.concurrency
        self.durable = consumer.durable
        self._consumer = consumer
        self._inbox = consumer.inbox
        # Its messages reach these without the consumer in between.
        self._acknowledgments = consumer.acknowledgments
        self._codecs = consumer.session.outgoing.codecs
        consumer.new_message = partial(Message, subscription=self)

    @property
    def ended(self) -> bool:
        """Do no more messages come?"""
        return self._consumer.ended

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.next()
        except SubscriptionEnded:
            raise StopAsyncIteration from None

    def next(self) -> Deferred[Message]:
        """The next message.  May be cancelled: no message is lost by it.

        Fails with SubscriptionEnded when no more come, because it was unsubscribed or the client has
        disconnected: ``async for`` ends then.  With ErrorReceived when an ERROR frame has ended it or the
        connection, and with ConnectionLost when the connection was lost: ``async for`` raises them.  With
        TypeError when its messages go to a handler.
        """
        if self._inbox is None:
            return failed(TypeError("this subscription gives its messages to a handler"))
        return self._inbox.next()

    def unsubscribe(
        self, *, receipt: bool = True, forget: bool = False, headers: Headers | None = None
    ) -> Deferred[None]:
        """Want no more messages: see StompClient.unsubscribe, which fails with the same."""
        return self._consumer.unsubscribe(receipt, forget, headers)

    def __repr__(self) -> str:
        return repr(self._consumer)
