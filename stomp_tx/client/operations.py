"""Operations: what can be done with a broker, whether over one connection or over one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from inspect import isawaitable
from operator import attrgetter
from typing import Any, Literal

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from stomp_tx.client.arguments import check_subscribe, is_number, not_the, subscribe_headers
from stomp_tx.client.deferred import client_deferred, failed
from stomp_tx.client.session.consumer import Consumer
from stomp_tx.client.session.message import Message
from stomp_tx.client.session.message_handler import Handler
from stomp_tx.client.session.requests import reply_headers
from stomp_tx.client.session.session import ClientSession
from stomp_tx.client.session.subscription import Subscription
from stomp_tx.client.session.transaction import Transaction
from stomp_tx.errors import ReplyTimeout, StompError
from stomp_tx.wire.headers import Headers

Responder = Callable[[Message], Any]
"""Called with each request; what it returns (or its Deferred or coroutine gives) is the body of the reply."""


AckMode = Literal["auto", "client", "client-individual"]


class Operations(ABC):
    """What StompClient and StompClientService have in common; they say what a lost connection does to each.

    Every operation gives a Deferred, to be awaited or yielded.  None raises: whatever is wrong, the Deferred
    fails with it.  With TypeError or ValueError for arguments that can't be, with FrameError for what can't
    be sent in this protocol version, and then nothing was sent; with ErrorReceived when the broker's ERROR
    names it; with ReceiptTimeout when a receipt does not come in time; with ConnectionLost when there is no
    connection any more.  What an operation fails with besides is said there.
    """

    # -- sending ------------------------------------------------------------------------------------------

    @abstractmethod
    def send(
        self,
        destination: str,
        body: Any,
        *,
        content_type: str | None = None,
        headers: Headers | None = None,
        receipt: bool = False,
        transaction: Transaction | None = None,
        content_length: bool = True,
    ) -> Deferred[None]:
        """Send a message.

        body -- bytes as they are.  Text is encoded as UTF-8, and its content-type is text/plain where none
            is given.  Anything else by the codec of its content-type, JSON where none is given; see Codecs
        headers -- further ones, such as ``persistent`` and ``priority``.  A value is text; int and bool are
            sent as text (``true``, ``false``), and None leaves the header out
        receipt -- wait for the broker to say that it has the message safe
        transaction -- send it as a part of that one
        content_length -- False leaves that header out: ActiveMQ makes a TextMessage of it then, not a
            BytesMessage.  A body with NUL can't be sent so.

        Fails with FrameError for what can't be sent in this protocol version, and with TypeError or
        ValueError for what can't be encoded; nothing was sent then.  As a part of a transaction it fails as
        ``Transaction.send``.
        """

    # -- receiving ----------------------------------------------------------------------------------------

    def subscribe(
        self,
        destination: str,
        handler: Handler | None = None,
        *,
        ack: AckMode = "auto",
        id: str | None = None,
        prefetch: int | None = None,
        concurrency: int | None = None,
        durable: str | None = None,
        headers: Headers | None = None,
        receipt: bool = True,
    ) -> Deferred[Subscription]:
        """Subscribe; fires with the Subscription when the broker says that it is in force.

        handler -- called with each Message; it may be ``async def`` or return a Deferred.  One that raises is
            logged, and where ack is not auto the message is NACKed (in 1.0, which has no NACK, it stays
            unacknowledged).
            None: the Subscription is iterated (``async for``), or asked for its ``next`` message.
        ack -- auto: nothing to acknowledge.  client-individual: each message is.  client: each ACK or NACK
            covers all messages of the subscription that came before, too.
        id -- None: one is made up
        prefetch -- how many messages may be here unacknowledged; None: 100, but no limit for a plain function
            with ack="auto" and no concurrency; 0: no limit.  With ack="client" acknowledge before there are
            that many.  Subscription says what it means for ack="auto".
        concurrency -- how many calls of an asynchronous handler may be at work at a time; None: no limit but
            the prefetch
        durable -- the name of a durable subscription to a topic: what is sent while nobody is there waits.
            Each broker's own headers say so; ActiveMQ, Artemis and this project's broker (for those headers)
            also want CONNECT to have a ``client-id``, which is connect(headers={"client-id": ...}).  A
            ``selector`` in the headers is part of it: with another one what waits may be dropped
        receipt -- False for a broker that sends no RECEIPT: fires when SUBSCRIBE has been sent

        Fails with ProtocolViolation when there is a subscription with this id, and with ConfigurationError
        for a durable one without the ``client-id`` that the broker needs.
        """
        try:
            check_subscribe(destination, handler, ack, id, prefetch, concurrency, durable)
            consumer = Consumer(
                self._current,
                id or durable or self._new_id(),
                destination,
                ack=ack,
                handler=handler,
                prefetch=prefetch,
                headers=subscribe_headers(headers),
                concurrency=concurrency,
                durable=durable,
                lasting=self._lasts,
            )
        except (StompError, TypeError, ValueError) as error:
            return failed(error)
        subscription = Subscription(consumer)
        return self._subscribe(consumer, receipt).addCallback(lambda _: subscription)

    _lasts = False
    """Is a subscription made again on the next connection?"""

    @property
    @abstractmethod
    def _current(self) -> ClientSession: ...

    @abstractmethod
    def _new_id(self) -> str: ...

    @abstractmethod
    def _subscribe(self, consumer: Consumer, receipt: bool) -> Deferred[None]: ...

    def unsubscribe(
        self,
        subscription: Subscription,
        *,
        receipt: bool = True,
        forget: bool = False,
        headers: Headers | None = None,
    ) -> Deferred[None]:
        """End a subscription: no message reaches its handler, or its loop, from now on.

        What has not been acknowledged goes to others, and can't be acknowledged any more.

        forget -- a durable one: the broker keeps nothing for it from now on, and drops what it has kept

        One that has ended already is let alone.
        """
        if not hasattr(subscription, "unsubscribe"):
            return failed(not_the("unsubscribe", "Subscription", "subscribe() gave", subscription))
        return subscription.unsubscribe(receipt=receipt, forget=forget, headers=headers)

    def ack(
        self,
        message: Message,
        *,
        receipt: bool = False,
        transaction: Transaction | None = None,
        headers: Headers | None = None,
    ) -> Deferred[None]:
        """Acknowledge a message: the broker forgets it.

        Fails with ProtocolViolation, and sends nothing, for a message that has been acknowledged already, or
        whose subscription has ended or has ack="auto".  Fails with StaleMessage for one that came over a
        connection that is gone: the broker gives it to somebody again.
        """
        if not hasattr(message, "ack"):
            return failed(not_the("ack", "Message", "has come", message))
        return message.ack(receipt=receipt, transaction=transaction, headers=headers)

    def nack(
        self,
        message: Message,
        *,
        receipt: bool = False,
        transaction: Transaction | None = None,
        headers: Headers | None = None,
    ) -> Deferred[None]:
        """Refuse a message: what becomes of it is the broker's rule.

        Fails as ``ack``, and with ProtocolViolation in 1.0, which has no NACK.
        """
        if not hasattr(message, "nack"):
            return failed(not_the("nack", "Message", "has come", message))
        return message.nack(receipt=receipt, transaction=transaction, headers=headers)

    # -- questions and answers ----------------------------------------------------------------------------

    def request(
        self,
        destination: str,
        body: Any,
        *,
        content_type: str | None = None,
        headers: Headers | None = None,
        content_length: bool = True,
        timeout: float | None = 30.0,
    ) -> Deferred[Message]:
        """Send a question, and fire with the Message that answers it.

        The answer comes to a temporary queue of this connection, which ``reply-to`` names, and is known by
        its ``correlation-id``.  The question is sent once, over the connection that there is then: a
        StompClientService does not send it again.

        timeout -- seconds, the wait for a connection included; None: as long as the connection lives

        Fails with ReplyTimeout, and with ConnectionLost when the connection is lost: whether somebody has
        dealt with it is unknown then.  Cancelling it ends the waiting.
        """

        def ask(session: ClientSession) -> Deferred[Message]:
            return session.requests.ask(destination, body, content_type, headers, content_length)

        if timeout is not None and not is_number(timeout):
            return failed(TypeError(f"timeout is a number of seconds, or None, not {timeout!r}"))
        reply = client_deferred(self._find().addCallback(ask))
        if timeout is not None:
            late = ReplyTimeout(f"no reply from {destination} within {timeout:g} seconds")
            reply.addTimeout(timeout, self._current.clock, lambda failure, seconds: Failure(late))
        return reply

    def respond(
        self,
        destination: str,
        responder: Responder,
        *,
        concurrency: int | None = None,
        prefetch: int | None = None,
        content_type: str | None = None,
        content_length: bool = True,
        headers: Headers | None = None,
    ) -> Deferred[Subscription]:
        """Answer the questions that come to a destination, until the Subscription ends.

        responder -- gives the body of the reply for each; it may be ``async def``, or return a Deferred.  A
            request without ``reply-to`` gets none.  When it raises, the request is NACKed.
        content_type, content_length -- of the replies; see ``send``
        concurrency, prefetch, headers -- see ``subscribe``

        A request is acknowledged just before its reply is sent: a ``reply-to`` that the broker refuses ends
        the connection, and must not come again with the next one.

        Fails as ``subscribe``.
        """

        if not callable(responder):
            return failed(TypeError(f"a responder is called with each request, and {responder!r} can't be"))

        async def respond(message: Message) -> None:
            reply = responder(message)
            if isawaitable(reply):
                reply = await reply
            await message.ack()
            reply_to = message.headers.get("reply-to")
            if reply_to:
                await self.send(
                    reply_to,
                    b"" if reply is None else reply,
                    content_type=content_type,
                    headers=reply_headers(message),
                    content_length=content_length,
                )

        return self.subscribe(
            destination,
            respond,
            ack="client-individual",
            concurrency=concurrency,
            prefetch=prefetch,
            headers=headers,
        )

    # -- transactions -------------------------------------------------------------------------------------

    def transaction(self) -> Transaction:
        """A new transaction: for ``async with``, or to ``begin``.  Nothing is sent before, nor can fail."""
        return Transaction(lambda: self._find().addCallback(attrgetter("outgoing")))

    @abstractmethod
    def _find(self) -> Deferred[ClientSession]:
        """The session to work on; where there is none now, the next one."""
