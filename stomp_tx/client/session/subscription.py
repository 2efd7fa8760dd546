"""Subscription: one SUBSCRIBE of one session, from the client's side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from inspect import iscoroutine, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.client.arguments import no_transaction
from stomp_tx.client.deferred import failed
from stomp_tx.client.event_loop import in_task, run_in_task
from stomp_tx.client.session.message import Message
from stomp_tx.client.session.returning import Returning
from stomp_tx.client.session.unsettled import Unsettled
from stomp_tx.client.session.waiter import Waiter
from stomp_tx.errors import (
    ConnectionLost,
    ErrorReceived,
    ProtocolViolation,
    StaleMessage,
    StompError,
    SubscriptionEnded,
)
from stomp_tx.wire import frames
from stomp_tx.wire.commands import V10
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.headers import Headers

if TYPE_CHECKING:
    from stomp_tx.client.session.session import ClientSession
    from stomp_tx.client.session.transaction import Transaction

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
    concurrency -- so many calls of the handler may be at work at a time; None: as many as there are messages
    durable -- the name of a durable subscription; None: it is none
    lasting -- it is made again on the next connection
    when_over -- called with it when no more messages come

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

    log = Logger()

    def __init__(
        self,
        session: ClientSession,
        id: str,
        destination: str,
        *,
        ack: str = "auto",
        handler: Handler | None = None,
        prefetch: int | None = None,
        headers: Headers | None = None,
        concurrency: int | None = None,
        durable: str | None = None,
        lasting: bool = False,
    ) -> None:
        if prefetch is None:
            # A plain function is done with each message before the next one is read.
            is_done_at_once = handler is not None and concurrency is None and not iscoroutinefunction(handler)
            prefetch = 0 if ack == "auto" and is_done_at_once else PREFETCH
        self.id = id
        self.destination = destination
        self.ack = ack
        self.handler = handler
        self.prefetch = prefetch
        self.headers = dict(headers or {})
        self.concurrency = concurrency
        self.durable = durable
        self.lasting = lasting
        self.when_over: Callable[[Subscription], object] = lambda _: None
        self._run = run_in_task if in_task() else session.run
        self.session = session
        self.ended = False  # no more messages come
        self._over = False  # nor can those that came be acknowledged
        self._lost: StompError | None = None
        self._automatic = ack == "auto" and prefetch > 0  # we acknowledge
        self.is_acknowledged = ack != "auto" or self._automatic  # somebody does
        self._returning: Returning | None = None
        self._at_work = 0
        self._is_pumping = False
        self._count = 0
        self._unsettled = Unsettled()
        self._buffer: deque[Message] = deque()
        self._waiters: deque[Waiter] = deque()

    def frame(self) -> Frame:
        """The SUBSCRIBE frame that asks for it."""
        dialect = self.session.dialect
        headers = {**self._durable_headers(), **self.headers}
        if self.prefetch:
            for name in dialect.prefetch:
                headers.setdefault(name, str(self.prefetch))
        ack = "client-individual" if self._automatic else self.ack
        return frames.subscribe(self.id, self.destination, ack=ack, headers=headers)

    def _durable_headers(self) -> dict[str, str]:
        if self.durable is None:
            return {}
        named = self.session.dialect.durable.items()
        return {name: value.format(self.durable) for name, value in named}

    # -- for the session ----------------------------------------------------------------------------------

    def received(self, frame: Frame) -> None:
        """A MESSAGE has come for it."""
        if self.ended:
            # It was on its way when the subscription ended.
            if self._returning is not None:
                self._returning.received(frame)
            return
        self._count = number = self._count + 1
        message = Message(frame, self, number)
        if self.is_acknowledged:
            self._unsettled.add(number, frame)
        if self.handler is None:
            self._buffer.append(message)
            self._serve()
        elif self.concurrency is None:
            self._handle(message, self.handler)
        else:
            self._buffer.append(message)
            self._pump(self.handler, self.concurrency)

    def stop(self) -> None:
        """Give no more messages to the user; those that he has can still be acknowledged."""
        self._stop(None)

    def end(self, lost: StompError | None) -> None:
        """It is over: the connection was lost, or (None) it was unsubscribed.

        A lasting one outlives its connection: it is only made again, by ``resume``.
        """
        self._unsettled.clear()
        if self._returning is not None:
            self._returning.lost()
        if lost is not None:
            self.goes_stale()
        if lost is not None and self.lasting:
            if self.is_acknowledged:
                self._buffer.clear()  # the broker gives them to somebody again
            return
        self._over = True
        self._stop(lost)

    def goes_stale(self) -> None:
        """What has come can't be acknowledged any more: its connection is gone."""
        self._unsettled.go_stale(self._count)

    def _stop(self, lost: StompError | None) -> None:
        if self.ended:
            return
        self.ended = True
        self._lost = lost
        if self.is_acknowledged or self.handler is not None:
            self._buffer.clear()  # the broker gives them to others: nobody shall work on them here
        self.when_over(self)
        while self._waiters:
            self._waiters.popleft().errback(Failure(self._why_over()))

    def _why_over(self) -> StompError:
        lost = self._lost
        if lost is None:
            return SubscriptionEnded(
                f"the subscription to {self.destination} has ended",
                "it was unsubscribed, or the client has disconnected: no more messages come",
            )
        return lost if isinstance(lost, (ConnectionLost, ErrorReceived)) else self.session.lost()

    # -- handlers -----------------------------------------------------------------------------------------

    def _handle(self, message: Message, handler: Handler) -> None:
        call = object()
        token = CALL.set(call)
        try:
            result = handler(message)
            if iscoroutine(result):
                result = self._run(result)
        except Exception:
            self._handler_failed(message, Failure())
            return
        finally:
            CALL.reset(token)
        if not isinstance(result, Deferred):
            if self._automatic:
                self._acknowledge(message)
            return
        session = self.session
        session.calls[call] = None
        self._at_work += 1

        def done(outcome: object) -> None:
            if isinstance(outcome, Failure):
                self._handler_failed(message, outcome)
            elif self._automatic:
                self._acknowledge(message)
            self._at_work -= 1
            del session.calls[call]
            session.call_finished()
            if self.concurrency is not None:
                self._pump(handler, self.concurrency)

        result.addBoth(done)

    def _pump(self, handler: Handler, concurrency: int) -> None:
        """Give the handler what waits, as far as it may be at work.

        Calls that end at once come here again, from within: the loop goes on, and not deeper.
        """
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            while self._buffer and self._at_work < concurrency:
                self._handle(self._buffer.popleft(), handler)
        finally:
            self._is_pumping = False

    def _handler_failed(self, message: Message, failure: Failure) -> None:
        """Its exception is logged, and where there is NACK the broker gets the message back."""
        if message.is_stale and failure.check(ConnectionLost):
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
        try:
            return await self.next()
        except SubscriptionEnded:
            raise StopAsyncIteration from None

    def next(self) -> Deferred[Message]:
        """The next message.  May be cancelled: no message is lost by it.

        Fails with SubscriptionEnded when no more come, because it was unsubscribed or the client has
        disconnected: ``async for`` ends then.  With ErrorReceived when an ERROR frame has ended it or the
        connection, and with ConnectionLost when the connection was lost: ``async for`` raises them.
        """
        if self.handler is not None:
            return failed(TypeError("this subscription gives its messages to a handler"))
        if self._buffer:
            return succeed(self._take())
        if self.ended:
            return failed(self._why_over())
        waiter = Waiter(self)
        self._waiters.append(waiter)
        return waiter

    def _take(self) -> Message:
        message = self._buffer.popleft()
        self.taken(message)
        return message

    def _serve(self) -> None:
        while self._waiters and self._buffer:
            self._waiters.popleft().take(self._buffer.popleft())

    def taken(self, message: Message) -> None:
        """The user has it."""
        if self._automatic:
            self._acknowledge(message)

    def gives_up(self, waiter: Waiter) -> None:
        """Nobody waits for the next message there."""
        self._waiters.remove(waiter)

    def put_back(self, message: Message) -> None:
        """Whom it was for does not want it any more: it is the next one again, unless it comes anew."""
        if self.is_acknowledged and (self.ended or self.is_stale(message.number)):
            return
        self._buffer.appendleft(message)
        self._serve()

    # -- acknowledging ------------------------------------------------------------------------------------

    def _acknowledge(self, message: Message) -> None:
        """Mode auto with a prefetch: the message has been taken, and another may come."""
        session = self.session
        if self._unsettled.pop(message.number):
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
        headers: Headers | None,
    ) -> Deferred[None]:
        """ACK or NACK: see StompClient."""
        if message.is_stale or self.session.is_over:
            return failed(self._stale_message(message, command))
        try:
            if transaction is not None:
                if (wrong := no_transaction(transaction)) is not None:
                    raise wrong
                transaction.check_open(self.session)
            frame = (frames.ack if command == "ACK" else frames.nack)(
                message.frame,
                version=self.session.version,
                transaction=None if transaction is None else transaction.id,
                headers=headers,
            )
            self._must_be_unsettled(message, command)
        except (StompError, TypeError) as error:
            return failed(error)
        settled = self._unsettled.take(message.number, self.ack == "client")
        if transaction is not None:
            transaction.has_settled(self, settled)
        return self.session.outgoing.perform(frame, receipt)

    def is_stale(self, number: int) -> bool:
        """Did the message of this number come over a connection that is gone?"""
        return self._unsettled.is_stale(number)

    def needs_settling(self, message: Message) -> bool:
        """Does the message wait for its ACK or NACK?"""
        return self.ack != "auto" and message.number in self._unsettled

    def _stale_message(self, message: Message, command: str) -> StompError:
        if self.session.is_over:
            lost = self.session.lost()
            error = StaleMessage(lost.summary, lost.detail)
            error.__cause__ = lost.__cause__
            return error
        return StaleMessage(
            f"{command} of a message of an earlier connection", f"{message!r} comes again, to somebody"
        )

    def _must_be_unsettled(self, message: Message, command: str) -> None:
        """Raises ProtocolViolation: a broker answers a wrong ACK by closing the connection."""
        if self.ack == "auto":
            raise ProtocolViolation(
                f"{command} in ack mode auto", "subscribe with ack='client-individual' to acknowledge"
            )
        if message.number not in self._unsettled:
            why = "its subscription has ended" if self.ended else "it was acknowledged before"
            raise ProtocolViolation(f"{command} of a message that needs none any more", f"{message!r}: {why}")

    def restore(self, settled: dict[int, Frame]) -> None:
        """These are to be acknowledged again: the transaction that did it was aborted."""
        if not self._over:
            self._unsettled.restore(settled)

    # -- the end ------------------------------------------------------------------------------------------

    def unsubscribe(
        self, *, receipt: bool = True, forget: bool = False, headers: Headers | None = None
    ) -> Deferred[None]:
        """Want no more messages: see StompClient.unsubscribe."""
        if not forget and self.lasting and self.session.is_over:
            self.end(None)  # and so it will not be made again
            return succeed(None)
        return self.session.unsubscribe(self, receipt, headers, forget)

    def unsubscribe_frames(self, headers: Headers | None, forget: bool) -> list[Frame]:
        """The UNSUBSCRIBE frames that end it."""
        plain = frames.unsubscribe(self.id, headers=headers)
        if not forget:
            return [plain]
        last = frames.unsubscribe(self.id, headers={**self._durable_headers(), **(headers or {})})
        return [plain, last] if self.durable and self.session.dialect.forgets_unused else [last]

    def return_unsettled(self, unsubscribing: list[Frame], receipt: bool) -> Deferred[None]:
        """End, but leave nothing with the connection: see Returning."""
        unsettled = self._unsettled.frames()
        self.end(None)
        self._returning = Returning(self.session, self.prefetch, unsubscribing, receipt)
        return self._returning.begin(unsettled)

    def __repr__(self) -> str:
        return f"<Subscription {self.id!r} to {self.destination!r}, ack={self.ack!r}>"
