"""Subscription: one SUBSCRIBE of one session, from the client's side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.client.answer import Answer, failed
from stomp_tx.client.message import Message
from stomp_tx.errors import ConnectionLost, ProtocolViolation, StompError
from stomp_tx.wire import frames
from stomp_tx.wire.commands import V10
from stomp_tx.wire.frame import Frame

if TYPE_CHECKING:
    from stomp_tx.client.session import ClientSession
    from stomp_tx.client.transaction import Transaction

PREFETCH = 100
"""Messages that a subscription may hold unacknowledged, where the user does not say."""

CALL: ContextVar[object] = ContextVar("CALL", default=None)
"""The handler's call that the running code belongs to: disconnect() in a handler must not wait for itself."""

Handler = Callable[[Message], Any]
"""Called with each message; may be ``async def``, or return a Deferred."""


class Subscription:
    """Messages of one destination, for a handler or for ``async for`` (or ``next``).

    id -- its name on this connection
    destination -- what was subscribed to
    ack -- the ack mode: "auto", "client" or "client-individual"
    handler -- called with each message as it arrives; None: they wait here until they are taken
    prefetch -- how many may be here unacknowledged; 0: as many as the broker sends
    headers -- further headers of SUBSCRIBE

    **What bounds the messages that wait here**: the broker sends no more than ``prefetch`` of them unless
    some are acknowledged; nothing here ever stops reading, so receipts and heart-beats always get through.
    Ack mode auto has no such credit in STOMP.  A subscription in mode auto with a prefetch (every one without
    a handler has one) asks the broker for client-individual instead, and acknowledges each message by itself,
    when it has been taken (or when the handler is done with it).  With ``prefetch=0`` it says ``ack:auto``.

    A handler's calls may overlap when it returns Deferreds: ``prefetch`` bounds how many.  For one message
    after the other, prefetch=1 or ``async for``.

    It is over when it was unsubscribed, or the client disconnected (``next`` gives None then), or the
    connection was lost (``next`` fails with ConnectionLost).  What waits here then goes to others, but for
    ``ack:auto``, where it can still be taken.
    """

    log = Logger()

    def __init__(
        self,
        session: ClientSession,
        id: str,
        destination: str,
        ack: str,
        handler: Handler | None,
        prefetch: int | None,
        headers: Mapping[str, str] | None,
    ) -> None:
        if prefetch is None:
            prefetch = 0 if ack == "auto" and handler is not None else PREFETCH
        self.id = id
        self.destination = destination
        self.ack = ack
        self.handler = handler
        self.prefetch = prefetch
        self.headers = dict(headers or {})
        self.session = session
        self.ended = False  # no more messages come
        self._over = False  # nor can those that came be acknowledged
        self._lost: StompError | None = None
        self._automatic = ack == "auto" and prefetch > 0  # we acknowledge
        self._acknowledged = ack != "auto" or self._automatic  # somebody does
        self._count = 0
        self._unsettled: dict[int, None] = {}  # numbers of the messages to acknowledge, in their order
        self._buffer: deque[Message] = deque()
        self._takers: deque[Deferred[Message | None]] = deque()

    def frame(self) -> Frame:
        """The SUBSCRIBE frame that asks for it."""
        headers = dict(self.headers)
        if self.prefetch:
            # RabbitMQ and this project's broker read the first, ActiveMQ the second; others ignore both.
            headers.setdefault("prefetch-count", str(self.prefetch))
            headers.setdefault("activemq.prefetchSize", str(self.prefetch))
        ack = "client-individual" if self._automatic else self.ack
        return frames.subscribe(self.id, self.destination, ack=ack, headers=headers)

    # -- for the session ----------------------------------------------------------------------------------

    def received(self, frame: Frame) -> None:
        """A MESSAGE has come for it."""
        if self.ended:
            return  # was on its way when the subscription ended
        self._count = number = self._count + 1
        message = Message(frame, self, number)
        if self._acknowledged:
            self._unsettled[number] = None
        if self.handler is not None:
            self._handle(message, self.handler)
            return
        self._buffer.append(message)
        while self._takers and self._buffer:
            self._takers.popleft().callback(self._take())

    def stop(self) -> None:
        """Give no more messages to the user; those that he has can still be acknowledged."""
        self._stop(None)

    def end(self, lost: StompError | None) -> None:
        """It is over: the connection was lost, or (None) it was unsubscribed."""
        self._over = True
        self._unsettled.clear()
        self._stop(lost)

    def _stop(self, lost: StompError | None) -> None:
        if self.ended:
            return
        self.ended = True
        self._lost = lost
        if self._acknowledged:
            self._buffer.clear()  # the broker gives them to others: nobody shall work on them here
        while self._takers:
            taker = self._takers.popleft()
            if lost is None:
                taker.callback(None)
            else:
                taker.errback(Failure(self.session.lost()))

    # -- handlers -----------------------------------------------------------------------------------------

    def _handle(self, message: Message, handler: Handler) -> None:
        call = object()
        token = CALL.set(call)
        try:
            result = handler(message)
            if iscoroutine(result):
                result = Deferred.fromCoroutine(result)
        except Exception:
            self._handler_failed(message, Failure())
            return
        finally:
            CALL.reset(token)
        if not isinstance(result, Deferred):
            if self._automatic:
                self._acknowledge(message)
            return
        calls = self.session.calls
        calls[call] = None

        def done(outcome: object) -> None:
            if isinstance(outcome, Failure):
                self._handler_failed(message, outcome)
            elif self._automatic:
                self._acknowledge(message)
            del calls[call]
            self.session.call_finished()

        result.addBoth(done)

    def _handler_failed(self, message: Message, failure: Failure) -> None:
        """Its exception is logged, and where there is NACK the broker gets the message back."""
        if self.session.is_over and failure.check(ConnectionLost):
            return  # a consequence of the loss, which is logged by itself
        self.log.failure(
            "the handler of {destination} failed for {message}",
            failure,
            destination=self.destination,
            message=message.id,
        )
        if self._automatic:
            self._acknowledge(message)
        elif message.number in self._unsettled and self.session.version != V10:
            self.settle(message, "NACK", False, None, None)

    # -- async for, next ----------------------------------------------------------------------------------

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Message:
        message = await self.next()
        if message is None:
            raise StopAsyncIteration
        return message

    def next(self) -> Deferred[Message | None]:
        """The next message; None when the subscription is over.

        Fails with ConnectionLost when the connection was lost.  May be cancelled: no message is lost by it.
        """
        if self.handler is not None:
            return failed(TypeError("this subscription gives its messages to a handler"))
        if self._buffer:
            return succeed(self._take())
        if self.ended:
            return succeed(None) if self._lost is None else failed(self.session.lost())
        taker: Deferred[Message | None] = Answer(self._takers.remove)
        self._takers.append(taker)
        return taker

    def _take(self) -> Message:
        message = self._buffer.popleft()
        if self._automatic:
            self._acknowledge(message)
        return message

    # -- acknowledging ------------------------------------------------------------------------------------

    def _acknowledge(self, message: Message) -> None:
        """Mode auto with a prefetch: the message has been taken, and another may come."""
        session = self.session
        if self._unsettled.pop(message.number, 0) is None:
            try:
                session.outgoing.perform(frames.ack(message.frame, version=session.version))
            except ProtocolViolation:
                pass  # a broker that knows no acknowledgments sent no ack header

    def settle(
        self,
        message: Message,
        command: str,
        receipt: bool,
        transaction: Transaction | None,
        headers: Mapping[str, str] | None,
    ) -> Deferred[None]:
        """ACK or NACK: see StompClient."""
        if self.session.is_over:
            return failed(self.session.lost())
        try:
            if transaction is not None:
                transaction.check_open(self.session)
            frame = (frames.ack if command == "ACK" else frames.nack)(
                message.frame,
                version=self.session.version,
                transaction=None if transaction is None else transaction.id,
                headers=headers,
            )
            taken = self._settled_by(message, command)
        except StompError as error:
            return failed(error)
        for number in taken:
            del self._unsettled[number]
        if transaction is not None:
            transaction.has_settled(self, taken)
        return self.session.outgoing.perform(frame, receipt)

    def _settled_by(self, message: Message, command: str) -> list[int]:
        """The numbers of what this ACK or NACK covers: in mode client all that came before it as well.

        A broker answers a wrong ACK by closing the connection: what can be known to be wrong is refused here.
        """
        number = message.number
        if self.ack == "auto":
            raise ProtocolViolation(
                f"{command} in ack mode auto", "subscribe with ack='client-individual' to acknowledge"
            )
        if number not in self._unsettled:
            why = "its subscription has ended" if self.ended else "it was acknowledged before"
            raise ProtocolViolation(f"{command} of a message that needs none any more", f"{message!r}: {why}")
        if self.ack == "client-individual":
            return [number]
        taken = []
        for earlier in self._unsettled:
            taken.append(earlier)
            if earlier == number:
                break
        return taken

    def restore(self, numbers: list[int]) -> None:
        """These are to be acknowledged again: the transaction that did it was aborted."""
        if not self._over:
            self._unsettled = dict.fromkeys(sorted([*self._unsettled, *numbers]))

    # -- the end ------------------------------------------------------------------------------------------

    def unsubscribe(
        self, *, receipt: bool = True, headers: Mapping[str, str] | None = None
    ) -> Deferred[None]:
        """Want no more messages: see StompClient.unsubscribe."""
        return self.session.unsubscribe(self, receipt, headers)

    def __repr__(self) -> str:
        return f"<Subscription {self.id!r} to {self.destination!r}, ack={self.ack!r}>"
